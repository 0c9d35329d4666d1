//! Which provider gave which signature, and which signatures a provider refused. What one provider signed must
//! never reach another one: the whole request would be refused, and every later one of the session.

mod clean;
mod memory;
mod recorder;

pub(crate) use clean::{CleanedBody, clean_body, may_need_cleaning, without_signatures};
pub(crate) use memory::{RefusedPart, SignatureMemory};
pub(crate) use recorder::{PieceRecorder, SignatureRecorder};
