;; Exports both interfaces of the contract.
(component
  (instance $nothing)
  (export "jackfield:plugin/executor@0.1.0" (instance $nothing))
  (export "jackfield:plugin/selector@0.1.0" (instance $nothing)))
