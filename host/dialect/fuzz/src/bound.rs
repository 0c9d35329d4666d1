//! How much may come of how little: what is written never grows beyond what was read.

/// The most bytes written for each byte read. The worst is a stream of the least events, each a whole
/// event of a wordier dialect, whose text is said again when its part ends and when the answer ends.
const BYTES_PER_BYTE: usize = 64;

/// The most bytes written for nothing: the frame of an answer or of a stream.
const FRAME_BYTES: usize = 16 << 10;

/// Panics if so much may not come of so little.
pub(crate) fn hold(what: &str, read: usize, written: usize) {
    let most = read * BYTES_PER_BYTE + FRAME_BYTES;
    assert!(
        written <= most,
        "{what}: {written} bytes of {read}, at most {most} may come"
    );
}
