;; A selector without functions.
(component
  (instance $selector)
  (export "jackfield:plugin/selector@0.2.0" (instance $selector)))
