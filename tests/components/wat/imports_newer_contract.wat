;; Was built against a contract that is newer than this host's.
(component
  (import "jackfield:plugin/log@0.2.0" (instance)))
