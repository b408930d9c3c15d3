"""Emoji as pictures: 32x32 RGB on white, cut into 8x8 patches of 4x4 pixels."""

import functools
import hashlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import kmeans
from progress import counted, say
from tokens import IMAGE_CODES

FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
STRIKE = 109  # the only size of the bitmaps in the font
CANVAS = 136  # pixels a glyph is drawn on, at that size
SIDE, PATCH = 32, 4
GRID = SIDE // PATCH
COLOUR = 8  # what a patch's mean colour weighs, in pixels
# What part of the canvas is seen: (left, top, side). The first is the plain
# view; the others are a little aside or further off, so that an emoji met again
# is not the same 64 tokens.
VIEWS = [(0, -4, 136), (-7, -2, 140), (3, -7, 138), (-8, -12, 152)]


@functools.lru_cache(maxsize=1)
def font():
    return ImageFont.truetype(FONT, STRIKE, layout_engine=ImageFont.Layout.RAQM)


def glyph(emoji):
    picture = Image.new("RGBA", (CANVAS, CANVAS), (255, 255, 255, 0))
    ImageDraw.Draw(picture).text((0, 0), emoji, font=font(), embedded_color=True)
    return picture


def fingerprint(emoji):
    """A hash of the picture; None when the font has none for it."""
    picture = glyph(emoji)
    return hashlib.sha256(picture.tobytes()).digest() if picture.getbbox() else None


def views(emoji, wanted):
    """The pictures of an emoji in the wanted views, U8 [32, 32, 3] each."""
    drawn = glyph(emoji)
    for view in wanted:
        left, top, side = VIEWS[view]
        page = Image.new("RGB", (side, side), "white")
        page.paste(drawn, (-left, -top), drawn)
        # The softest filter: fewer fine edges leave the codes to colours and shapes.
        yield np.asarray(page.resize((SIDE, SIDE), Image.BILINEAR))


def cut(picture):
    """[32, 32, 3] -> patches [64, 48], row by row."""
    return (picture.reshape(GRID, PATCH, GRID, PATCH, 3).transpose(0, 2, 1, 3, 4)
            .reshape(GRID * GRID, PATCH * PATCH * 3))


def join(patches):
    """Patches [64, 48] -> [32, 32, 3]: the inverse of cut."""
    return (patches.reshape(GRID, GRID, PATCH, PATCH, 3).transpose(0, 2, 1, 3, 4)
            .reshape(SIDE, SIDE, 3))


def features(patches):
    """Patches U8 [N, 48] -> what k-means compares: the pixels, and the mean
    colour COLOUR times more. A wrong colour is seen sooner than a wrong edge."""
    mean = np.rint(patches.reshape(len(patches), -1, 3).mean(axis=1)).astype(np.uint8)
    return np.concatenate([patches] + [mean] * COLOUR, axis=1)


def encode(wanted, seen):
    """Codes of the wanted (emoji, view) pairs, {pair: [64]}, and the codebook
    U8 [512, 48], learned on those pairs whose emoji are in `seen`."""
    by_emoji = {}
    for emoji, view in sorted(wanted):
        by_emoji.setdefault(emoji, []).append(view)
    pairs, patches = [], []
    for emoji, wanted_views in counted(by_emoji.items(), len(by_emoji), "drawing emoji"):
        for view, picture in zip(wanted_views, views(emoji, wanted_views)):
            pairs.append((emoji, view))
            patches.append(cut(picture))
    patches = np.stack(patches)  # [P, 64, 48]
    train = np.array([emoji in seen for emoji, _ in pairs])
    say(f"learning {IMAGE_CODES} patches from {train.sum()} pictures")
    pixels = patches.shape[2]
    codebook = kmeans.learn(features(patches[train].reshape(-1, pixels)), IMAGE_CODES,
                            seed=1, report=say)
    say(f"encoding {len(pairs)} pictures")
    codes, _ = kmeans.nearest(features(patches.reshape(-1, pixels)), codebook)
    return dict(zip(pairs, codes.reshape(len(pairs), -1))), codebook[:, :pixels]
