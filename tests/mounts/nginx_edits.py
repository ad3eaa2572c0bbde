#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""nginx_edits.py DIRECTORY HOST PORT ROUNDS: edits what nginx serves, in the ways that editors and deployments do it; each time the next request
has to get what is there now. Runs on the host, or in another container.

That there is no such name, what a link means and what modes are comes with a lease: nginx may go by what was there for the 10 ms that notices
are collected (docs/mounts.md, "Leases"), longer on a busy machine; where no notice came, for half a minute. What a file has in it is asked
for whenever it is opened.
"""
import http.client
import os
import shutil
import sys
import time

top, host, port, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
connection = http.client.HTTPConnection(host, port, timeout=60)


def get(path):
    connection.request("GET", "/" + path)
    reply = connection.getresponse()
    return reply.status, reply.read().decode()


def at(*names):
    return os.path.join(top, *names)


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def expect(what, path, status, text=None):
    have = get(path)
    assert have[0] == status and text in (None, have[1]), f"{what}: {have[0]} {have[1][:60]!r} instead of {status} {(text or '')[:60]!r}"


def soon(what, path, status, text=None):
    begun = time.monotonic()
    while True:
        have = get(path)
        if have[0] == status and text in (None, have[1]):
            break
        assert time.monotonic() < begun + 5, f"{what}: still {have[0]} {have[1][:60]!r} instead of {status} {(text or '')[:60]!r}"
    longest[what] = max(longest.get(what, 0), time.monotonic() - begun)


longest = {}
for n in range(rounds):
    page = f"{n} " + "x" * (n * 997 % 70000)
    write(at("page.html"), page)
    soon("created", "page.html", 200, page)
    # The same size, and within one tick of a clock.
    page = "y" + page[1:]
    write(at("page.html"), page)
    expect("written in place, the same size", "page.html", 200, page)
    with open(at("page.html"), "a", encoding="ascii") as more:
        more.write("more")
    expect("appended", "page.html", 200, page + "more")
    os.truncate(at("page.html"), 1)
    expect("truncated", "page.html", 200, "y")
    write(at(".page.new"), f"new {n}")
    os.rename(at(".page.new"), at("page.html"))
    expect("renamed over", "page.html", 200, f"new {n}")
    os.unlink(at("page.html"))
    expect("removed", "page.html", 404)
    # A release: a directory, and a link that is put in the place of the old one.
    os.mkdir(at(f"release.{n}"))
    write(at(f"release.{n}", "index.html"), f"release {n}")
    os.symlink(f"release.{n}", at("current.new"))
    os.rename(at("current.new"), at("current"))
    soon("released", "current/", 200, f"release {n}")
    if n:
        shutil.rmtree(at(f"release.{n - 1}"))
        expect("removed with its directory", f"release.{n - 1}/index.html", 404)
    os.chmod(at(f"release.{n}", "index.html"), 0)
    soon("forbidden", "current/index.html", 403)
    os.chmod(at(f"release.{n}", "index.html"), 0o644)
    soon("allowed", "current/index.html", 200, f"release {n}")
print(rounds, "rounds;", *(f"{what}: {seconds:.3f} s at most;" for what, seconds in longest.items()))
