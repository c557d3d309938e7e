"""Trains the lexical classifier on requests of the project's own making and writes its table.

A multinomial logistic regression over hashed words and pairs of words. Sums are made in a fixed order and the exponential is
the module's own, so that the same bytes come out wherever it runs.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy

import examples
import features

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WEIGHTS = ROOT / "src/classify/weights.bin"
DATA = Path(os.environ.get("MODELGATE_TASKS", ROOT.parent / "shared/data/tasks"))
TASKS = examples.TASKS
# What is not in the requests: other scripts, cut characters, long texts, signs.
GOLDEN = ["", "?", "Don\u2019t  PANIC: it's 3.14!", "\u041f\u0435\u0440\u0435\u0432\u0435\u0434\u0438 \u042d\u0422\u041e \u043d\u0430 \u0430\u043d\u0433\u043b\u0438\u0439\u0441\u043a\u0438\u0439",
          "\u3053\u306e\u6587\u3092\u7ffb\u8a33\u3057\u3066\uff01", "\uff37rite \uff21 poem\uff1a\u3000\uff11\uff12", "\u00c9t\u00e9 \u00f7 \u00c0 \u00d7 na\u00efve", "\U0001f600 caf\u00e9\U00020000",
          "Summarize this. " + "The quick brown fox jumps over the lazy dog. " * 40 + "In one line, please.",
          "\u603b\u7ed3\u4e00\u4e0b\uff1a" + "\u5feb\u901f\u7684\u68d5\u8272\u72d0\u72f8\u8df3\u8fc7\u4e86\u61d2\u72d7\u3002" * 60]
SEED, COUNT, ROUNDS, RATE, DECAY, HIDDEN = 20, 3000, 6, 0.3, 2e-3, 0.7
# A word counts if it is in so many templates, so many times.
TEMPLATES, TIMES = 2, 5
# The table: so many buckets, a power of two, of so many words.
BITS, SLOTS = 10, 8
BUCKETS = 1 << BITS


def exponential(x):
    x = numpy.maximum(1.0 + x / 1024.0, 0.0)
    for _ in range(10):
        x = x * x
    return x


class Data:
    """Requests as numbers: of each its task, and its features as places in a vocabulary with how much they count."""

    def __init__(self, made, vocabulary=None):
        found = [(TASKS.index(task), features.hashes(text), template) for task, text, template in made]
        if vocabulary is None:
            templates, counts = {}, {}
            alone = set()
            for _, hashes, template in found:
                alone.update(hash for hash, _, is_alone in hashes if is_alone)
                for hash in {hash for hash, _, _ in hashes}:
                    counts[hash] = counts.get(hash, 0) + 1
                    seen = templates.setdefault(hash, set())
                    if len(seen) < TEMPLATES:
                        seen.add(template)
            kept = sorted(hash for hash, seen in templates.items() if len(seen) >= TEMPLATES and counts[hash] >= TIMES)
            vocabulary = {hash: at for at, hash in enumerate(kept)}
            self.counts = numpy.array([counts[hash] for hash in kept])
            self.alone = numpy.array([hash in alone for hash in kept])
        self.vocabulary = vocabulary
        self.rows = [(task, *self.row(hashes)) for task, hashes, _ in found]

    def row(self, hashes):
        weights = {}
        for hash, weight, _ in hashes:
            if (at := self.vocabulary.get(hash)) is not None:
                weights[at] = weights.get(at, 0) + weight
        return numpy.array(list(weights), dtype=numpy.int64), numpy.array(list(weights.values()), dtype=numpy.float64)


def train(data, rounds):
    size = len(data.vocabulary)
    weights = numpy.zeros((size, len(TASKS)))
    squares = numpy.full_like(weights, 1e-1)
    total = numpy.zeros_like(weights)
    order = numpy.arange(len(data.rows))
    chance = numpy.random.RandomState(SEED)
    for round in range(rounds):
        chance.shuffle(order)
        for at in order:
            task, places, counts = data.rows[at]
            # A different part of the words is hidden each time, so that none is relied upon alone.
            shown = chance.random_sample(len(places)) >= HIDDEN * chance.random_sample()
            places, counts = places[shown], counts[shown]
            if not len(places):
                continue
            counts = (counts / numpy.sqrt(counts.sum()))[:, None]
            scores = (weights[places] * counts).sum(axis=0)
            odds = exponential(scores - scores.max())
            error = odds / odds.sum()
            error[task] -= 1.0
            gradient = error * counts + DECAY * weights[places]
            squares[places] += gradient * gradient
            weights[places] -= RATE * gradient / numpy.sqrt(squares[places])
        if round >= rounds // 2:
            total += weights
    return total / (rounds - rounds // 2)


class Table:
    """For each word eight nibbles and an exponent; what is left out, chat, is what the other tasks are measured by."""

    def __init__(self, vocabulary, weights):
        weights = weights - weights[:, -1:]
        self.unit = float(numpy.float32(numpy.quantile(numpy.abs(weights), 0.9995) / (7 << 3)))
        weights = weights[:, :-1] / self.unit
        most = numpy.abs(weights).max(axis=1, keepdims=True)
        self.exponents = sum((most > (7.5 * (1 << e))).astype(numpy.int32) for e in range(3))
        self.nibbles = numpy.clip(numpy.round(weights / (1 << self.exponents)), -7, 7).astype(numpy.int32)
        self.rows = self.nibbles << self.exponents
        self.vocabulary = vocabulary

    def scores(self, text):
        sums, count = numpy.zeros(8), 0
        for hash, weight, _ in features.hashes(text):
            if (at := self.vocabulary.get(hash)) is not None:
                sums += weight * self.rows[at]
                count += weight
        return numpy.append(sums, 0) / numpy.sqrt(max(count, 1)) * self.unit

    def to_bytes(self):
        """A number for the unit, then for each bucket eight keys, then for each key its row."""
        keys = numpy.zeros(BUCKETS * SLOTS, dtype="<u2")
        rows = numpy.full(BUCKETS * SLOTS, 0x88888888, dtype="<u4")
        used = [0] * BUCKETS
        for hash, at in sorted(self.vocabulary.items()):
            bucket, key = address(hash)
            slot = bucket * SLOTS + used[bucket]
            used[bucket] += 1
            keys[slot] = key << 2 | int(self.exponents[at, 0])
            rows[slot] = sum((int(nibble) + 8) << (4 * lane) for lane, nibble in enumerate(self.nibbles[at]))
        return numpy.array(self.unit, dtype="<f4").tobytes() + keys.tobytes() + rows.tobytes()


def address(hash):
    """In which bucket a word is looked for, and by which key, which is never 0."""
    return hash >> (32 - BITS), (hash & 0x3FFF) or 1


def pruned(data, weights):
    """The vocabulary without what tells the least: each bucket holds so many, and words alone are worth more than pairs."""
    worth = numpy.ptp(weights, axis=1) * numpy.sqrt(data.counts) * numpy.where(data.alone, 2.0, 1.0)
    hashes = sorted(data.vocabulary)
    buckets = {}
    for at in numpy.argsort(-worth, kind="stable").tolist():
        bucket, key = address(hashes[at])
        held = buckets.setdefault(bucket, {})
        if len(held) < SLOTS and key not in held:
            held[key] = hashes[at]
    kept = sorted(hash for held in buckets.values() for hash in held.values())
    return {hash: at for at, hash in enumerate(kept)}


def labelled(prefixes):
    """The public requests whose id begins so, with the label that the project gave them."""
    texts = {}
    for path in sorted(DATA.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            if "turns" in entry:
                texts[f"vicuna_{entry['question_id']}"] = entry["turns"][0]
            else:
                given = entry["instances"][0]["input"]
                texts[entry["id"]] = entry["instruction"] + ("\n\n" + given if given else "")
    labels = [line.split("\t") for line in (ROOT / "tests/texts/tasks.tsv").read_text().splitlines()]
    return [(task, texts[id], id) for id, task in labels if id.startswith(tuple(prefixes))]


def report(name, table, pairs, wrong=False):
    right = {task: [0, 0] for task in TASKS}
    for task, text, id in pairs:
        best = TASKS[int(numpy.argmax(table.scores(text)))]
        right[task][0] += best == task
        right[task][1] += 1
        if wrong and best != task:
            print(f"   {id} {task} -> {best}: {text[:110]!r}")
    hits, all = sum(r[0] for r in right.values()), sum(r[1] for r in right.values())
    print(f"{name}: {hits}/{all} = {hits / max(all, 1):.3f}  " + " ".join(f"{t}={a}/{b}" for t, (a, b) in right.items()), flush=True)


def made_of(count, rounds, keep=lambda task, index: True):
    made = examples.make(count, SEED, keep)
    data = Data(made)
    weights = train(data, rounds)
    vocabulary = pruned(data, weights)
    print(len(made), "examples", len(data.vocabulary), "features", len(vocabulary), "kept", flush=True)
    less = Data(made, vocabulary)
    return Table(vocabulary, train(less, rounds))


def write(table):
    """The table, and some of what it gives, for the test that compares this module with the filter's own reading."""
    golden = []
    texts = [text for _, text, _ in examples.make(3, 5)] + GOLDEN
    for text in texts:
        hashes = 0
        for hash, weight, _ in features.hashes(text):
            hashes = (hashes * 31 + hash * weight) & 0xFFFFFFFFFFFFFFFF
        scores = table.scores(text)
        best = TASKS[int(numpy.argmax(scores))] if scores.max() > 0 else TASKS[-1]
        golden.append(f"{hashes:016x}\t{best}\t{scores.max():.3f}\t{json.dumps(text, ensure_ascii=False)}\n")
    return {WEIGHTS: table.to_bytes(), HERE / "golden.tsv": "".join(golden).encode()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="writes nothing, fails if the files are not what would be written")
    parser.add_argument("--explore", action="store_true", help="says how well it knows requests of templates that it has not seen")
    parser.add_argument("--wrong", action="store_true", help="shows the public requests of the half for tuning that it takes for another task")
    options = parser.parse_args()
    if options.explore:
        unseen = lambda task, index: index % 5 == 2
        table = made_of(COUNT, ROUNDS, lambda *at: not unseen(*at))
        test = examples.make(200, 7, unseen)
        for language in ["english", "chinese"]:
            report(f"unseen templates, {language}", table, [(t, x, None) for t, x, _ in test if x.isascii() == (language == "english")])
        report("tune", table, labelled(["vicuna_", "seed_"]))
        return
    table = made_of(COUNT, ROUNDS)
    if DATA.is_dir():
        report("tune", table, labelled(["vicuna_", "seed_"]), options.wrong)
    files = write(table)
    if options.check:
        changed = [path.name for path, content in files.items() if not path.is_file() or path.read_bytes() != content]
        sys.exit(f"not what the training gives: {', '.join(changed)}" if changed else 0)
    for path, content in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        print(f"{path.relative_to(ROOT)}: {len(content)} bytes")


if __name__ == "__main__":
    main()
