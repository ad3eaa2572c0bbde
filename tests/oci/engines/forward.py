#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Connects to a server, as a container runtime's port-forward does:

    forward.py echo ADDRESS PORT    sends 3 MB and expects them back
    forward.py small ADDRESS PORT   10 bytes at a time
    forward.py half ADDRESS PORT    ends its own direction first; shows what comes then
    forward.py closed ADDRESS PORT  the server closes at once: what comes, then what becomes of writing
    forward.py many ADDRESS PORT    100 connections at a time
    forward.py idle ADDRESS PORT    three that are left, reset, or ended without a word
    forward.py localhost PORT       127.0.0.1, and ::1 if nobody is there

and is that server: forward.py serve ADDRESS:PORT:HOW …, HOW being echo, count (the bytes, told at the end) or close (at once).
"""
import errno
import os
import selectors
import socket
import struct
import sys
import threading

PATIENCE = 60


def connect(address, port):
    return socket.create_connection((address, int(port)), PATIENCE)


def read_all(s):
    out = b""
    while True:
        piece = s.recv(1 << 16)
        if not piece:
            return out
        out += piece


def small(address, port):
    """Ends that cross: what came before them arrives."""
    return f"{sum(echo(address, port, 10) != 'the same' for _ in range(50))} of 50 wrong"


def echo(address, port, size=3_000_000):
    data = os.urandom(size)
    with connect(address, port) as s:

        def send():
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        back = read_all(s)
        sender.join()
    return "the same" if back == data else f"{len(back)} bytes, not the same"


def half(address, port):
    with connect(address, port) as s:
        s.sendall(b"x" * 1_000_000)
        s.shutdown(socket.SHUT_WR)
        return read_all(s).decode().strip()


def closed(address, port):
    with connect(address, port) as s:
        first = read_all(s)
        try:
            while True:  # until the reset has come back
                s.sendall(b"x" * 1000)
        except OSError as e:
            return f"{first!r}, then {errno.errorcode[e.errno] if e.errno in (errno.EPIPE, errno.ECONNRESET) else e}"


def many(address, port):
    open_at_once = [connect(address, port) for _ in range(100)]
    for i, s in enumerate(open_at_once):
        s.sendall(b"%d\n" % i)
    wrong = sum(s.makefile("rb").readline() != b"%d\n" % i for i, s in enumerate(open_at_once))
    for s in open_at_once:
        s.close()
    return f"{wrong} wrong"


def idle(address, port):
    left, reset, ended = (connect(address, port) for _ in range(3))
    reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    reset.close()
    ended.shutdown(socket.SHUT_WR)
    return repr(read_all(ended)) + " " + echo(address, port, 10)


def localhost(port):
    try:
        return "IPv4: " + echo("127.0.0.1", port, 10)
    except ConnectionRefusedError:
        return "IPv6: " + echo("::1", port, 10)


def serve_one(s, how):
    with s:
        try:
            if how == "echo":
                while piece := s.recv(1 << 16):
                    s.sendall(piece)
            elif how == "count":
                s.sendall(b"%d\n" % len(read_all(s)))
            else:
                s.sendall(b"bye")
        except OSError:
            pass


def serve(*what):
    with selectors.DefaultSelector() as selector:
        for one in what:
            address, port, how = one.rsplit(":", 2)
            address = address.strip("[]")
            s = socket.create_server((address, int(port)), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=200)
            selector.register(s, selectors.EVENT_READ, how)
        while True:
            for key, _ in selector.select():
                threading.Thread(target=serve_one, args=(key.fileobj.accept()[0], key.data), daemon=True).start()


try:
    print(globals()[sys.argv[1]](*sys.argv[2:]))
except OSError as e:
    print(errno.errorcode.get(e.errno, e))
