#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""held.py PID: the memory that a process and all below it hold, in MiB. Shared pages are counted in parts (PSS)."""
import os
import re
import sys


def family(pid):
    children = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        children.setdefault(int(text[text.rindex(")") + 2 :].split()[1]), []).append(int(name))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def held(pid):
    """KiB"""
    total = 0
    for one in family(pid):
        try:
            with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as file:
                total += int(re.search(r"^Pss: +(\d+)", file.read(), re.M).group(1))
        except (OSError, AttributeError):
            pass  # gone meanwhile
    return total


if __name__ == "__main__":
    print(held(int(sys.argv[1])) // 1024)
