//! What stands for texts that are too long, or not to be kept.

use sha2::{Digest, Sha256};

/// The hash of texts, each of which ends where it ends; none has a byte 0 in it but the last.
#[inline(never)]
pub(super) fn digest(parts: &[&str]) -> [u8; 32] {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update(part);
        sha.update([0]);
    }
    sha.finalize().into()
}
