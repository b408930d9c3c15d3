"""Progress on stderr: what is happening, how far, and for how long."""

import sys
import time

START = time.monotonic()
INTERVAL = 2.0  # seconds between two lines of one loop


def say(message):
    print(f"[{time.monotonic() - START:6.1f}s] {message}", file=sys.stderr, flush=True)


def counted(items, total, what):
    """Yields `items`, saying now and then how many have gone by."""
    last = time.monotonic()
    say(f"{what}: {total} to do")
    done = 0
    for item in items:
        yield item
        done += 1
        if time.monotonic() - last >= INTERVAL and done < total:
            last = time.monotonic()
            say(f"{what}: {done}/{total}")
    say(f"{what}: {done}/{total} done")
