#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""held.py DIRECTORY: mounts a FUSE file system there that refuses to remove or replace files that are open, as SMB servers do.

It is in memory, keeps no owners, modes, attributes, links or special files, and is gone when this program ends. Needs root. Prints "ready".
"""
import ctypes
import errno
import os
import stat
import struct
import sys
import time

ROOT_ID = 1
MAX_WRITE = 128 << 10
(LOOKUP, FORGET, GETATTR, SETATTR, MKNOD, MKDIR, UNLINK, RMDIR, RENAME, OPEN, READ, WRITE, STATFS, RELEASE, FSYNC, FLUSH, INIT, OPENDIR, READDIR,
 RELEASEDIR, FSYNCDIR, CREATE, INTERRUPT, DESTROY, BATCH_FORGET, RENAME2, SYMLINK, LINK) = (
    1, 2, 3, 4, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 20, 25, 26, 27, 28, 29, 30, 35, 36, 38, 42, 45, 6, 13)


class Refused(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Node:
    def __init__(self, number, directory):
        self.number, self.opens, self.named = number, 0, True
        self.children = {} if directory else None
        self.data = bytearray()
        self.times = [time.time_ns()] * 3

    def touch(self):
        self.times[1] = self.times[2] = time.time_ns()

    def attr(self):
        is_dir = self.children is not None
        mode = stat.S_IFDIR | 0o777 if is_dir else stat.S_IFREG | 0o666
        seconds, rest = [t // 10**9 for t in self.times], [t % 10**9 for t in self.times]
        size = 4096 if is_dir else len(self.data)
        return struct.pack("<QQQQQQIIIIIIIIII", self.number, size, (size + 511) // 512, *seconds, *rest, mode, 2 if is_dir else 1, 0, 0, 0, 4096, 0)


def name_of(data):
    return data[: data.index(0)]


class Held:
    def __init__(self, fd):
        self.fd = fd
        self.nodes = {ROOT_ID: Node(ROOT_ID, True)}
        self.last = ROOT_ID

    def new(self, parent, name, directory):
        if name in parent.children:
            raise Refused(errno.EEXIST)
        self.last += 1
        node = self.nodes[self.last] = parent.children[name] = Node(self.last, directory)
        parent.touch()
        return node

    def child(self, node, name):
        if node.children is None:
            raise Refused(errno.ENOTDIR)
        if name not in node.children:
            raise Refused(errno.ENOENT)
        return node.children[name]

    @staticmethod
    def entry(node):
        return struct.pack("<QQQQII", node.number, 1, 0, 0, 0, 0) + node.attr()

    def remove(self, parent, name, directory):
        node = self.child(parent, name)
        if directory != (node.children is not None):
            raise Refused(errno.ENOTDIR if directory else errno.EISDIR)
        if node.children:
            raise Refused(errno.ENOTEMPTY)
        if node.opens and not directory:
            raise Refused(errno.EBUSY)
        del parent.children[name]
        parent.touch()
        return b""

    def rename(self, parent, to, names, flags=0):
        old = name_of(names)
        new = name_of(names[len(old) + 1 :])
        node = self.child(parent, old)
        target = to.children.get(new)
        if flags & ~1:
            raise Refused(errno.EINVAL)
        if target is node:
            return b""
        if target:
            if flags & 1:
                raise Refused(errno.EEXIST)
            if target.opens and target.children is None:
                raise Refused(errno.EACCES)
            self.remove(to, new, node.children is not None)
        del parent.children[old]
        to.children[new] = node
        parent.touch()
        to.touch()
        return b""

    def setattr(self, node, data):
        valid, _, _, size, _, atime, mtime, _, atime_ns, mtime_ns = struct.unpack("<IIQQQQQQII", data[:64])
        if valid & 6:
            raise Refused(errno.EPERM)
        if valid & 8:
            node.data = node.data[:size].ljust(size, b"\0")
            node.touch()
        if valid & 16:
            node.times[0] = time.time_ns() if valid & 128 else atime * 10**9 + atime_ns
        if valid & 32:
            node.times[1] = time.time_ns() if valid & 256 else mtime * 10**9 + mtime_ns
        return struct.pack("<QII", 0, 0, 0) + node.attr()

    @staticmethod
    def list(node, offset, size):
        out = b""
        for n, (name, child) in enumerate([(b".", node), (b"..", node), *sorted(node.children.items())], 1):
            if n <= offset:
                continue
            one = struct.pack("<QQII", child.number, n, len(name), 4 if child.children is not None else 8) + name
            one += bytes(-len(one) % 8)
            if len(out) + len(one) > size:
                break
            out += one
        return out

    def open(self, node, is_file, prefix=b""):
        node.opens += is_file
        return prefix + struct.pack("<QII", node.number, 0, 0)

    def create(self, node, data):
        name = name_of(data[16:])
        fresh = self.new(node, name, False)
        return self.open(fresh, True, self.entry(fresh))

    def write(self, node, data):
        _, offset, size = struct.unpack("<QQI", data[:20])
        if len(node.data) < offset + size:
            node.data.extend(bytes(offset + size - len(node.data)))
        node.data[offset : offset + size] = data[40 : 40 + size]
        node.touch()
        return struct.pack("<II", size, 0)

    def read(self, node, data, directory):
        _, offset, size = struct.unpack("<QQI", data[:20])
        return self.list(node, offset, size) if directory else bytes(node.data[offset : offset + size])

    def release(self, node):
        node.opens -= 1
        return b""

    def handle(self, code, node, data):
        if code == INIT:
            major, minor, readahead, _ = struct.unpack("<IIII", data[:16])
            return struct.pack("<IIIIHHIIHHI", major, min(minor, 31), readahead, 0, 12, 9, MAX_WRITE, 1, 0, 0, 0) + bytes(28)
        one = {
            LOOKUP: lambda: self.entry(self.child(node, name_of(data))),
            GETATTR: lambda: struct.pack("<QII", 0, 0, 0) + node.attr(),
            SETATTR: lambda: self.setattr(node, data),
            MKDIR: lambda: self.entry(self.new(node, name_of(data[8:]), True)),
            MKNOD: lambda: self.entry(self.new(node, name_of(data[16:]), False)),
            UNLINK: lambda: self.remove(node, name_of(data), False),
            RMDIR: lambda: self.remove(node, name_of(data), True),
            RENAME: lambda: self.rename(node, self.nodes[struct.unpack("<Q", data[:8])[0]], data[8:]),
            RENAME2: lambda: self.rename(node, self.nodes[struct.unpack("<Q", data[:8])[0]], data[16:], data[8]),
            OPEN: lambda: self.open(node, True),
            OPENDIR: lambda: self.open(node, False),
            CREATE: lambda: self.create(node, data),
            READ: lambda: self.read(node, data, False),
            READDIR: lambda: self.read(node, data, True),
            WRITE: lambda: self.write(node, data),
            RELEASE: lambda: self.release(node),
            STATFS: lambda: struct.pack("<QQQQQIIII", 1 << 20, 1 << 19, 1 << 19, 1 << 20, 1 << 19, 4096, 255, 4096, 0) + bytes(24),
        }
        if code in (RELEASEDIR, FSYNC, FSYNCDIR, FLUSH, DESTROY):
            return b""
        if code not in one:
            raise Refused(errno.EPERM if code in (SYMLINK, LINK) else errno.ENOSYS)
        return one[code]()

    def serve(self):
        while True:
            try:
                message = os.read(self.fd, MAX_WRITE + 4096)
            except InterruptedError:
                continue
            except OSError as e:
                if e.errno == errno.ENODEV:
                    return  # unmounted
                raise
            _, code, unique, node = struct.unpack("<IIQQ", message[:24])
            if code in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            error, reply = 0, b""
            if code == MKNOD and not stat.S_ISREG(struct.unpack("<I", message[40:44])[0]):
                code = SYMLINK
            try:
                reply = self.handle(code, self.nodes.get(node), message[40:])
            except Refused as e:
                error = -e.code
            try:
                os.write(self.fd, struct.pack("<IiQ", 16 + len(reply), error, unique) + reply)
            except FileNotFoundError:
                pass  # whoever asked has been killed


def main():
    fd = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"held", os.fsencode(sys.argv[1]), b"fuse", 0, options) < 0:
        sys.exit(f"cannot be mounted: {os.strerror(ctypes.get_errno())}")
    print("ready", flush=True)
    Held(fd).serve()


if __name__ == "__main__":
    main()
