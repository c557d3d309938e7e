//! Reads what a file's first bytes say of it, out of its base64 text: how large an image is, how long a recording.

use crate::base64;

/// Undoes base64, of either alphabet, from the inside of a JSON string: `/` may be escaped there.
#[derive(Clone, Debug)]
pub(super) struct Base64<'a> {
    rest: &'a [u8],
    /// Bits that were read and belong to no byte yet, and how many.
    held: u32,
    bits: u32,
}

impl<'a> Base64<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self { rest: text, held: 0, bits: 0 }
    }

    /// Goes on so many bytes; most of the text is not looked at.
    fn skip_bytes(&mut self, mut count: usize) -> Option<()> {
        while count > 0 && self.bits > 0 {
            self.next()?;
            count = count.saturating_sub(1);
        }
        // Whole groups of four characters for three bytes.
        let groups = count / 3;
        if let Some((skipped, rest)) = self.rest.split_at_checked(groups.saturating_mul(4))
            && memchr::memchr(b'\\', skipped).is_none()
        {
            self.rest = rest;
            count %= 3;
        }
        for _ in 0..count {
            self.next()?;
        }
        Some(())
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.next()?;
        }
        Some(bytes)
    }
}

impl Iterator for Base64<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            if *byte == b'\\' {
                continue;
            }
            self.held = self.held << 6 | u32::from(base64::digit(*byte)?);
            self.bits = self.bits.wrapping_add(6);
            if self.bits >= 8 {
                self.bits = self.bits.wrapping_sub(8);
                let byte = self.held >> self.bits;
                return Some(byte as u8);
            }
        }
    }
}

/// Width and height in pixels of a PNG, GIF, WebP or JPEG.
pub(super) fn size(image: &Base64<'_>) -> Option<(u32, u32)> {
    let start = image.clone().array::<4>()?;
    let size = match &start {
        [0x89, b'P', b'N', b'G'] => png(image.clone()),
        [b'G', b'I', b'F', b'8'] => gif(image.clone()),
        [b'R', b'I', b'F', b'F'] => webp(image.clone()),
        [0xFF, 0xD8, ..] => jpeg(image.clone()),
        _ => None,
    };
    size.filter(|(width, height)| *width > 0 && *height > 0)
}

/// The first chunk is `IHDR`, after a signature of eight bytes (PNG, sections 5.2 and 11.2.2).
fn png(mut bytes: Base64<'_>) -> Option<(u32, u32)> {
    bytes.skip_bytes(16)?;
    Some((u32::from_be_bytes(bytes.array()?), u32::from_be_bytes(bytes.array()?)))
}

/// The logical screen comes after a signature of six bytes (GIF89a, section 18).
fn gif(mut bytes: Base64<'_>) -> Option<(u32, u32)> {
    bytes.skip_bytes(6)?;
    Some((u16::from_le_bytes(bytes.array()?).into(), u16::from_le_bytes(bytes.array()?).into()))
}

/// A RIFF file with one of three first chunks (WebP container specification; RFC 6386, section 9.1).
fn webp(mut bytes: Base64<'_>) -> Option<(u32, u32)> {
    bytes.skip_bytes(12)?;
    let kind = bytes.array::<4>()?;
    bytes.skip_bytes(4)?;
    match &kind {
        b"VP8 " => {
            bytes.skip_bytes(6)?;
            let side = |bytes: [u8; 2]| u32::from(u16::from_le_bytes(bytes) & 0x3FFF);
            Some((side(bytes.array()?), side(bytes.array()?)))
        }
        b"VP8L" => {
            bytes.skip_bytes(1)?;
            let packed = u32::from_le_bytes(bytes.array()?);
            Some(((packed & 0x3FFF).saturating_add(1), (packed >> 14 & 0x3FFF).saturating_add(1)))
        }
        b"VP8X" => {
            bytes.skip_bytes(4)?;
            let side = |[a, b, c]: [u8; 3]| u32::from_le_bytes([a, b, c, 0]).saturating_add(1);
            Some((side(bytes.array()?), side(bytes.array()?)))
        }
        _ => None,
    }
}

/// The size is in the frame's header, after segments of which each says how long it is (ITU-T T.81, annex B).
fn jpeg(mut bytes: Base64<'_>) -> Option<(u32, u32)> {
    /// Cameras put less before the frame.
    const MOST_SEGMENTS: usize = 64;
    bytes.skip_bytes(2)?;
    for _ in 0..MOST_SEGMENTS {
        let [0xFF, mut marker] = bytes.array()? else { return None };
        while marker == 0xFF {
            marker = bytes.next()?;
        }
        let length = u16::from_be_bytes(bytes.array()?);
        match marker {
            // Start of a frame; C4, C8 and CC are other tables.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                bytes.skip_bytes(1)?;
                let [height, width] = [bytes.array()?, bytes.array()?].map(u16::from_be_bytes);
                return Some((width.into(), height.into()));
            }
            _ => bytes.skip_bytes(length.checked_sub(2)?.into())?,
        }
    }
    None
}

/// How many bytes a second of a WAV recording has (`nAvgBytesPerSec` of its first chunk, which is `fmt `).
pub(super) fn wav_bytes_per_second(sound: &Base64<'_>) -> Option<u32> {
    let mut bytes = sound.clone();
    let b"RIFF" = &bytes.array()? else { return None };
    bytes.skip_bytes(8)?;
    let b"fmt " = &bytes.array()? else { return None };
    bytes.skip_bytes(12)?;
    Some(u32::from_le_bytes(bytes.array()?)).filter(|rate| *rate > 0)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Standard base64.
    pub(crate) fn encode(bytes: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let held = group.iter().fold(0_u32, |held, byte| held << 8 | u32::from(*byte))
                << (8 * (3 - group.len()));
            for place in 0..4 {
                let six = held >> (18 - 6 * place) & 63;
                text.push(if place <= group.len() { ALPHABET[six as usize].into() } else { '=' });
            }
        }
        text
    }

    fn jpeg_of(segments: &[(u8, usize)], width: u16, height: u16) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8];
        for (marker, length) in segments {
            bytes.extend([0xFF, *marker]);
            bytes.extend(u16::try_from(length + 2).unwrap().to_be_bytes());
            bytes.extend(std::iter::repeat_n(0xFF, *length));
        }
        bytes.extend([0xFF, 0xFF, 0xC2, 0, 17, 8]);
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes
    }

    #[test]
    fn the_size_of_an_image_is_in_its_first_bytes() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x03\x20\0\0\x02\x58\x08\x02".to_vec();
        let gif = b"GIF89a\x40\x01\xf0\x00\xf7".to_vec();
        let riff = |chunk: &[u8]| [b"RIFF\x24\0\0\0WEBP", chunk].concat();
        let vp8 = riff(b"VP8 \x10\0\0\0\x30\x01\x00\x9d\x01\x2a\x80\x42\xe0\x01");
        // 14 bits each, less one: 639 | 479 << 14.
        let vp8l = riff(&[&b"VP8L\x10\0\0\0\x2f"[..], &(639_u32 | 479 << 14).to_le_bytes()].concat());
        let vp8x = riff(b"VP8X\x0a\0\0\0\x10\0\0\0\xff\x0f\0\x37\x04\0");
        for (bytes, size) in [
            (png, Some((800, 600))),
            (gif, Some((320, 240))),
            (vp8, Some((640, 480))),
            (vp8l, Some((640, 480))),
            (vp8x, Some((4096, 1080))),
            (jpeg_of(&[], 640, 480), Some((640, 480))),
            (
                jpeg_of(&[(0xE0, 14), (0xE1, 60_000), (0xE2, 3001), (0xDB, 65), (0xC4, 28)], 4032, 3024),
                Some((4032, 3024)),
            ),
            (jpeg_of(&[], 0, 480), None),
            (b"\x89PNG\r\n".to_vec(), None),
            (b"BM\x00\x00\x00\x00".to_vec(), None),
            (Vec::new(), None),
        ] {
            let text = encode(&bytes);
            for text in [text.replace('/', r"\/"), text.replace('+', "-").replace('/', "_"), text] {
                assert_eq!(super::size(&Base64::new(text.as_bytes())), size, "{text:.60}");
            }
        }
    }

    #[test]
    fn a_recording_says_how_many_bytes_a_second_has() {
        let wav = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\xc0\x5d\0\0\x80\xbb\0\0";
        assert_eq!(wav_bytes_per_second(&Base64::new(encode(wav).as_bytes())), Some(48_000));
        assert_eq!(wav_bytes_per_second(&Base64::new(encode(b"ID3").as_bytes())), None);
    }

    proptest! {
        #[test]
        fn base64_is_undone_and_skipped_alike(bytes in proptest::collection::vec(any::<u8>(), 0..200), skip in 0..220_usize) {
            let text = encode(&bytes);
            prop_assert_eq!(Base64::new(text.as_bytes()).collect::<Vec<_>>(), bytes.clone());
            for text in [text.replace('/', r"\/"), text] {
                let mut reader = Base64::new(text.as_bytes());
                let first = reader.next();
                prop_assert_eq!(first, bytes.first().copied());
                let skipped = reader.skip_bytes(skip).is_some();
                let rest = bytes.get(1 + skip..);
                prop_assert!(skipped || rest.is_none());
                prop_assert_eq!(reader.collect::<Vec<_>>(), rest.unwrap_or_default());
            }
        }

        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..100), kind in 0..5_usize) {
            let start: [&[u8]; 5] = [b"", b"\x89PNG", b"GIF8", b"RIFF\0\0\0\0WEBPVP8", b"\xFF\xD8\xFF"];
            let text = encode(&[start[kind], &bytes].concat());
            let image = Base64::new(text.as_bytes());
            let _ = (size(&image), wav_bytes_per_second(&image));
        }
    }
}
