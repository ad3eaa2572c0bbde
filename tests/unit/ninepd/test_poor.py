#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_poor.py SKERRY-9PD: shares of file systems that keep less than Linux's do.

Each kind of store is tried as root and as a plain user, with a server that is killed with -9 again and again: the records beside
the files on any directory, NTFS (ntfs-3g) in its two mounts, exFAT. What is not to be had is skipped, and said. Needs no guest.
"""
import errno
import fcntl
import os
import random
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import p9

PROGRAM = sys.argv[1]
ROOT = os.getuid() == 0
PLAIN = 65534
SIDECAR = ".skerry-meta"
MODE, UID, GID, SIZE = 1, 2, 4, 8
REMOVEDIR = 0x200


class Client(p9.Client):
    """With a file named by its path from the root, and what it takes to have a fid of it."""

    fid = 100

    def at(self, path, function):
        self.fid += 1
        fid = self.fid
        self.walk(0, fid, *[n for n in path.split("/") if n])
        try:
            return function(fid)
        finally:
            self.clunk(fid)

    def parent(self, path, function):
        head, _, name = path.rpartition("/")
        return self.at(head, lambda fid: function(fid, name))

    def stat(self, path):
        a = self.at(path, self.getattr)
        return oct(a["mode"]), a["uid"], a["gid"]

    def make(self, path, mode=0o644, gid=0, data=b""):
        self.fid += 1
        fid = self.fid
        head, _, name = path.rpartition("/")
        self.walk(0, fid, *[n for n in head.split("/") if n])
        self.create(fid, name, 0o2 | 0o200, mode, gid)
        if data:
            self.write(fid, 0, data)
        return fid

    def put(self, path, mode=0o644, gid=0, data=b""):
        self.clunk(self.make(path, mode, gid, data))

    def get(self, path):
        def content(fid):
            self.open(fid)
            return self.read(fid, 0, 4096)

        return self.at(path, content)

    def set(self, path, mode=None, uid=None, gid=None):
        valid = (MODE if mode is not None else 0) | (UID if uid is not None else 0) | (GID if gid is not None else 0)
        body = struct.pack("<IIII", valid, mode or 0, uid or 0, gid or 0) + bytes(40)
        self.at(path, lambda fid: self.call("setattr", struct.pack("<I", fid) + body))

    def mkdir(self, path, mode=0o755, gid=0):
        self.parent(path, lambda fid, name: self.call("mkdir", struct.pack("<I", fid) + p9.s(name) + struct.pack("<II", mode, gid)))

    def symlink(self, path, target, gid=0):
        self.parent(path, lambda fid, name: self.call("symlink", struct.pack("<I", fid) + p9.s(name) + p9.s(target) + struct.pack("<I", gid)))

    def mknod(self, path, mode, major=0, minor=0, gid=0):
        body = struct.pack("<IIII", mode, major, minor, gid)
        self.parent(path, lambda fid, name: self.call("mknod", struct.pack("<I", fid) + p9.s(name) + body))

    def readlink(self, path):
        return self.at(path, lambda fid: self.call("readlink", struct.pack("<I", fid)))[2:].decode()

    def rename(self, old, new):
        self.parent(old, lambda a, m: self.parent(new, lambda b, n: self.call(
            "renameat", struct.pack("<I", a) + p9.s(m) + struct.pack("<I", b) + p9.s(n))))

    def unlink(self, path, flags=0):
        self.parent(path, lambda fid, name: self.call("unlinkat", struct.pack("<I", fid) + p9.s(name) + struct.pack("<I", flags)))

    def link(self, old, new):
        self.at(old, lambda a: self.parent(new, lambda b, n: self.call("link", struct.pack("<II", b, a) + p9.s(n))))

    def xattr(self, path, name):
        def get(fid):
            self.fid += 1
            value = self.fid
            size = struct.unpack("<Q", self.call("xattrwalk", struct.pack("<II", fid, value) + p9.s(name)))[0]
            try:
                return self.read(value, 0, size) if size else b""
            finally:
                self.clunk(value)

        return self.at(path, get)

    def xattrs(self, path):
        return [n.decode() for n in self.xattr(path, "").split(b"\0") if n]

    def set_xattr(self, path, name, value, flags=0):
        """`flags`: 1 create, 2 replace."""
        self.fid += 1
        fid = self.fid
        self.walk(0, fid, *[n for n in path.split("/") if n])
        self.call("xattrcreate", struct.pack("<I", fid) + p9.s(name) + struct.pack("<QI", len(value), flags))
        if value:
            self.write(fid, 0, value)
        self.clunk(fid)

    def remove_xattr(self, path, name):
        self.set_xattr(path, name, b"", 2)

    def fsync(self, path):
        def sync(fid):
            self.open(fid)
            self.call("fsync", struct.pack("<II", fid, 0))

        self.at(path, sync)

    def list(self, path=""):
        def names(fid):
            found, offset = {}, 0
            self.open(fid, 0o200000)
            while True:
                body = self.call("readdir", struct.pack("<IQI", fid, offset, 8000))[4:]
                if not body:
                    return found
                while body:
                    offset, kind, n = struct.unpack("<QBH", body[13:24])
                    found[body[24 : 24 + n].decode()] = (body[0], kind)
                    body = body[24 + n :]

        found = self.at(path, names)
        return {n: k for n, k in found.items() if n not in (".", "..")}


class Beside(unittest.TestCase):
    """Records beside the files, as on exFAT, but on whatever directory there is."""

    options = ":rw,mapped,keep=sidecar"
    plain = not ROOT
    real_links = real_fifo = False  # of the host's file system
    any_names = True
    more = ()  # options of the server

    def prepare(self):
        pass

    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="sk-9pd-")
        os.chmod(self.top, 0o755)
        self.share = os.path.join(self.top, "share")
        self.image = os.path.join(self.top, "image")
        self.loop = None
        self.mounted = False
        self.server = None
        os.mkdir(self.share)
        self.addCleanup(self.clean)
        self.prepare()
        if ROOT and self.plain and not self.mounted:
            os.chown(self.share, PLAIN, PLAIN)
        self.c = self.start()

    def clean(self):
        self.kill()
        if self.mounted:
            self.unmount()
        if self.loop:
            subprocess.run(["losetup", "-d", self.loop], check=False)
        shutil.rmtree(self.top)

    def need(self, *programs):
        if not ROOT:
            self.skipTest("mounting an image needs root")
        for program in programs:
            if not shutil.which(program):
                self.skipTest(f"no {program}")

    def mount(self, *words):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode or not os.path.ismount(self.share):
            self.skipTest(f"cannot be mounted here: {' '.join(words)}: {done.stderr.strip()}")
        self.mounted = True

    def unmount(self):
        for _ in range(100):
            if subprocess.run(["umount", self.share], capture_output=True, check=False).returncode == 0:
                self.mounted = False
                return
            time.sleep(0.1)
        subprocess.run(["umount", "-l", self.share], check=False)
        self.fail("somebody holds the share")

    def make_image(self, *words, size=64 << 20):
        with open(self.image, "wb") as file:
            file.truncate(size)
        subprocess.run([*words, self.image], check=True, capture_output=True)

    def start(self, ready=True):
        self.path = os.path.join(self.top, f"s{random.random()}")
        words = [PROGRAM, "--export", f"x={self.share}{self.options}", "--socket", self.path, *self.more]
        prefix = []
        if ROOT and self.plain:
            os.chmod(self.top, 0o777)
            prefix = ["setpriv", f"--reuid={PLAIN}", f"--regid={PLAIN}", "--clear-groups"]
        with open(os.path.join(self.top, "log"), "a", encoding="utf-8") as log:
            self.server = subprocess.Popen(prefix + words, stderr=log)
        for _ in range(600):
            if self.server.poll() is not None:
                break
            try:
                client = Client(self.path)
                break
            except (FileNotFoundError, ConnectionRefusedError, PermissionError):
                time.sleep(0.02)
        else:
            self.fail("the server does not start")
        self.assertIsNone(self.server.poll(), "the server does not start")
        self.addCleanup(client.close)
        try:
            return client.ready() if ready else client
        except ConnectionResetError:
            with open(os.path.join(self.top, "log"), encoding="utf-8") as log:
                self.fail(f"the server has ended: {log.read()[-500:]}")

    def kill(self):
        if self.server and self.server.poll() is None:
            self.server.send_signal(signal.SIGKILL)
            self.server.wait(30)

    def again(self):
        """kill -9, and another server."""
        self.kill()
        self.c.close()
        self.c = self.start()
        return self.c

    def fails(self, code, function, *args):
        with self.assertRaises(OSError) as caught:
            function(*args)
        self.assertIn(caught.exception.errno, code if isinstance(code, tuple) else (code,), caught.exception)

    # --- what is kept

    def test_owner_and_mode(self):
        c = self.c
        c.put("f", 0o640, gid=7, data=b"text")
        self.assertEqual(c.stat("f"), ("0o100640", 0, 7))
        c.set("f", mode=0o4711)
        c.set("f", uid=70, gid=71)
        self.assertEqual(c.stat("f"), ("0o100711", 70, 71))  # chown takes set-id bits away
        c.set("f", mode=0o600)
        c.mkdir("d", 0o750, gid=8)
        c.set("d", uid=999, mode=0o1700)
        c.set("", uid=70, gid=70, mode=0o700)
        c.put("d/g", 0o400)
        for _ in range(2):
            self.assertEqual(c.stat("f"), ("0o100600", 70, 71))
            self.assertEqual(c.stat("d"), ("0o41700", 999, 8))
            self.assertEqual(c.stat(""), ("0o40700", 70, 70))
            self.assertEqual(c.stat("d/g"), ("0o100400", 0, 0))
            self.assertEqual(c.get("f"), b"text")
            c = self.again()
        c.fsync("f")

    def test_kinds_of_files(self):
        c = self.c
        c.symlink("link", "../else where/%41\n", gid=3)
        c.mknod("fifo", stat.S_IFIFO | 0o620, gid=4)
        c.mknod("null", stat.S_IFCHR | 0o666, 1, 3)
        c.mknod("disk", stat.S_IFBLK | 0o660, 259, 300000)
        for _ in range(2):
            self.assertEqual(c.readlink("link"), "../else where/%41\n")
            self.assertEqual(c.stat("link"), ("0o120777", 0, 3))
            self.assertEqual(c.at("link", c.getattr)["size"], 18)
            self.assertEqual(c.stat("fifo"), ("0o10620", 0, 4))
            self.assertEqual(c.stat("null"), ("0o20666", 0, 0))
            self.assertEqual(c.at("null", c.getattr)["rdev"], 1 << 8 | 3)
            self.assertEqual(c.stat("disk"), ("0o60660", 0, 0))
            self.assertEqual(c.at("disk", c.getattr)["rdev"], (300000 & 0xFF) | 259 << 8 | (300000 & ~0xFF) << 12)
            self.assertEqual({n: k for n, (q, k) in c.list().items()}, {"link": 10, "fifo": 1, "null": 2, "disk": 6})
            c = self.again()
        self.fails((errno.ENXIO, errno.ELOOP), c.get, "link")
        self.fails(errno.ENXIO, c.get, "fifo")
        c.set("null", uid=5, mode=0o600)
        self.assertEqual(c.stat("null"), ("0o20600", 5, 0))
        for name in ("link", "fifo", "null", "disk"):
            c.unlink(name)
        self.assertEqual(c.list(), {})

    def test_names_come_and_go(self):
        c = self.c
        c.mkdir("d")
        c.put("d/a", 0o600, gid=1, data=b"a")
        c.put("d/b", 0o644, gid=2, data=b"b")
        c.set("d/a", uid=10)
        c.set("d/b", uid=11)
        fid = c.fid = c.fid + 1
        c.walk(0, fid, "d", "b")
        c.open(fid, 2)
        c.rename("d/a", "d/b")
        # The file that was replaced is open, and what is kept of it stays with it.
        old = c.getattr(fid)
        self.assertEqual((oct(old["mode"]), old["uid"], old["gid"]), ("0o100644", 11, 2))
        self.assertEqual(c.read(fid, 0, 10), b"b")
        c.clunk(fid)
        for _ in range(2):
            self.assertEqual((c.get("d/b"), c.stat("d/b")), (b"a", ("0o100600", 10, 1)))
            self.fails(errno.ENOENT, c.stat, "d/a")
            c = self.again()
        c.rename("d/b", "moved")
        self.assertEqual(c.stat("moved"), ("0o100600", 10, 1))
        c.set("d", uid=12, mode=0o700)
        c.mkdir("e", 0o711)
        c.put("d/in", 0o604)
        c.rename("d", "e/d")
        self.assertEqual(c.stat("e/d"), ("0o40700", 12, 0))
        self.assertEqual(c.stat("e/d/in"), ("0o100604", 0, 0))
        # Another file of the name is another file.
        c.unlink("moved")
        c.put("moved", 0o644)
        self.assertEqual(c.stat("moved"), ("0o100644", 0, 0))
        self.fails(errno.ENOTEMPTY, c.unlink, "e/d", REMOVEDIR)
        self.assertEqual(c.stat("e/d"), ("0o40700", 12, 0))
        c.unlink("e/d/in")
        c.unlink("e/d", REMOVEDIR)
        # A directory over an empty one.
        c.mkdir("x", 0o701)
        c.mkdir("y", 0o702)
        c.put("x/f")
        c.rename("x", "y")
        self.assertEqual((c.stat("y")[0], list(c.list("y"))), ("0o40701", ["f"]))
        c.unlink("y/f")
        for name in ("y", "e"):
            c.unlink(name, REMOVEDIR)
        c.unlink("moved")
        self.assertEqual(c.list(), {})
        self.assertEqual(set(os.listdir(self.share)) - {SIDECAR, "System Volume Information"}, set())

    def test_removed_while_open(self):
        c = self.c
        c.mkdir("d")
        fid = c.make("d/f", 0o640, gid=5, data=b"still")
        c.unlink("d/f")
        a = c.getattr(fid)
        self.assertEqual((oct(a["mode"]), a["gid"]), ("0o100640", 5))
        self.assertEqual(c.read(fid, 0, 10), b"still")
        body = struct.pack("<IIIII", fid, MODE, 0o600, 0, 0) + bytes(40)
        c.call("setattr", body)
        self.assertEqual(oct(c.getattr(fid)["mode"]), "0o100600")
        self.fails(errno.ENOENT, c.stat, "d/f")
        c.clunk(fid)
        # FUSE gives what is open another name, which nobody sees.
        fid = c.make("d/open")
        c.put("d/new")
        c.rename("d/new", "d/open")
        self.assertEqual(set(c.list("d")), {"open"})
        c.unlink("d/open")
        self.assertEqual(c.list("d"), {})
        c.unlink("d", REMOVEDIR)
        self.assertEqual(c.list(), {})
        c.write(fid, 0, b"to nobody")
        self.assertEqual(c.read(fid, 0, 10), b"to nobody")
        c.clunk(fid)
        for _ in range(100):
            left = set(os.listdir(self.share)) - {SIDECAR, "System Volume Information"}
            if not left:
                break
            time.sleep(0.05)
        self.assertEqual(left, set())

    def test_what_the_host_does(self):
        c = self.c
        c.put("kept", 0o600, gid=9)
        with open(os.path.join(self.share, "added"), "w", encoding="ascii") as file:
            file.write("by the host")
        self.assertEqual(c.get("added"), b"by the host")
        os.unlink(os.path.join(self.share, "kept"))
        # ESTALE once: the host has just changed the directory, and a kernel walks again then.
        self.fails((errno.ENOENT, errno.ESTALE), c.stat, "kept")
        self.fails(errno.ENOENT, c.stat, "kept")
        self.assertEqual(set(c.list()), {"added"})
        c.put("kept", 0o644)
        self.assertEqual(c.stat("kept"), ("0o100644", 0, 0))

    def test_killed_while_it_writes(self):
        """What was acknowledged is there; what was not may be."""
        c, rng = self.c, random.Random(1)
        state = {}
        c.mkdir("d")
        for cycle in range(6):
            killer = threading.Timer(rng.uniform(0.05, 0.3), self.server.kill)
            killer.start()
            doing = None
            try:
                while True:
                    name, mode, uid = f"f{rng.randrange(8)}", rng.randrange(0o1000), rng.randrange(1, 60000)
                    step = rng.randrange(4)
                    if name not in state:
                        doing = ("make", name, mode)
                        c.put("d/" + name, mode)
                        state[name] = (mode, 0)
                    elif step == 0:
                        other = f"f{rng.randrange(8)}"
                        doing = ("rename", name, other)
                        c.rename("d/" + name, "d/" + other)
                        if other != name:
                            state[other] = state.pop(name)
                    elif step == 1:
                        doing = ("unlink", name, None)
                        c.unlink("d/" + name)
                        del state[name]
                    elif step == 2:
                        doing = ("chown", name, uid)
                        c.set("d/" + name, uid=uid)
                        state[name] = (state[name][0], uid)
                    else:
                        doing = ("chmod", name, mode)
                        c.set("d/" + name, mode=mode)
                        state[name] = (mode, state[name][1])
            except (OSError, ConnectionResetError) as e:
                self.assertNotIsInstance(e, p9.Error, f"{doing}: {e}")
            killer.join()
            self.server.wait(30)
            self.c.close()
            c = self.c = self.start()
            names = set(c.list("d"))
            there = {n: (int(c.stat("d/" + n)[0], 8) & 0o7777, c.stat("d/" + n)[1]) for n in names}
            unsure = {doing[1], doing[2]} if doing[0] == "rename" else {doing[1]}
            for n in set(state) | names:
                if n not in unsure:
                    self.assertEqual(there.get(n), state.get(n), f"cycle {cycle}, {n}, while {doing}")
            if doing[0] == "rename" and doing[1] != doing[2]:
                # As it was, or as it should be.
                after = dict(state)
                after[doing[2]] = after.pop(doing[1])
                self.assertIn({n: there.get(n) for n in unsure}, ({n: state.get(n) for n in unsure}, {n: after.get(n) for n in unsure}), doing)
            state = there

    def test_two_servers_at_once(self):
        """chown by one and chmod by the other at the same time: both stay."""
        one, first = self.c, self.server
        two = self.start()
        second, self.server = self.server, first
        self.addCleanup(second.wait, 30)
        self.addCleanup(second.kill)
        for name in ("f", "d"):
            one.mkdir(name) if name == "d" else one.put(name)

            def change(client, key, values):
                for value in values:
                    client.set(name, **{key: value})

            for turn in range(4):
                a = threading.Thread(target=change, args=(one, "uid", range(turn * 100, turn * 100 + 100)))
                b = threading.Thread(target=change, args=(two, "mode", [0o600 + n % 64 for n in range(turn * 16, turn * 16 + 100)]))
                for t in (a, b):
                    t.start()
                for t in (a, b):
                    t.join()
                mode = 0o600 + (turn * 16 + 99) % 64
                self.assertEqual((int(one.stat(name)[0], 8) & 0o7777, one.stat(name)[1]), (mode, turn * 100 + 99), name)

    def test_names(self):
        c = self.c
        for name in ("con", "trailing.", "-x", "UTF-\u00e9\u20ac\U0001f600", "a b%20", *(('c:\\a"<>|?*', "tab\t") if self.any_names else ())):
            c.put(name, 0o601, data=name.encode())
            c = self.again()
            self.assertIn(name, c.list())
            self.assertEqual((c.get(name), c.stat(name)[0]), (name.encode(), "0o100601"))
            c.rename(name, "other")
            c.rename("other", name)
            c.unlink(name)
        self.assertEqual(c.list(), {})


class BesideOnly(Beside):
    """What is particular of records beside."""

    def test_hidden(self):
        c = self.c
        c.put("f")
        self.assertIn(SIDECAR, os.listdir(self.share))
        self.assertEqual(list(c.list()), ["f"])
        self.fails(errno.ENOENT, c.stat, SIDECAR)
        self.fails(errno.EPERM, c.put, SIDECAR)
        self.fails(errno.EPERM, c.rename, "f", SIDECAR)
        self.fails(errno.EPERM, c.mkdir, SIDECAR)
        self.fails(errno.EPERM, c.link, "f", "g")

    def test_cut_and_damaged(self):
        c = self.c
        c.put("a", 0o601)
        c.put("b", 0o602)
        self.kill()
        where = os.path.join(self.share, SIDECAR)
        with open(where, "rb") as file:
            whole = file.read()
        lines = whole.splitlines(keepends=True)
        for text in (*(whole[:n] for n in range(0, len(whole), 7)), b"\xff" * 1000, b"\n" * 500, whole[::-1], os.urandom(3000)):
            with open(where, "wb") as file:
                file.write(text)
            c = self.again()
            self.assertEqual(set(c.list()), {"a", "b"})
            a, b = c.stat("a")[0], c.stat("b")[0]
            if text and text in whole:
                self.assertEqual(a == "0o100601", text.startswith(b"".join(lines[:2])))
            # And the next change is kept.
            c.set("a", mode=0o611)
            c = self.again()
            self.assertEqual((c.stat("a")[0], c.stat("b")[0]), ("0o100611", b))
        # No file at all, a link, a directory in its place.
        os.unlink(where)
        c.set("a", mode=0o641)
        self.assertEqual(self.again().stat("a")[0], "0o100641")
        os.unlink(where)
        os.symlink("/etc/passwd", where)
        c = self.again()
        self.fails((errno.ELOOP, errno.EFBIG), c.set, "a", 0o600)
        os.unlink(where)

    def test_it_stays_small(self):
        c = self.c
        c.put("f", 0o600)
        c.put("gone")
        os.unlink(os.path.join(self.share, "gone"))
        for n in range(4000):
            c.set("f", mode=0o600 + n % 8)
        self.assertLess(os.stat(os.path.join(self.share, SIDECAR)).st_size, 100000)
        self.assertEqual(self.again().stat("f")[0], oct(0o100600 + 3999 % 8))

    def test_two_servers(self):
        first, one = self.server, self.c
        two = self.start()
        second = self.server
        for n in range(40):
            a, b = (one, two) if n % 2 else (two, one)
            a.put(f"f{n}", 0o600 + n % 8)
            self.assertEqual(b.stat(f"f{n}")[0], oct(0o100600 + n % 8))
            b.set(f"f{n}", uid=n + 1)
            self.assertEqual(a.stat(f"f{n}")[1], n + 1)
        second.kill()
        second.wait(30)
        self.server = first


class Ntfs(Beside):
    """ntfs-3g's default mount: chmod and chown are accepted and forgotten."""

    options = ""
    how = ()
    symlinks = True

    def prepare(self):
        self.need("mkntfs", "ntfs-3g")
        self.make_image("mkntfs", "-q", "-F")
        self.mount_it()

    def mount_it(self):
        uid = (f"uid={PLAIN},gid={PLAIN}",) if self.plain else ()
        self.mount("ntfs-3g", "-o", ",".join(("allow_other", *uid, *self.how)), self.image, self.share)

    def ea(self, path):
        """As another program reads it."""
        data = os.getxattr(os.path.join(self.share, path), "system.ntfs_ea", follow_symlinks=False)
        found = {}
        while data:
            step, _, n, m = struct.unpack("<IBBH", data[:8])
            value = data[9 + n : 9 + n + m]
            found[data[8 : 8 + n].decode()] = struct.unpack(f"<{m // 4}I", value) if m % 4 == 0 else value
            data = data[step:]
        return found

    def test_as_wsl_keeps_it(self):
        c = self.c
        c.put("f", 0o640, gid=1001, data=b"text")
        c.set("f", uid=1000)
        c.mkdir("d", 0o2750)
        c.put("a:b", 0o600)
        c.symlink("l", "f")
        # Another program's attribute stays.
        path = os.path.join(self.share, "f")
        other = struct.pack("<IBBH", 20, 0, 5, 5) + b"OTHER\0value\0"
        os.setxattr(path, "system.ntfs_ea", os.getxattr(path, "system.ntfs_ea") + other)
        c.set("f", mode=0o604)
        self.kill()
        self.c.close()
        self.unmount()
        self.mount_it()
        ea = self.ea("f")
        self.assertEqual((ea["$LXUID"], ea["$LXGID"], ea["$LXMOD"]), ((1000,), (1001,), (0o100604,)))
        self.assertEqual(ea["OTHER"], b"value")
        self.assertEqual(self.ea("d")["$LXMOD"], (0o42750,))
        self.assertEqual(self.ea("a\uf03ab")["$LXMOD"], (0o100600,))
        self.assertEqual(self.ea("l")["$LXMOD"], (0o120777,))
        c = self.start()
        self.assertEqual(c.stat("f"), ("0o100604", 1000, 1001))
        self.assertEqual(set(c.list()), {"f", "d", "a:b", "l"})

    def test_what_others_wrote(self):
        def ea(path, *fields):
            blob = b""
            for name, value in fields:
                one = struct.pack("<BBH", 0, len(name), len(value)) + name + b"\0" + value
                blob += struct.pack("<I", (len(one) + 7) & ~3) + one + bytes(-len(one) % 4)
            os.setxattr(os.path.join(self.share, path), "system.ntfs_ea", blob)

        def u32(value):
            return struct.pack("<I", value)

        host = {}
        for name in ("order", "short", "type", "part", "small"):
            with open(os.path.join(self.share, name), "w", encoding="ascii"):
                pass
            host[name] = self.c.stat(name)
        ea("order", (b"$LXMOD", u32(0o100600)), (b"X", b"y"), (b"$LXGID", u32(6)), (b"$LXUID", u32(5)))
        ea("short", (b"$LXUID", b"\1\2"), (b"$LXGID", u32(6)), (b"$LXMOD", u32(0o100640)))
        ea("type", (b"$LXUID", u32(5)), (b"$LXMOD", u32(0o40755)))
        ea("part", (b"$LXUID", u32(77)),)
        c = self.again()
        self.assertEqual(c.stat("order"), ("0o100600", 5, 6))
        self.assertEqual(c.stat("short"), ("0o100640", host["short"][1], 6))
        self.assertEqual(c.stat("type"), ("0o100000", 5, host["type"][2]))
        self.assertEqual(c.stat("part"), (host["part"][0], 77, host["part"][2]))
        for name in ("order", "short", "type", "part"):
            c.set(name, mode=0o611, uid=1, gid=2)
            self.assertEqual(self.again().stat(name), ("0o100611", 1, 2))
            c = self.c

    def test_attributes_and_links_of_wsls(self):
        def ea(*fields):
            blob = b""
            for name, value in fields:
                one = struct.pack("<BBH", 0, len(name), len(value)) + name + b"\0" + value
                blob += struct.pack("<I", (len(one) + 7) & ~3) + one + bytes(-len(one) % 4)
            return blob

        path = os.path.join(self.share, "f")
        self.c.put("f", 0o600)
        os.setxattr(path, "system.ntfs_ea", os.getxattr(path, "system.ntfs_ea") + ea(
            (b"LX.USER.ONE", b"lxeavalue"), (b"LX.USER.EMPTY", b"lxea"), (b"LX.USER.BAD", b"lxe"), (b"LX.SECURITY.CAPABILITY", b"lxea1"), (b"LX.USER.", b"lxea")))
        c = self.again()
        self.assertEqual((c.xattr("f", "user.one"), c.xattr("f", "user.empty")), (b"value", b""))
        self.assertEqual(set(c.xattrs("f")), {"user.one", "user.empty"})
        for name in ("user.bad", "user.", "security.capability", "one", "user.on"):
            self.fails((errno.ENODATA, errno.EOPNOTSUPP), c.xattr, "f", name)
        self.fails(errno.EEXIST, c.set_xattr, "f", "user.one", b"x", 1)
        c.set_xattr("f", "user.one", b"other", 2)
        self.assertEqual(c.xattr("f", "user.one"), b"other")
        c.remove_xattr("f", "user.one")
        c.remove_xattr("f", "user.empty")
        self.assertEqual(c.xattrs("f"), [])
        self.fails(errno.ENODATA, c.remove_xattr, "f", "user.one")
        self.assertEqual(c.stat("f")[0], "0o100600")
        # A link of WSL's, which the driver shows when it is mounted again; those of others say where, and lead nowhere.
        targets = {"lx": (0xA000001D, struct.pack("<I", 2) + b"to/where"), "bad": (0xA000001D, struct.pack("<I", 3) + b"x"), "other": (0x80001234, b"abcd")}
        for name, (tag, data) in targets.items():
            with open(os.path.join(self.share, name), "w", encoding="ascii"):
                pass
            try:
                os.setxattr(os.path.join(self.share, name), "system.ntfs_reparse_data", struct.pack("<IHH", tag, len(data), 0) + data)
            except OSError as e:
                # The driver may look at it, too.
                self.assertEqual((name == "lx", e.errno), (False, errno.EINVAL))
        self.kill()
        self.c.close()
        self.unmount()
        self.mount_it()
        c = self.start()
        self.assertEqual(c.readlink("lx"), "to/where")
        self.assertEqual(oct(c.at("lx", c.getattr)["mode"] & 0o170000), "0o120000")
        for name in ("bad", "other"):
            try:
                self.assertNotIn("/", c.readlink(name))
            except OSError:
                pass
        self.assertLessEqual({"lx", "f"}, set(c.list()))

    def test_refused_names(self):
        self.fails((errno.EINVAL, errno.EILSEQ), self.c.put, "\uf03a")
        self.fails(errno.ENOENT, self.c.stat, "\uf03a")
        with self.assertRaises(OSError):
            self.c.call("mkdir", struct.pack("<I", 0) + p9.s(b"\xff\xfe") + struct.pack("<II", 0o755, 0))

    def test_lock_of_another_server(self):
        """Whoever changes a file's attributes at the same time is waited for; a program that has locked it all is not."""
        c = self.c
        c.put("f")
        change = threading.Thread(target=c.set, args=("f",), kwargs={"uid": 7})
        with open(os.path.join(self.share, "f"), "r+b") as file:
            last = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 2**63 - 2, 1, 0)
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, last)
            change.start()
            change.join(0.2)
            self.assertTrue(change.is_alive(), "not waited for")
        change.join(30)
        self.assertEqual(c.stat("f")[1], 7)
        with open(os.path.join(self.share, "f"), "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            c.set("f", uid=8)
            self.assertEqual(c.stat("f")[1], 8)


class NtfsWsl(Ntfs):
    """The mount that WSL and we understand each other on: special files are WSL's."""

    options = ":rw,mapped"
    how = ("permissions", "posix_nlink", "special_files=wsl")

    def test_special_files_are_wsls(self):
        c = self.c
        c.mknod("fifo", stat.S_IFIFO | 0o600)
        self.assertEqual(os.getxattr(os.path.join(self.share, "fifo"), "system.ntfs_reparse_data"), struct.pack("<IHH", 0x80000024, 0, 0))
        if ROOT and not self.plain:
            c.mknod("null", stat.S_IFCHR | 0o666, 1, 3)
            self.assertEqual(self.ea("null")["$LXDEV"], (1, 3))
            self.assertEqual(os.getxattr(os.path.join(self.share, "null"), "system.ntfs_reparse_data")[:4], struct.pack("<I", 0x80000025))


class Exfat(Beside):
    """exFAT by its FUSE driver: no owners, attributes, links or special files."""

    options = ""
    any_names = False

    def prepare(self):
        self.need("mkfs.exfat", "mount.exfat-fuse", "losetup")
        self.make_image("mkfs.exfat")
        done = subprocess.run(["losetup", "-f", "--show", self.image], capture_output=True, text=True, check=False)
        if done.returncode:
            self.skipTest(f"no loop device: {done.stderr.strip()}")
        self.loop = done.stdout.strip()
        uid = (f"uid={PLAIN},gid={PLAIN}",) if self.plain else ()
        self.mount("mount.exfat-fuse", "-o", ",".join(("allow_other", *uid)), self.loop, self.share)

    def test_any_case(self):
        c = self.c
        c.put("File", 0o600)
        self.assertEqual(c.stat("fILE")[0], "0o100600")
        c.set("FILE", mode=0o640)
        self.assertEqual(self.again().stat("file")[0], "0o100640")
        self.fails(errno.EEXIST, self.c.put, "FILE")
        # Another case is another spelling of the same record.
        for name, other in (("File", "FILE"), ("FILE", "file"), ("file", "File")):
            self.c.rename(name, other)
            # The kernel's vfat leaves the spelling as it is.
            self.assertEqual([n.lower() for n in self.c.list()], ["file"])
            self.assertEqual(self.again().stat("fiLe")[0], "0o100640")
        # Who could write it could make himself root in the container.
        self.assertIn(SIDECAR, os.listdir(self.share))
        for name in (".SKERRY-META", ".skerry-Meta.New"):
            self.fails(errno.ENOENT, self.c.get, name)
            self.fails(errno.EPERM, self.c.put, name)
            self.fails(errno.ENOENT, self.c.unlink, name)


class Kernel(Exfat):
    """The same by the kernel's driver, where there is one."""

    kind, make = "exfat", ("mkfs.exfat",)

    def prepare(self):
        self.need(self.make[0], "losetup")
        with open("/proc/filesystems", encoding="ascii") as file:
            if self.kind not in file.read().split():
                self.skipTest(f"this kernel has no {self.kind}")
        self.make_image(*self.make)
        self.loop = subprocess.run(["losetup", "-f", "--show", self.image], capture_output=True, text=True, check=True).stdout.strip()
        uid = (f"uid={PLAIN},gid={PLAIN}",) if self.plain else ()
        self.mount("mount", "-t", self.kind, "-o", ",".join(("rw", *uid)), self.loop, self.share)


class Vfat(Kernel):
    kind, make = "vfat", ("mkfs.vfat", "-F", "32")


class Held(Beside):
    """A file system that refuses to remove and to replace open files: held.py."""

    options = ""
    driver = None

    def prepare(self):
        if not ROOT:
            self.skipTest("mounting needs root")
        if not os.path.exists("/dev/fuse"):
            self.skipTest("no /dev/fuse")
        held = os.path.join(os.path.dirname(os.path.abspath(__file__)), "held.py")
        self.driver = subprocess.Popen([sys.executable, held, self.share], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.driver.stdout.readline() != "ready\n":
            self.skipTest(self.driver.communicate()[1].strip())
        self.mounted = True

    def clean(self):
        super().clean()
        if self.driver:
            self.driver.communicate(timeout=30)

    def names(self, path=""):
        """As the host sees them."""
        return set(os.listdir(os.path.join(self.share, path))) - {SIDECAR}

    def test_hidden_until_closed(self):
        c = self.c
        c.mkdir("d")
        fid = c.make("d/f", 0o600, data=b"one")
        c.unlink("d/f")
        c.put("d/f", 0o640, data=b"two")
        second = c.fid = c.fid + 1
        c.walk(0, second, "d", "f")
        c.open(second, 2)
        c.put("d/g", 0o604, data=b"three")
        c.rename("d/g", "d/f")
        self.assertEqual((set(c.list("d")), c.get("d/f"), c.stat("d/f")[0]), ({"f"}, b"three", "0o100604"))
        hidden = self.names("d") - {"f"}
        self.assertEqual(len(hidden), 2)
        for name in hidden:
            self.fails(errno.ENOENT, c.stat, "d/" + name)
            self.fails(errno.EPERM, c.put, "d/" + name)
            self.fails(errno.ENOENT, c.unlink, "d/" + name)
            self.fails(errno.ENOENT, c.rename, "d/" + name, "stolen")
        self.assertEqual((c.read(fid, 0, 10), c.read(second, 0, 10)), (b"one", b"two"))
        c.unlink("d/f")
        # Nothing that is seen is in it any more.
        c.unlink("d", REMOVEDIR)
        self.assertEqual((c.list(), len(self.names())), ({}, 2))
        c.clunk(fid)
        c.clunk(second)
        self.assertEqual(self.names(), set())

    def test_killed_with_hidden_files(self):
        c = self.c
        c.mkdir("d")
        c.make("d/f", data=b"gone")
        c.unlink("d/f")
        c.put("d/stays", 0o640, gid=4, data=b"stays")
        self.assertEqual(len(self.names("d")), 2)
        c = self.again()
        self.assertEqual((set(c.list("d")), self.names("d")), ({"stays"}, {"stays"}))
        # As it is between two steps: moved aside, and nothing in its place; or something.
        for there in (False, True):
            aside = ".skerry-over-0123456789abcdef-stays"
            os.rename(os.path.join(self.share, "d/stays"), os.path.join(self.share, "d", aside))
            if there:
                c.put("d/stays", 0o600, data=b"new")
            self.assertEqual(set(c.list("d")) - {"stays"}, set())
            self.assertEqual(self.names("d"), {"stays"})
            self.assertEqual(c.get("d/stays"), b"new" if there else b"stays")
            if not there:
                self.assertEqual(c.stat("d/stays"), ("0o100640", 0, 4))
        # A directory that is removed without having been listed.
        c.make("d/f")
        c.unlink("d/f")
        c.unlink("d/stays")
        c = self.again()
        c.unlink("d", REMOVEDIR)
        self.assertEqual(self.names(), set())

    def test_names_like_ours(self):
        """What looks like a name of ours and is none."""
        c = self.c
        for name in (".skerry-gone-0123456789abcde", ".skerry-gone-0123456789abcdefg", ".skerry-over-0123456789abcdef", ".skerry-over-0123456789abcdef-",
                     ".skerry-gone-0123456789ABCDEF"):
            c.put(name, data=b"x")
            self.assertIn(name, c.list())
            self.assertEqual(c.get(name), b"x")

    def test_open_on_the_host(self):
        c = self.c
        c.put("f", data=b"of the host")
        with open(os.path.join(self.share, "f"), "rb") as file:
            c.unlink("f")
            self.assertEqual(c.list(), {})
            self.assertEqual(file.read(), b"of the host")
            self.assertEqual(len(self.names()), 1)
        c.list()
        self.assertEqual(self.names(), set())

    def test_long_names(self):
        """There is no room for what it was called: the host's answer stands."""
        c, name = self.c, "n" * 255
        fid = c.make(name, data=b"old")
        c.put("new")
        self.fails((errno.EACCES, errno.EBUSY), c.rename, "new", name)
        c.unlink(name)
        self.assertEqual(set(c.list()), {"new"})
        self.assertEqual(c.read(fid, 0, 3), b"old")
        c.clunk(fid)
        self.assertEqual(self.names(), {"new"})


class TrustStays(unittest.TestCase):
    """Root's share of a file system that keeps owners is as it was."""

    @unittest.skipUnless(ROOT, "needs root")
    def test_the_hosts_own(self):
        Beside.options, saved = "", Beside.options
        case = Beside("test_owner_and_mode")
        try:
            case.setUp()
            case.c.put("f", 0o640)
            case.c.set("f", uid=70, gid=71)
            st = os.stat(os.path.join(case.share, "f"))
            self.assertEqual((st.st_uid, st.st_gid, oct(st.st_mode)), (70, 71, "0o100640"))
            self.assertEqual(os.listdir(case.share), ["f"])
            self.assertEqual(os.listxattr(os.path.join(case.share, "f")), [])
        finally:
            case.doCleanups()
            Beside.options = saved


KINDS = (Beside, BesideOnly, Ntfs, NtfsWsl, Exfat, Kernel, Vfat, Held)


def as_user(base):
    return type(base.__name__ + "AsUser", (base,), {"plain": True})


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    for base in KINDS:
        suite.addTests(loader.loadTestsFromTestCase(base))
        if ROOT:
            suite.addTests(loader.loadTestsFromTestCase(as_user(base)))
    suite.addTests(loader.loadTestsFromTestCase(TrustStays))
    return suite


def run(module):
    """The tests of a module."""
    global PROGRAM  # pylint: disable=global-statement
    # A plain user has to reach the program.
    if ROOT:
        directory = tempfile.mkdtemp(prefix="sk-9pd-bin-")
        os.chmod(directory, 0o755)
        PROGRAM = shutil.copy(PROGRAM, directory)
        # By name, too.
        for base in [v for v in vars(module).values() if isinstance(v, type) and hasattr(v, "plain")]:
            setattr(module, base.__name__ + "AsUser", as_user(base))
    try:
        unittest.main(module=module, argv=[sys.argv[0], *sys.argv[2:]], verbosity=1, warnings="ignore")
    finally:
        if ROOT:
            shutil.rmtree(directory)


if __name__ == "__main__":
    run(sys.modules[__name__])
