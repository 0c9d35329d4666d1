;; A selector for a host that speaks a newer contract.
(component
  (instance $selector)
  (export "jackfield:plugin/selector@0.2.0" (instance $selector)))
