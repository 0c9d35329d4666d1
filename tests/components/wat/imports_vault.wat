;; Imports what no host of this contract offers.
(component
  (import "acme:vault/secrets@1.0.0" (instance
    (export "read" (func (param "name" string) (result string))))))
