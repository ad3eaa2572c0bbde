#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One side of a unix socket. The other is on the host, or in another container.

sockets.py serve PATH [TYPE]     answers connections until it is killed, each in a thread: "who": uid and gid of the other side; "echo": what
                                 comes until the end, then the end; "digest": of what comes; "pour N": N bytes; "hang": nothing, and closes
sockets.py receive PATH COUNT    prints so many datagrams
sockets.py send PATH TEXT…       datagrams, without a connection; sockets.py log PATH TEXT…: with one
sockets.py ask PATH REQUEST [TYPE]
sockets.py transfer PATH N       N bytes there, and N back: the digests are right
sockets.py many PATH N           N connections at once, each echoes
sockets.py error PATH            prints why one cannot connect
"""
import errno
import hashlib
import socket
import struct
import sys
import threading

TYPES = {"stream": socket.SOCK_STREAM, "seqpacket": socket.SOCK_SEQPACKET, "dgram": socket.SOCK_DGRAM}
BLOCK = bytes(range(251)) * 250


def connect(path, kind="stream"):
    s = socket.socket(socket.AF_UNIX, TYPES[kind])
    s.settimeout(60)
    s.connect(path)
    return s


def to_end(s):
    data = b""
    while part := s.recv(65536):
        data += part
    return data


def pour(s, n):
    digest, left = hashlib.sha256(), n
    while left:
        part = BLOCK[: min(left, len(BLOCK))]
        s.sendall(part)
        digest.update(part)
        left -= len(part)
    return digest.hexdigest()


def drain(s, first=b""):
    digest = hashlib.sha256(first)
    while part := s.recv(65536):
        digest.update(part)
    return digest.hexdigest()


def answer(s):
    head = s.recv(64, socket.MSG_PEEK)
    word = head.split(b"\n")[0]
    s.recv(len(word) + 1)
    if word == b"who":
        _, uid, gid = struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        s.sendall(b"%d %d" % (uid, gid))
    elif word == b"echo":
        while part := s.recv(65536):
            s.sendall(part)
    elif word == b"digest":
        s.sendall(drain(s).encode())
    elif word.startswith(b"pour "):
        pour(s, int(word[5:]))
    s.close()


def serve(path, kind="stream"):
    with socket.socket(socket.AF_UNIX, TYPES[kind]) as s:
        s.bind(path)
        s.listen(64)
        print("ready", flush=True)
        while True:
            threading.Thread(target=answer, args=(s.accept()[0],), daemon=True).start()


def receive(path, count):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        print("ready", flush=True)
        for _ in range(int(count)):
            print(s.recv(65536).decode(), flush=True)


def send(path, *texts):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        for text in texts:
            s.sendto(text.encode(), path)


def log(path, *texts):
    with connect(path, "dgram") as s:
        for text in texts:
            s.send(text.encode())


def ask(path, request, kind="stream"):
    with connect(path, kind) as s:
        s.sendall(request.encode().decode("unicode_escape").encode())
        s.shutdown(socket.SHUT_WR)
        print(to_end(s).decode())


def transfer(path, count):
    n = int(count)
    with connect(path) as s:
        s.sendall(b"digest\n")
        sent = pour(s, n)
        s.shutdown(socket.SHUT_WR)
        assert to_end(s).decode() == sent, "what was sent is not what came"
    with connect(path) as s:
        s.sendall(b"pour %d\n" % n)
        want = hashlib.sha256()
        left = n
        while left:
            part = BLOCK[: min(left, len(BLOCK))]
            want.update(part)
            left -= len(part)
        assert drain(s) == want.hexdigest(), "what came is not what was sent"
    print("right")


def many(path, count):
    all_ = [connect(path) for _ in range(int(count))]
    for i, s in enumerate(all_):
        s.sendall(b"echo\nnumber %d" % i)
    for i, s in enumerate(all_):
        s.shutdown(socket.SHUT_WR)
        assert to_end(s) == b"number %d" % i
        s.close()
    print("right")


def error(path):
    try:
        connect(path)
        print("connected")
    except OSError as e:
        print(errno.errorcode[e.errno])


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
