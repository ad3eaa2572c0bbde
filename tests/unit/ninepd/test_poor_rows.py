#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_poor_rows.py SKERRY-9PD: what file servers for Windows directories have lacked, message by message, on file systems that keep less.

MkNod, XAttrWalk, XAttrCreate, Lock, Getlock, Auth, Flush, the number of links, flags of open: on NTFS (ntfs-3g, its default mount and one with
permissions), exFAT, vfat, and a file system that refuses to remove open files, each as root and as a plain user. Notices of what the host does
(INotify) have no place on a socket, and are not tried here.
"""
import errno
import fcntl
import os
import shutil
import stat
import struct
import subprocess
import sys
import unittest

import p9
import test_poor
from test_poor import ROOT

SECRET = b"a secret of more than 16 bytes"
READ, WRITE, UNLOCK, WAIT = 0, 1, 2, 1
RDONLY, WRONLY, RDWR, EXCL, TRUNC, APPEND, DSYNC, DIRECT, DIRECTORY, NOFOLLOW, NOATIME, SYNC = (
    0, 1, 2, 0o200, 0o1000, 0o2000, 0o10000, 0o40000, 0o200000, 0o400000, 0o1000000, 0o4010000)


class Rows:
    """Mixed into the classes of test_poor: they mount."""

    attributes = True  # extended attributes are kept
    links = True  # hard links can be made
    trusted = False  # the host keeps owners and modes, and all of its attributes are the client's

    def opened(self, path, flags):
        self.c.fid += 1
        fid = self.c.fid
        self.c.walk(0, fid, *[n for n in path.split("/") if n])
        try:
            self.c.open(fid, flags)
        except OSError:
            self.c.clunk(fid)
            raise
        return fid

    def row_mknod(self):
        kinds = {"fifo": (stat.S_IFIFO | 0o620, 0, 0), "socket": (stat.S_IFSOCK | 0o755, 0, 0), "null": (stat.S_IFCHR | 0o666, 1, 3),
                 "disk": (stat.S_IFBLK | 0o660, 259, 300000), "file": (stat.S_IFREG | 0o604, 0, 0)}
        self.c.mkdir("nodes")
        for name, (mode, major, minor) in kinds.items():
            self.c.mknod("nodes/" + name, mode, major, minor, gid=5)
            self.c.set("nodes/" + name, uid=7)
            self.fails(errno.EEXIST, self.c.mknod, "nodes/" + name, mode, major, minor)
        for _ in range(2):
            for name, (mode, major, minor) in kinds.items():
                self.assertEqual(self.c.stat("nodes/" + name), (oct(mode), 7, 5), name)
                rdev = (minor & 0xFF) | major << 8 | (minor & ~0xFF) << 12
                self.assertEqual(self.c.at("nodes/" + name, self.c.getattr)["rdev"], rdev, name)
            self.assertEqual({n: k for n, (_, k) in self.c.list("nodes").items()}, {"fifo": 1, "socket": 12, "null": 2, "disk": 6, "file": 8})
            self.again()
        for name in kinds:
            self.c.unlink("nodes/" + name)
        self.c.unlink("nodes", test_poor.REMOVEDIR)

    def row_xattrwalk(self):
        self.c.put("walked")
        nothing = (errno.ENODATA,) if self.attributes else (errno.EOPNOTSUPP, errno.ENODATA)
        for path in ("walked", ""):
            self.assertEqual(self.c.xattrs(path), [])
            self.fails(nothing, self.c.xattr, path, "user.none")
            # What the server keeps is not for clients.
            for name in ("user.containers.override_stat", "system.ntfs_ea", "system.ntfs_reparse_data", "user.skerry.trusted.x"):
                self.fails((errno.ENODATA, errno.EOPNOTSUPP), self.c.xattr, path, name)
        self.c.unlink("walked")

    def row_xattrcreate(self):
        self.c.put("made", 0o640)
        self.c.mkdir("madedir")
        for path in ("made", "madedir"):
            if not self.attributes:
                self.fails(errno.EOPNOTSUPP, self.c.set_xattr, path, "user.a", b"x")
                continue
            self.fails(errno.ENODATA, self.c.set_xattr, path, "user.a", b"x", 2)
            self.c.set_xattr(path, "user.a", b"one", 1)
            self.fails(errno.EEXIST, self.c.set_xattr, path, "user.a", b"x", 1)
            self.c.set_xattr(path, "user.a", b"two\0" * 500, 2)
            self.c.set_xattr(path, "user.b", b"b")
            self.again()
            self.assertEqual(self.c.xattr(path, "user.a"), b"two\0" * 500)
            self.assertEqual(set(self.c.xattrs(path)), {"user.a", "user.b"})
            self.c.remove_xattr(path, "user.a")
            self.fails(errno.ENODATA, self.c.remove_xattr, path, "user.a")
            self.assertEqual(self.c.xattrs(path), ["user.b"])
        for name in ("user.containers.override_stat", "system.ntfs_ea")[self.trusted :]:
            self.fails((errno.EPERM, errno.EOPNOTSUPP), self.c.set_xattr, "made", name, b"0:0:100777")
        self.assertEqual(self.c.stat("made")[0], "0o100640")
        self.c.unlink("made")
        self.c.unlink("madedir", test_poor.REMOVEDIR)

    def row_lock(self):
        self.c.put("locked", 0o666)
        a, b = self.c, self.another()
        for c in (a, b):
            c.walk(0, 2, "locked")
            c.open(2, RDWR)
        self.assertEqual((a.lock(2, WRITE, 0, 10, 20), b.lock(2, WRITE, 0, 15, 1), b.lock(2, READ, 0, 29, 1)), (0, 1, 1))
        self.assertEqual((b.lock(2, READ, 0, 30, 5), a.lock(2, READ, 0, 30, 5), a.lock(2, WRITE, 0, 34, 1)), (0, 0, 1))
        with open(os.path.join(self.share, "locked"), "r+b") as file:
            with self.assertRaises(OSError):
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 12)
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 100)
            self.assertEqual(a.lock(2, WRITE, 0, 105, 1), 1)
            # What is kept of a file can be changed, whoever has locked it.
            a.set("locked", mode=0o640)
            self.assertEqual(a.stat("locked")[0], "0o100640")
        self.assertEqual((a.lock(2, WRITE, 0, 105, 1), a.lock(2, UNLOCK, 0, 0, 0), b.lock(2, WRITE, 0, 0, 0)), (0, 0, 0))
        a.set("locked", mode=0o666)
        self.assertEqual(a.stat("locked")[0], "0o100666")
        b.close()
        a.clunk(2)

    def row_getlock(self):
        a, b = self.c, self.another()
        for c in (a, b):
            c.walk(0, 2, "locked")
            c.open(2, RDWR)
        self.assertEqual(a.lock(2, READ, 0, 10, 20), 0)

        def ask(kind, start, length):
            said = b.call("getlock", struct.pack("<IBQQI", 2, kind, start, length, 1) + p9.s("client"))
            return struct.unpack("<BQQ", said[:17])

        self.assertEqual(ask(WRITE, 0, 0), (READ, 10, 20))
        self.assertEqual(ask(READ, 0, 0)[0], UNLOCK)
        self.assertEqual(ask(WRITE, 30, 0)[0], UNLOCK)
        b.close()
        a.clunk(2)

    def row_flush(self):
        a, b = self.c, self.another()
        for c in (a, b):
            c.walk(0, 2, "locked")
            c.open(2, RDWR)
        self.assertEqual(a.lock(2, WRITE), 0)
        tag = b.send("lock", b.lock_body(2, WRITE, WAIT))
        b.call("flush", struct.pack("<H", tag))
        self.assertNotIn(tag, b.late)
        self.assertEqual((a.lock(2, UNLOCK), a.lock(2, WRITE), a.lock(2, UNLOCK)), (0, 0, 0))
        b.close()
        a.clunk(2)
        a.unlink("locked")

    def row_auth(self):
        self.fails(errno.EOPNOTSUPP, self.c.call, "auth", struct.pack("<I", 90) + p9.s("me") + p9.s("") + struct.pack("<I", 0))
        self.c.put("guarded", 0o600, data=b"text")
        self.kill()
        self.c.close()
        secret = os.path.join(self.top, "secret")
        with open(secret, "wb") as file:
            file.write(SECRET + b"\n")
        os.chmod(secret, 0o644)
        self.more = ["--secret-file", secret]
        c = self.start(ready=False)
        c.version()
        self.fails(errno.EACCES, c.attach)
        c.auth(9, "me", "", 0, SECRET)
        c.attach(0, "", "me", 0, 9)
        self.assertEqual((c.get("guarded"), c.stat("guarded")[0]), (b"text", "0o100600"))
        self.more = []
        self.again()
        self.c.unlink("guarded")

    def row_nlink(self):
        c = self.c
        c.put("one", 0o640, gid=3, data=b"same")
        self.assertEqual(c.at("one", c.getattr)["nlink"], 1)
        if self.links:
            c.link("one", "two")
            for name in ("one", "two"):
                self.assertEqual((c.at(name, c.getattr)["nlink"], c.get(name), c.stat(name)), (2, b"same", ("0o100640", 0, 3)))
            self.assertEqual(c.at("one", c.getattr)["path"], c.at("two", c.getattr)["path"])
            c.set("two", mode=0o604)
            self.assertEqual(c.stat("one")[0], "0o100604")
            c.unlink("one")
            self.assertEqual((c.at("two", c.getattr)["nlink"], c.get("two")), (1, b"same"))
            c.unlink("two")
        else:
            self.fails(errno.EPERM, c.link, "one", "two")
            self.assertEqual(c.at("one", c.getattr)["nlink"], 1)
            c.unlink("one")

    def row_open_flags(self):
        c = self.c
        c.put("f", 0o644, data=b"0123456789")
        c.mkdir("d")
        c.symlink("l", "f")
        self.fails(errno.EEXIST, c.put, "f")
        for flags in (RDONLY, RDONLY | NOATIME, RDONLY | DIRECT, RDONLY | NOFOLLOW):
            fid = self.opened("f", flags)
            self.assertEqual(c.read(fid, 2, 3), b"234")
            self.fails(errno.EBADF, c.write, fid, 0, b"x")
            c.clunk(fid)
        for flags in (WRONLY, WRONLY | SYNC, WRONLY | DSYNC, WRONLY | DIRECT):
            fid = self.opened("f", flags)
            self.assertEqual(c.write(fid, 0, b"X"), 1)
            self.fails(errno.EBADF, c.read, fid, 0, 1)
            c.clunk(fid)
        self.assertEqual(c.get("f"), b"X123456789")
        fid = self.opened("f", WRONLY | APPEND)
        c.write(fid, 10, b"end")
        c.clunk(fid)
        self.assertEqual(c.get("f"), b"X123456789end")
        c.clunk(self.opened("f", RDWR | TRUNC))
        self.assertEqual((c.get("f"), c.at("f", c.getattr)["size"], c.stat("f")[0]), (b"", 0, "0o100644"))
        self.fails(errno.ENOTDIR, self.opened, "f", DIRECTORY)
        c.clunk(self.opened("d", DIRECTORY))
        self.fails(errno.EISDIR, self.opened, "d", RDWR)
        self.fails((errno.ELOOP, errno.ENXIO), self.opened, "l", RDONLY)
        for name in ("f", "l"):
            c.unlink(name)
        c.unlink("d", test_poor.REMOVEDIR)

    def another(self):
        client = test_poor.Client(self.path)
        self.addCleanup(client.close)
        return client.ready()

    def test_rows(self):
        for row in ("mknod", "xattrwalk", "xattrcreate", "lock", "getlock", "flush", "auth", "nlink", "open_flags"):
            with self.subTest(row):
                getattr(self, "row_" + row)()
        self.assertEqual(self.c.list(), {})


class NtfsRows(Rows, test_poor.Ntfs):
    pass


class NtfsPermissionsRows(Rows, test_poor.NtfsWsl):
    """As a user mounts it who wants owners: root's share is as it is, a plain user's is mapped."""

    options = ""

    @property
    def trusted(self):
        return not self.plain


class ExfatRows(Rows, test_poor.Exfat):
    attributes = links = False


class KernelRows(Rows, test_poor.Kernel):
    attributes = links = False


class VfatRows(Rows, test_poor.Vfat):
    attributes = links = False


class HeldRows(Rows, test_poor.Held):
    attributes = links = False


class DirectoryRows(Rows, test_poor.Beside):
    """The control: a directory of Linux."""

    options = ":rw,mapped"


def load_tests(_loader, _tests, _pattern):
    suite = unittest.TestSuite()
    for base in (DirectoryRows, NtfsRows, NtfsPermissionsRows, ExfatRows, KernelRows, VfatRows, HeldRows):
        suite.addTest(base("test_rows"))
        if ROOT:
            suite.addTest(test_poor.as_user(base)("test_rows"))
    return suite


if __name__ == "__main__":
    test_poor.run(sys.modules[__name__])
