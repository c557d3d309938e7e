//! How many tokens images, recordings and files are, by their providers' published rules.

use super::pixels::{self, Base64};
use super::start::Family;
use crate::chat::Part;
use crate::json::Text;

/// An image whose size is not known is taken for this: that of one elsewhere, or in a format that is not read here.
const IMAGE: (u32, u32) = (1024, 1024);
/// A document that is elsewhere has so many pages.
const PAGES: f32 = 4.0;
/// A PDF in place has one page for so many bytes.
const BYTES_OF_A_PAGE: f32 = 60_000.0;
/// Recordings whose rate is not known: 128 kbit/s.
const BYTES_OF_A_SECOND: u32 = 16_000;

/// The tokens of a part, nothing for one that is text.
pub(super) fn tokens(part: &Part<'_>, family: Family, model: &str) -> f32 {
    match part {
        Part::Image { url, detail } => {
            let low = detail.as_ref().is_some_and(|detail| *detail == "low");
            let size = data_url(url).and_then(|(_, data)| pixels::size(&Base64::new(data)));
            image(size.unwrap_or(IMAGE), low, family, model)
        }
        Part::Audio { data, .. } => {
            let rate =
                pixels::wav_bytes_per_second(&Base64::new(data.as_bytes())).unwrap_or(BYTES_OF_A_SECOND);
            bytes(data.as_bytes()) / rate as f32 * second(family)
        }
        Part::File { data: Some(data), .. } => file(data, family, model),
        Part::File { .. } => PAGES * page(family, model),
        Part::Text(_) | Part::Refusal(_) | Part::Other(_) => 0.0,
    }
}

fn file(data: &Text<'_>, family: Family, model: &str) -> f32 {
    let (media_type, data) = data_url(data).unwrap_or((b"application/pdf", data.as_bytes()));
    let begins =
        |with: &[u8]| media_type.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if begins(b"image/") {
        return image(pixels::size(&Base64::new(data)).unwrap_or(IMAGE), false, family, model);
    }
    if begins(b"text/") || begins(b"application/json") {
        // As much as English text.
        return bytes(data) / 4.0;
    }
    (bytes(data) / BYTES_OF_A_PAGE).ceil().max(1.0) * page(family, model)
}

/// The media type of a base64 data URL, and its data.
fn data_url<'t>(url: &'t Text<'_>) -> Option<(&'t [u8], &'t [u8])> {
    let (scheme, rest) = url.as_bytes().split_at_checked(5)?;
    let comma = memchr::memchr(b',', rest.get(..rest.len().min(256))?)?;
    let (media_type, data) = rest.split_at_checked(comma)?;
    scheme.eq_ignore_ascii_case(b"data:").then_some((media_type, data.get(1..)?))
}

/// How many bytes base64 text stands for.
fn bytes(base64: &[u8]) -> f32 {
    base64.len() as f32 * 0.75
}

/// A page of a document. Providers take it as text and as an image.
fn page(family: Family, model: &str) -> f32 {
    match family {
        // "1,500 to 3,000 tokens per page depending on content density", and an image.
        Family::Claude => 2750.0,
        Family::Gemini if is_old_gemini(model) => 258.0,
        Family::Gemini => 560.0,
        _ => 500.0 + image(IMAGE, false, family, model),
    }
}

/// A second of sound: Gemini's documentation says 32 tokens, OpenAI's one for a tenth of a second.
fn second(family: Family) -> f32 {
    if family == Family::Gemini { 32.0 } else { 10.0 }
}

fn image(size: (u32, u32), low: bool, family: Family, model: &str) -> f32 {
    let size = (size.0 as f32, size.1 as f32);
    match family {
        Family::Claude => claude(size, model),
        Family::Gemini if is_old_gemini(model) => gemini(size),
        // "MEDIA_RESOLUTION_UNSPECIFIED (default): 1120" tokens, whatever the size.
        Family::Gemini => 1120.0,
        _ => openai(size, low, model),
    }
}

/// Before Gemini 3 an image was cut into tiles.
fn is_old_gemini(model: &str) -> bool {
    ["gemini-1", "gemini-2", "gemma"].iter().any(|old| model.contains(old))
}

/// 258 tokens up to 384 by 384; else as many for each tile, whose side is two thirds of the shorter one, 256 to 768.
fn gemini(size: (f32, f32)) -> f32 {
    const TILE: f32 = 258.0;
    if size.0 <= 384.0 && size.1 <= 384.0 {
        return TILE;
    }
    let side = (size.0.min(size.1) / 1.5).floor().clamp(256.0, 768.0);
    TILE * squares(size, side)
}

/// A token for each square of 28 pixels, after the image was made to fit the model's limits.
fn claude(size: (f32, f32), model: &str) -> f32 {
    const SIDE: f32 = 28.0;
    // From Opus 4.7 on; what came before has 1568 pixels on the longer side and 1568 tokens.
    let fine = ["opus-4-7", "opus-4-8", "opus-5"].iter().any(|fine| model.contains(fine));
    let (longest, most) = if fine { (2576.0, 4784.0) } else { (1568.0, 1568.0) };
    squares(fit(size, longest), SIDE).min(most)
}

/// By tiles of 512 pixels or by patches of 32, as the model has it; models of unknown families are taken for the former.
fn openai(size: (f32, f32), low: bool, model: &str) -> f32 {
    match vision(model) {
        Vision::Tiles { base, .. } if low => base,
        Vision::Tiles { base, tile } => {
            let (width, height) = fit(size, 2048.0);
            let shrink = (768.0 / width.min(height)).min(1.0);
            base + tile * squares((width * shrink, height * shrink), 512.0)
        }
        Vision::Patches { each } => {
            let size = if low { fit(size, 512.0) } else { size };
            squares(size, 32.0).min(1536.0) * each
        }
    }
}

#[derive(Clone, Copy)]
enum Vision {
    Tiles { base: f32, tile: f32 },
    Patches { each: f32 },
}

/// The table of OpenAI's guide to images, by how a model's name begins; the first that fits.
fn vision(model: &str) -> Vision {
    const TABLE: [(&str, Vision); 13] = [
        ("gpt-4o-mini", Vision::Tiles { base: 2833.0, tile: 5667.0 }),
        ("gpt-4.1-mini", Vision::Patches { each: 1.62 }),
        ("gpt-4.1-nano", Vision::Patches { each: 2.46 }),
        ("gpt-5-mini", Vision::Patches { each: 1.62 }),
        ("gpt-5-nano", Vision::Patches { each: 2.46 }),
        ("gpt-5.1", Vision::Tiles { base: 70.0, tile: 140.0 }),
        // Not in the guide: users found it in their bills.
        ("gpt-5.", Vision::Patches { each: 1.2 }),
        ("gpt-5", Vision::Tiles { base: 70.0, tile: 140.0 }),
        ("gpt-6", Vision::Patches { each: 1.2 }),
        ("o4-mini", Vision::Patches { each: 1.72 }),
        ("o1", Vision::Tiles { base: 75.0, tile: 150.0 }),
        ("o3", Vision::Tiles { base: 75.0, tile: 150.0 }),
        ("computer-use", Vision::Tiles { base: 65.0, tile: 129.0 }),
    ];
    let name = model.rsplit('/').next().unwrap_or(model);
    // GPT-4o, GPT-4.1, GPT-4.5, and whatever is not known.
    let others = Vision::Tiles { base: 85.0, tile: 170.0 };
    let fits = |(begins, _): &&(&str, Vision)| name.starts_with(begins);
    TABLE.iter().find(fits).map_or(others, |(_, vision)| *vision)
}

/// The size after the longer side was shrunk to `longest`.
fn fit((width, height): (f32, f32), longest: f32) -> (f32, f32) {
    let shrink = (longest / width.max(height)).min(1.0);
    (width * shrink, height * shrink)
}

/// How many squares cover a size.
fn squares((width, height): (f32, f32), side: f32) -> f32 {
    // What shrinking made a hair too long is not a square more.
    let along = |length: f32| (length / side - 0.001).ceil();
    along(width) * along(height)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::pixels::tests::encode;

    #[test]
    fn images_are_counted_as_the_guides_of_their_providers_count_them() {
        for (family, model, size, low, tokens) in [
            // OpenAI's own examples.
            (Family::OpenAi, "gpt-4o", (1024, 1024), false, 765.0),
            (Family::OpenAi, "gpt-4o", (2048, 4096), false, 1105.0),
            (Family::OpenAi, "gpt-4o", (4096, 8192), true, 85.0),
            (Family::OpenAi, "gpt-4.1-mini", (1024, 1024), false, 1024.0 * 1.62),
            (Family::OpenAi, "o4-mini", (1800, 2400), false, 1536.0 * 1.72),
            (Family::OpenAi, "gpt-4o", (1800, 900), false, 85.0 + 6.0 * 170.0),
            (Family::OpenAi, "gpt-4o-mini-2024-07-18", (512, 512), false, 8500.0),
            (Family::OpenAi, "gpt-5", (512, 512), false, 210.0),
            (Family::OpenAi, "openai/gpt-5.1", (512, 512), true, 70.0),
            (Family::OpenAi, "gpt-5.2", (64, 64), false, 4.8),
            (Family::OpenAi, "gpt-4.1-mini", (2048, 1024), true, 128.0 * 1.62),
            // Anthropic's examples: 1296 tokens for a square of 1000 pixels, and the limits.
            (Family::Claude, "claude-sonnet-4-5", (1000, 1000), false, 1296.0),
            (Family::Claude, "claude-sonnet-4-5", (200, 200), false, 64.0),
            (Family::Claude, "claude-sonnet-4-5", (4000, 3000), false, 1568.0),
            (Family::Claude, "claude-sonnet-4-5", (3136, 560), false, 560.0),
            (Family::Claude, "claude-opus-4-7", (4000, 3000), false, 4784.0),
            // Gemini's examples.
            (Family::Gemini, "gemini-2.5-flash", (384, 384), false, 258.0),
            (Family::Gemini, "gemini-2.5-flash", (960, 540), false, 6.0 * 258.0),
            (Family::Gemini, "gemini-3-pro", (384, 384), false, 1120.0),
            (Family::Qwen, "qwen-vl-max", (512, 512), false, 255.0),
        ] {
            let counted = image(size, low, family, model);
            assert!((counted - tokens).abs() < 0.01, "{model} {size:?}: {counted}");
        }
    }

    #[test]
    fn parts_are_counted_by_what_can_be_seen_of_them() {
        let png = encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\0\0\0\x02\0");
        let image = |url: &str, detail: Option<&'static str>| Part::Image {
            url: Text::of(url).into_owned(),
            detail: detail.map(Text::of),
        };
        let audio = |bytes: &[u8]| Part::Audio {
            data: Text::of(&encode(bytes)).into_owned(),
            format: Text::of("wav"),
        };
        let file = |data: &str| Part::File { data: Some(Text::of(data).into_owned()), id: None, name: None };
        let mut wav = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\xc0\x5d\0\0\x80\xbb\0\0".to_vec();
        wav.resize(480_000, 0);
        let pdf = |bytes: usize| format!("data:application/pdf;base64,{}", encode(&vec![0; bytes]));
        for (part, openai, claude, gemini) in [
            (image(&format!("data:image/png;base64,{png}"), None), 255.0, 361.0, 258.0 * 4.0),
            (image(&format!("data:image/png;base64,{png}"), Some("low")), 85.0, 361.0, 258.0 * 4.0),
            (image("https://example.com/a.png", None), 765.0, 1369.0, 258.0 * 4.0),
            (image("data:image/heic;base64,AAAA", Some("high")), 765.0, 1369.0, 258.0 * 4.0),
            (audio(&wav), 100.0, 100.0, 320.0),
            (audio(&[0xFF; 160_000]), 100.0, 100.0, 320.0),
            (file(&pdf(9)), 1265.0, 2750.0, 258.0),
            (file(&pdf(150_000)), 3.0 * 1265.0, 3.0 * 2750.0, 3.0 * 258.0),
            (file(&format!("DATA:text/plain;base64,{}", encode(&[b'a'; 400]))), 100.0, 100.0, 100.0),
            (file(&format!("data:image/png;base64,{png}")), 255.0, 361.0, 258.0 * 4.0),
            (Part::File { data: None, id: Some(Text::of("file-1")), name: None }, 5060.0, 11_000.0, 1032.0),
            (Part::Text(Text::of("text")), 0.0, 0.0, 0.0),
            (Part::Other(Text::of("video_url")), 0.0, 0.0, 0.0),
        ] {
            for (family, model, tokens) in [
                (Family::OpenAi, "gpt-4o", openai),
                (Family::Claude, "claude-sonnet-4-5", claude),
                (Family::Gemini, "gemini-2.5-pro", gemini),
            ] {
                let counted = super::tokens(&part, family, model);
                assert!((counted - tokens).abs() <= 0.01 * tokens, "{model}: {counted} for {part:.80?}");
            }
        }
    }
}
