#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_ninepd_windows.py WINE SKERRY-9PD.EXE: the program as a whole, under Wine: a directory of this machine over TCP."""
import errno
import os
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


class Case(unittest.TestCase):
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
                self.assertIsNone(self.server.poll(), "the server does not start")
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


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
