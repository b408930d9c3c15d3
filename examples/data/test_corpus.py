#!/usr/bin/python3
"""Self-test of the corpus builder, on its tiny size: a few seconds.

    /usr/bin/python3 examples/data/test_corpus.py
"""

import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import numpy as np

import emoji
import kmeans
import pictures
import speech
import tokens
from corpus import FILES, SIZES


def corpus(out, **environment):
    return subprocess.run([sys.executable, os.path.join(HERE, "corpus.py"), "--out", out, "--size", "tiny"],
                          stderr=subprocess.PIPE, text=True, check=True, env={**os.environ, **environment})


def contents(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


class Built(unittest.TestCase):
    """What a build leaves behind."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.out = os.path.join(cls.scratch.name, "corpus")
        corpus(cls.out)
        cls.split = {name: tokens.read_safetensors(os.path.join(cls.out, name + ".safetensors"))
                     for name in ["train", "heldout"]}
        with open(os.path.join(cls.out, "corpus.json")) as file:
            cls.card = json.load(file)

    def test_token_files(self):
        for name, (tensors, metadata) in self.split.items():
            with self.subTest(name):
                ids, modality, document = (tensors[n] for n in ["id", "modality", "document"])
                self.assertEqual([t.dtype for t in (ids, modality, document)], [np.uint16, np.uint8, np.int64])
                self.assertEqual(len(ids), len(modality))
                self.assertEqual((document[0], document[-1]), (0, len(ids)))
                self.assertTrue((np.diff(document) > 0).all())
                self.assertLess(ids.max(), tokens.USED)
                self.assertTrue((ids[document[1:] - 1] == tokens.END).all())
                self.assertEqual(metadata, {"format": "momc tokens", "version": "1",
                                            "modalities": "text,image,speech", "vocabulary": "1280"})
                counted = dict(zip(tokens.MODALITIES, np.bincount(modality).tolist()))
                self.assertEqual(counted, self.card["splits"][name]["by_modality"])

    def test_modality_follows_the_id(self):
        vocabulary = self.card["vocabulary"]
        for tensors, _ in self.split.values():
            for name in ["image", "speech"]:
                first, end = vocabulary[name]
                special = [vocabulary["specials"][s] for s in (f"<{name}>", f"</{name}>")]
                inside = (tensors["id"] >= first) & (tensors["id"] < end) | np.isin(tensors["id"], special)
                self.assertTrue((inside == (tensors["modality"] == tokens.MODALITIES.index(name))).all())

    def test_stretches_are_whole(self):
        special = tokens.layout()["specials"]
        for tensors, _ in self.split.values():
            ids = tensors["id"]
            opened, closed = (np.flatnonzero(ids == special[s]) for s in ("<image>", "</image>"))
            self.assertTrue((closed - opened == 65).all())
            opened, closed = (np.flatnonzero(ids == special[s]) for s in ("<text>", "</text>"))
            for begin, end in zip(opened, closed):
                text = bytes(ids[begin + 1:end].tolist()).decode()
                self.assertTrue(0 < len(text.encode()) <= 512)

    def test_tensors_are_aligned(self):
        for name in FILES:
            with open(os.path.join(self.out, name), "rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(length))
            self.assertEqual(length % 8, 0)
            header.pop("__metadata__")
            at = 0
            for entry in header.values():
                self.assertEqual(entry["data_offsets"][0], at)
                self.assertEqual(at % np.dtype(tokens.KINDS[entry["dtype"]]).itemsize, 0)
                at = entry["data_offsets"][1]
            self.assertEqual(os.path.getsize(os.path.join(self.out, name)), 8 + length + at)

    def test_same_bytes_again(self):
        other = os.path.join(self.scratch.name, "again")
        os.mkdir(other)
        # What an interrupted build leaves, and other hashing and threading.
        for name in ["train.safetensors.partial", "corpus.json.partial"]:
            with open(os.path.join(other, name), "wb") as file:
                file.write(b"half")
        corpus(other, PYTHONHASHSEED="7", OPENBLAS_NUM_THREADS="2")
        self.assertEqual(contents(self.out), contents(other))

    def test_killed_while_writing(self):
        # Over a corpus of another recipe, of the same sizes, which must not pass for this one.
        other, whole = os.path.join(self.scratch.name, "killed"), contents(self.out)
        os.mkdir(other)
        for name, data in whole.items():
            with open(os.path.join(other, name), "wb") as file:
                file.write(json.dumps({**self.card, "arguments": {}}).encode() if name == "corpus.json"
                           else bytes(len(data)))
        command = [sys.executable, os.path.join(HERE, "corpus.py"), "--out", other, "--size", "tiny"]

        def seen():
            return sorted((entry.name, entry.inode()) for entry in os.scandir(other))

        for changes in [2, 4]:
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            last = seen()
            while process.poll() is None and changes:
                if (now := seen()) != last:
                    last, changes = now, changes - 1
                time.sleep(0.0002)
            process.kill()
            process.wait()
            if os.path.exists(os.path.join(other, "corpus.json")):
                left = contents(other)
                self.assertEqual({name: left[name] for name in whole}, whole)
        corpus(other)
        self.assertEqual(contents(other), whole)

    def test_complete_is_left_alone(self):
        before = {name: os.stat(os.path.join(self.out, name)).st_mtime_ns for name in FILES}
        self.assertIn("is complete", corpus(self.out).stderr)
        self.assertEqual(before, {name: os.stat(os.path.join(self.out, name)).st_mtime_ns for name in FILES})


class Parts(unittest.TestCase):

    def test_variants_share_a_base(self):
        for family in ["👋 👋🏽", "🧑‍🌾 👩🏿‍🌾 👨‍🌾", "👩‍🦰 👨 🧑🏻 👱‍♀️", "🤷 🤷🏼‍♀️", "👪 👩‍👩‍👧", "🫱🏻‍🫲🏿 🤝",
                       "💏 👩‍❤️‍💋‍👨", "🐈 🐈‍⬛", "🎅 🧑‍🎄", "🧑‍🤝‍🧑 👭🏽"]:
            self.assertEqual(len({emoji.base_of(e) for e in family.split()}), 1, family)
        self.assertEqual(len({emoji.base_of(e) for e in "🧑‍🌾 🧑‍🍳 🧑 👋 💏 💑 🇩🇪 🇫🇷 ♀ 🐈 🏽".split()}), 11)

    def test_no_unseen_emoji_in_training(self):
        every = emoji.Emoji(pictures.fingerprint, SIZES["tiny"][2])
        train, heldout = ({e for family in every.families[s] for e in family} for s in ["train", "heldout"])
        for of in [lambda e: e, emoji.base_of, pictures.fingerprint]:
            self.assertFalse(set(map(of, train)) & set(map(of, heldout)))

    def test_safetensors_round_trip(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.safetensors")
            tensors = {"a": np.arange(3, dtype=np.uint8), "b": np.arange(6, dtype=np.uint16).reshape(2, 3),
                       "c": np.array([-1, 2 ** 40]), "d": np.zeros((0, 2), np.uint8)}
            tokens.write_safetensors(path, tensors, {"k": "ü"})
            self.assertEqual(os.listdir(folder), ["x.safetensors"])
            found, metadata = tokens.read_safetensors(path)
        self.assertEqual(metadata, {"k": "ü"})
        for name, array in tensors.items():
            np.testing.assert_array_equal(found[name], array)
            self.assertEqual(found[name].dtype, array.dtype)

    def test_patches_join_again(self):
        picture = next(pictures.views("🦀", [0]))
        np.testing.assert_array_equal(pictures.join(pictures.cut(picture)), picture)

    def test_kmeans_finds_clusters(self):
        centres = np.array([[10] * 8, [100] * 8, [240] * 8], np.uint8)
        noise = np.random.Generator(np.random.PCG64(0)).integers(0, 9, (300, 8))
        points = (np.repeat(centres, 100, axis=0) + noise).astype(np.uint8)
        label, _ = kmeans.nearest(points, kmeans.learn(points, 3, seed=4))
        self.assertEqual([len(set(part)) for part in label.reshape(3, 100)], [1, 1, 1])
        self.assertEqual(len(set(label)), 3)

    def test_a_name_is_heard(self):
        sound = speech.speak("grinning face", "en")
        self.assertTrue(0.4 < len(sound) / speech.RATE < 2)
        heard = speech.frames(sound)
        self.assertEqual(heard.shape, (-(-len(sound) // 882), 64))
        self.assertGreater(heard.std(), 20)


if __name__ == "__main__":
    unittest.main()
