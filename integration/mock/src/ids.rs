//! Identifiers, times and signatures that look like the providers' own.
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one(1)));

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A number no earlier call gave (splitmix64 over a counter that starts anywhere).
pub fn chance() -> u64 {
    let mut z = NEXT.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `prefix` and `len` letters and digits.
pub fn id(prefix: &str, len: usize) -> String {
    let mut out = String::with_capacity(prefix.len() + len);
    out.push_str(prefix);
    let mut bits = 0;
    for n in 0..len {
        if n % 10 == 0 {
            bits = chance();
        }
        out.push(BASE62[(bits % 62) as usize] as char);
        bits /= 62;
    }
    out
}

/// `prefix` and 32 hexadecimal digits.
pub fn hex_id(prefix: &str) -> String {
    format!("{prefix}{:016x}{:016x}", chance(), chance())
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// The mark under which `provider` signs a text: base64 to the eye, and to a decoder, and the same for the same text,
/// so that a signature which comes back with another text, or to another provider, can be refused.
pub fn signature(provider: &str, text: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{}{hash:016x}", signature_mark(provider))
}

/// What every signature of `provider` begins with: 16 characters.
fn signature_mark(provider: &str) -> String {
    format!("EqMock{provider:0<10.10}")
}

/// Whether `provider` would accept this signature over this text. What the mock did not sign (a recording) passes
/// as long as it is there; what any mock provider signed must be this provider's and this text's.
pub fn signature_fits(provider: &str, text: &str, signature: &str) -> bool {
    match signature.starts_with("EqMock") {
        true => signature == self::signature(provider, text),
        false => !signature.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_have_the_length_asked() {
        let (a, b) = (id("msg_", 24), id("msg_", 24));
        assert_ne!(a, b);
        assert_eq!(a.len(), 28);
    }

    #[test]
    fn a_signature_fits_its_own_text_and_provider_only() {
        let signed = signature("anthropic", "hm");
        assert_eq!(signed.len() % 4, 0);
        assert!(signature_fits("anthropic", "hm", &signed));
        assert!(!signature_fits("anthropic", "hmm", &signed));
        assert!(!signature_fits("gemini", "hm", &signed));
        assert!(signature_fits("gemini", "hm", "ClgBEU0yD8z3tYzb"));
        assert!(!signature_fits("gemini", "hm", ""));
    }
}
