//! What is known of English words: which are harmless and which must never be overlooked.
//!
//! Nothing else is known of words, and of those in other languages nothing at all: a word that is in
//! no list means something, and two questions in which it differs are two questions.

/// Words that hold a sentence together: with others in their place it asks the same.
const FILLERS: &[&str] = &[
    "a", "about", "actually", "also", "am", "an", "and", "are", "as", "at", "be", "being", "by", "can",
    "could", "do", "does", "for", "has", "have", "having", "hello", "hey", "hi", "how", "i", "in", "into",
    "is", "it", "its", "itself", "just", "kindly", "may", "me", "might", "mine", "must", "my", "myself",
    "of", "ok", "okay", "on", "our", "please", "really", "shall", "should", "simply", "so", "some", "thank",
    "thanks", "that", "the", "their", "them", "there", "these", "they", "this", "those", "to", "us", "very",
    "we", "well", "what", "when", "where", "which", "who", "whom", "whose", "why", "with", "would", "you",
    "your", "yours", "yourself",
];

/// Words of which one more or less, or another in its place, makes another question: negation,
/// comparison and degree, direction and place, time and order, opposites, conditions, third persons,
/// numbers, units, days and months, languages of people and of programs. What stands second is what
/// they are taken for.
#[rustfmt::skip]
const DECISIVE: &[(&str, &str)] = &[
    ("above", "above"), ("add", "add"), ("after", "after"), ("against", "against"), ("ago", "ago"),
    ("all", "all"), ("allow", "allow"), ("any", "any"), ("april", "april"), ("arabic", "arabic"),
    ("ascending", "ascending"), ("august", "august"), ("avoid", "avoid"), ("bash", "bash"),
    ("before", "before"), ("below", "below"), ("best", "best"), ("better", "better"), ("between", "between"),
    ("bigger", "bigger"), ("biggest", "biggest"), ("billion", "billion"), ("bit", "bit"), ("bits", "bit"),
    ("both", "both"), ("buy", "buy"), ("byte", "byte"), ("bytes", "byte"), ("cannot", "not"),
    ("celsius", "celsius"), ("cheaper", "cheaper"), ("cheapest", "cheapest"), ("chinese", "chinese"),
    ("close", "close"), ("cm", "cm"), ("css", "css"), ("cup", "cup"), ("cups", "cup"), ("current", "now"),
    ("currently", "now"), ("czech", "czech"), ("danish", "danish"), ("day", "day"), ("days", "day"),
    ("december", "december"), ("decode", "decode"), ("decrease", "decrease"), ("decrypt", "decrypt"),
    ("degree", "degree"), ("degrees", "degree"), ("descending", "descending"), ("did", "did"),
    ("different", "different"), ("disable", "disable"), ("dollar", "dollar"), ("dollars", "dollar"),
    ("double", "double"), ("down", "down"), ("download", "download"), ("during", "during"),
    ("dutch", "dutch"), ("each", "each"), ("early", "early"), ("east", "east"), ("eight", "8"),
    ("either", "either"), ("eleven", "11"), ("enable", "enable"), ("encode", "encode"),
    ("encrypt", "encrypt"), ("end", "end"), ("english", "english"), ("eur", "eur"), ("euro", "euro"),
    ("euros", "euro"), ("every", "every"), ("except", "except"), ("exclude", "exclude"),
    ("excluding", "exclude"), ("export", "export"), ("external", "external"), ("fahrenheit", "fahrenheit"),
    ("false", "false"), ("faster", "faster"), ("fastest", "fastest"), ("february", "february"),
    ("feet", "foot"), ("female", "female"), ("fewer", "fewer"), ("fewest", "fewest"), ("fifth", "5th"),
    ("finnish", "finnish"), ("first", "1st"), ("five", "5"), ("foot", "foot"), ("forbid", "forbid"),
    ("four", "4"), ("fourth", "4th"), ("french", "french"), ("friday", "friday"), ("from", "from"),
    ("gallon", "gallon"), ("gallons", "gallon"), ("gb", "gb"), ("german", "german"), ("gram", "gram"),
    ("grams", "gram"), ("greater", "greater"), ("greatest", "greatest"), ("greek", "greek"), ("had", "had"),
    ("half", "half"), ("hardly", "hardly"), ("he", "he"), ("hebrew", "hebrew"), ("her", "she"),
    ("hers", "she"), ("higher", "higher"), ("highest", "highest"), ("him", "he"), ("hindi", "hindi"),
    ("his", "he"), ("hour", "hour"), ("hours", "hour"), ("html", "html"), ("hundred", "hundred"),
    ("hungarian", "hungarian"), ("if", "if"), ("illegal", "illegal"), ("import", "import"),
    ("impossible", "impossible"), ("inch", "inch"), ("inches", "inch"), ("include", "include"),
    ("including", "include"), ("increase", "increase"), ("inside", "inside"), ("install", "install"),
    ("instead", "instead"), ("internal", "internal"), ("italian", "italian"), ("january", "january"),
    ("japanese", "japanese"), ("java", "java"), ("javascript", "javascript"), ("json", "json"),
    ("july", "july"), ("june", "june"), ("kb", "kb"), ("kg", "kg"), ("km", "km"), ("korean", "korean"),
    ("kotlin", "kotlin"), ("larger", "larger"), ("largest", "largest"), ("last", "last"), ("late", "late"),
    ("latin", "latin"), ("lb", "lb"), ("lbs", "lb"), ("least", "least"), ("left", "left"), ("legal", "legal"),
    ("less", "less"), ("liter", "liter"), ("liters", "liter"), ("longer", "longer"), ("longest", "longest"),
    ("lose", "lose"), ("lower", "lower"), ("lowest", "lowest"), ("male", "male"), ("mandarin", "mandarin"),
    ("march", "march"), ("max", "max"), ("maximum", "max"), ("mb", "mb"), ("meter", "meter"),
    ("meters", "meter"), ("mg", "mg"), ("mile", "mile"), ("miles", "mile"), ("million", "million"),
    ("min", "min"), ("minimum", "min"), ("minus", "minus"), ("minute", "minute"), ("minutes", "minute"),
    ("ml", "ml"), ("mm", "mm"), ("monday", "monday"), ("month", "month"), ("months", "month"),
    ("more", "more"), ("most", "most"), ("ms", "ms"), ("negative", "negative"), ("neither", "neither"),
    ("never", "never"), ("new", "new"), ("next", "next"), ("nine", "9"), ("no", "not"), ("nobody", "nobody"),
    ("non", "not"), ("none", "none"), ("nor", "nor"), ("north", "north"), ("norwegian", "norwegian"),
    ("not", "not"), ("nothing", "nothing"), ("november", "november"), ("now", "now"), ("october", "october"),
    ("off", "off"), ("old", "old"), ("one", "1"), ("only", "only"), ("open", "open"), ("or", "or"),
    ("ounce", "ounce"), ("ounces", "ounce"), ("out", "out"), ("outside", "outside"), ("over", "over"),
    ("per", "per"), ("percent", "%"), ("perl", "perl"), ("php", "php"), ("plus", "plus"),
    ("polish", "polish"), ("portuguese", "portuguese"), ("positive", "positive"), ("possible", "possible"),
    ("pound", "pound"), ("pounds", "pound"), ("previous", "previous"), ("pull", "pull"), ("push", "push"),
    ("python", "python"), ("rather", "rather"), ("reduce", "reduce"), ("remove", "remove"),
    ("right", "right"), ("ruby", "ruby"), ("russian", "russian"), ("rust", "rust"), ("safe", "safe"),
    ("same", "same"), ("saturday", "saturday"), ("scala", "scala"), ("second", "second"),
    ("seconds", "second"), ("sell", "sell"), ("september", "september"), ("seven", "7"), ("she", "she"),
    ("shorter", "shorter"), ("shortest", "shortest"), ("since", "since"), ("six", "6"), ("slower", "slower"),
    ("slowest", "slowest"), ("smaller", "smaller"), ("smallest", "smallest"), ("south", "south"),
    ("spanish", "spanish"), ("sql", "sql"), ("start", "start"), ("still", "still"), ("stop", "stop"),
    ("sunday", "sunday"), ("swedish", "swedish"), ("swift", "swift"), ("tb", "tb"), ("ten", "10"),
    ("than", "than"), ("third", "3rd"), ("thousand", "thousand"), ("three", "3"), ("thursday", "thursday"),
    ("today", "today"), ("tomorrow", "tomorrow"), ("too", "too"), ("true", "true"), ("tuesday", "tuesday"),
    ("turkish", "turkish"), ("twelve", "12"), ("two", "2"), ("typescript", "typescript"),
    ("ukrainian", "ukrainian"), ("under", "under"), ("uninstall", "uninstall"), ("unless", "unless"),
    ("unlike", "unlike"), ("unsafe", "unsafe"), ("until", "until"), ("up", "up"), ("upload", "upload"),
    ("usd", "usd"), ("vietnamese", "vietnamese"), ("was", "was"), ("wednesday", "wednesday"),
    ("week", "week"), ("weeks", "week"), ("were", "was"), ("west", "west"), ("will", "will"), ("win", "win"),
    ("without", "without"), ("worse", "worse"), ("worst", "worst"), ("xml", "xml"), ("yaml", "yaml"),
    ("year", "year"), ("years", "year"), ("yesterday", "yesterday"),
];

/// Words that say little of what a question is about.
const COMMON: &[&str] = &[
    "explain", "find", "get", "give", "go", "good", "kind", "know", "like", "make", "need", "put", "show",
    "take", "tell", "thing", "things", "try", "type", "use", "want", "way", "work",
];

/// Words by which one asks, each with what is asked for.
#[rustfmt::skip]
const ASKING: &[(&str, &str)] = &[
    ("how", "how"), ("what", "what"), ("when", "when"), ("where", "where"), ("which", "what"), ("who", "who"),
    ("whom", "who"), ("whose", "who"), ("why", "why"),
];

/// What a question asks for that begins with an auxiliary verb.
#[rustfmt::skip]
const YES_OR_NO: &[(&str, &str)] = &[
    ("am", "is"), ("are", "is"), ("can", "can"), ("could", "can"), ("did", "is"), ("do", "is"),
    ("does", "is"), ("had", "is"), ("has", "is"), ("have", "is"), ("is", "is"), ("may", "can"),
    ("might", "can"), ("must", "should"), ("shall", "should"), ("should", "should"), ("was", "is"),
    ("were", "is"), ("will", "will"), ("would", "will"),
];

/// What `how` asks for together with the word after it.
#[rustfmt::skip]
const MEASURES: &[(&str, &str)] = &[
    ("big", "how big"), ("far", "how far"), ("fast", "how fast"), ("high", "how high"), ("large", "how big"),
    ("long", "how long"), ("many", "how many"), ("much", "how much"), ("often", "how often"),
    ("old", "how old"), ("tall", "how high"),
];

/// The tables are in the order of their words.
fn in_table(table: &'static [(&str, &str)], word: &str) -> Option<&'static str> {
    let at = table.binary_search_by_key(&word, |(known, _)| known).ok()?;
    table.get(at).map(|(_, meaning)| *meaning)
}

/// Whether a word only holds a sentence together.
pub(super) fn is_filler(word: &str) -> bool {
    FILLERS.binary_search(&word).is_ok()
}

/// What a word is taken for that must not be overlooked.
pub(super) fn decisive(word: &str) -> Option<&'static str> {
    in_table(DECISIVE, word)
}

/// Whether a word says little.
pub(super) fn is_common(word: &str) -> bool {
    COMMON.binary_search(&word).is_ok()
}

/// What a word asks for.
pub(super) fn asking(word: &str) -> Option<&'static str> {
    in_table(ASKING, word)
}

/// What a sentence asks for that begins with this word.
pub(super) fn yes_or_no(word: &str) -> Option<&'static str> {
    in_table(YES_OR_NO, word)
}

/// What `how` asks for before this word.
pub(super) fn measure(word: &str) -> Option<&'static str> {
    in_table(MEASURES, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_the_order_of_their_words_and_agree() {
        for table in [FILLERS, COMMON] {
            assert!(table.is_sorted_by(|a, b| a < b));
        }
        for table in [DECISIVE, ASKING, YES_OR_NO, MEASURES] {
            assert!(table.is_sorted_by(|(a, _), (b, _)| a < b));
        }
        let both: Vec<_> = DECISIVE.iter().filter(|(word, _)| is_filler(word) || is_common(word)).collect();
        assert!(both.is_empty(), "harmless and not: {both:?}");
        assert!(DECISIVE.iter().all(|(_, meaning)| decisive(meaning).is_none_or(|same| same == *meaning)));
    }
}
