#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""In the guest, for tests/mounts/cases/22-leases.sh.

leases.py quiet DIR SECONDS   does what needs no server the second time: once; prints "ready", waits, does it again, prints "done"
leases.py told FILE           for each line of input: FILE has to hold that line, or not exist if it is "-"
leases.py many DIR N          reads DIR/0 to DIR/N-1 three times
"""
import os
import sys
import time


def read(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 4096).decode()
    finally:
        os.close(fd)


def look(top):
    """Everything that a program does again and again with files that it only reads."""
    found = []
    for base in (top, os.path.join(top, "sub")):
        for entry in sorted(os.scandir(base), key=lambda e: e.name):
            stat = entry.stat(follow_symlinks=False)
            found.append((entry.name, stat.st_mode, stat.st_size, stat.st_mtime_ns))
            if entry.is_file():
                found.append(read(entry.path))
        try:
            os.stat(os.path.join(base, "missing"))
        except FileNotFoundError:
            found.append("missing")
    if os.fork() == 0:
        os.execv(os.path.join(top, "program"), ["program"])
    found.append(os.wait()[1])
    return found


def quiet(top, seconds):
    first = look(top)
    # Twice more: times of access move with the first one, and are asked for with the next stat.
    for _ in range(3):
        assert look(top) == first, "it is not the same"
        time.sleep(0.2)
    print("ready", flush=True)
    time.sleep(seconds)
    start = time.monotonic()
    for _ in range(20):
        assert look(top) == first, "it is not the same"
    print(f"done {time.monotonic() - start:.2f}", flush=True)


def told(path):
    opened = wrong = 0
    for line in sys.stdin:
        want = line.strip()
        # More than once: the first one is asked for, the others are not.
        for _ in range(3):
            try:
                got = read(path).strip()
            except FileNotFoundError:
                got = "-"
            opened += 1
            if got != want:
                wrong += 1
        print(got, flush=True)
    print(f"opened {opened} wrong {wrong}", flush=True)


def many(top, n):
    for _ in range(3):
        for i in range(n):
            assert read(os.path.join(top, str(i))) == f"{i}\n", i
    print("read", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    if sys.argv[1] == "quiet":
        quiet(sys.argv[2], float(sys.argv[3]))
    elif sys.argv[1] == "told":
        told(sys.argv[2])
    else:
        many(sys.argv[2], int(sys.argv[3]))
