;; Wants to open connections by itself.
(component
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance)))
