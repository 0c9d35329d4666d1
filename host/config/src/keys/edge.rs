//! Keys about the edge for clients: limits and browsers.

use crate::config::Limits;
use crate::key::{DefaultKey, RequiredKey, Section, default, required, section};
use crate::kinds::{List, Size, WebOrigin};

/// Limits.
pub(crate) mod limits {
    use super::*;

    section! {
        SECTION at "limits" {
            REQUEST_BODY: DefaultKey<Size> = default(
                // Memory holds a whole body, and for a translation a second one.
                "request-body", Size { mib_max: 512 }, |_| Limits::default().request_body_bytes_max,
                "Largest request body of a client. A compressed body counts decompressed.",
            );
            MEMORY: DefaultKey<Size> = default(
                "memory", Size { mib_max: 64 << 10 }, |_| Limits::default().memory_bytes_max,
                "What all calls together may hold: request bodies, and responses until they are passed on. More is \
                 refused with 503. One client (a client key, or an address without keys) may hold three times what is \
                 free: three quarters while it is alone. A translation takes some times its body in addition.",
            );
        }
    }
}

/// Browser clients.
pub(crate) mod cors {
    use super::*;

    section! {
        SECTION at "cors" {
            ORIGINS: RequiredKey<List<WebOrigin>> = required(
                "origins", List(WebOrigin),
                "The pages that may call. `*` means every page, and needs `client-keys`.",
            );
        }
    }
}
