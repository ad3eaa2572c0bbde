#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare.py DIRECTORY RESULTS [CASE | CASE.POINT …]: compares CASE.runc with CASE.skerry, point by point (lines of lib.sh's p and differ)."""
import os
import re
import sys

LINE = re.compile(r"^([A-Za-z0-9_-]+)([|!?]) ?(.*)$")


def points(path):
    """{point: (lines, complaints, skip)} and what stands outside of points."""
    found, loose = {}, []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = LINE.match(line.rstrip("\n"))
            if not match:
                if line.strip():
                    loose.append(line.rstrip("\n"))
                continue
            lines, complaints, skips = found.setdefault(match[1], ([], [], []))
            {"|": lines, "!": complaints, "?": skips}[match[2]].append(match[3])
    return found, loose


def compare(name, directory):
    """Yields (point, word, text)."""
    runc, skerry = f"{directory}/{name}.runc", f"{directory}/{name}.skerry"
    theirs, their_loose = points(runc) if os.path.exists(runc) else (None, [])
    ours, our_loose = points(skerry)
    if theirs is None:  # nothing to compare with: "none" is what is wanted
        for point, (lines, _, _) in ours.items():
            yield point, "pass" if lines == ["none"] else "fail", "\n".join("    + " + line for line in lines)
        return
    if not ours and not theirs:
        yield "-", "fail", "    no points"
    for point in list(theirs) + [key for key in ours if key not in theirs]:
        a, b = theirs.get(point), ours.get(point)
        if not a or not b:
            yield point, "fail", f"    only with {'runc' if a else 'skerry'}"
        elif a[2] or b[2]:
            yield point, "skip", (a[2] or b[2])[0]
        elif a[1] and not b[1]:
            yield point, "skip", "runc does not do here what is wanted, skerry does: " + " / ".join(a[0] + a[1])
        elif a[0] == b[0] and not a[1] and not b[1]:
            yield point, "pass", ""
        else:
            text = ["    - " + line for line in a[0]] + ["    -! " + line for line in a[1]]
            text += ["    + " + line for line in b[0]] + ["    +! " + line for line in b[1]]
            yield point, "fail", "\n".join(text)
    for word, loose in (("runc", their_loose), ("skerry", our_loose)):
        if loose and their_loose != our_loose:
            print(f"  {name}: printed outside of points with {word}: " + " / ".join(loose[:5]))


def main():
    directory, results, only = sys.argv[1], sys.argv[2], sys.argv[3:]
    names = sorted({file.rsplit(".", 1)[0] for file in os.listdir(directory)})
    failed = False
    with open(results, "w", encoding="utf-8") as out:
        for name in names:
            for point, word, text in compare(name, directory):
                if only and name != "nothing_left" and not any(o in (name, f"{name}.{point}") for o in only):
                    continue
                print(f"{word} {name}.{point}" + (" " + text if word == "skip" else ""), file=out)
                if word == "fail":
                    failed = True
                    print(f"FAILED  {name}.{point} (- runc, + skerry)\n{text}")
                elif word == "skip":
                    print(f"SKIPPED {name}.{point}: {text}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
