//! Weighted rendezvous hashing: a session stays on its candidate while the candidate is available.

/// Returns the candidate of a session.
///
/// Each candidate gets a number from the hash of the session and its identity, and the lowest number wins.
/// So the result does not depend on the order or the number of the candidates. If a candidate leaves,
/// only its sessions move, spread over the others, and they return with it. If one joins, it takes its
/// share, and no session moves between the others. The numbers have an exponential distribution with the
/// weight as its rate, so a candidate wins in proportion to its weight (Efraimidis and Spirakis, 2006).
/// A missing weight or 0 counts as 1. O(n).
pub fn sticky(affinity: u64, identities: &[u64], weights: &[u32]) -> Option<usize> {
    let session = mix(affinity);
    let mut best: Option<(usize, f64)> = None;
    for (index, identity) in identities.iter().enumerate() {
        let weight = f64::from(weights.get(index).copied().unwrap_or(1).max(1));
        let unit = unit(mix(session ^ mix(*identity)));
        // The logarithm is expensive. -ln(u) is at least 1 - u, which decides most cases without it.
        if best.is_some_and(|(_, least)| (1.0 - unit) / weight > least) {
            continue;
        }
        let drawn = -unit.ln() / weight;
        if best.is_none_or(|(_, least)| drawn < least) {
            best = Some((index, drawn));
        }
    }
    best.map(|(index, _)| index)
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): each bit of the input changes about half of
/// the bits of the output.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// Returns a number between 0 and 1, without both ends, from the upper 52 bits. With 53 bits the largest
/// one would round to 1.
fn unit(hash: u64) -> f64 {
    ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

#[cfg(test)]
mod tests;
