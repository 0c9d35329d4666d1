;; A selector for a host that spoke an older contract.
(component
  (instance $selector)
  (export "jackfield:plugin/selector@0.0.9" (instance $selector)))
