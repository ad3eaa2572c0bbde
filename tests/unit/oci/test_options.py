#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_options.py SKERRY-OCI: command lines with their exit codes and messages, which are runc's.

Each ends before any container is made or looked at. tests/oci/engines/runc.sh compares with runc itself.
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile

PROGRAM = os.path.abspath(sys.argv[1])

# The command line, its exit code, and how its message (or the first line of its output) begins.
LINES = [
    ("create", 1, '"create" requires exactly 1 argument(s)'),
    ("create -b", 1, "flag provided but not defined: -b"),
    ("create -Z a", 1, "flag provided but not defined: -Z"),
    ("create -dZ a", 1, "flag provided but not defined: -Z"),
    ("create --bogus a", 1, "flag provided but not defined: -bogus"),
    ("create --bogus=1 a", 1, "flag provided but not defined: -bogus"),
    ("create --bundle", 1, "flag needs an argument: -bundle"),
    ("create --=x", 1, "flag provided but not defined: -"),
    ("create --detach=1 a", 1, "flag needs an argument: -detach"),
    ("create a b", 1, '"create" requires exactly 1 argument(s)'),
    ("create --bundle /nonexistent a", 1,
     "skerry create failed: chdir /nonexistent: no such file or directory"),
    ("create -b/nonexistent a", 1,
     "skerry create failed: chdir /nonexistent: no such file or directory"),
    ("create a -b /nonexistent", 1,
     "skerry create failed: chdir /nonexistent: no such file or directory"),
    ("create --bun=/nonexistent a", 1,
     "skerry create failed: chdir /nonexistent: no such file or directory"),
    ("create --no-pivot --no-new-keyring --no-subreaper -b /nonexistent a", 1,
     "skerry create failed: chdir /nonexistent: no such file or directory"),
    ("create --preserve-fds 0 -b /nonexistent a", 1,
     "skerry create failed: chdir /nonexistent: no such file or directory"),
    ("create --preserve-fds 1 a", 1,
     "--preserve-fds: descriptors of the host cannot be passed into a VM"),
    ("create --preserve-fds x a", 1, 'invalid value "x" for flag -preserve-fds: parse error'),
    ("create --preserve-fds= a", 1, 'invalid value "" for flag -preserve-fds: parse error'),
    ("create -b /nonexistent -- -a", 1,
     "skerry create failed: chdir /nonexistent: no such file or directory"),
    ("run -d --keep -b /nonexistent a", 1,
     "skerry run failed: chdir /nonexistent: no such file or directory"),
    ("run a --bogus", 1, "flag provided but not defined: -bogus"),
    ("delete", 1, '"delete" requires exactly 1 argument(s)'),
    ("delete --force nosuch", 0, ""),
    ("delete -ff nosuch", 0, ""),
    ("delete nosuch -f", 0, ""),
    ("delete nosuch", 1, "container does not exist"),
    ("delete -x nosuch", 1, "flag provided but not defined: -x"),
    ("events", 1, '"events" requires exactly 1 argument(s)'),
    ("events --interval 0 nosuch", 1, "duration interval must be greater than 0"),
    ("events --interval 5 nosuch", 1, "container does not exist"),
    ("events --stats --interval", 1, "flag needs an argument: -interval"),
    ("exec", 1, '"exec" requires a minimum of 1 argument(s)'),
    ("exec nosuch", 255, "exec failed: container does not exist"),
    ("exec nosuch ls --bogus", 255, "exec failed: container does not exist"),
    ("exec --bogus nosuch", 1, "flag provided but not defined: -bogus"),
    ("exec -tx nosuch", 1, "flag provided but not defined: -x"),
    ("exec -u", 1, "flag provided but not defined: -u"),
    ("exec -t -e A=B -eC=D -g1 -c CAP_KILL --cgroup x --process-label y --apparmor z --no-subreaper --ignore-paused nosuch ls", 255,
     "exec failed: container does not exist"),
    ("exec --preserve-fds 2 nosuch ls", 1,
     "--preserve-fds: descriptors of the host cannot be passed into a VM"),
    ("exec --process /nonexistent nosuch", 255, "exec failed: container does not exist"),
    ("install", 1, "usage: skerry-oci install --docker|--podman [--undo] [--yes]"),
    ("install --docker --podman", 1,
     "usage: skerry-oci install --docker|--podman [--undo] [--yes]"),
    ("install --bogus", 1, "install: unknown option"),
    ('install --docker --name "BAD NAME"', 1,
     "a runtime's name has small letters, digits, - and _ only"),
    ("install --docker --config relative", 1, "relative is not an absolute path"),
    ("kill", 1, '"kill" requires a minimum of 1 and a maximum of 2 argument(s)'),
    ("kill nosuch", 1, "container does not exist"),
    ("kill -a nosuch KILL", 1, "container does not exist"),
    ("kill nosuch -9", 1, "flag provided but not defined: -9"),
    ("kill nosuch NOSIG", 1, 'unknown signal "NOSIG"'),
    ("kill nosuch 99", 1, "unable to signal init: invalid argument"),
    ("kill nosuch TERM x", 1, '"kill" requires a minimum of 1 and a maximum of 2 argument(s)'),
    ("list", 0, "ID"),
    ("list -q", 0, ""),
    ("list -qf json", 0, ""),
    ("list --format xml", 1, "invalid format option"),
    ("list -f", 1, "flag provided but not defined: -f"),
    ("list --bogus", 1, "flag provided but not defined: -bogus"),
    ("pause", 1, '"pause" requires exactly 1 argument(s)'),
    ("pause nosuch", 1, "container does not exist"),
    ("pause -x nosuch", 1, "flag provided but not defined: -x"),
    ("ps", 1, '"ps" requires a minimum of 1 argument(s)'),
    ("ps nosuch -ef", 1, "container does not exist"),
    ("ps --format xml nosuch", 1, "invalid format option"),
    ("ps --bogus nosuch", 1, "flag provided but not defined: -bogus"),
    ("resume a b", 1, '"resume" requires exactly 1 argument(s)'),
    ("spec --bundle /nonexistent", 1,
     "cannot write /nonexistent/config.json: No such file or directory"),
    ("spec --rootless=1", 1, "flag needs an argument: -rootless"),
    ("start", 1, '"start" requires exactly 1 argument(s)'),
    ("start nosuch", 1, "container does not exist"),
    ("start --bogus nosuch", 1, "flag provided but not defined: -bogus"),
    ("state", 1, '"state" requires exactly 1 argument(s)'),
    ("state nosuch", 1, "container does not exist"),
    ("update", 1, '"update" requires exactly 1 argument(s)'),
    ("update --memory 5 nosuch", 1, "container does not exist"),
    ("update --memory", 1, "flag needs an argument: -memory"),
    ("update -r /nonexistent nosuch", 1, "open /nonexistent: no such file or directory"),
    ("update --bogus nosuch", 1, "flag provided but not defined: -bogus"),
    ("nosuch", 3, "No help topic for 'nosuch': see skerry-oci --help"),
    ("--bogus list", 1, "flag provided but not defined: -bogus"),
    ("--log-format xml list", 1, "invalid log-format: xml"),
    ("--root", 1, "flag needs an argument: -root"),
    ("--debug=1 list", 1, "flag needs an argument: -debug"),
    ("-x list", 1, "flag provided but not defined: -x"),
    ("--version --bogus", 0, "skerry-oci version VERSION"),
    ("-vx", 0, "skerry-oci version VERSION"),
    ("--rootless auto --criu x list -q", 0, ""),
    ("-- list -q", 0, ""),
]


def run(line, directory):
    words = shlex.split(line)
    if not line.startswith("-"):
        words = ["--root", directory + "/root"] + words
    done = subprocess.run([PROGRAM] + words, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, cwd=directory, timeout=30, check=False)
    error = done.stderr.strip().split("\n")[-1]
    message = re.search(r'msg="(.*)"$', error)
    text = message.group(1).replace('\\"', '"') if message else error or done.stdout
    return done.returncode, re.sub(r"version [^\s]+", "version VERSION", text)


def main():
    bad = 0
    with tempfile.TemporaryDirectory(prefix="sk-oci-") as directory:
        for line, code, words in LINES:
            got, text = run(line, directory)
            if got != code or not text.startswith(words):
                bad = 1
                print(f"{line}: {code} {words!r} expected, not {got} {text!r}")
    return bad


sys.exit(main())
