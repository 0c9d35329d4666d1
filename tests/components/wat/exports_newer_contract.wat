;; A selector for a newer version of the contract.
(component
  (instance $selector)
  (export "jackfield:plugin/selector@0.3.0" (instance $selector)))
