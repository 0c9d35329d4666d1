;; A selector by name, with nothing in it.
(component
  (instance $selector)
  (export "jackfield:plugin/selector@0.1.0" (instance $selector)))
