#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_ninepd_windows.py WINE SKERRY-9PD.EXE: the program as a whole, under Wine: a directory of this machine over TCP."""
import errno
import os
import pty
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import p9

PROGRAM = sys.argv[1:3]
SECRET = b"a secret of more than 16 bytes"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="sk-9pd-")
        self.share = os.path.join(self.top, "share")
        self.outside = os.path.join(self.top, "outside")
        os.mkdir(self.share)
        os.mkdir(self.outside)
        with open(os.path.join(self.outside, "secret"), "w", encoding="ascii") as file:
            file.write("out of reach")
        self.secret = os.path.join(self.top, "file")
        with open(self.secret, "wb") as file:
            file.write(SECRET + b"\r\n")
        self.server = None

    def tearDown(self):
        if self.server:
            self.server.terminate()
            self.server.wait(30)
            self.server.stderr.close()
        shutil.rmtree(self.top)

    def launch(self, *words):
        return subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False)

    def serve(self, *more, export=None):
        port = free_port()
        self.server = subprocess.Popen([*PROGRAM, "--no-sandbox", "--export", export or f"x=Z:{self.share}", *more,
                                        "--listen", f"127.0.0.1:{port}"], stderr=subprocess.PIPE, text=True)
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return "127.0.0.1", port
            except ConnectionRefusedError:
                if self.server.poll() is not None:
                    self.fail("the server does not start: " + self.server.stderr.read())
                time.sleep(0.1)
        self.fail("the server does not listen")
        return None

    def client(self, address, **more):
        c = p9.Client(address)
        self.addCleanup(c.close)
        c.ready(**more)
        return c

    def fails(self, code, call, *args, **more):
        with self.assertRaises(p9.Error) as caught:
            call(*args, **more)
        self.assertEqual(caught.exception.errno, code)


class Case(Server):
    def test_words(self):
        done = self.launch("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("--secret-file FILE", done.stdout)
        for words, why in (
            (("--export", self.share, "--listen", "127.0.0.1:1"), "there is no sandbox on Windows yet"),
            (("--no-sandbox", "--listen", "127.0.0.1:1"), "nothing to share"),
            (("--no-sandbox", "--export", self.share), "nobody to share with"),
            (("--no-sandbox", "--export", self.share, "--listen", "0.0.0.0:1"), "can be reached by others"),
            (("--no-sandbox", "--export", self.share + ":trust", "--listen", "127.0.0.1:1"), "not an option of an export on Windows: trust"),
            (("--no-sandbox", "--export", self.share, "--vhost-user", "a=b"), "vhost-user"),
            (("--no-sandbox", "--export", self.top + "/none", "--listen", f"127.0.0.1:{free_port()}"), "cannot share .*none: No such file"),
        ):
            done = self.launch(*words)
            self.assertEqual(done.returncode, 1, words)
            self.assertRegex(done.stderr, why)
        _, port = self.serve()
        done = self.launch("--no-sandbox", "--export", self.share, "--listen", f"127.0.0.1:{port}")
        self.assertIn(f"cannot listen on 127.0.0.1:{port}: Address already in use", done.stderr)

    def test_files(self):
        c = self.client(self.serve())
        c.walk(0, 1)
        c.create(1, "f\u00e4.txt")
        data = os.urandom(200000)
        for at in range(0, len(data), 50000):
            self.assertEqual(c.write(1, at, data[at:at + 50000]), 50000)
        c.call("fsync", struct.pack("<II", 1, 0))
        with open(os.path.join(self.share, "f\u00e4.txt"), "rb") as file:
            self.assertEqual(file.read(), data)
        got = b""
        while True:
            more = c.read(1, len(got), 60000)
            if not more:
                break
            got += more
        self.assertEqual(got, data)
        # What this machine makes is seen; a directory, and names in it.
        os.makedirs(os.path.join(self.share, "d", "e"))
        with open(os.path.join(self.share, "d", "e", "deep"), "w", encoding="ascii") as file:
            file.write("hello")
        c.walk(0, 2, "d", "e", "deep")
        c.open(2)
        self.assertEqual(c.read(2, 0, 100), b"hello")
        c.call("mkdir", struct.pack("<I", 0) + p9.s("made") + struct.pack("<II", 0o755, 0))
        self.assertTrue(os.path.isdir(os.path.join(self.share, "made")))
        c.call("renameat", struct.pack("<I", 0) + p9.s("made") + struct.pack("<I", 0) + p9.s("moved"))
        self.assertEqual(sorted(os.listdir(self.share)), ["d", "f\u00e4.txt", "moved"])
        c.call("unlinkat", struct.pack("<I", 0) + p9.s("moved") + struct.pack("<I", 0x200))
        self.fails(errno.ENOENT, c.walk, 0, 3, "moved")
        # Open and removed: still readable, and the name is free.
        c.call("unlinkat", struct.pack("<I", 0) + p9.s("f\u00e4.txt") + struct.pack("<I", 0))
        self.assertEqual(c.read(1, 0, 10), data[:10])
        self.assertNotIn("f\u00e4.txt", os.listdir(self.share))
        c.clunk(1)
        self.assertEqual(os.listdir(self.share), ["d"])

    def test_interrupt(self):
        """Ctrl-C ends it in order, although a directory is watched and a client is there."""
        port = free_port()
        pid, fd = pty.fork()
        if pid == 0:
            os.environ["TERM"] = "xterm"
            os.execv(PROGRAM[0], [*PROGRAM, "--no-sandbox", "--export", f"x=Z:{self.share}", "--listen", f"127.0.0.1:{port}"])
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        c = self.client(("127.0.0.1", port))
        c.walk(0, 1)
        os.write(fd, b"\x03")
        try:
            while os.read(fd, 4096):
                pass
        except OSError: # the terminal's other side is closed
            pass
        os.close(fd)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)

    def test_nothing_leads_out(self):
        """Not with links: those of the host below Wine are followed by Wine itself, and it makes none of its own."""
        os.mkdir(os.path.join(self.share, "d"))
        c = self.client(self.serve())
        # ".." of the root is the root, where there is no "outside".
        for names in (["..", "outside", "secret"], ["..\\outside\\secret"], ["d", "..", "..", "outside"]):
            with self.assertRaises(p9.Error):
                c.walk(0, 5, *names)
        self.fails(errno.EPERM, c.call, "symlink", struct.pack("<I", 0) + p9.s("l") + p9.s("/etc") + struct.pack("<I", 0))

    def test_read_only(self):
        c = self.client(self.serve(export=f"x=Z:{self.share}:ro"))
        c.walk(0, 1)
        self.fails(errno.EROFS, c.create, 1, "f")

    def test_secret(self):
        address = self.serve("--secret-file", self.secret)
        c = p9.Client(address)
        self.addCleanup(c.close)
        c.version()
        with self.assertRaises(p9.Error):
            c.attach()
        c.auth(9, "me", "", 1, SECRET)
        c.attach(0, "", "me", 1, 9)
        c.walk(0, 1)
        d = p9.Client(address)
        self.addCleanup(d.close)
        d.version()
        d.auth(9, "me", "", 1, b"another secret of 16 bytes")
        with self.assertRaises(p9.Error):
            d.attach(0, "", "me", 1, 9)

    def test_many_clients(self):
        """Several at once, and one that sends rubbish: it alone goes."""
        address = self.serve()
        clients = [self.client(address) for _ in range(20)]
        bad = p9.Client(address)
        self.addCleanup(bad.close)
        bad.sock.sendall(b"\xff" * 64)
        with self.assertRaises((ConnectionError, p9.Error)):
            bad.exactly(1)
        errors = []

        def work(number, c):
            try:
                c.walk(0, 1)
                c.create(1, f"f{number}")
                for at in range(50):
                    c.write(1, at * 10, b"0123456789")
                c.clunk(1)
            except Exception as e:  # pylint: disable=broad-except
                errors.append(e)

        threads = [threading.Thread(target=work, args=pair) for pair in enumerate(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        self.assertEqual({os.path.getsize(os.path.join(self.share, name)) for name in os.listdir(self.share)}, {500})
        self.assertEqual(len(os.listdir(self.share)), 20)


class Notices(Server):
    """What this machine does in a share is told to a client that asks, and what a client does itself is not."""
    KINDS = {1: "create", 2: "delete", 3: "modify", 4: "attrib", 5: "rename", 6: "lost", 7: "close_write"}

    def setUp(self):
        super().setUp()
        self.ends = 0

    def listen(self, *more, export=None, aname=""):
        c = self.client(self.serve(*more, export=export), aname=aname, version="9P2000.L.sk1")
        # What is done while a client has not asked yet is not told it.
        self.tag = c.send(90, struct.pack("<I", 32768))
        return c

    def path(self, *names):
        return os.path.join(self.share, *names)

    def write(self, text, *names):
        with open(self.path(*names), "a", encoding="ascii") as file:
            file.write(text)

    def events(self, c, names, end=None):
        """All until a name that is made now, in the directory `end`: (kind, directory's name, name, …)."""
        def make_end():
            self.ends += 1
            os.mkdir(self.path(*([end] if end else []), f"end-{self.ends}"))
            return f"end-{self.ends}"

        last = make_end()
        told = []
        while True:
            body = c.wait(self.tag)
            self.tag = c.send(90, struct.pack("<I", 32768))
            at = 4
            while at < len(body):
                kind, is_dir, one, two = struct.unpack_from("<BBQQ", body, at)
                at += 18
                text = []
                for _ in range(2):
                    n, = struct.unpack_from("<H", body, at)
                    text.append(body[at + 2:at + 2 + n].decode())
                    at += 2 + n
                if text[0].startswith("end-") and text[0] != last:
                    continue
                if text[0] == last:
                    self.assertEqual((self.KINDS[kind], is_dir), ("create", 1))
                    self.assertEqual(at, len(body))
                    return told
                event = (self.KINDS[kind] + (" dir" if is_dir else ""), names.get(one, ""), text[0])
                told.append(event + ((names.get(two, ""), text[1]) if kind == 5 else ()))
                if kind == 6: # and perhaps the end with them
                    last = make_end()

    def test_others(self):
        os.makedirs(self.path("d"))
        os.makedirs(self.path("unknown"))
        c = self.listen()
        c.walk(0, 1, "d")
        names = {c.getattr(0)["path"]: "/", c.getattr(1)["path"]: "/d"}
        self.write("x", "f")
        self.assertEqual(self.events(c, names), [("create", "/", "f"), ("modify", "/", "f"), ("close_write", "/", "f")])
        self.write("more", "f")
        self.assertEqual(self.events(c, names), [("modify", "/", "f"), ("close_write", "/", "f")])
        os.rename(self.path("f"), self.path("g\u00e4"))
        self.assertEqual(self.events(c, names), [("rename", "/", "f", "/", "g\u00e4")])
        # Below, where somebody has walked to, and where nobody has.
        self.write("x", "d", "deep")
        self.write("x", "unknown", "deep")
        self.assertEqual([e for e in self.events(c, names) if e[0] != "close_write"], [("create", "/d", "deep"), ("modify", "/d", "deep")])
        os.mkdir(self.path("d", "sub"))
        self.assertEqual(self.events(c, names), [("create dir", "/d", "sub")])
        c.walk(0, 2, "d", "sub")
        os.rmdir(self.path("d", "sub"))
        os.remove(self.path("d", "deep"))
        self.assertEqual(self.events(c, names), [("delete dir", "/d", "sub"), ("delete", "/d", "deep")])
        # As editors replace files.
        self.write("new", "tmp")
        os.replace(self.path("tmp"), self.path("g\u00e4"))
        told = self.events(c, names)
        self.assertEqual(told[0], ("create", "/", "tmp"))
        self.assertEqual(told[-1], ("rename", "/", "tmp", "/", "g\u00e4"))
        # From a directory to another.
        os.rename(self.path("g\u00e4"), self.path("d", "h"))
        self.assertIn(self.events(c, names, "d"), [[("rename", "/", "g\u00e4", "/d", "h")], [("delete", "/", "g\u00e4"), ("create", "/d", "h")]])

    def test_own(self):
        c = self.listen()
        names = {c.getattr(0)["path"]: "/"}
        c.walk(0, 1)
        c.create(1, "own")
        for at in range(20):
            c.write(1, at, b"x")
        c.call("renameat", struct.pack("<I", 0) + p9.s("own") + struct.pack("<I", 0) + p9.s("moved"))
        c.call("mkdir", struct.pack("<I", 0) + p9.s("dir") + struct.pack("<II", 0o755, 0))
        c.walk(0, 2)
        c.create(2, "other")
        c.clunk(2)
        c.call("renameat", struct.pack("<I", 0) + p9.s("other") + struct.pack("<I", 0) + p9.s("moved"))
        c.call("unlinkat", struct.pack("<I", 0) + p9.s("moved") + struct.pack("<I", 0))
        c.clunk(1)
        c.call("unlinkat", struct.pack("<I", 0) + p9.s("dir") + struct.pack("<I", 0x200))
        for i in range(200):
            c.walk(0, 3)
            c.create(3, f"many{i}")
            c.write(3, 0, b"x")
            c.clunk(3)
        self.assertEqual(self.events(c, names), [])
        # Another name, and the same one later.
        self.write("x", "host")
        self.assertEqual(len(self.events(c, names)), 3)
        time.sleep(2.5)
        self.write("x", "many1")
        self.assertEqual(self.events(c, names), [("modify", "/", "many1"), ("close_write", "/", "many1")])

    def test_many(self):
        """More than there is room for: all of it is told to be lost, and the next thing is told."""
        os.mkdir(self.path("d"))
        c = self.listen()
        c.walk(0, 1, "d")
        names = {c.getattr(0)["path"]: "/", c.getattr(1)["path"]: "/d"}
        for i in range(300):
            self.write("x", "d", f"a-rather-long-name-{i}-" + 100 * "x")
        told = self.events(c, names)
        self.assertTrue(("lost", "", "") in told or len({e[2] for e in told}) == 300, len(told))
        self.write("x", "after")
        self.assertEqual(len(self.events(c, names)), 3)

    def test_several_exports(self):
        """One inside of the other, and a single file: each thing is told once."""
        os.mkdir(self.path("d"))
        self.write("x", "one")
        c = self.listen("--export", f"y=Z:{self.share}/d", "--export", f"z=Z:{self.share}/one", aname="x")
        c.attach(1, "y")
        c.attach(2, "z")
        names = {c.getattr(0)["path"]: "/", c.getattr(1)["path"]: "/d"}
        self.write("x", "d", "f")
        self.write("x", "one")
        self.assertEqual([e for e in self.events(c, names) if e[0] != "close_write"], [("create", "/d", "f"), ("modify", "/d", "f"), ("modify", "/", "one")])

    def test_single_file(self):
        """Its neighbours are not told of."""
        self.write("x", "one")
        c = self.listen(export=f"x=Z:{self.share}/one")
        names = {c.getattr(0)["path"]: "/"}
        self.write("x", "two")
        self.write("more", "one")
        body = c.wait(self.tag)
        self.assertIn(b"\x03\0one", body)
        self.assertNotIn(b"two", body)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
