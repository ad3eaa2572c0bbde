#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""On the host, for tests/mounts/cases/22-leases.sh: change.py HOW N FILE COMMAND...

Changes FILE N times, and tells COMMAND (leases.py told, in a guest) what it holds by now each time: what was told has to be found.
HOW: write (opened and closed for each), stay (kept open), rename (another file gets the name), remove (it goes and comes)."""
import os
import subprocess
import sys


def change(how, path, text, state):
    if how == "rename":
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(path + ".new", path)
    elif how == "remove" and text == "-\n":
        os.unlink(path)
    elif how == "stay":
        state.setdefault("fd", os.open(path, os.O_WRONLY))
        os.pwrite(state["fd"], text.encode(), 0)
    else:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)


def main():
    how, n, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    state = {}
    with open(path, "w", encoding="ascii") as file:
        file.write("%08d\n" % 0)
    with subprocess.Popen(sys.argv[4:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as guest:
        for i in range(n):
            text = "-\n" if how == "remove" and i % 2 else "%08d\n" % i
            change(how, path, text, state)
            guest.stdin.write(text)
            guest.stdin.flush()
            guest.stdout.readline()
        guest.stdin.close()
        print(guest.stdout.read().strip())


main()
