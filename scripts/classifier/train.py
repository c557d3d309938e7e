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

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "src/classify/weights.bin"
DATA = Path(os.environ.get("MODELGATE_TASKS", ROOT.parent / "shared/data/tasks"))
TASKS = examples.TASKS
SEED, COUNT, ROUNDS, RATE, DECAY, HIDDEN = 20, 1000, 8, 0.3, 1e-5, 0.3
# A word counts if it is in so many templates, so many times; and how many are kept of those.
TEMPLATES, TIMES, SIZE = 2, 5, 3000


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
            for _, hashes, template in found:
                for hash in {hash for hash, _ in hashes}:
                    counts[hash] = counts.get(hash, 0) + 1
                    seen = templates.setdefault(hash, set())
                    if len(seen) < TEMPLATES:
                        seen.add(template)
            kept = sorted(hash for hash, seen in templates.items() if len(seen) >= TEMPLATES and counts[hash] >= TIMES)
            vocabulary = {hash: at for at, hash in enumerate(kept)}
            self.counts = numpy.array([counts[hash] for hash in kept])
        self.vocabulary = vocabulary
        self.rows = [(task, *self.row(hashes)) for task, hashes, _ in found]

    def row(self, hashes):
        weights = {}
        for hash, weight in hashes:
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
            shown = chance.random_sample(len(places)) >= HIDDEN
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
    """Eight columns of a byte; what is left out, chat, is what the others are measured by."""

    def __init__(self, vocabulary, weights):
        weights = weights - weights[:, -1:]
        self.scale = 127.0 / numpy.quantile(numpy.abs(weights), 0.9995)
        self.rows = numpy.clip(numpy.round(weights[:, :-1] * self.scale), -127, 127).astype(numpy.int32)
        self.vocabulary = vocabulary

    def scores(self, text):
        sums, count = numpy.zeros(8), 0
        for hash, weight in features.hashes(text):
            if (at := self.vocabulary.get(hash)) is not None:
                sums += weight * self.rows[at]
                count += weight
        return numpy.append(sums, 0) / numpy.sqrt(max(count, 1)) / self.scale


def pruned(data, weights, size):
    """The vocabulary without what tells the least."""
    worth = numpy.ptp(weights, axis=1) * numpy.sqrt(data.counts)
    best = set(numpy.argsort(-worth, kind="stable")[:size].tolist())
    kept = sorted(hash for hash, at in data.vocabulary.items() if at in best)
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


def made_of(count, rounds, size, keep=lambda task, index: True):
    made = examples.make(count, SEED, keep)
    data = Data(made)
    weights = train(data, rounds)
    vocabulary = pruned(data, weights, size)
    print(len(made), "examples", len(data.vocabulary), "features", len(vocabulary), "kept", flush=True)
    less = Data(made, vocabulary)
    return Table(vocabulary, train(less, rounds))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--explore", action="store_true")
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--size", type=int, default=SIZE)
    options = parser.parse_args()
    if options.explore:
        # How well it knows what is asked in words that it has not seen: each fifth template is kept for that.
        unseen = lambda task, index: index % 5 == 2
        table = made_of(options.count, options.rounds, options.size, lambda *at: not unseen(*at))
        test = examples.make(200, 7, unseen)
        for language in ["english", "chinese"]:
            report(f"unseen templates, {language}", table, [(t, x, None) for t, x, _ in test if x.isascii() == (language == "english")])
        report("tune", table, labelled(["vicuna_", "seed_"]))
    table = made_of(options.count, options.rounds, options.size)
    report("tune", table, labelled(["vicuna_", "seed_"]), options.wrong)


if __name__ == "__main__":
    main()
