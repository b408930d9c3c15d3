"""The cache of compiled programs: shared by processes that write at once, and harmless
when files are cut short or damaged, or when the disk is full."""
import glob
import multiprocessing
import os
import resource
import signal
import sys

import momc

MODEL, FOLDER = sys.argv[1:3]


def compiled(**more):
    return momc.compile(MODEL, entries=["loss"], cache=FOLDER, **more)


def from_cache(_):
    return compiled().from_cache


def files():
    return sorted(glob.glob(FOLDER + "/*"))


with multiprocessing.Pool(4) as pool:  # all at once, into an empty folder
    pool.map(from_cache, range(4), chunksize=1)
assert len(files()) == 1, files()
(path,) = files()
assert path.endswith(".program"), path
whole = open(path, "rb").read()
assert compiled().from_cache
assert compiled().session() is not None
for damaged in (whole[:-1], whole[:len(whole) // 2], b"", whole[:100] + b"?" + whole[101:]):
    open(path, "wb").write(damaged)
    assert not compiled().from_cache, len(damaged)
    assert open(path, "rb").read() == whole, "it was not stored anew"
assert not compiled(cpu="x86-64").from_cache
assert len(files()) == 2, files()

# A disk that takes no more than a few bytes, and a folder that cannot be.
for path in files():
    os.remove(path)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))
assert not compiled().from_cache and not compiled().from_cache
assert files() == [], files()
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
assert not momc.compile(MODEL, entries=["loss"], cache=MODEL + "/no").from_cache
print("ok")
