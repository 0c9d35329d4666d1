;; A selector for an older version of the contract.
(component
  (instance $selector)
  (export "jackfield:plugin/selector@0.0.9" (instance $selector)))
