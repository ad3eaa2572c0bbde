#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lockers.py FILE WORD…: programs that lock.

count N HOW      adds one to the number in FILE, N times, each under a lock ("fcntl", "flock", "ofd" or "mmap": changed through a mapping)
hold SECONDS     takes an exclusive lock of the whole file, prints "held", keeps it
try              0: it could be locked, 3: somebody else has it
killed N         N processes that wait for a lock that this one holds, 50 at a time; all are killed; then prints "killed"
"""
import fcntl
import mmap
import os
import signal
import struct
import sys
import time

OFD_SETLKW = 38
path, word, *more = sys.argv[1:]
fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


def ofd(kind):
    fcntl.fcntl(fd, OFD_SETLKW, struct.pack("hhqqi4x", kind, 0, 0, 0, 0))


HOW = {
    "fcntl": (lambda: fcntl.lockf(fd, fcntl.LOCK_EX), lambda: fcntl.lockf(fd, fcntl.LOCK_UN)),
    "mmap": (lambda: fcntl.lockf(fd, fcntl.LOCK_EX), lambda: fcntl.lockf(fd, fcntl.LOCK_UN)),
    "flock": (lambda: fcntl.flock(fd, fcntl.LOCK_EX), lambda: fcntl.flock(fd, fcntl.LOCK_UN)),
    "ofd": (lambda: ofd(fcntl.F_WRLCK), lambda: ofd(fcntl.F_UNLCK)),
}


def count(n, how):
    lock, unlock = HOW[how]
    for _ in range(n):
        lock()
        if how == "mmap":
            m = mmap.mmap(fd, 8)
            m[:8] = b"%08d" % (int(m[:8]) + 1)
            m.flush()
            m.close()
        else:
            value = int(os.pread(fd, 8, 0) or 0)
            os.pwrite(fd, b"%08d" % (value + 1), 0)
        unlock()


def killed(n):
    fcntl.lockf(fd, fcntl.LOCK_EX)
    for _ in range(n // 50):
        pids = []
        for _ in range(50):
            pid = os.fork()
            if pid == 0:
                mine = os.open(path, os.O_RDWR)
                fcntl.lockf(mine, fcntl.LOCK_EX)
                os._exit(0)
            pids.append(pid)
        time.sleep(0.2)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    fcntl.lockf(fd, fcntl.LOCK_UN)
    print("killed", flush=True)


if word == "count":
    count(int(more[0]), more[1])
elif word == "hold":
    fcntl.lockf(fd, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(float(more[0]))
elif word == "try":
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(3)
elif word == "killed":
    killed(int(more[0]))
