"""What the classifier sees of a text: hashes of words, pairs of words, beginnings of words and signs, as src/classify computes them.

A test of src/classify compares both on the texts of golden.tsv.
"""

# So many words at the front, and of the end of what is not short, count twice.
FRONT = 24
# In bytes of UTF-8: an instruction stands before or after what it is about.
HEAD, TAIL, END = 512, 128, 128
MASK = 0xFFFFFFFF
START = 0x811C9DC5
PRIME = 0x01000193
NUMBER = 0x30
BREAKS = frozenset(".!?;:\n。！？；：")
# Words of at least so many letters are also known by their beginning.
LONG, STEM = 5, 4

UNIGRAM, BIGRAM, PREFIX, SIGN, FACT = 0x9E3779B1, 0x85EBCA77, 0x27D4EB2F, 0x165667B1, 0x7FEB352D


def mixed(seed, hash):
    hash = ((hash ^ seed) * 0x2C1B3C6D) & MASK
    hash ^= hash >> 15
    return (hash * 0x297A2D39) & MASK


def fold(hash, code):
    return ((hash ^ code) * PRIME) & MASK


def lower(code):
    if 0x41 <= code <= 0x5A:
        return code + 32
    if code < 0xC0:
        return code
    if 0xFF01 <= code <= 0xFF5E:
        return lower(code - 0xFEE0)
    if 0xC0 <= code <= 0xDE and code != 0xD7 or 0x410 <= code <= 0x42F:
        return code + 32
    return code


def is_wide(code):
    """Characters that are words of their own: Han, Kana, Hangul."""
    return 0x3040 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0xAC00 <= code <= 0xD7AF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x3FFFF


def is_letter(code):
    if code < 0x80:
        return 0x61 <= code <= 0x7A
    if code < 0xC0:
        return code in (0xAA, 0xB5, 0xBA)
    return code not in (0xD7, 0xF7) and not (0x2000 <= code <= 0x303F or 0xFE30 <= code <= 0xFE4F or 0xFF00 <= code <= 0xFFEF or 0xE000 <= code <= 0xF8FF or code == 0xFFFD or 0x1F000 <= code <= 0x1FAFF)


def tokens(text):
    """("word", hash, prefix or None), ("wide", hash), ("number",), ("sign", code), ("break",)"""
    word, length, prefix, digits = START, 0, None, False
    for character in text:
        raw = ord(character)
        code = lower(raw)
        if is_wide(code) or not is_letter(code):
            if code in (0x27, 0x2019) and length:
                continue
            if length:
                yield ("word", word, prefix if length >= LONG else None)
                word, length, prefix = START, 0, None
            is_digit = 0x30 <= code <= 0x39
            if is_digit and not digits:
                yield ("number",)
            digits = is_digit
            if is_wide(code):
                yield ("wide", fold(START, code))
            elif not is_digit and character not in " \t\r\xa0\u3000":
                yield ("sign", code)
                if chr(code) in BREAKS:
                    yield ("break",)
            continue
        digits = False
        word = fold(word, code)
        length += 1
        if length == STEM:
            prefix = word
    if length:
        yield ("word", word, prefix if length >= LONG else None)


def parts(data):
    """What is looked at, and whether it is the end."""
    if len(data) <= 2 * END:
        return [(data, False)]
    before, end = data[:-END], data[-END:]
    before = [before] if len(before) <= HEAD + TAIL else [before[:HEAD], before[-TAIL:]]
    return [(part, False) for part in before] + [(end, True)]


def hashes(text):
    """What is seen of a text: (hash, how much it counts, whether it is more than a pair of words)."""
    data = text.encode()
    found = []
    seen = 0
    for part, is_end in parts(data):
        seen = 0 if is_end else seen
        last = 0
        for token in tokens(part.decode(errors="ignore")):
            seen += 1
            weight = 2 if seen <= FRONT else 1
            kind = token[0]
            if kind == "break":
                last = 0
                continue
            if kind == "sign":
                found.append((mixed(SIGN, token[1]), weight, True))
                continue
            hash = NUMBER if kind == "number" else token[1]
            found.append((mixed(UNIGRAM, hash), weight, True))
            found.append((mixed(BIGRAM, (fold(last, 1) + hash) & MASK), weight, False))
            if kind == "word" and token[2] is not None:
                found.append((mixed(PREFIX, token[2]), weight, True))
            last = hash
    return found + [(mixed(FACT, fact), 1, True) for fact in facts(text, data)]


def facts(text, data):
    """What is true of the whole text, as numbers."""
    yield min(len(data).bit_length(), 12)
