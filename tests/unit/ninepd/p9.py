# SPDX-License-Identifier: Apache-2.0
"""A 9P2000.L client for tests: says exactly what it is told to, right or wrong."""
import errno
import hashlib
import hmac
import socket
import struct

NOFID = NOUID = 0xFFFFFFFF
NOTAG = 0xFFFF
TYPES = {
    "statfs": 8, "lopen": 12, "lcreate": 14, "symlink": 16, "mknod": 18, "rename": 20, "readlink": 22, "getattr": 24, "setattr": 26, "xattrwalk": 30,
    "xattrcreate": 32, "readdir": 40, "fsync": 50, "lock": 52, "getlock": 54, "link": 70, "mkdir": 72, "renameat": 74, "unlinkat": 76, "version": 100,
    "auth": 102, "attach": 104, "flush": 108, "walk": 110, "read": 116, "write": 118, "clunk": 120, "remove": 122,
}


class Error(OSError):
    def __init__(self, code):
        super().__init__(code, errno.errorcode.get(code, str(code)))


def s(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<H", len(data)) + data


class Client:
    def __init__(self, address, timeout=60):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        self.tag = 0
        self.late = {}

    def close(self):
        self.sock.close()

    # --- messages

    def send(self, kind, body=b"", tag=None):
        if tag is None:
            self.tag = tag = (self.tag + 1) % 0xFF00
        number = TYPES[kind] if isinstance(kind, str) else kind
        self.sock.sendall(struct.pack("<IBH", 7 + len(body), number, tag) + body)
        return tag

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise ConnectionResetError
            data += more
        return data

    def receive(self):
        size, kind, tag = struct.unpack("<IBH", self.exactly(7))
        return tag, kind, self.exactly(size - 7)

    def wait(self, tag):
        while tag not in self.late:
            got, kind, body = self.receive()
            self.late[got] = (kind, body)
        kind, body = self.late.pop(tag)
        if kind == 7:
            raise Error(struct.unpack("<I", body)[0])
        return body

    def call(self, kind, body=b""):
        return self.wait(self.send(kind, body))

    # --- the session

    def version(self, msize=65536, version="9P2000.L"):
        body = self.wait(self.send("version", struct.pack("<I", msize) + s(version), NOTAG))
        return struct.unpack("<I", body[:4])[0], body[6:].decode()

    def auth(self, afid, uname, aname, n_uname, secret):
        self.call("auth", struct.pack("<I", afid) + s(uname) + s(aname) + struct.pack("<I", n_uname))
        challenge = self.read(afid, 0, 32)
        proof = hmac.new(secret, b"skerry-9p\0" + challenge + struct.pack("<I", n_uname) + s(uname) + s(aname), hashlib.sha256).digest()
        assert self.write(afid, 0, proof) == 32
        return proof

    def attach(self, fid=0, aname="", uname="nobody", n_uname=NOUID, afid=NOFID):
        return self.call("attach", struct.pack("<II", fid, afid) + s(uname) + s(aname) + struct.pack("<I", n_uname))

    def ready(self, aname="", n_uname=0, **more):
        self.version(**more)
        self.attach(0, aname, n_uname=n_uname)
        return self

    # --- files

    def walk(self, fid, newfid, *names):
        body = self.call("walk", struct.pack("<IIH", fid, newfid, len(names)) + b"".join(s(n) for n in names))
        n = struct.unpack("<H", body[:2])[0]
        if n < len(names):
            raise Error(errno.ENOENT)

    def open(self, fid, flags=0):
        return self.call("lopen", struct.pack("<II", fid, flags))

    def create(self, fid, name, flags=0o2, mode=0o644, gid=0):
        return self.call("lcreate", struct.pack("<I", fid) + s(name) + struct.pack("<III", flags, mode, gid))

    def read(self, fid, offset, count):
        return self.call("read", struct.pack("<IQI", fid, offset, count))[4:]

    def write(self, fid, offset, data):
        return struct.unpack("<I", self.call("write", struct.pack("<IQI", fid, offset, len(data)) + data))[0]

    def clunk(self, fid):
        self.call("clunk", struct.pack("<I", fid))

    def getattr(self, fid):
        body = self.call("getattr", struct.pack("<IQ", fid, 0x7FF))
        _, _, _, path, mode, uid, gid, nlink, rdev, size = struct.unpack("<QBIQIIIQQQ", body[:57])
        return {"path": path, "mode": mode, "uid": uid, "gid": gid, "nlink": nlink, "rdev": rdev, "size": size}

    def lock_body(self, fid, kind, flags=0, start=0, length=0, pid=1):
        return struct.pack("<IBIQQI", fid, kind, flags, start, length, pid) + s("client")

    def lock(self, fid, kind, flags=0, start=0, length=0, pid=1):
        """The status: 0 got it, 1 somebody else has it."""
        return self.call("lock", self.lock_body(fid, kind, flags, start, length, pid))[0]
