#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the starting corpora of the 9P fuzz targets: one message of each type, and a few conversations."""
import os
import struct
import sys


def s(b):
    b = b.encode() if isinstance(b, str) else b
    return struct.pack("<H", len(b)) + b


def m(type_, fmt="", *args):
    return struct.pack("<BH", type_, 1) + struct.pack("<" + fmt, *args)


def walk(fid, newfid, *names):
    return m(110, "IIH", fid, newfid, len(names)) + b"".join(s(n) for n in names)


def create(fid, name, flags=2, mode=0o644):
    return m(14, "I", fid) + s(name) + struct.pack("<III", flags, mode, 0)


def write(fid, off, data):
    return m(118, "IQI", fid, off, len(data)) + data


def lock(fid, type_, flags, start, length, proc):
    return m(52, "IBIQQI", fid, type_, flags, start, length, proc) + s("h")


def setattr_(fid, valid, mode=0o600, uid=0, gid=0, size=3):
    return m(26, "IIIIIQQQQQ", fid, valid, mode, uid, gid, size, 1, 2, 3, 4)


def link(dfid, fid, name):
    return m(70, "II", dfid, fid) + s(name)


def renameat(a, n, b, o):
    return m(74, "I", a) + s(n) + struct.pack("<I", b) + s(o)


def look(fid, newfid, name):
    return m(80, "II", fid, newfid) + s(name)


def openx(fid, newfid, name, flags=2):
    return m(82, "III", fid, newfid, flags) + s(name)


def createx(fid, newfid, name, flags=2):
    return m(84, "II", fid, newfid) + s(name) + struct.pack("<III", flags, 0o644, 0)


def writex(fid, off, data):
    return m(86, "IQI", fid, off, len(data)) + data


def unlinkat(d, n, f=0):
    return m(76, "I", d) + s(n) + struct.pack("<I", f)


MESSAGES = [
    m(8, "I", 0), m(12, "II", 1, 0o100002), create(1, "f"), m(16, "I", 0) + s("l") + s("../x") + struct.pack("<I", 0),
    m(18, "I", 0) + s("fifo") + struct.pack("<IIII", 0o010644, 0, 0, 0), m(20, "II", 1, 0) + s("n"), m(22, "I", 1),
    m(24, "IQ", 1, 0xFFF), setattr_(1, 0x1FF), m(30, "II", 1, 2) + s("user.a"), m(32, "I", 1) + s("user.a") + struct.pack("<QI", 3, 0),
    m(40, "IQI", 1, 0, 8000), m(50, "II", 1, 0), lock(1, 1, 1, 0, 0, 7), m(54, "IBQQI", 1, 2, 0, 0, 7) + s("h"), link(0, 1, "g"),
    m(72, "I", 0) + s("d") + struct.pack("<II", 0o755, 0), renameat(0, "f", 0, "g"), unlinkat(0, "f"),
    m(100, "I", 8192) + s("9P2000.L"), m(102, "I", 5) + s("u") + s("a") + struct.pack("<I", 0),
    m(104, "II", 0, 0xFFFFFFFF) + s("") + s("/") + struct.pack("<I", 0), m(108, "H", 1), walk(0, 1, "a", ".."), m(116, "IQI", 1, 0, 100),
    write(1, 0, b"data"), m(120, "I", 1), m(122, "I", 1), look(0, 1, "f"), openx(0, 1, "f"), createx(0, 1, "f"), writex(1, 0, b"data"),
    m(88, "IIIIIQQQQQ", 1, 9, 0o600, 0, 0, 3, 1, 2, 3, 4), m(90, "I", 4000), m(92, "IQII", 1, 0, 1, 8000),
    m(132, "IIQQ", 1, 3, 0, 4096), m(134, "IIQ", 1, 3, 0), m(136, "I", 0) + s("f") + struct.pack("<I", 0) + s("g") + struct.pack("<I", 2),
    m(138, "IIIII", 0, 1, 2, 0o600, 0), m(140, "IQIQQI", 1, 0, 2, 0, 100, 0), m(142, "I", 1), m(144, "IIIIIII", 1, 1, 0x40, 0, 0, 0, 0),
    m(148, "IIII", 1, 2, 1, 0), m(150, "II", 0, 1) + s("s") + struct.pack("<III", 0o600, 0, 1), m(152, "II", 1, 8), m(154, "II", 1, 2), m(156, "II", 1, 1),
]

def bind(dfid, fid, name, type_):
    # types as session.h folds them
    return m(150, "II", dfid, fid) + s(name) + struct.pack("<III", 0o600, 0, type_ - 1)


def connect(fid, newfid, type_):
    return m(148, "IIII", fid, newfid, (type_ - 1) << 1 | 1 if type_ < 256 else (type_ & 1) << 1, 0)


CONVERSATIONS = {
    "sockets": [bind(0, 1, "s", 1), m(152, "II", 1, 8), m(154, "II", 1, 2), walk(0, 3, "s"), connect(3, 4, 1), b"", m(154, "II", 1, 2), m(116, "IQI", 2, 0, 100),
                write(4, 0, b"hello"), b"", m(116, "IQI", 2, 0, 100), m(156, "II", 4, 1), m(116, "IQI", 2, 0, 100), m(120, "I", 1), connect(3, 5, 1), m(120, "I", 2),
                write(4, 0, b"more"), bind(0, 6, "d", 2), walk(0, 7, "d"), connect(7, 1, 2), write(1, 0, b"one"), m(116, "IQI", 6, 0, 100)],
    "fifo": [m(18, "I", 0) + s("f") + struct.pack("<IIII", 0o010644, 0, 0, 0), walk(0, 1, "f"), connect(1, 2, 257), connect(1, 3, 256), m(116, "IQI", 3, 0, 100),
             connect(1, 4, 257), write(4, 0, b"hello"), b"", m(116, "IQI", 3, 0, 100), m(120, "I", 4), m(116, "IQI", 3, 0, 100)],
    "files": [walk(0, 1), create(1, "f"), write(1, 5, b"hello"), m(116, "IQI", 1, 0, 100), m(24, "IQ", 1, 0xFFF), setattr_(1, 0x9),
              m(50, "II", 1, 1), walk(0, 2, "f"), unlinkat(0, "f"), m(24, "IQ", 2, 0xFFF), m(12, "II", 2, 2), m(120, "I", 1)],
    "names": [m(72, "I", 0) + s("d") + struct.pack("<II", 0o755, 0), walk(0, 1, "d"), walk(1, 2), create(2, "x"), link(0, 2, "y"),
              renameat(1, "x", 0, "z"), m(20, "II", 2, 0) + s("w"), walk(0, 3, "d"), renameat(0, "d", 0, "e"), walk(3, 4, ".."),
              m(122, "I", 3), unlinkat(0, "e", 0x200), walk(0, 5, "w"), m(122, "I", 5)],
    "xattr": [walk(0, 1), create(1, "f"), walk(1, 2), m(32, "I", 2) + s("user.a") + struct.pack("<QI", 3, 0), write(2, 0, b"abc"),
              m(120, "I", 2), m(30, "II", 1, 3) + s(""), m(116, "IQI", 3, 0, 100), m(120, "I", 3), walk(1, 2),
              m(32, "I", 2) + s("user.a") + struct.pack("<QI", 0, 2), m(120, "I", 2)],
    "extension": [m(72, "I", 0) + s("d") + struct.pack("<II", 0o755, 0), look(0, 1, "d"), createx(1, 2, "f", 0o202), writex(2, 0, b"hello"),
                  writex(2, (1 << 64) - 1, b"more"), m(88, "IIIIIQQQQQ", 2, 8, 0, 0, 0, 2, 0, 0, 0, 0), openx(1, 3, "f", 0), openx(1, 4, ""),
                  m(90, "I", 4000), b"x", m(90, "I", 4000), m(108, "H", 1), look(1, 0xFFFFFFFF, "g"), m(120, "I", 2)],
    "fileops": [createx(0, 1, "f"), createx(0, 2, "g"), writex(1, 0, b"hello"), m(132, "IIQQ", 1, 0, 0, 8192), m(132, "IIQQ", 1, 3, 4096, 4096),
                m(134, "IIQ", 1, 3, 0), m(134, "IIQ", 1, 4, 0), m(140, "IQIQQI", 1, 0, 2, 0, 8192, 0), m(140, "IQIQQI", 1, 0, 2, 0, 0, 1),
                m(136, "I", 0) + s("f") + struct.pack("<I", 0) + s("g") + struct.pack("<I", 2),
                m(136, "I", 0) + s("f") + struct.pack("<I", 0) + s("h") + struct.pack("<I", 5), m(138, "IIIII", 0, 3, 2, 0o600, 0),
                link(0, 3, "t"), m(142, "I", 3), m(144, "IIIIIII", 3, 1, 0x40, 0, 0, 0, 0), m(120, "I", 3), walk(0, 4, "t"), m(142, "I", 4)],
    "listing_ext": [m(72, "I", 0) + s("d") + struct.pack("<II", 0o755, 0), createx(0, 1, "f"), openx(0, 2, "", 0), m(92, "IQII", 2, 0, 1, 4000),
                    m(92, "IQII", 2, 0, 0, 300), unlinkat(0, "f"), m(92, "IQII", 2, 1, 1, 4000), m(92, "IQII", 1, 0, 1, 4000)],
    "listing": [m(18, "I", 0) + s("a") + struct.pack("<IIII", 0o100644, 0, 0, 0), walk(0, 1), m(12, "II", 1, 0), m(40, "IQI", 1, 0, 60),
                m(40, "IQI", 1, 1, 8000), unlinkat(0, "a"), m(40, "IQI", 1, 0, 8000)],
    "links": [m(16, "I", 0) + s("l") + s("../canary") + struct.pack("<I", 0), walk(0, 1, "l"), m(22, "I", 1), m(12, "II", 1, 0),
              setattr_(1, 0x9), walk(0, 2, "out"), walk(2, 3, "canary"), walk(0, 3, "out", "canary"), link(0, 1, "l2"),
              m(104, "II", 4, 0xFFFFFFFF) + s("") + s("/out/canary") + struct.pack("<I", 0), create(0, "out")],
}


def conversation(msgs, flags=0, which=lambda i: 0):
    return bytes([flags]) + b"".join(struct.pack("<H", len(x) | which(i) << 15) + x for i, x in enumerate(msgs))


def main():
    top = sys.argv[1]
    files = {"decode/%02d" % i: b"\0\0\0\0" + x for i, x in enumerate(MESSAGES)}
    locks = [walk(0, 1), create(1, "f"), walk(0, 1, "f"), m(12, "II", 1, 2), lock(1, 1, 0, 0, 10, 1), lock(1, 1, 1, 5, 10, 1), b"", b"",
             lock(1, 2, 0, 2, 3, 1), lock(1, 0, 0, 0, 0, 2), m(54, "IBQQI", 1, 2, 0, 0, 7) + s("h"), m(120, "I", 1), m(108, "H", 1)]
    sides = [0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1]
    for name, msgs in CONVERSATIONS.items():
        files["session/" + name] = conversation(msgs)
    single = [look(0, 0xFFFFFFFF, "f"), openx(0, 1, "f"), walk(0, 2, "f"), write(1, 0, b"hello"), lock(1, 1, 0, 0, 10, 1), b"x", writex(1, 0, b"more"),
              setattr_(2, 8), m(116, "IQI", 1, 0, 100), lock(1, 2, 0, 0, 10, 1), b"x", walk(0, 3), m(12, "II", 3, 0), m(40, "IQI", 3, 0, 8000), m(120, "I", 1)]
    files["session/single"] = conversation(single, 16)
    files["session/locks"] = conversation(locks, 0, lambda i: sides[i])
    files["session/locks_host"] = conversation(locks, 1, lambda i: sides[i])
    for name, data in files.items():
        path = os.path.join(top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)


if __name__ == "__main__":
    main()
