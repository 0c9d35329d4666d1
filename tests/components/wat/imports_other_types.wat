;; Imports `write` with other parameters than in the contract.
(component
  (import "jackfield:plugin/log@0.2.0" (instance
    (export "write" (func (param "message" u64)))))
  (instance $selector)
  (export "jackfield:plugin/selector@0.2.0" (instance $selector)))
