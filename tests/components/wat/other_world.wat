;; A program for the command line, not a plugin.
(component
  (instance $run)
  (export "wasi:cli/run@0.2.0" (instance $run)))
