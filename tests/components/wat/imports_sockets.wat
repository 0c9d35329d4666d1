;; Imports sockets, which this host does not offer.
(component
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance)))
