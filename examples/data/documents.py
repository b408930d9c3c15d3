"""What the documents say: a plan in words, before anything is drawn or spoken.

A plan is a list of documents; a document is a list of stretches:
("text", string), ("image", emoji, view) or ("speech", emoji, language).
"""

import random

from pictures import VIEWS
from tokens import IMAGE, SPEECH, TEXT

RUNNING = 0.15  # the share of running text, by tokens
LONGEST = 400  # tokens of a mixed document, about


def length(stretch):
    """About how many tokens a stretch takes: speech is not spoken yet."""
    if stretch[0] == "text":
        return len(stretch[1].encode()) + 2
    return 66 if stretch[0] == "image" else 30


class Planner:
    def __init__(self, emoji, split, seed):
        self.emoji, self.families = emoji, emoji.families[split]
        self.draw = random.Random(seed)

    def choose(self):
        """An emoji: a family first, or the many skin tones would rule."""
        return self.draw.choice(self.draw.choice(self.families))

    def words(self, emoji, language):
        """The name in a language, half of the time with a few keywords."""
        name = self.emoji.name[language][emoji]
        others = [w for w in self.emoji.keywords[language].get(emoji, []) if w != name]
        if others and self.draw.random() < 0.5:
            few = self.draw.sample(others, min(len(others), self.draw.randint(1, 4)))
            return f"{language}: {name} ({', '.join(few)})"
        return f"{language}: {name}"

    def stretch(self, modality, emoji, language):
        if modality == TEXT:
            return ("text", self.words(emoji, language))
        if modality == IMAGE:
            return ("image", emoji, self.draw.randrange(len(VIEWS)))
        return ("speech", emoji, language)

    def card(self):
        """One emoji in one language, all three modalities in any order."""
        emoji = self.choose()
        language = self.draw.choice(self.emoji.languages(emoji))
        order = self.draw.sample([TEXT, IMAGE, SPEECH], 3)
        return [self.stretch(m, emoji, language) for m in order]

    def polyglot(self):
        """One picture, and its name written and spoken in several languages."""
        emoji = self.choose()
        known = self.emoji.languages(emoji)
        parts = []
        for language in self.draw.sample(known, min(len(known), self.draw.randint(2, 3))):
            order = self.draw.sample([TEXT, SPEECH], 2)
            parts.append([self.stretch(m, emoji, language) for m in order])
        parts.insert(self.draw.randint(0, len(parts)), [self.stretch(IMAGE, emoji, None)])
        return sum(parts, [])

    def pairs(self):
        """A few emoji of one family or several, in two modalities only."""
        order = self.draw.sample([TEXT, IMAGE, SPEECH], 2)
        language = self.draw.choice(list(self.emoji.name))
        if self.draw.random() < 0.5:
            pool = self.draw.choice(self.families)
            several = self.draw.sample(pool, min(len(pool), 3))
        else:
            several = [self.choose() for _ in range(self.draw.randint(2, 3))]
        return [self.stretch(m, emoji, language) for emoji in several for m in order
                if emoji in self.emoji.name[language]]

    def mixed(self):
        kind = self.draw.choices([self.card, self.polyglot, self.pairs], [45, 30, 25])[0]
        document = kind()
        while sum(map(length, document)) > LONGEST:
            document.pop()
        return document

    def plan(self, pages, tokens):
        """Documents of about so many tokens; `pages` are the running text."""
        documents, planned = [], 0
        while planned < tokens * (1 - RUNNING):
            document = self.mixed()
            planned += sum(map(length, document)) + 1
            documents.append(document)
        for page in pages:
            if planned >= tokens:
                break
            documents.append([("text", page)])
            planned += len(page.encode()) + 3
        self.draw.shuffle(documents)
        return documents


def spoken_and_drawn(plans, emoji):
    """What the plans need: {(emoji, language): name} and {(emoji, view)}."""
    names, drawn = {}, set()
    for plan in plans:
        for document in plan:
            for kind, what, *how in document:
                if kind == "speech":
                    names[what, how[0]] = emoji.name[how[0]][what]
                elif kind == "image":
                    drawn.add((what, how[0]))
    return names, drawn
