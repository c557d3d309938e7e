//! The filter sees in a text what the training saw.

use super::*;
use crate::json::Text;

#[test]
fn the_filter_reads_texts_as_the_training_does() {
    let golden = include_str!("../../../scripts/classifier/golden.tsv");
    let classifier = built_in();
    for line in golden.lines() {
        let [trace, task, score, text] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let text: String = serde_json::from_str(text).unwrap();
        // Without escapes, which would move the ends of the windows.
        let plain = Text::of(&text);
        let bytes = if plain.as_bytes().contains(&b'\\') { plain.as_bytes() } else { text.as_bytes() };
        let (mut lexical, mut heard, mut marks) = (Lexical::default(), Heard::new(), Marks::default());
        for (part, (bytes, is_end)) in
            Window::of(bytes).parts().into_iter().zip([false, false, true]).enumerate()
        {
            if part > 0 && !bytes.is_empty() {
                lexical.part(is_end);
            }
            classifier.read(bytes, &mut lexical, &mut heard, &mut marks);
        }
        lexical.length(text.len());
        if bytes.len() == text.len() || bytes.len() <= 2 * window::END {
            assert_eq!(format!("{:016x}", lexical.trace), trace, "{text:?}");
            let scores = lexical.scores();
            let (best, most) = scores.iter().enumerate().fold((CHAT, 0.0), |(best, most), (at, score)| {
                if *score > most { (at, *score) } else { (best, most) }
            });
            assert_eq!(BUILT_IN[best], task, "{text:?}");
            assert!((most - score.parse::<f32>().unwrap().min(8.0)).abs() < 0.25, "{text:?}: {most} {score}");
        }
    }
}
