#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Tables of options (struct sk_opt): two entries of one table may not have the same name, letter, or place for their value, which
# makes one option out of two. There are no other option parsers. For tests/check-repo.sh.
import re
import subprocess

TABLE = re.compile(r"const struct sk_opt (\w+)\[\w*\] = \{(.*?\n?)\t?\};", re.S)
# An entry begins with its name, in braces or in a macro.
START = re.compile(r'(?:\{\s*(?:\.name = )?|\b[A-Z_]+\(\s*)"([\w-]+)"')
LETTER = re.compile(r"^\s*,\s*'(.)'|\.letter = '(.)'")
PLACE = re.compile(r"\bAT\(([\w.]+)\)|offsetof\([^,]*, ([\w.]+)\)")
# Shared on purpose: the place of values that are not used, and of an option that docker spells in two ways.
SHARED = {"unused", "timeout"}


def check(file, table, body):
    starts = list(START.finditer(body))
    seen = {}
    for i, start in enumerate(starts):
        name = start.group(1)
        text = body[start.end():starts[i + 1].start() if i + 1 < len(starts) else len(body)]
        marks = ["--" + name]
        for pattern in (LETTER, PLACE):
            found = pattern.search(text)
            if found:
                marks.append(found.group(1) or found.group(2))
        for mark in marks:
            if mark in seen and mark not in SHARED:
                print(f"{file}: {table}: --{name} and --{seen[mark]} have {mark} in common")
            seen[mark] = name


def main():
    files = subprocess.check_output(["git", "ls-files", "-z", "src/*.c", "guest/*.c"], text=True).split("\0")
    for file in filter(None, files):
        with open(file, encoding="utf-8") as f:
            text = f.read()
        if "getopt" in re.sub(r"/\*.*?\*/", "", text, flags=re.S):
            print(f"{file}: getopt() instead of a table (base/opt.h)")
        for table in TABLE.finditer(text):
            check(file, table.group(1), table.group(2))


main()
