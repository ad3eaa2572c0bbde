#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a terminal and talks to it.

pty_run.py [--size ROWSxCOLS] STEP... -- COMMAND...

Steps, in order:
    --expect REGEX   waits (20 s; 80 with the engine tcg) until the output since the last match has it
    --send TEXT      types; \\r, \\x03 and such as in a Python string
    --size RxC       resizes (as the first step: the size at the start)
    --sleep S
    --kill SIGNAL    sends it to the command
    --eof            types Ctrl-D
    --hangup         closes the terminal
    --exit CODE      waits as long for the end and checks the exit code (128 + signal)
    --raw            checks that the terminal is in raw mode; --cooked that it is not
Prints all output at the end. Without --exit the command has to end with code 0.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

LIMIT = 80 if os.environ.get("SKERRY_ENGINE") == "tcg" else 20


class Session:
    def __init__(self, command, size):
        self.output, self.from_here, self.code = b"", 0, None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            time.sleep(0.05)
            os.execvp(command[0], command)
        self.resize(size)

    def resize(self, size):
        rows, columns = (int(n) for n in size.split("x"))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def die(self, why):
        sys.stdout.write(self.output.decode(errors="replace"))
        print(f"\n[pty] {why}")
        try:
            os.kill(self.pid, signal.SIGKILL)
        except OSError:
            pass
        sys.exit(1)

    def pump(self, seconds):
        """False at the end of the output."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.output += data
        return bool(data)

    def expect(self, pattern):
        end = time.monotonic() + LIMIT
        regex = re.compile(pattern.encode(), re.S)
        while True:
            match = regex.search(self.output, self.from_here)
            if match:
                self.from_here = match.end()
                return
            if time.monotonic() > end or not self.pump(0.2):
                match = regex.search(self.output, self.from_here)
                if not match:
                    self.die(f"no match of {pattern!r}")

    def wait(self):
        end = time.monotonic() + LIMIT
        more = True
        while self.code is None:
            if more:
                more = self.pump(0.1)
            else:
                time.sleep(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
            elif time.monotonic() > end:
                self.die("does not end")
        while more and select.select([self.fd], [], [], 0)[0]:
            more = self.pump(0)
        return self.code

    def is_raw(self):
        return not termios.tcgetattr(self.fd)[3] & termios.ICANON


def main():
    split = sys.argv.index("--")
    steps, command = sys.argv[1:split], sys.argv[split + 1 :]
    size = steps[1] if steps and steps[0] == "--size" else "24x80"
    session = Session(command, size)
    want, i = 0, 0
    while i < len(steps):
        step = steps[i]
        value = steps[i + 1] if i + 1 < len(steps) else ""
        i += 1 if step in ("--eof", "--hangup", "--raw", "--cooked") else 2
        if step == "--expect":
            session.expect(value)
        elif step == "--send":
            os.write(session.fd, value.encode().decode("unicode_escape").encode("latin-1"))
        elif step == "--size":
            session.resize(value)
        elif step == "--sleep":
            time.sleep(float(value))
        elif step == "--kill":
            os.kill(session.pid, getattr(signal, "SIG" + value))
        elif step == "--eof":
            os.write(session.fd, b"\x04")
        elif step == "--hangup":
            os.close(session.fd)
            os.waitpid(session.pid, 0)
            sys.stdout.write(session.output.decode(errors="replace"))
            return 0
        elif step in ("--raw", "--cooked"):
            end = time.monotonic() + LIMIT
            while session.is_raw() != (step == "--raw"):
                if time.monotonic() > end:
                    session.die(f"the terminal is not {step[2:]}")
                session.pump(0.05)
        elif step == "--exit":
            want = int(value)
        else:
            sys.exit(f"no such step: {step}")
    code = session.wait()
    if code != want:
        session.die(f"exit code {code} instead of {want}")
    sys.stdout.write(session.output.decode(errors="replace"))
    return 0


sys.exit(main())
