"""Makes requests out of english.txt and chinese.txt: the same ones for the same seed."""

import random
import re
from pathlib import Path

HERE = Path(__file__).parent
TASKS = ["code", "reasoning", "summary", "creative", "analysis", "translation", "classification", "extraction", "chat"]

POLITE = {
    "english": ["please ", "Please ", "pls ", "can you ", "could you please ", "Can you please ", "I need you to ", "i want you to ", "hey, ",
                "Hi! ", "help me ", "I'd like you to ", "quick question: ", "ok now ", "now ", "hello, ", "would you mind to ", "just ",
                "Hi, I'm a student. ", "I work in marketing. ", "For my homework: ", "In this task, you will ", "as a beginner, ", "so, ",
                "You are a helpful assistant. ", "Task: ", "Instruction: "],
    "chinese": ["请", "请你", "帮我", "麻烦", "麻烦你", "你好，", "能不能", "可以", "请问，", "我想让你", "现在", "老师让我", "我是学生，", "急！", "那个，", "请帮忙", "任务：", "亲，"],
}
THANKS = {
    "english": [" thanks", " Thank you!", " please", " thx", " asap", " Thanks in advance.", " keep it simple", " no more than 100 words",
                " be concise", " answer in english", ". I am in a hurry", " in plain language", " and explain briefly", " pls"],
    "chinese": ["谢谢", "，谢谢！", "，谢谢啦", "，急", "，简单点", "，尽快", "，不要太长", "，用中文回答", "，拜托了", "哦", "吧", "呀"],
}


def load(language):
    """The requests of each task and the lists of one language."""
    requests, lists, current = {}, {}, None
    for line in (HERE / f"{language}.txt").read_text().splitlines():
        if line.startswith("== "):
            current = requests.setdefault(line[3:], [])
        elif line.startswith(":: "):
            name, *raw = line[3:].split()
            current = []
            lists[name] = (bool(raw), current)
        elif line.strip() and not (current is None or line.startswith("# ")):
            current.append(line)
    return requests, lists


# Lists of things that requests of any kind may be about, and of texts that come with them.
ANYTHING = {"any", "topic", "thing", "concept", "everyday", "venture", "work", "food", "place", "name", "word"}
GIVEN = {"fp", "sentence", "review", "mail", "dialog", "record", "short", "storybit"}


class Maker:
    def __init__(self, language, chance):
        self.language, self.chance = language, chance
        self.requests, self.lists = load(language)

    def expand(self, template):
        text = "".join(self.pieces(template)).replace("\\n", "\n")
        # Spaces part the choices of a template; Chinese has none, English one.
        text = re.sub(r"(?<=[\u3000-\u9fff]) +(?=[\u3000-\u9fff])", "", text)
        return re.sub(r"(?<=\S)  +(?=[\w])", " ", text) if self.language == "english" and "\n  " not in text else text

    def pieces(self, template):
        at = 0
        while at < len(template):
            c = template[at]
            if c == "[":
                end, options = choices(template, at)
                yield from self.pieces(self.chance.choice(options))
                at = end
            elif match := re.compile(r"\{(\w+)\}").match(template, at):
                raw, items = self.lists[match[1]]
                if match[1] in ANYTHING and self.chance.random() < (0.8 if match[1] == "any" else 0.4):
                    yield self.anything()
                else:
                    item = "".join([item] if raw else self.pieces(item)) if (item := self.chance.choice(items)) else ""
                    yield self.estranged(item) if match[1] in GIVEN else item
                at = match.end()
            else:
                yield c
                at += 1

    def anything(self):
        """A word or two that nobody has heard of: what is asked shows in the words around them."""
        chance = self.chance
        if self.language == "chinese":
            return "".join(chr(chance.randrange(0x4E00, 0x9FA0)) for _ in range(chance.randint(2, 4)))
        word = lambda: "".join(chance.choice("bcdfghklmnprstvz") + chance.choice("aeiou") for _ in range(chance.randint(2, 4)))
        return word() + chance.choice(["", "n", "s", "l", "r"]) + (" " + word() if chance.random() < 0.3 else "")

    def estranged(self, text):
        """A given text with some of its longer words replaced: nothing is to be learned by heart of it."""
        chance = self.chance
        if chance.random() < 0.4:
            return text
        if self.language == "chinese":
            return "".join(chr(chance.randrange(0x4E00, 0x9FA0)) if c > "\u4e00" and chance.random() < 0.4 else c for c in text)
        return re.sub(r"[a-z]{5,}", lambda word: self.anything() if chance.random() < 0.6 else word[0], text)

    def request(self, task, template):
        """A request as a user may write it, carelessly at times."""
        text = self.expand(template)
        chance = self.chance
        first, newline, rest = text.partition("\n")
        if chance.random() < 0.22 and task != "chat":
            polite = chance.choice(POLITE[self.language])
            first = polite + (first[:1].lower() + first[1:] if first[:2].istitle() else first)
        elif chance.random() < 0.5 and first.isascii():
            first = first[:1].upper() + first[1:]
        if chance.random() < 0.08 and task != "chat":
            first = first.rstrip(":：") + chance.choice(THANKS[self.language]) + (":" if newline else "")
        if newline and chance.random() < 0.25:
            newline = chance.choice([" ", "\n\n", "\n", ": "])
        if chance.random() < 0.25:
            first = typos(first, chance)
        text = first + newline + rest
        careless = chance.random()
        if careless < 0.15:
            text = text.lower()
        if careless < 0.1 or careless > 0.9:
            text = re.sub(r"[.?!。？！]+$", "", text)
        if careless > 0.97 and not rest:
            text = re.sub(r"[,.:;!?'\"，。：；！？“”]", "", text)
        if careless > 0.985 and not rest:
            text = text.upper()
        return text


def choices(template, at):
    """Where the choice that begins at `at` ends, and what may be chosen."""
    depth, start, options = 0, at + 1, []
    for end in range(at, len(template)):
        c = template[end]
        if c == "[":
            depth += 1
        elif c == "]":
            depth -= 1
            if depth == 0:
                return end + 1, [*options, template[start:end]]
        elif c == "|" and depth == 1:
            options.append(template[start:end])
            start = end + 1
    raise ValueError(f"no end to what begins at {at}: {template}")


def typos(text, chance):
    """One or two slips of the finger in words of some length."""
    words = text.split(" ")
    for _ in range(chance.choice([1, 1, 2])):
        at = chance.randrange(len(words))
        word = words[at]
        if len(word) < 4 or not word.isascii():
            continue
        cut = chance.randrange(1, len(word) - 1)
        words[at] = chance.choice([
            word[:cut] + word[cut + 1] + word[cut] + word[cut + 2:],
            word[:cut] + word[cut + 1:],
            word[:cut] + word[cut] + word[cut:],
        ])
    return " ".join(words)


def make(count, seed, keep=lambda task, index: True):
    """(task, text) of `count` requests for each task and language; `keep` chooses among a task's templates."""
    chance = random.Random(seed)
    made = []
    for language in ["english", "chinese"]:
        maker = Maker(language, chance)
        for task in TASKS:
            templates = [line for index, line in enumerate(maker.requests[task]) if keep(task, index)]
            for number in range(count):
                template = templates[number % len(templates)]
                made.append((task, maker.request(task, template), template))
    chance.shuffle(made)
    return made


if __name__ == "__main__":
    for task, text, _ in make(30, 1):
        print(f"{task}: {text!r}")
