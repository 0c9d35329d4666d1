;; Declares 256 MiB of initial memory.
(component
  (core module $code
    (memory 4096)
    (func (export "number") (result i32)
      (i32.const 7)))
  (core instance $code (instantiate $code))
  (func $number (result u32) (canon lift (core func $code "number")))
  (instance $selector
    (export "describe" (func $number))
    (export "pick" (func $number)))
  (export "jackfield:plugin/selector@0.1.0" (instance $selector)))
