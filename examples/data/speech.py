"""Names spoken by espeak-ng, as log-mel frames of 40 ms.

A frame is two mel spectra 20 ms apart, of 32 bands each: one token then also
tells how the sound moves. Levels are bytes, FLOOR to CEILING decibels.
"""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import kmeans
from progress import counted, say
from tokens import SPEECH_CODES

RATE = 22050  # espeak-ng's own: nothing to resample
HOP = 441  # 20 ms
WINDOW = 882  # 40 ms
FFT = 1024
SPECTRA, BANDS = 2, 32  # a frame
LOWEST, HIGHEST = 60.0, 8000.0  # Hz
FLOOR, CEILING = -55.0, 25.0  # dB, per band
QUIET = 0.003  # of full scale: what counts as silence at either end
# espeak-ng's voice of each language; each has one speaker, to keep the sound
# of a word learnable from a few hours.
VOICES = {"de": "de", "en": "en-us", "es": "es", "fi": "fi", "fr": "fr-fr",
          "it": "it", "nl": "nl", "pl": "pl", "pt": "pt-br", "sv": "sv"}
PROCESSES = 2


def mel(hertz):
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


def band_edges():
    """The band centres with one edge more on either side, in Hz [34]."""
    return 700 * (10 ** (np.linspace(mel(LOWEST), mel(HIGHEST), BANDS + 2) / 2595) - 1)


def filters():
    """Triangles over the bins of the transform, each of sum one, [32, 513]."""
    edge = band_edges()[:, None]
    hertz = np.arange(FFT // 2 + 1) * RATE / FFT
    rise = (hertz - edge[:-2]) / (edge[1:-1] - edge[:-2])
    fall = (edge[2:] - hertz) / (edge[2:] - edge[1:-1])
    triangles = np.maximum(0, np.minimum(rise, fall))
    return triangles / triangles.sum(axis=1, keepdims=True)


FILTERS = filters()


def speak(text, language):
    """The sound of a text, float [samples] in -1..1, silence trimmed."""
    # A process a name: each starts from the same state, so a sound does not
    # depend on what was spoken before it.
    wav = subprocess.run(["espeak-ng", "-b", "1", "-v", VOICES[language], "--stdin", "--stdout"],
                         input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    body = wav[wav.index(b"data") + 8:]  # the sizes in a streamed header mean nothing
    sound = np.frombuffer(body[:len(body) // 2 * 2], "<i2") / 32768
    loud = np.flatnonzero(np.abs(sound) > QUIET)
    return sound[loud[0]:loud[-1] + 1] if len(loud) else sound[:0]


def frames(sound):
    """Sound -> frames U8 [F, 64]."""
    count = max(1, -(-len(sound) // (HOP * SPECTRA))) * SPECTRA
    padded = np.zeros((count - 1) * HOP + WINDOW)
    at = (WINDOW - HOP) // 2  # spectrum i looks at the middle of its own 20 ms
    padded[at:at + len(sound)] = sound[:len(padded) - at]
    pieces = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(pieces * np.hanning(WINDOW), FFT)) ** 2  # [count, 513]
    level = 10 * np.log10(power @ FILTERS.T + 1e-10)  # [count, 32]
    scaled = (level - FLOOR) / (CEILING - FLOOR) * 255
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8).reshape(-1, SPECTRA * BANDS)


def levels(frame_bytes):
    """Frames U8 [F, 64] -> decibels [2F, 32]: the inverse of the scaling."""
    return frame_bytes.reshape(-1, BANDS) / 255 * (CEILING - FLOOR) + FLOOR


def encode(names, seen):
    """Codes of the names {(emoji, language): text}, as {pair: [F]}, and the
    codebook U8 [500, 64], learned on those pairs whose emoji are in `seen`."""
    pairs = sorted(names)
    with ThreadPoolExecutor(PROCESSES) as pool:
        spoken = pool.map(lambda pair: frames(speak(names[pair], pair[1])), pairs)
        heard = list(counted(spoken, len(pairs), "speaking names"))
    train = np.concatenate([f for pair, f in zip(pairs, heard) if pair[0] in seen])
    say(f"learning {SPEECH_CODES} sounds from {len(train)} frames")
    codebook = kmeans.learn(train, SPEECH_CODES, seed=2, report=say)
    say(f"encoding {sum(map(len, heard))} frames")
    codes, _ = kmeans.nearest(np.concatenate(heard), codebook)
    cuts = np.cumsum([len(f) for f in heard])[:-1]
    return dict(zip(pairs, np.split(codes, cuts))), codebook
