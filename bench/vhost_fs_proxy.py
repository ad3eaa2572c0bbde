#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vhost_fs_proxy.py LISTEN TARGET TAG: stands between User-mode Linux and virtiofsd.

The mount tag of virtio-fs comes from the virtual machine monitor (QEMU) as a rule; User-mode Linux asks the backend for the device's
configuration, which virtiofsd does not have. This answers that question and passes everything else on. Data do not come through here: the queues are in
shared memory, and the descriptors for kicks and calls are passed through.
"""
import os
import selectors
import socket
import struct
import sys

HEADER = struct.Struct("<III")
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_CONFIG = 15, 16, 24
F_CONFIG = 1 << 9
REPLY = 4


def receive(sock):
    data, fds, _, _ = socket.recv_fds(sock, HEADER.size, 16)
    if len(data) < HEADER.size:
        return None
    size = HEADER.unpack(data)[2]
    while len(data) < HEADER.size + size:
        more = sock.recv(HEADER.size + size - len(data))
        if not more:
            return None
        data += more
    return data, fds


def main():
    path, target, tag = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1)
    front = listener.accept()[0]
    back = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    back.connect(target)
    config = tag.encode().ljust(36, b"\0") + struct.pack("<I", 1)
    select = selectors.DefaultSelector()
    select.register(front, selectors.EVENT_READ, back)
    select.register(back, selectors.EVENT_READ, front)
    while True:
        for key, _ in select.select():
            got = receive(key.fileobj)
            if got is None:
                return
            data, fds = got
            request, flags, size = HEADER.unpack(data[: HEADER.size])
            body = data[HEADER.size :]
            if key.fileobj is front and request == GET_CONFIG:
                offset, length, word = struct.unpack("<III", body[:12])
                answer = struct.pack("<III", offset, length, word) + config[offset : offset + length].ljust(length, b"\0")
                front.sendall(HEADER.pack(request, 1 | REPLY, len(answer)) + answer)
                continue
            if key.fileobj is front and request == SET_PROTOCOL_FEATURES:
                body = struct.pack("<Q", struct.unpack("<Q", body)[0] & ~F_CONFIG)
            if key.fileobj is back and request == GET_PROTOCOL_FEATURES:
                body = struct.pack("<Q", struct.unpack("<Q", body)[0] | F_CONFIG)
            socket.send_fds(key.data, [HEADER.pack(request, flags, size) + body], fds)
            for fd in fds:
                os.close(fd)


main()
