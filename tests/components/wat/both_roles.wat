;; Exports both interfaces of the contract.
(component
  (instance $nothing)
  (export "jackfield:plugin/planner@0.2.0" (instance $nothing))
  (export "jackfield:plugin/selector@0.2.0" (instance $nothing)))
