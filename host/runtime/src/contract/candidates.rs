//! The candidates of a pick, which are the same functions in all versions of the contract.

/// Implements the interface `candidates` of a version, whose module of bindings is the argument.
macro_rules! impl_candidates {
    ($bindings:ident) => {
        impl $bindings::Host for HostState {
            fn len(&mut self) -> u32 {
                self.column(0, |candidates| {
                    u32::try_from(candidates.len()).unwrap_or(u32::MAX)
                })
            }

            fn identities(&mut self) -> Vec<u64> {
                self.column(Vec::new(), |candidates| candidates.identities())
            }

            fn weights(&mut self) -> Vec<u32> {
                self.column(Vec::new(), |candidates| candidates.weights())
            }

            fn in_flight(&mut self) -> Vec<u32> {
                self.column(Vec::new(), |candidates| candidates.in_flight())
            }

            fn error_permille(&mut self) -> Vec<u16> {
                self.column(Vec::new(), |candidates| candidates.error_permille())
            }

            fn latency_ms(&mut self) -> Vec<u32> {
                self.column(Vec::new(), |candidates| candidates.latency_ms())
            }

            fn quota_left_permille(&mut self) -> Vec<u16> {
                self.column(Vec::new(), |candidates| candidates.quota_left_permille())
            }

            fn quota_reset_ms(&mut self) -> Vec<u64> {
                self.column(Vec::new(), |candidates| candidates.quota_reset_ms())
            }

            fn last_used_ms(&mut self) -> Vec<u64> {
                self.column(Vec::new(), |candidates| candidates.last_used_ms())
            }

            fn attribute(&mut self, name: String) -> Vec<Option<String>> {
                self.column(Vec::new(), |candidates| candidates.attribute(&name))
            }
        }
    };
}

pub(crate) use impl_candidates;
