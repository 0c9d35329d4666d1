;; A component built against a newer version of the contract.
(component
  (import "jackfield:plugin/log@0.3.0" (instance)))
