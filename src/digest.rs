//! What stands for texts that are too long, or not to be kept: the SHA-256 of their parts, one after another.

use sha2::{Digest, Sha256};

/// The hash. It is in one place because each place that it is inlined at is a kilobyte of the filter.
#[inline(never)]
#[must_use]
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut sha = Sha256::new();
    parts.iter().for_each(|part| sha.update(part));
    sha.finalize().into()
}
