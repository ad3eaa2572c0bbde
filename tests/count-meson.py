#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints "pass|fail|skip NAME" for each test of a meson testlog.json; the tests inside a cmocka program one by one."""
import json
import re
import sys

CMOCKA = re.compile(r"^\[ *(OK|FAILED|ERROR|SKIPPED) *\] ([A-Za-z_]\w*)", re.M)
WORD = {"OK": "pass", "FAILED": "fail", "ERROR": "fail", "SKIPPED": "skip"}


def main():
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            name = test["name"].split(" / ")[-1].split(":")[-1]
            text = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
            inner = {}
            for word, case in CMOCKA.findall(text):
                if inner.get(case) != "fail":
                    inner[case] = WORD[word]
            result = test["result"]
            for case, word in inner.items():
                print(word, f"{name}/{case}", "(skipped by the test)" if word == "skip" else "")
            if result == "SKIP" and not inner:
                print("skip", name, "(exit code 77)")
            elif result not in ("OK", "SKIP", "EXPECTEDFAIL") and "fail" not in inner.values():
                print("fail", name, f"({result})")
            elif not inner and result != "SKIP":
                print("pass", name)


main()
