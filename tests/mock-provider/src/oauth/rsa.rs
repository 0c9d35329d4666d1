//! Verifies RSA signatures (RFC 8017, RSASSA-PKCS1-v1_5 with SHA-256), with arithmetic of its own: a second opinion on the
//! signer. Not for anything but tests, since its time depends on the numbers.

use sha2::{Digest as _, Sha256};

/// The public exponent of all keys in use.
const EXPONENT_BITS: u32 = 16;

/// The beginning of the signed text: the ASN.1 of SHA-256 (RFC 8017, section 9.2, note 1).
const SHA256_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

/// Whether this is the signature of a message by the key with this modulus and the exponent 65537.
pub(super) fn verifies(modulus: &[u8], message: &[u8], signature: &[u8]) -> bool {
    if signature.len() != modulus.len() || signature >= modulus {
        return false;
    }
    let modulus = limbs(modulus);
    let signature = limbs(signature);
    // 65537 is 2 to the 16th and 1.
    let mut power = signature.clone();
    for _ in 0..EXPONENT_BITS {
        power = product(&power, &power, &modulus);
    }
    let opened = product(&power, &signature, &modulus);
    bytes(&opened) == encoded(message, modulus.len() * 4)
}

/// The text that a signature of this length opens to.
fn encoded(message: &[u8], length: usize) -> Vec<u8> {
    let tail = [&SHA256_INFO[..], &Sha256::digest(message)].concat();
    let padding = length.saturating_sub(tail.len() + 3);
    let head = [&[0, 1][..], &vec![0xff; padding], &[0]].concat();
    [head, tail].concat()
}

/// A number in digits of 32 bits, the lowest first.
fn limbs(bytes: &[u8]) -> Vec<u32> {
    let chunks = bytes.rchunks(4);
    let limb = |chunk: &[u8]| {
        chunk
            .iter()
            .fold(0, |limb, byte| limb << 8 | u32::from(*byte))
    };
    chunks.map(limb).collect()
}

fn bytes(limbs: &[u32]) -> Vec<u8> {
    limbs
        .iter()
        .rev()
        .flat_map(|limb| limb.to_be_bytes())
        .collect()
}

/// The product of two numbers below the modulus, by doubling and adding.
fn product(left: &[u32], right: &[u32], modulus: &[u32]) -> Vec<u32> {
    let mut result = vec![0; modulus.len()];
    for limb in left.iter().rev() {
        for bit in (0..32).rev() {
            result = sum(&result, &result, modulus);
            if limb >> bit & 1 == 1 {
                result = sum(&result, right, modulus);
            }
        }
    }
    result
}

/// The sum of two numbers below the modulus.
fn sum(left: &[u32], right: &[u32], modulus: &[u32]) -> Vec<u32> {
    let mut carry = 0;
    let mut sum = Vec::with_capacity(modulus.len());
    for (left, right) in left.iter().zip(right) {
        let wide = u64::from(*left) + u64::from(*right) + carry;
        sum.push(low(wide));
        carry = wide >> 32;
    }
    if carry == 0 && sum.iter().rev().lt(modulus.iter().rev()) {
        return sum;
    }
    let mut borrow = 0;
    for (digit, modulus) in sum.iter_mut().zip(modulus) {
        let wide = (1 << 32) + u64::from(*digit) - u64::from(*modulus) - borrow;
        *digit = low(wide);
        borrow = 1 - (wide >> 32);
    }
    sum
}

fn low(wide: u64) -> u32 {
    u32::try_from(wide & u64::from(u32::MAX)).unwrap_or_default()
}
