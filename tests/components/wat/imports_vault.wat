;; Imports an interface that is not in the contract.
(component
  (import "acme:vault/secrets@1.0.0" (instance
    (export "read" (func (param "name" string) (result string))))))
