;; A component that is nothing: it imports nothing and exports nothing.
(component)
