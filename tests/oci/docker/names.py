# SPDX-License-Identifier: Apache-2.0
"""A name server at ADDRESS: over UDP each answer is cut off (TC), over TCP it has 200 addresses.

names.py ADDRESS
"""
import socket
import struct
import sys
import threading


def answer(question, whole):
    end = question.index(b"\0", 12) + 5
    if b"\5small" in question:  # a name whose answer fits
        return question[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0) + question[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x0a\3\3\3"
    head = question[:2] + struct.pack(">HHHHH", 0x8180 if whole else 0x8380, 1, 200 if whole else 0, 0, 0)
    records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x0a\1\2" + bytes([i]) for i in range(200))
    return head + question[12:end] + (records if whole else b"")


def serve_udp(sock):
    while True:
        question, client = sock.recvfrom(4096)
        sock.sendto(answer(question, False), client)


def serve_tcp(conn):
    with conn, conn.makefile("rb") as file:
        while len(size := file.read(2)) == 2:
            text = answer(file.read(struct.unpack(">H", size)[0]), True)
            conn.sendall(struct.pack(">H", len(text)) + text)


udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((sys.argv[1], 53))
tcp = socket.create_server((sys.argv[1], 53))
threading.Thread(target=serve_udp, args=(udp,), daemon=True).start()
while True:
    threading.Thread(target=serve_tcp, args=(tcp.accept()[0],), daemon=True).start()
