#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers and clients on loopback for the network cases.

net.py free-port tcp|udp          prints a port that is free now
net.py tcp-echo PORTFILE          a server; writes its port. Each line comes back with "echo: " before it
net.py udp-echo PORTFILE
net.py tcp-source PORTFILE BYTES  sends that many bytes and closes
net.py tcp-late PORTFILE BYTES    reads to the end, then sends that many bytes and closes
net.py tcp-slow PORTFILE BYTES      ends its half, reads that many bytes slowly, writes how many came to PORTFILE.got
net.py tcp-slow-ask HOST PORT BYTES  the same as a client; prints the number
net.py dns PORTFILE [ADDRESS]     answers every A question with 192.0.2.7; on ADDRESS:53, else any port of 127.0.0.1
net.py tcp-ask HOST PORT TEXT     sends a line, prints the answer (tries for 15 s)
net.py udp-ask HOST PORT TEXT
net.py udp-ask-once HOST PORT TEXT  one datagram, one answer
net.py udp-ask-from-one-port PORT HOST...  asks all from one socket, prints the answers, each with the host that it came from
net.py tcp-late-ask HOST PORT N   N connections at once: sends a byte, ends its half, reads to the end; prints "N BYTES" or "N ERROR" for
                                  each result
net.py tcp-reset HOST PORT        sends a byte; prints what recv() then says: eof or an error
net.py listens-on-ipv6            yes or no
net.py tcp-read HOST PORT         reads to the end, prints the number of bytes and their SHA-256
"""
import collections
import hashlib
import os
import socket
import sys
import threading
import time


def write_port(path, number):
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(str(number))
    os.rename(path + ".new", path)


def tcp_server(path, handle):
    server = socket.create_server(("127.0.0.1", 0), backlog=1000)
    write_port(path, server.getsockname()[1])
    while True:
        peer, _ = server.accept()
        threading.Thread(target=handle, args=(peer,), daemon=True).start()


def echo(peer):
    with peer, peer.makefile("rwb") as file:
        for line in file:
            file.write(b"echo: " + line)
            file.flush()


def source(size):
    def handle(peer):
        with peer:
            block = bytes(range(256)) * 256
            left = size
            while left:
                left -= peer.send(block[: min(left, len(block))])

    return handle


def late(size):
    def handle(peer):
        with peer:
            while peer.recv(65536):
                pass
            time.sleep(0.1)
            peer.sendall(b"r" * size)

    return handle


def slow_socket():
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return sock


def room():
    """How many bytes the buffers of a connection hold whose other end does not read."""
    with slow_socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        with socket.create_connection(server.getsockname()) as peer, server.accept()[0]:
            peer.setblocking(False)
            size = 0
            for _ in range(10):
                try:
                    while True:
                        size += peer.send(bytes(65536))
                except BlockingIOError:
                    time.sleep(0.02)
    return size


def read_slowly(peer, total):
    """Ends our half, then reads to the end with one pause: when the sender has ended, too, and what it has sent last
    does not fit into the buffers behind it. The pause is longer than a connection may stay in TIME_WAIT."""
    size, pause = 0, total - room() - 65536
    peer.settimeout(30)
    peer.shutdown(socket.SHUT_WR)
    try:
        while data := peer.recv(8192):
            size += len(data)
            if size >= pause > size - len(data):
                time.sleep(13)
    except OSError as error:
        return f"{size} {type(error).__name__}\n"
    return f"{size}\n"


def tcp_slow(path, total):
    server = slow_socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1)
    write_port(path, server.getsockname()[1])
    peer, _ = server.accept()
    with peer, open(path + ".part", "w", encoding="ascii") as file:
        file.write(read_slowly(peer, int(total)))
    os.rename(path + ".part", path + ".got")


def tcp_slow_ask(host, port, total):
    with slow_socket() as peer:
        peer.connect((host, int(port)))
        return read_slowly(peer, int(total)).encode()


def udp_server(path):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    write_port(path, server.getsockname()[1])
    while True:
        data, peer = server.recvfrom(65536)
        server.sendto(b"echo: " + data, peer)


def dns_server(path, address):
    server = socket.socket(socket.AF_INET6 if ":" in (address or "") else socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53) if address else ("127.0.0.1", 0))
    write_port(path, server.getsockname()[1])
    while True:
        query, peer = server.recvfrom(4096)
        end = query.index(b"\0", 12) + 5
        is_a = query[end - 4 : end - 2] == b"\0\1"
        head = query[:2] + b"\x81\x80" + b"\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([192, 0, 2, 7]) if is_a else b""
        server.sendto(head + query[12:end] + answer, peer)


def retry(attempt):
    end = time.monotonic() + 15
    while True:
        try:
            return attempt()
        except OSError as error:
            if time.monotonic() > end:
                sys.exit(f"no answer: {error}")
            time.sleep(0.2)


def tcp_ask(host, port, text):
    def attempt():
        with socket.create_connection((host, int(port)), 5) as peer:
            peer.sendall(text.encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                more = peer.recv(65536)
                if not more:
                    raise ConnectionResetError("closed")
                data += more
            return data

    return retry(attempt)


def udp_ask(host, port, text):
    def attempt():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(1)
            peer.connect((host, int(port)))
            peer.send(text.encode() + b"\n")
            return peer.recv(65536)

    return retry(attempt)


def tcp_late_ask(host, port, count):
    results, peers = collections.Counter(), []

    def finish(peer):
        size = 0
        try:
            with peer:
                while data := peer.recv(1 << 20):
                    size += len(data)
            return size
        except OSError as error:
            return type(error).__name__

    for _ in range(int(count)):
        peer = socket.create_connection((host, int(port)), 30)
        peer.settimeout(30)
        peer.sendall(b"q")
        peer.shutdown(socket.SHUT_WR)
        peers.append(peer)
    for peer in peers:
        results[finish(peer)] += 1
    return "".join(f"{n} {what}\n" for what, n in results.items()).encode()


def tcp_reset(host, port):
    try:
        with socket.create_connection((host, int(port)), 10) as peer:
            peer.sendall(b"x")
            return b"data\n" if peer.recv(10) else b"eof\n"
    except OSError as error:
        return f"{type(error).__name__}\n".encode()


def udp_ask_once(host, port, text):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(5)
        peer.connect((host, int(port)))
        peer.send(text.encode() + b"\n")
        return peer.recv(65536)


def udp_ask_from_one_port(port, *hosts):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(5)
        answers = {}
        for host in hosts:
            peer.sendto(host.encode(), (host, int(port)))
        for _ in hosts:
            data, sender = peer.recvfrom(65536)
            answers[sender[0]] = data
        return b" ".join(answers.get(host, b"none") for host in hosts)


def listens_on_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return b"yes\n"
    except OSError:
        return b"no\n"


def tcp_read(host, port):
    digest, size = hashlib.sha256(), 0
    with retry(lambda: socket.create_connection((host, int(port)), 5)) as peer:
        peer.settimeout(30)
        while True:
            data = peer.recv(1 << 20)
            if not data:
                break
            size += len(data)
            digest.update(data)
    return f"{size} {digest.hexdigest()}\n".encode()


def free_port(kind):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as s:
        s.bind(("127.0.0.1", 0))
        return f"{s.getsockname()[1]}\n".encode()


def main():
    verb, rest = sys.argv[1], sys.argv[2:]
    if verb == "tcp-echo":
        tcp_server(rest[0], echo)
    elif verb == "tcp-source":
        tcp_server(rest[0], source(int(rest[1])))
    elif verb == "tcp-late":
        tcp_server(rest[0], late(int(rest[1])))
    elif verb == "tcp-slow":
        tcp_slow(*rest)
    elif verb == "udp-echo":
        udp_server(rest[0])
    elif verb == "dns":
        dns_server(rest[0], rest[1] if len(rest) > 1 else None)
    else:
        ask = {
            "tcp-ask": tcp_ask,
            "udp-ask": udp_ask,
            "udp-ask-once": udp_ask_once,
            "udp-ask-from-one-port": udp_ask_from_one_port,
            "tcp-read": tcp_read,
            "tcp-late-ask": tcp_late_ask,
            "tcp-slow-ask": tcp_slow_ask,
            "tcp-reset": tcp_reset,
            "listens-on-ipv6": listens_on_ipv6,
            "free-port": free_port,
        }[verb]
        sys.stdout.buffer.write(ask(*rest))


main()
