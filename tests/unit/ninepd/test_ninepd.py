#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_ninepd.py SKERRY-9PD: the program as a whole: its sockets, its secret, its cage, and clients that mean it harm.

As root each server runs twice, as root and as a plain user. Needs no guest.
"""
import errno
import fcntl
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import p9

PROGRAM = sys.argv[1]
ROOT = os.getuid() == 0
FULL = os.environ.get("SKERRY_TEST_FULL") == "1"
PLAIN = 65534
RD, WR, UN = 0, 1, 2
BLOCK = 1
SECRET = b"a secret of more than 16 bytes"


class Case(unittest.TestCase):
    """A directory, and servers for it."""

    plain = not ROOT

    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="sk-9pd-")
        os.chmod(self.top, 0o755)
        self.share = os.path.join(self.top, "share")
        self.outside = os.path.join(self.top, "outside")
        self.sockets = os.path.join(self.top, "sockets")
        for directory in (self.share, self.outside, self.sockets):
            os.mkdir(directory)
            os.chmod(directory, 0o777)
        with open(os.path.join(self.outside, "secret"), "w", encoding="ascii") as file:
            file.write("out of reach")
        os.chmod(os.path.join(self.outside, "secret"), 0o666)
        self.servers, self.mounts = [], []

    def tearDown(self):
        for server in self.servers:
            if server.poll() is None:
                server.terminate()
            self.assertEqual(server.wait(30), 0, "the server ended badly")
        for where in self.mounts:
            subprocess.run(["umount", where], check=True)
        shutil.rmtree(self.top)

    def launch(self, *words):
        prefix = ["setpriv", f"--reuid={PLAIN}", f"--regid={PLAIN}", "--clear-groups"] if ROOT and self.plain else []
        return subprocess.Popen(prefix + [PROGRAM, *words], stderr=subprocess.PIPE, text=True)

    def serve(self, *more, export=None):
        path = os.path.join(self.sockets, f"s{len(self.servers)}")
        # With the user's rights on its socket only: this test may be another.
        server = self.launch("--export", export or f"x={self.share}", "--socket", path, *more)
        self.servers.append(server)
        for _ in range(600):
            if os.path.exists(path) or server.poll() is not None:
                break
            time.sleep(0.02)
        self.assertIsNone(server.poll(), "the server does not start")
        time.sleep(0.05)
        server.stderr.close()
        self.pid = server.pid
        return path

    def client(self, path, **more):
        for _ in range(100):
            try:
                client = p9.Client(path, **more)
                break
            except (ConnectionRefusedError, BlockingIOError):
                time.sleep(0.02)
        self.addCleanup(client.close)
        return client

    def fails(self, code, function, *args, **more):
        with self.assertRaises(OSError) as caught:
            function(*args, **more)
        codes = code if isinstance(code, tuple) else (code,)
        self.assertIn(caught.exception.errno, codes, caught.exception)

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def settles(self, function, wanted):
        """Waits for `function` to say `wanted`."""
        for _ in range(500):
            if function() == wanted:
                return
            time.sleep(0.02)
        self.assertEqual(function(), wanted)

    def put(self, name, text="x"):
        with open(os.path.join(self.share, name), "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(os.path.join(self.share, name), 0o666)

    def locked_on_host(self, name):
        """Whether a program of the host would have to wait for it."""
        with open(os.path.join(self.share, name), "r+b") as file:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return False
            except OSError:
                return True


class Sockets(Case):
    def test_unix_and_tcp_on_loopback(self):
        self.put("f", "hello")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        path = self.serve("--listen", f"127.0.0.1:{port}")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        for address in (path, ("127.0.0.1", port)):
            c = self.client(address).ready()
            c.walk(0, 1, "f")
            c.open(1)
            self.assertEqual(c.read(1, 0, 100), b"hello")
            c.clunk(1)

    def test_sigterm_at_any_moment(self):
        """From the moment on that the signal is not fatal, none is lost."""

        def handled(pid):
            with open(f"/proc/{pid}/status", encoding="ascii") as file:
                masks = re.findall(r"^Sig(?:Blk|Cgt):\t([0-9a-f]+)", file.read(), re.M)
            return any(int(mask, 16) >> (signal.SIGTERM - 1) & 1 for mask in masks)

        for i in range(20):
            server = self.launch("--export", self.share, "--socket", os.path.join(self.sockets, f"t{i}"))
            while not handled(server.pid):
                pass
            time.sleep(i / 5000)
            server.terminate()
            try:
                self.assertEqual(server.wait(10), 0)
            finally:
                server.kill()
                server.stderr.close()

    def test_ends_with_its_owner(self):
        """Also when it has acted for other users, which takes a parent-death signal away; not before."""
        ours, owner = os.pipe()
        with open(os.path.join(self.share, "f"), "w", encoding="ascii"):
            pass
        path = os.path.join(self.sockets, "owned")
        prefix = ["setpriv", f"--reuid={PLAIN}", f"--regid={PLAIN}", "--clear-groups"] if ROOT and self.plain else []
        server = subprocess.Popen(prefix + [PROGRAM, "--export", f"x={self.share}", "--socket", path, "--owner", str(ours)],
                                  pass_fds=[ours], stderr=subprocess.PIPE)
        os.close(ours)
        self.addCleanup(server.stderr.close)
        self.addCleanup(server.kill)
        self.settles(lambda: os.path.exists(path), True)
        c = self.client(path).ready()
        c.walk(0, 1)
        c.create(1, "made")
        self.assertIsNone(server.poll())
        os.close(owner)
        self.assertEqual(server.wait(10), -signal.SIGKILL)

    def test_owner_that_has_gone(self):
        ours, owner = os.pipe()
        os.close(owner)
        self.addCleanup(os.close, ours)
        for fd, why in ((ours, "the owner has gone"), (999, "no descriptor of a pipe")):
            server = subprocess.run([PROGRAM, "--export", self.share, "--socket", os.path.join(self.sockets, "n"), "--owner", str(fd)],
                                    pass_fds=[ours], stderr=subprocess.PIPE, text=True, timeout=30, check=False)
            self.assertEqual(server.returncode, 1)
            self.assertIn(why, server.stderr)

    def test_others_are_not_listened_to_without_a_secret(self):
        for address in ("0.0.0.0:0", "[::]:0"):
            done = self.launch("--export", self.share, "--listen", address)
            self.assertNotEqual(done.wait(30), 0)
            self.assertRegex(done.stderr.read(), "can be reached by others: give --secret-file")
            done.stderr.close()

    def test_auth_is_refused_and_the_session_goes_on(self):
        c = self.client(self.serve())
        c.version()
        self.fails(errno.EOPNOTSUPP, c.call, "auth", struct.pack("<I", 5) + p9.s("u") + p9.s("") + struct.pack("<I", 0))
        c.attach()

    def test_versions(self):
        c = self.client(self.serve())
        self.fails(errno.EPROTO, c.attach)
        self.assertEqual(c.version(version="9P2000.u"), (65536, "unknown"))
        self.fails(errno.EPROTO, c.attach)
        self.fails(errno.EINVAL, c.version, msize=4095)
        size, name = c.version(msize=1 << 30)
        self.assertEqual(name, "9P2000.L")
        self.assertLessEqual(size, 1 << 20)
        c.attach(0)
        c.version()
        self.fails(errno.EBADF, c.getattr, 0)

    def test_several_exports(self):
        other = os.path.join(self.top, "other")
        os.mkdir(other)
        os.chmod(other, 0o777)
        self.put("f")
        path = self.serve("--export", f"other={other}:ro")
        c = self.client(path)
        c.version()
        self.fails(errno.ENOENT, c.attach, 9, "none")
        c.attach(0, "x")
        c.attach(1, "/other")
        self.fails(errno.EROFS, c.create, 1, "f")
        self.fails(errno.EROFS, c.call, "mkdir", struct.pack("<I", 1) + p9.s("d") + struct.pack("<II", 0o755, 0))
        c.walk(0, 2, "f")
        self.fails((errno.EXDEV, errno.EROFS), c.call, "link", struct.pack("<II", 1, 2) + p9.s("l"))
        self.fails((errno.EXDEV, errno.EROFS), c.call, "rename", struct.pack("<II", 2, 1) + p9.s("l"))

    def test_one_file_without_its_siblings(self):
        self.put("only", "this one")
        self.put("sibling", "not this one")
        c = self.client(self.serve(export=f"x={self.share}/only"))
        c.ready()
        self.fails(errno.ENOENT, c.walk, 0, 1, "sibling")
        c.walk(0, 1, "..")
        self.fails(errno.ENOENT, c.walk, 1, 2, "sibling")
        c.walk(0, 3, "only")
        c.open(3, 2)
        self.assertEqual(c.read(3, 0, 99), b"this one")
        c.walk(0, 4)
        self.fails((errno.EACCES, errno.EPERM, errno.EROFS), c.create, 4, "new")
        self.fails((errno.EACCES, errno.EPERM, errno.EROFS), c.call, "unlinkat", struct.pack("<I", 0) + p9.s("only") + struct.pack("<I", 0))


class Secret(Case):
    def setUp(self):
        super().setUp()
        self.file = os.path.join(self.top, "secret")
        with open(self.file, "wb") as file:
            file.write(SECRET + b"\n")
        os.chmod(self.file, 0o644)

    def test_proof(self):
        path = self.serve("--secret-file", self.file)
        c = self.client(path)
        c.version()
        c.auth(9, "me", "", 1000, SECRET)
        self.fails(errno.EACCES, c.attach, 0, "", "somebody-else", 1000, 9)
        self.fails(errno.EACCES, c.attach, 0, "", "me", 0, 9)
        c.attach(0, "", "me", 1000, 9)
        c.attach(1, "", "me", 1000, 9)
        c.clunk(9)
        c.getattr(0)

    def test_without(self):
        path = self.serve("--secret-file", self.file)
        c = self.client(path)
        c.version()
        self.fails(errno.EACCES, c.attach)
        self.fails(errno.EBADF, c.getattr, 0)
        self.fails(errno.EACCES, c.attach, afid=3)
        c.auth(9, "me", "", 1, b"not the secret that it should be")
        self.fails(errno.EACCES, c.attach, 0, "", "me", 1, 9)
        codes = []
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            for _ in range(5):
                try:
                    c.attach(0, "", "me", 1, 9)
                except p9.Error as error:
                    codes.append(error.errno)
        self.assertLessEqual(codes, [errno.EACCES])
        # Not even a walk from the fid of the proof.
        c = self.client(path)
        c.version()
        c.auth(9, "me", "", 1, SECRET)
        self.fails(errno.EBADF, c.walk, 9, 10)
        self.fails(errno.EBADF, c.open, 9)
        self.fails((errno.EINVAL, errno.EMSGSIZE), c.write, 9, 0, b"x" * 300)

    def test_a_proof_is_good_for_one_connection(self):
        path = self.serve("--secret-file", self.file)
        c = self.client(path)
        c.version()
        proof = c.auth(9, "me", "", 1, SECRET)
        c.attach(0, "", "me", 1, 9)
        d = self.client(path)
        d.version()
        d.call("auth", struct.pack("<I", 9) + p9.s("me") + p9.s("") + struct.pack("<I", 1))
        d.write(9, 0, proof)
        self.fails(errno.EACCES, d.attach, 0, "", "me", 1, 9)

    def known(self, address):
        """A client that proves that it knows the secret."""
        c = self.client(address)
        c.version()
        c.auth(9, "me", "", 1, SECRET)
        c.attach(0, "", "me", 1, 9)
        return c

    def is_closed(self, client):
        """Whether the server has ended the connection of a client that waits for nothing."""
        client.sock.settimeout(0)
        try:
            return client.sock.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    def test_strangers_keep_nobody_out(self):
        path = self.serve("--secret-file", self.file)
        first = self.known(path)
        idle = [self.client(path) for _ in range(100)]
        for _ in range(3):
            self.known(path).getattr(0)
        first.getattr(0)
        # The oldest of the strangers went, and nobody else.
        self.assertTrue(self.is_closed(idle[0]))
        self.assertFalse(self.is_closed(idle[99]))

    def test_strangers_of_one_address(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.serve("--secret-file", self.file, "--listen", f"127.0.0.1:{port}")
        address = ("127.0.0.1", port)
        known = [self.known(address) for _ in range(12)]
        idle = [self.client(address) for _ in range(12)]
        self.settles(lambda: sum(self.is_closed(c) for c in idle), 4)
        known.append(self.known(address))
        for c in known:
            c.getattr(0)

    def test_a_proof_is_not_waited_for(self):
        path = self.serve("--secret-file", self.file)
        known, silent, asks = self.known(path), self.client(path), self.client(path)
        asks.version()
        asks.auth(9, "me", "", 1, b"not the secret that it should be")
        time.sleep(8)
        self.assertFalse(self.is_closed(silent) or self.is_closed(asks))
        self.settles(lambda: self.is_closed(silent) and self.is_closed(asks), True)
        known.getattr(0)

    def test_too_short(self):
        with open(self.file, "wb") as file:
            file.write(b"short")
        done = self.launch("--export", self.share, "--socket", self.sockets + "/s", "--secret-file", self.file)
        self.assertNotEqual(done.wait(30), 0)
        self.assertRegex(done.stderr.read(), "less than 16 bytes")
        done.stderr.close()


class Cage(Case):
    def status(self, key):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return re.search(rf"^{key}:\s*(\S+)", file.read(), re.M).group(1)

    def test_what_is_left_to_it(self):
        self.client(self.serve()).ready()
        self.assertEqual(self.status("NoNewPrivs"), "1")
        self.assertEqual(self.status("Seccomp"), "2")
        # chown, dac_override, dac_read_search, fowner, fsetid, setgid, setuid, linux_immutable, sys_admin, mknod, setfcap
        allowed = sum(1 << n for n in (0, 1, 2, 3, 4, 6, 7, 9, 21, 27, 31)) if not self.plain else 0
        for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            self.assertEqual(int(self.status(kind), 16) & ~allowed, 0, kind)
        if not self.plain:
            self.assertEqual(int(self.status("CapBnd"), 16) & ~allowed, 0)

    def test_namespaces_hold_the_exports_alone(self):
        self.client(self.serve()).ready()
        if not ROOT:
            self.skipTest("only root can look into the namespace of a process")
        for kind in ("mnt", "net", "ipc", "uts"):
            self.assertNotEqual(os.readlink(f"/proc/{self.pid}/ns/{kind}"), os.readlink(f"/proc/self/ns/{kind}"), kind)
        self.assertEqual(os.listdir(f"/proc/{self.pid}/root"), ["proc"])
        self.assertEqual(os.listdir(f"/proc/{self.pid}/root/proc"), ["self"])
        self.assertEqual(os.listdir(f"/proc/{self.pid}/root/proc/self"), ["fd"])
        with open(f"/proc/{self.pid}/mountinfo", encoding="utf-8") as file:
            mounts = [line.split()[4] for line in file]
        self.assertEqual(sorted(mounts), ["/", "/proc/self/fd"])

    def test_devices_are_not_opened_and_fifos_do_not_block(self):
        os.mkfifo(os.path.join(self.share, "fifo"))
        os.chmod(os.path.join(self.share, "fifo"), 0o666)
        names = ["fifo"]
        if ROOT:
            os.mknod(os.path.join(self.share, "mem"), 0o666 | stat.S_IFCHR, os.makedev(1, 1))
            names.append("mem")
        c = self.client(self.serve()).ready()
        for i, name in enumerate(names):
            c.walk(0, 10 + i, name)
            self.fails(errno.ENXIO, c.open, 10 + i, 2)


class Hostile(Case):
    def test_names_that_lead_out(self):
        os.symlink(self.outside, os.path.join(self.share, "link"))
        os.symlink("/", os.path.join(self.share, "root"))
        os.symlink("/proc/self/fd", os.path.join(self.share, "fds"))
        os.mkdir(os.path.join(self.share, "d"))
        c = self.client(self.serve()).ready()
        top = c.getattr(0)["path"]
        for names in (["link", "secret"], ["root", "etc"], ["fds", "0"], ["d", "..", "..", "outside"], ["../outside"], ["/etc"], ["d/../.."], ["x\0y"], [""], ["."]):
            self.fails((errno.ENOENT, errno.ENOTDIR, errno.EINVAL), c.walk, 0, 1, *names)
        c.walk(0, 1, *[".."] * 16)
        self.assertEqual(c.getattr(1)["path"], top)
        self.fails(errno.EINVAL, c.walk, 0, 2, *["d"] * 17)
        for aname in ("..", "../outside", "/link/secret", "/root/etc/passwd", "/../../.."):
            d = self.client(self.sockets + "/s0")
            d.version()
            try:
                d.attach(0, aname)
                self.assertEqual(d.getattr(0)["path"], top)
            except OSError:
                pass
        c.walk(0, 5, "link")
        self.fails(errno.ELOOP, c.open, 5)
        u32 = struct.pack("<I", 0)
        for name in ("..", ".", "", "a/b", "../outside/new", "x\0"):
            self.fails(errno.EINVAL, c.call, "mkdir", u32 + p9.s(name) + struct.pack("<II", 0o755, 0))
            self.fails(errno.EINVAL, c.call, "unlinkat", u32 + p9.s(name) + struct.pack("<I", 0))
            self.fails(errno.EINVAL, c.call, "renameat", u32 + p9.s("d") + u32 + p9.s(name))
            self.fails(errno.EINVAL, c.call, "symlink", u32 + p9.s(name) + p9.s("t") + u32)
        # Even a link that this client makes itself is followed by nobody here.
        c.call("symlink", u32 + p9.s("mine") + p9.s(self.outside + "/secret") + u32)
        c.walk(0, 6, "mine")
        self.fails(errno.ELOOP, c.open, 6, 2)
        self.assertEqual(os.listdir(self.outside), ["secret"])

    def test_broken_messages(self):
        path = self.serve()
        good = self.client(path).ready()
        for data in (b"\0" * 7, struct.pack("<IBH", 6, 100, 0), struct.pack("<IBH", 1 << 31, 100, 0), b"\xff" * 64):
            bad = self.client(path)
            bad.sock.sendall(data)
            try:
                self.assertEqual(bad.sock.recv(100), b"")
            except ConnectionResetError:
                pass
        bad = self.client(path).ready(msize=8192)
        bad.sock.sendall(struct.pack("<IBH", 100000, 118, 1) + b"x" * 1000)
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            bad.receive()
        # Nonsense in a whole message is answered.
        for kind in (0, 6, 7, 9, 50, 99, 101, 123, 200, 255):
            self.fails((errno.EOPNOTSUPP, errno.EINVAL), good.call, kind, b"\xff" * 20)
        for kind in p9.TYPES:
            if kind != "version":
                self.fails((errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP, errno.ENOENT, errno.EISDIR, errno.EPERM), good.call, kind, b"")
        # Half a message and then silence disturbs nobody.
        half = self.client(path).ready()
        half.sock.sendall(struct.pack("<IBH", 5000, 118, 1))
        good.getattr(0)

    def test_descriptors_are_bounded(self):
        for i in range(300):
            self.put(f"f{i}")
        path = self.serve("--max-fds", "200")
        c = self.client(path).ready()
        opened = 0
        with self.assertRaises(OSError) as caught:
            for i in range(300):
                c.walk(0, 100 + i, f"f{i}")
                c.open(100 + i)
                opened += 1
        self.assertIn(caught.exception.errno, (errno.ENFILE, errno.EMFILE))
        self.assertGreater(opened, 30)
        self.assertLessEqual(self.fds(), 200)
        # It lives, for others too, and goes on when files are closed.
        d = self.client(path).ready()
        d.getattr(0)
        for i in range(opened):
            c.clunk(100 + i)
        c.walk(0, 1000, "f299")
        c.open(1000)
        # Fids without an open file cost none.
        for i in range(290):
            d.walk(0, 100 + i, f"f{i}")
        for i in range(0, 290, 13):
            self.assertEqual(d.getattr(100 + i)["size"], 1)

    def test_fids_and_memory_are_bounded(self):
        path = self.serve()
        c = self.client(path, timeout=300).ready()
        n, code = 300000 if FULL else 20000, None
        for start in range(1, n, 2000):
            data = b"".join(struct.pack("<IBHIIH", 17, 110, i % 2000, 0, i, 0) for i in range(start, start + 2000))
            c.sock.sendall(data)
            for _ in range(2000):
                _, kind, body = c.receive()
                if kind == 7:
                    code = struct.unpack("<I", body)[0]
        if FULL:
            self.assertEqual(code, errno.EMFILE)
        self.assertLess(self.rss(), 400 << 20)
        c.close()
        self.client(path).ready()

    def rss(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096

    def test_attribute_values_are_bounded(self):
        self.put("f")
        c = self.client(self.serve()).ready()
        code = None
        for i in range(100):
            c.walk(0, 100 + i, "f")
            try:
                c.call("xattrcreate", struct.pack("<I", 100 + i) + p9.s(f"user.a{i}") + struct.pack("<QI", 65536, 0))
            except OSError as error:
                code = error.errno
                break
        self.assertEqual(code, errno.ENOMEM)
        self.fails(errno.E2BIG, c.call, "xattrcreate", struct.pack("<I", 100 + i) + p9.s("user.b") + struct.pack("<QI", 65537, 0))

    def test_who_does_not_read_is_not_fed(self):
        with open(os.path.join(self.share, "big"), "wb") as file:
            file.truncate(1 << 30)
        os.chmod(os.path.join(self.share, "big"), 0o666)
        path = self.serve()
        c = self.client(path).ready(msize=1 << 20)
        c.walk(0, 1, "big")
        c.open(1)
        c.sock.setblocking(False)
        try:
            for i in range(100000):
                c.sock.send(struct.pack("<IBHIQI", 23, 116, i % 60000, 1, 0, 1 << 20))
        except BlockingIOError:
            pass
        d = self.client(path).ready()
        d.getattr(0)
        self.assertLess(self.rss(), 64 << 20)

    def test_connections_are_bounded(self):
        path = self.serve()
        clients = [self.client(path) for _ in range(80)]
        refused = 0
        for c in clients:
            try:
                c.version()
            except (ConnectionResetError, BrokenPipeError):
                refused += 1
        self.assertEqual(refused, 16)
        clients[0].close()
        clients[0] = None
        self.settles(lambda: self.can_talk(path), True)

    def can_talk(self, path):
        try:
            self.client(path).version()
            return True
        except (ConnectionResetError, BrokenPipeError):
            return False


class Locks(Case):
    def opened(self, path, name, fid=1):
        c = self.client(path).ready()
        c.walk(0, fid, name)
        c.open(fid, 2)
        return c

    def test_host_and_clients_exclude_each_other(self):
        self.put("f", "x" * 100)
        path = self.serve()
        a, b = self.opened(path, "f"), self.opened(path, "f")
        self.assertEqual(a.lock(1, WR, 0, 10, 20), 0)
        self.assertEqual(b.lock(1, WR, 0, 15, 1, pid=1), 1)
        self.assertEqual(b.lock(1, RD, 0, 29, 1), 1)
        self.assertEqual(b.lock(1, WR, 0, 30, 0), 0)
        with open(os.path.join(self.share, "f"), "r+b") as file:
            self.assertTrue(self.locked_on_host("f"))
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 0)
            self.assertEqual(a.lock(1, WR, 0, 5, 1), 1)
            # Linux asks with UNLCK: whatever is in the way is told.
            answer = a.call("getlock", struct.pack("<IBQQI", 1, UN, 0, 5, 1) + p9.s("client"))
            self.assertEqual(struct.unpack("<BQQ", answer[:17]), (WR, 0, 10))
        # Closed: it is free at once.
        self.assertEqual(a.lock(1, WR, 0, 5, 1), 0)
        a.clunk(1)
        self.assertEqual(b.lock(1, WR, 0, 0, 30), 0)
        b.close()
        self.settles(lambda: self.locked_on_host("f"), False)

    def test_a_blocked_lock_wakes_at_once(self):
        self.put("f")
        path = self.serve()
        a, b = self.opened(path, "f"), self.opened(path, "f")
        best = 9.0
        for _ in range(5):
            self.assertEqual(a.lock(1, WR), 0)
            tag = b.send("lock", b.lock_body(1, WR, BLOCK))
            time.sleep(0.1)
            begun = time.monotonic()
            a.lock(1, UN)
            self.assertEqual(b.wait(tag)[0], 0)
            best = min(best, time.monotonic() - begun)
            b.lock(1, UN)
        self.assertLess(best, 0.2)
        # Nobody frees it: it is told so after a while, and has no lock.
        self.assertEqual(a.lock(1, WR), 0)
        self.assertEqual(b.lock(1, WR, BLOCK), 1)

    def test_flush_of_a_waiting_lock(self):
        self.put("f")
        path = self.serve()
        a, b = self.opened(path, "f"), self.opened(path, "f")
        a.lock(1, WR)
        tag = b.send("lock", b.lock_body(1, WR, BLOCK))
        b.call("flush", struct.pack("<H", tag))
        self.assertNotIn(tag, b.late, "a flushed request is not answered")
        b.call("flush", struct.pack("<H", 4242))
        a.lock(1, UN)
        self.assertEqual(a.lock(1, WR), 0)
        a.lock(1, UN)
        self.assertFalse(self.locked_on_host("f"))

    def test_waiting_requests_are_bounded(self):
        self.put("f")
        path = self.serve()
        a, b = self.opened(path, "f"), self.opened(path, "f")
        a.lock(1, WR)
        for i in range(100):
            b.send("lock", b.lock_body(1, WR, BLOCK, pid=i), tag=1000 + i)
        a.getattr(0)
        said = [b.wait(1000 + i)[0] for i in range(100)]
        self.assertEqual(said, [1] * 100)

    def test_killed_lockers_leave_no_lock(self):
        """1,000 clients that hold a part or wait for the rest, all killed with -9."""
        self.put("f", "x" * 5000)
        path = self.serve()
        holder = self.opened(path, "f")
        self.assertEqual(holder.lock(1, WR, 0, 0, 1), 0)
        before = self.fds()
        for batch in range(20):
            pids = []
            for i in range(50):
                pid = os.fork()
                if pid == 0:
                    try:
                        c = p9.Client(path).ready()
                        c.walk(0, 1, "f")
                        c.open(1, 2)
                        c.lock(1, WR, 0, 10 + i * 10, 5)
                        c.send("lock", c.lock_body(1, WR, BLOCK, 0, 0, pid=i))
                        os.kill(os.getpid(), signal.SIGSTOP)
                    finally:
                        os._exit(1)
                pids.append(pid)
            for pid in pids:
                self.assertTrue(os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]), f"a client failed in batch {batch}")
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            self.settles(self.fds, before)
        other = self.opened(path, "f")
        self.assertEqual(other.lock(1, WR, 0, 1, 0, pid=7), 0)
        holder.clunk(1)
        self.assertEqual(other.lock(1, WR, 0, 0, 0, pid=7), 0)
        other.close()
        self.settles(lambda: self.locked_on_host("f"), False)

    def test_a_client_killed_in_every_state(self):
        self.put("f", "x" * 1000)
        path = self.serve()
        witness = self.opened(path, "f")
        states = [
            lambda c: None,
            lambda c: c.version(),
            lambda c: c.ready(),
            lambda c: (c.ready(), c.walk(0, 1, "f")),
            lambda c: (c.ready(), c.walk(0, 1, "f"), c.open(1, 2)),
            lambda c: (c.ready(), c.walk(0, 1, "f"), c.open(1, 2), c.lock(1, WR)),
            lambda c: (c.ready(), c.walk(0, 1, "f"), c.open(1, 2), c.lock(1, RD, 0, 5, 5), c.lock(1, WR, 0, 50, 5)),
            lambda c: (c.ready(), c.walk(0, 1), c.create(1, "new"), c.write(1, 0, b"y" * 1000)),
            lambda c: (c.ready(), c.walk(0, 1), c.create(1, "gone"), c.call("unlinkat", struct.pack("<I", 0) + p9.s("gone") + struct.pack("<I", 0))),
            lambda c: (c.ready(), c.walk(0, 1, "f"), c.call("xattrcreate", struct.pack("<I", 1) + p9.s("user.half") + struct.pack("<QI", 10, 0)), c.write(1, 0, b"half")),
            lambda c: (c.ready(), c.walk(0, 1), c.open(1, 0o200000), c.call("readdir", struct.pack("<IQI", 1, 0, 60))),
            lambda c: (c.ready(), c.sock.sendall(struct.pack("<IBH", 60000, 118, 1) + b"x" * 3000)),
            lambda c: (c.ready(), c.walk(0, 1, "f"), c.open(1, 2), [c.send("read", struct.pack("<IQI", 1, 0, 1000)) for _ in range(500)]),
        ]
        witness.lock(1, WR)
        witness.lock(1, UN)
        before = self.fds()
        for i, state in enumerate(states):
            pid = os.fork()
            if pid == 0:
                try:
                    state(p9.Client(path))
                    os.kill(os.getpid(), signal.SIGSTOP)
                finally:
                    os._exit(1)
            self.assertTrue(os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]), f"state {i} was not reached")
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self.settles(self.fds, before)
            self.assertEqual(witness.lock(1, WR), 0, f"a lock was left by state {i}")
            witness.lock(1, UN)
        self.assertEqual(sorted(os.listdir(self.share)), ["f", "new"])
        self.fails(errno.ENODATA, os.getxattr, os.path.join(self.share, "f"), "user.half")


@unittest.skipUnless(ROOT, "needs root, to mount file systems that fail")
class Devices(Case):
    """Virtio devices, as far as they can be seen without a guest."""

    def vfio(self, sock, command, payload=b""):
        """Asks and returns the payload of the answer; its error as OSError."""
        sock.sendall(struct.pack("<HHIII", 7, command, 16 + len(payload), 0, 0) + payload)
        _, _, size, flags, error = struct.unpack("<HHIII", self.read(sock, 16))
        body = self.read(sock, size - 16)
        if flags & 0x20:
            raise OSError(error, os.strerror(error))
        return body

    @staticmethod
    def read(sock, n):
        data = b""
        while len(data) < n:
            more = sock.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def test_vfio_user(self):
        """A PCI device, in the cage; when its client goes, the next one is served."""
        path = os.path.join(self.sockets, "vfio")
        self.serve("--vfio-user", f"x={path}")
        for _ in range(2):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(30)
                sock.connect(path)
                self.vfio(sock, 1, struct.pack("<HH", 0, 1))
                config = self.vfio(sock, 9, struct.pack("<QII", 0, 7, 4))[16:]
                self.assertEqual(struct.unpack("<HH", config), (0x1AF4, 0x1049))
                tag = self.vfio(sock, 9, struct.pack("<QII", 0x2000, 0, 3))[16:]
                self.assertEqual(tag, b"\1\0x")
                self.fails(errno.EOPNOTSUPP, self.vfio, sock, 6)

    def test_all_exports_as_one(self):
        path = os.path.join(self.sockets, "vfio")
        self.serve("--vfio-user-all", f"every={path}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(30)
            sock.connect(path)
            self.vfio(sock, 1, struct.pack("<HH", 0, 1))
            self.assertEqual(self.vfio(sock, 9, struct.pack("<QII", 0x2000, 0, 7))[16:], b"\5\0every")

    def test_one_device_of_an_export(self):
        for first, second in (("vhost", "vfio"), ("vfio", "vfio"), ("vfio", "vhost")):
            server = self.launch("--export", f"x={self.share}", f"--{first}-user", f"x={self.sockets}/a", f"--{second}-user", f"x={self.sockets}/b")
            said = server.communicate(timeout=30)[1]
            self.assertEqual(server.returncode, 1)
            self.assertIn("export x has a device already", said)


class Failing(Case):
    def mounted(self, *words):
        where = os.path.join(self.top, "mounted")
        os.mkdir(where)
        done = subprocess.run(["mount", *words, where], stderr=subprocess.PIPE, check=False, text=True)
        if done.returncode != 0:
            self.skipTest("cannot mount: " + done.stderr.strip())
        self.mounts.append(where)
        os.chmod(where, 0o777)
        return where

    def test_no_space(self):
        where = self.mounted("-t", "tmpfs", "-o", "size=256k,nr_inodes=10", "none")
        c = self.client(self.serve(export=f"x={where}")).ready()
        c.walk(0, 1)
        c.create(1, "f")
        written = 0
        with self.assertRaises(OSError) as caught:
            while written < 1 << 20:
                n = c.write(1, written, b"x" * 60000)
                self.assertGreater(n, 0)
                written += n
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        code = None
        for i in range(20):
            try:
                c.call("mkdir", struct.pack("<I", 0) + p9.s(f"d{i}") + struct.pack("<II", 0o755, 0))
            except OSError as error:
                code = error.errno
        self.assertEqual(code, errno.ENOSPC)
        # Some of it goes, and there is room again.
        c.clunk(1)
        c.call("unlinkat", struct.pack("<I", 0) + p9.s("f") + struct.pack("<I", 0))
        c.walk(0, 2)
        c.create(2, "g")
        self.assertEqual(c.write(2, 0, b"x" * 1000), 1000)

    def test_disk_errors(self):
        """A disk whose second half is gone: what was read before is EIO, not an end of file, not zeros."""
        image = os.path.join(self.top, "image")
        with open(image, "wb") as file:
            file.truncate(32 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-b", "4096", image], check=True)
        where = self.mounted("-o", "loop,errors=continue", image)
        with open(os.path.join(where, "f"), "wb") as file:
            file.write(os.urandom(24 << 20))
        os.sync()
        os.truncate(image, 6 << 20)
        c = self.client(self.serve(export=f"x={where}")).ready()
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
            file.write("1")
        c.walk(0, 1, "f")
        c.open(1)
        codes = set()
        for offset in range(0, 24 << 20, 1 << 20):
            try:
                self.assertEqual(len(c.read(1, offset, 4096)), 4096)
            except OSError as error:
                codes.add(error.errno)
        self.assertEqual(codes, {errno.EIO})
        c.getattr(0)


@unittest.skipUnless(ROOT, "needs root, to mount")
class Propagation(Case):
    """The option "slave": mounts of the host below the share, later."""

    def setUp(self):
        super().setUp()
        self.run_mount("--bind", self.share, self.share)
        self.run_mount("--make-shared", self.share)
        self.mounts.append(self.share)
        os.mkdir(os.path.join(self.share, "m"))
        self.put("m/below")

    def run_mount(self, *words):
        done = subprocess.run(["mount", *words], stderr=subprocess.PIPE, check=False, text=True)
        if done.returncode != 0:
            self.skipTest("cannot mount: " + done.stderr.strip())

    def tmpfs(self, name, text):
        """A tmpfs that has a file."""
        where = os.path.join(self.share, name)
        self.run_mount("-t", "tmpfs", "-o", "mode=777", "none", where)
        self.mounts.insert(0, where)
        self.put(name + "/file", text)

    def umount(self, name):
        where = os.path.join(self.share, name)
        subprocess.run(["umount", where], check=True)
        self.mounts.remove(where)

    def text(self, c, *names):
        """What a file has; its error."""
        fid = 5000
        try:
            c.walk(0, fid, *names)
        except OSError as error:
            return errno.errorcode[error.errno]
        try:
            c.open(fid)
            return c.read(fid, 0, 100).decode()
        except OSError as error:
            return errno.errorcode[error.errno]  # ESTALE: another one has the name since the walk
        finally:
            c.clunk(fid)

    def serve_slave(self, words=""):
        return self.client(self.serve(export=f"x={self.share}:slave{words}")).ready()

    def test_comes_and_goes(self):
        c = self.serve_slave()
        self.assertEqual(self.text(c, "m", "below"), "x")
        c.walk(0, 1, "m")
        below = c.getattr(1)
        for i in range(3):
            self.tmpfs("m", f"mounted {i}")
            self.settles(lambda: self.text(c, "m", "file"), f"mounted {i}")
            self.assertEqual(self.text(c, "m", "below"), "ENOENT")
            # Names that are held do not keep the host from unmounting.
            c.walk(0, 2, "m", "file")
            c.walk(0, 3, "m")
            self.assertNotEqual(c.getattr(3)["path"], below["path"])
            self.umount("m")
            self.settles(lambda: self.text(c, "m", "below"), "x")
            self.assertEqual(self.text(c, "m", "file"), "ENOENT")
            self.fails(errno.ESTALE, c.getattr, 2)
            self.fails(errno.ESTALE, c.getattr, 3)
            self.assertEqual(c.getattr(1)["path"], below["path"])
            c.clunk(2)
            c.clunk(3)

    def test_an_open_file_stays(self):
        c = self.serve_slave()
        self.tmpfs("m", "open")
        self.settles(lambda: self.text(c, "m", "file"), "open")
        c.walk(0, 1, "m", "file")
        c.open(1, 2)
        self.umount("m")
        self.settles(lambda: self.text(c, "m", "below"), "x")
        self.assertEqual(c.write(1, 4, b" still"), 6)
        self.assertEqual(c.read(1, 0, 100), b"open still")
        c.clunk(1)

    def test_one_on_another(self):
        c = self.serve_slave()
        self.tmpfs("m", "outer")
        os.mkdir(os.path.join(self.share, "m/n"))
        os.chmod(os.path.join(self.share, "m/n"), 0o777)
        self.tmpfs("m/n", "inner")
        self.settles(lambda: self.text(c, "m", "n", "file"), "inner")
        self.assertEqual(self.text(c, "m", "file"), "outer")
        # Over both.
        self.tmpfs("m", "top")
        self.settles(lambda: self.text(c, "m", "file"), "top")
        self.assertEqual(self.text(c, "m", "n", "file"), "ENOENT")
        self.umount("m")
        self.settles(lambda: self.text(c, "m", "file"), "outer")
        self.settles(lambda: self.text(c, "m", "n", "file"), "inner")
        self.umount("m/n")
        self.settles(lambda: self.text(c, "m", "n", "file"), "ENOENT")

    def test_mount_points_are_busy(self):
        c = self.serve_slave()
        os.mkdir(os.path.join(self.share, "e"))
        self.tmpfs("e", "x")
        self.settles(lambda: self.text(c, "e", "file"), "x")
        u32 = struct.pack("<I", 0)
        self.fails(errno.EBUSY, c.call, "unlinkat", u32 + p9.s("e") + struct.pack("<I", 0x200))
        self.fails(errno.EBUSY, c.call, "renameat", u32 + p9.s("e") + u32 + p9.s("f"))
        self.assertTrue(os.path.ismount(os.path.join(self.share, "e")))

    def test_a_single_file(self):
        self.put("a", "below")
        c = self.serve_slave()
        with open(os.path.join(self.outside, "b"), "w", encoding="ascii") as file:
            file.write("over")
        os.chmod(os.path.join(self.outside, "b"), 0o666)
        self.run_mount("--bind", os.path.join(self.outside, "b"), os.path.join(self.share, "a"))
        self.mounts.insert(0, os.path.join(self.share, "a"))
        self.settles(lambda: self.text(c, "a"), "over")
        self.umount("a")
        self.settles(lambda: self.text(c, "a"), "below")

    def test_read_only(self):
        c = self.serve_slave(",ro")
        self.tmpfs("m", "x")
        self.settles(lambda: self.text(c, "m", "file"), "x")
        c.walk(0, 1, "m", "file")
        self.fails(errno.EROFS, c.open, 1, 2)

    def test_without_the_option(self):
        c = self.client(self.serve()).ready()
        self.tmpfs("m", "x")
        time.sleep(0.3)
        self.assertEqual(self.text(c, "m", "below"), "x")

    def test_links_do_not_lead_out(self):
        """What is mounted has a link and a device, and neither is opened."""
        c = self.serve_slave()
        self.tmpfs("m", "x")
        os.symlink(self.outside, os.path.join(self.share, "m/link"))
        os.mknod(os.path.join(self.share, "m/mem"), 0o666 | stat.S_IFCHR, os.makedev(1, 1))
        self.settles(lambda: self.text(c, "m", "file"), "x")
        self.fails((errno.ENOTDIR, errno.ENOENT), c.walk, 0, 1, "m", "link", "secret")
        c.walk(0, 2, "m", "mem")
        self.fails(errno.ENXIO, c.open, 2, 2)


@unittest.skipUnless(ROOT, "needs root, to mount")
class PropagationOfWhatIsThere(Propagation):
    """As root only: for a plain user the kernel locks mounts to the places where his namespace has found them."""

    def test_goes(self):
        self.tmpfs("m", "first")
        c = self.serve_slave()
        self.assertEqual(self.text(c, "m", "file"), "first")
        c.walk(0, 1, "m", "file")
        self.umount("m")
        self.settles(lambda: self.text(c, "m", "below"), "x")
        self.fails(errno.ESTALE, c.getattr, 1)


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite()
    for base in (Sockets, Secret, Cage, Hostile, Locks, Devices):
        suite.addTests(loader.loadTestsFromTestCase(base))
        if ROOT:
            suite.addTests(loader.loadTestsFromTestCase(type(base.__name__ + "AsUser", (base,), {"plain": True})))
    suite.addTests(loader.loadTestsFromTestCase(Failing))
    suite.addTests(loader.loadTestsFromTestCase(PropagationOfWhatIsThere))
    suite.addTests(loader.loadTestsFromTestCase(type("PropagationAsUser", (Propagation,), {"plain": True})))
    return suite


if __name__ == "__main__":
    # A plain user has to reach the program.
    if ROOT:
        directory = tempfile.mkdtemp(prefix="sk-9pd-bin-")
        os.chmod(directory, 0o755)
        PROGRAM = shutil.copy(PROGRAM, directory)
    try:
        unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=1, warnings="ignore")
    finally:
        if ROOT:
            shutil.rmtree(directory)
