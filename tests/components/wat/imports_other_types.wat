;; Imports `write` from the right interface, but with other parameters than the contract has.
(component
  (import "jackfield:plugin/log@0.1.0" (instance
    (export "write" (func (param "message" u64)))))
  (instance $selector)
  (export "jackfield:plugin/selector@0.1.0" (instance $selector)))
