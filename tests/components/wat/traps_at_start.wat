;; Traps in its start function, before any call.
(component
  (core module $code
    (func $start unreachable)
    (start $start)
    (func (export "number") (result i32)
      (i32.const 7)))
  (core instance $code (instantiate $code))
  (func $number (result u32) (canon lift (core func $code "number")))
  (instance $selector
    (export "describe" (func $number))
    (export "pick" (func $number)))
  (export "jackfield:plugin/selector@0.1.0" (instance $selector)))
