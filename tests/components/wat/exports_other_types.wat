;; A selector whose functions have the names of the contract, but other parameters and results.
(component
  (core module $code
    (func (export "number") (result i32)
      (i32.const 7)))
  (core instance $code (instantiate $code))
  (func $number (result u32) (canon lift (core func $code "number")))
  (instance $selector
    (export "describe" (func $number))
    (export "pick" (func $number)))
  (export "jackfield:plugin/selector@0.2.0" (instance $selector)))
