"""The emoji: which there are, their names, and which are kept unseen.

Names and keywords come from the Unicode CLDR annotations; an emoji counts when
the font draws it. The held-out part must be truly unseen, so emoji are put in
families that never straddle the split: skin tones, hair and genders of one
base, ZWJ variants, and pictures that are the same to the pixel (some flags).
"""

import random
import unicodedata
import xml.etree.ElementTree as ElementTree

ANNOTATIONS = "/usr/share/unicode/cldr/common/{}/{}.xml"
LANGUAGES = ["de", "en", "es", "fi", "fr", "it", "nl", "pl", "pt", "sv"]
HELD_OUT = 0.1

JOINER, TEXT_STYLE, COLOUR_STYLE = "\u200d", "\ufe0e", "\ufe0f"
TONES = [chr(c) for c in range(0x1F3FB, 0x1F400)]
HAIR = ["🦰", "🦱", "🦲", "🦳"]
# Emoji that are genders or ages of one another without a joiner.
ALIKE = {"👨": "🧑", "👩": "🧑", "👱": "🧑", "🧔": "🧑", "👦": "🧒", "👧": "🧒",
         "👴": "🧓", "👵": "🧓", "🤴": "🫅", "👸": "🫅", "🎅": "🎄🧑", "🤶": "🎄🧑",
         "🕺": "💃", "🤰": "🫄", "🫃": "🫄", "👫": "🧑🧑", "👬": "🧑🧑", "👭": "🧑🧑",
         "🏻": "🏻", "♀": "♂", "💑": "❤🧑🧑", "💏": "❤💋🧑🧑", "👪": "family"}


def base_of(emoji):
    """A name for the family an emoji belongs to."""
    pieces = emoji.replace(COLOUR_STYLE, "").replace(TEXT_STYLE, "").split(JOINER)
    if pieces[0] in TONES:
        return TONES[0]
    if pieces[0] in HAIR:
        return HAIR[0]
    for tone in TONES:
        pieces = [piece.replace(tone, "") for piece in pieces]
    # Gender signs and hair only modify when they follow a joiner.
    pieces = pieces[:1] + [p for p in pieces[1:] if p not in ["♀", "♂", *HAIR]]
    pieces = [ALIKE.get(piece, piece) for piece in pieces]
    if len(pieces) == 1:
        return pieces[0]
    if "🤝" in pieces or pieces.count("🧑") + pieces.count("🧒") > 1 and "❤" not in pieces:
        return "🧑🧑" if "🤝" in pieces else "family"
    if "🧑" in pieces:  # a profession, or a couple: all that is in it
        return "".join(sorted(pieces))
    if pieces == ["🫱", "🫲"]:
        return "🤝"
    return pieces[0]


def annotations(language):
    """({emoji: name}, {emoji: keywords}) in one language."""
    names, keywords = {}, {}
    for folder in ["annotations", "annotationsDerived"]:
        for entry in ElementTree.parse(ANNOTATIONS.format(folder, language)).iter("annotation"):
            text = unicodedata.normalize("NFC", entry.text or "").strip()
            if not text or "↑" in text:  # ↑↑↑ means: as in the parent language
                continue
            if entry.get("type") == "tts":
                names.setdefault(entry.get("cp"), text)
            else:
                keywords.setdefault(entry.get("cp"), [w.strip() for w in text.split("|")])
    return names, keywords


class Emoji:
    """`families[split]` lists families, each a list of emoji; `name[language]`
    and `keywords[language]` are by emoji."""

    def __init__(self, fingerprint, every=1):
        """`fingerprint(emoji)` is a hash of the picture, None when there is none.
        `every` > 1 keeps only one family in so many, for a quick test."""
        self.name, self.keywords = {}, {}
        for language in LANGUAGES:
            self.name[language], self.keywords[language] = annotations(language)

        families = {}
        for emoji in sorted(self.name["en"]):
            if not emoji.isascii():
                families.setdefault(base_of(emoji), []).append(emoji)
        # Families that share a picture are one. Sorted order decides names.
        owner, merged = {}, {}
        for base in sorted(families)[::every]:
            pictures = {e: fingerprint(e) for e in families[base]}
            drawn = [e for e in families[base] if pictures[e]]
            if not drawn:
                continue
            target = next((owner[pictures[e]] for e in drawn if pictures[e] in owner), base)
            for emoji in drawn:
                owner.setdefault(pictures[emoji], target)
            merged.setdefault(target, []).extend(drawn)

        order = sorted(merged)
        random.Random("emoji split").shuffle(order)
        cut = max(1, round(HELD_OUT * len(order)))
        self.families = {"heldout": [merged[b] for b in sorted(order[:cut])],
                         "train": [merged[b] for b in sorted(order[cut:])]}

    def languages(self, emoji):
        return [language for language in LANGUAGES if emoji in self.name[language]]
