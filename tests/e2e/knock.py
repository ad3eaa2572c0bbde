#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""knock.py RUN_DIR LIVES: connects to the monitor of a container that restarts all the time, again and again, until LIVES of
them have answered. Each request, whatever it is and whenever it comes, has to be answered: not refused, not reset, not kept.
Prints how many answers there were."""
import json
import os
import socket
import struct
import sys
import time

REQUESTS = [
    {"op": "info"},
    {"op": "start"},
    {"op": "wait"},
    {"op": "exec", "process": {"args": ["true"], "cwd": "/"}, "detach": True},
    {"op": "stat", "path": "/"},
    {"op": "stats"},
]
DEADLINE = 60


def receive(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise ConnectionResetError(f"end of file after {len(data)} of {n} bytes")
        data += more
    return data


def ask(request):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(DEADLINE)
        s.connect("monitor.sock")
        payload = json.dumps(request).encode()
        s.sendall(struct.pack("<IB", len(payload) + 1, 1) + payload)
        (length,) = struct.unpack("<I", receive(s, 4))
        return json.loads(receive(s, length)[1:])


def main():
    os.chdir(sys.argv[1])  # the path may be too long for an address
    pids, n, end = set(), 0, time.monotonic() + DEADLINE
    while len(pids) < int(sys.argv[2]):
        if time.monotonic() > end:
            sys.exit(f"only {len(pids)} lives have answered")
        request = REQUESTS[n % len(REQUESTS)]
        try:
            reply = ask(request)
        except OSError as e:
            sys.exit(f"{request}, after {n} answers of {len(pids)} lives: {e}")
        if "ok" not in reply:
            sys.exit(f"{request}: {reply}")
        if request["op"] == "info":
            pids.add(reply["pid"])
        n += 1
    print(n)


main()
