//! The limit of output size relative to input size.

/// The maximum of output bytes for each input byte. The worst case is a stream of minimal events. Each
/// becomes a full event of a more verbose dialect, which repeats the text at the end of the part and of the
/// response.
const BYTES_PER_BYTE: usize = 64;

/// The maximum of output bytes that do not depend on the input: the frame of a response or of a stream.
const FRAME_BYTES: usize = 16 << 10;

/// Panics if `written` bytes exceed the limit for `read` input bytes.
pub(crate) fn hold(what: &str, read: usize, written: usize) {
    let most = read * BYTES_PER_BYTE + FRAME_BYTES;
    assert!(
        written <= most,
        "{what}: wrote {written} bytes for {read} input bytes, the limit is {most}"
    );
}
