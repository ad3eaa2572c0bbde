#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one end-to-end case and looks at what it left behind.

case.py FILE FUNCTION DIR BASE TIMEOUT

DIR is the case's own directory (made here, removed when the case passed); BASE a store with the test image, copied into it.
This process makes itself the reaper of all that the case starts, daemons too, so that "nothing left" can be told for sure.
Exit code: 0 passed, 77 skipped, 1 failed. Output: what the case printed, with a trace when it failed.
"""
import ctypes
import os
import shutil
import signal
import stat
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
SMALL = 1 << 20


def copy_store(source, target):
    """Hard links for what is large and never changes, copies for the rest."""
    os.mkdir(target, 0o700)
    for entry in os.scandir(source):
        to = os.path.join(target, entry.name)
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            copy_store(entry.path, to)
        elif stat.S_ISLNK(mode):
            os.symlink(os.readlink(entry.path), to)
        elif stat.S_ISREG(mode):
            if entry.stat().st_size > SMALL:
                os.link(entry.path, to)
            else:
                shutil.copy2(entry.path, to)


def processes():
    """pid -> (parent, state, command) of everything alive."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
            comm = text[text.index("(") + 1 : text.rindex(")")]
            state, parent = text[text.rindex(")") + 2 :].split()[:2]
            found[int(name)] = (int(parent), state, comm)
        except (OSError, ValueError):
            pass
    return found


def descendants():
    table = processes()
    mine, grown = {os.getpid()}, True
    while grown:
        grown = False
        for pid, (parent, _, _) in table.items():
            if parent in mine and pid not in mine:
                mine.add(pid)
                grown = True
    mine.discard(os.getpid())
    return {pid: table[pid] for pid in mine}


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode(errors="replace")[:160]
    except OSError:
        return ""


def wait_for_none(seconds):
    end = time.monotonic() + seconds
    while True:
        reap()
        left = {p: i for p, i in descendants().items() if i[1] != "Z"}
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        return [line.split()[4] for line in file]


def files_below(path):
    found = []
    for directory, _, names in os.walk(path):
        found += [os.path.join(directory, name) for name in names]
    return found


def run_bash(bash, env, seconds, log):
    """0, the exit code, or 124 when the time is up."""
    with subprocess.Popen(
        ["bash", "-c", bash], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True
    ) as child:
        # Children that others left to this process are collected all the while, as an init does.
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 1
            if pid == child.pid:
                child.returncode = os.waitstatus_to_exitcode(status)
                return child.returncode if child.returncode >= 0 else 128 - child.returncode
            if pid == 0:
                time.sleep(0.02)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return 124


def leftovers(root, tmp):
    """What is there and should not be, after everything was removed."""
    bad = []
    for pid, (_, state, comm) in wait_for_none(5).items():
        bad.append(f"process left: {pid} {state} {comm}: {command_line(pid)}")
    if os.path.isdir(root):
        try:
            names = os.listdir(os.path.join(root, "containers"))
            bad += [f"container directory left: {name}" for name in names]
        except FileNotFoundError:
            pass
        # run/cpus holds one empty lock file for each place of a guest on a processor; they stay.
        run = os.path.join(root, "run")
        bad += [f"runtime file left: {path}" for path in files_below(run) if not path.startswith(run + "/cpus/")]
    bad += [f"temporary file left: {path}" for path in files_below(tmp)]
    bad += [f"mount left: {path}" for path in mounts() if path.startswith(os.path.dirname(root) + "/")]
    return bad


def show_logs(root):
    for path in sorted(files_below(os.path.join(root, "containers"))):
        if path.endswith(("monitor.log", "console.log", "state.json")):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    text = file.read()[-3000:]
            except OSError:
                continue
            if text.strip():
                print(f"--- {path}\n{text.rstrip()}")


def main():
    file, function, directory, base, timeout = sys.argv[1:6]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.umask(0o022)
    root, tmp, work = (os.path.join(directory, name) for name in ("r", "tmp", "w"))
    os.makedirs(directory, 0o755)
    os.mkdir(tmp, 0o700)
    os.mkdir(work, 0o755)
    copy_store(base, root)
    os.chdir(work)
    env = dict(os.environ, SKERRY_ROOT=root, TMPDIR=tmp, HOME=directory, WORK=work)
    here = os.path.dirname(os.path.abspath(__file__))
    log_path = os.path.join(directory, "log")
    with open(log_path, "w", encoding="utf-8", errors="replace") as log:
        begun = time.monotonic()
        code = run_bash(f'. "{here}/lib.sh"; . "{file}"; e2e_main {function}', env, float(timeout), log)
        took = time.monotonic() - begun
    bad = []
    if code == 77:
        with open(log_path, encoding="utf-8", errors="replace") as log:
            print(log.read().strip().splitlines()[-1])
    if code == 124:
        bad.append(f"still running after {timeout} s; processes then:")
        bad += [f"    {pid} {i[1]} {i[2]}: {command_line(pid)}" for pid, i in descendants().items()]
    elif code not in (0, 77):
        bad.append(f"failed ({code}) after {took:.1f} s")
    if bad:
        with open(log_path, encoding="utf-8", errors="replace") as log:
            print(log.read().rstrip()[-6000:])
        show_logs(root)
    # The case's containers go, as a user would make them go; only then what is left counts.
    with open(log_path, "w+", encoding="utf-8", errors="replace") as log:
        if run_bash(f'. "{here}/lib.sh"; e2e_clean', env, 60, log) != 0:
            log.seek(0)
            bad.append("cleaning up failed: " + log.read().strip()[-800:])
    bad += leftovers(root, tmp)
    for pid in descendants():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    wait_for_none(5)
    for line in bad:
        print(line)
    if not bad or not os.environ.get("SKERRY_TEST_KEEP"):
        shutil.rmtree(directory, ignore_errors=True)
    if bad:
        return 1
    return code


sys.exit(main())
