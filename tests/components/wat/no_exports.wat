;; A component without imports and exports.
(component)
