;; A selector without functions.
(component
  (instance $selector)
  (export "jackfield:plugin/selector@0.1.0" (instance $selector)))
