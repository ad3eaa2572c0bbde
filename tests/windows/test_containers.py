#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_containers.py WINE PROGRAMS COMPUTECORE.DLL TOP [unittest's arguments]: containers of skerry.exe, under Wine.

PROGRAMS is the directory of skerry.exe, skerry-monitor.exe and skerry-9pd.exe. The library stands in for Windows' own; behind
it a real guest boots with an engine for Linux (standin_engine.c). TOP is a source tree whose programs for Linux are built: its
skerry makes the store of images, as Windows programs can make layer images only where libsquashfs was to be had."""
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest

WINE, PROGRAMS, LIBRARY, TOP = sys.argv[1:5]
BUSYBOX = shutil.which("busybox")
APPLETS = "sh cat echo sleep ls mkdir rm mount id uname wc head seq tail touch printf sync kill df dd true ps od ln wget nc nslookup hostname".split()

MANY_LAYERS = 30


FULL = unittest.skipUnless(os.environ.get("SKERRY_TEST_FULL") == "1", "runs in make test-full")


def windows(path):
    return "Z:" + os.path.abspath(path).replace("/", "\\")


def vhd(path):
    """What src/image does on Windows when a layer image is made: the footer of a virtual hard disk behind it."""
    size = (os.path.getsize(path) + 4095) // 4096 * 4096
    footer = bytearray(512)
    footer[0:8] = b"conectix"
    for at, n, value in (8, 4, 2), (12, 4, 0x10000), (16, 8, (1 << 64) - 1), (40, 8, size), (48, 8, size), (60, 4, 2):
        footer[at:at + n] = value.to_bytes(n, "big")
    footer[64:68] = (~sum(footer) & 0xffffffff).to_bytes(4, "big")
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.seek(size)
        file.write(footer)
    os.chmod(path, 0o444)


def of_root(member):
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    if member.isdir():
        member.mode = 0o755
    return member


def make_image(path):
    with tempfile.TemporaryDirectory() as root:
        for name in "bin", "etc", "tmp", "proc", "sys", "dev":
            os.mkdir(os.path.join(root, name))
        shutil.copy(BUSYBOX, os.path.join(root, "bin/busybox"))
        for name in "udp_echo", "watch":
            shutil.copy(os.path.join(TOP, "build/tests", name), os.path.join(root, "bin"))
        for name in APPLETS:
            os.symlink("busybox", os.path.join(root, "bin", name))
        with open(os.path.join(root, "etc/passwd"), "w", encoding="ascii") as file:
            file.write("root:x:0:0:root:/:/bin/sh\n")
        with tarfile.open(path, "w") as tar:
            tar.add(root, ".", filter=of_root)


def add_bytes(tar, name, data):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def make_image_of_layers(base, path, count):
    """An archive as docker writes it: the base and small layers on top."""
    with open(base, "rb") as file:
        layers = [file.read()]
    for i in range(1, count):
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            add_bytes(tar, f"layers/{i}", b"layer\n")
        layers.append(layer.getvalue())
    diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    names = [f"{i}/layer.tar" for i in range(count)]
    with tarfile.open(path, "w") as tar:
        for name, layer in zip(names, layers):
            add_bytes(tar, name, layer)
        add_bytes(tar, "config.json", config)
        add_bytes(tar, "manifest.json", json.dumps([{"Config": "config.json", "RepoTags": ["many:1"], "Layers": names}]).encode())


class Server:
    """A server on loopback, in a thread: answers each connection with what `handle` makes of all of its bytes (up to the end of a
    request's header, if `http`)."""
    def __init__(self, handle, http=False):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.handle, self.http = handle, http
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                data = b""
                while not (self.http and b"\r\n\r\n" in data):
                    part = connection.recv(65536)
                    if not part:
                        break
                    data += part
                connection.sendall(self.handle(data))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def page(text):
    return lambda _: f"HTTP/1.0 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


def name_server(answer):
    """On 127.0.0.53: says that each name has the address `answer`. Its socket."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.53", 53))

    def run():
        while True:
            try:
                question, client = server.recvfrom(2048)
            except OSError:
                return
            end = question.index(b"\0", 12) + 5
            is_a = question[end - 4:end - 2] == b"\0\1"
            record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(answer) if is_a else b""
            server.sendto(question[:2] + b"\x81\x80\0\1\0" + bytes([is_a]) + b"\0\0\0\0" + question[12:end] + record, client)
    threading.Thread(target=run, daemon=True).start()
    return server


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Containers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Short: unix sockets of the engine lie in directories below it.
        cls.top = tempfile.mkdtemp(prefix="sk-win-", dir="/tmp")
        cls.root = os.path.join(cls.top, "root")
        archive = os.path.join(cls.top, "image.tar")
        make_image(archive)
        linux = {**os.environ, "SKERRY_ROOT": cls.root}
        linux.pop("SKERRY_CONFIG", None)
        os.mkdir(cls.root, 0o700)
        many = os.path.join(cls.top, "many.tar")
        make_image_of_layers(archive, many, MANY_LAYERS)
        for words in ["import", archive, "box:1"], ["load", "-i", many]:
            subprocess.run([os.path.join(TOP, "out/skerry"), *words], env=linux, check=True, capture_output=True, timeout=300)
        for directory, _, names in os.walk(os.path.join(cls.root, "images")):
            for name in names:
                if name.endswith(".squashfs"):
                    vhd(os.path.join(directory, name))
        guest = os.path.join(cls.top, "guest")
        streams = os.path.join(cls.top, "streams")
        os.mkdir(guest)
        os.mkdir(streams)
        # What the description of a VM has to name; the stand-in boots its own.
        shutil.copy(os.path.join(TOP, "out/initramfs.cpio"), guest)
        shutil.copy(os.path.join(PROGRAMS, "guest/disk.template"), guest)
        with open(os.path.join(guest, "vmlinux-hyperv"), "wb") as file:
            file.write(b"\x7fELF")
        cls.env = {**os.environ, "SKERRY_ROOT": windows(cls.root), "SKERRY_GUEST_DIR": windows(guest),
                   "SKERRY_COMPUTECORE": windows(LIBRARY), "SKERRY_TEST_STREAMS": windows(streams),
                   "SKERRY_STANDIN_ENGINE": windows(os.path.join(TOP, "build/tests/standin_engine")),
                   "SKERRY_STANDIN_GUEST": os.path.abspath(os.path.join(TOP, "out"))}
        cls.env.pop("SKERRY_CONFIG", None)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.top)

    def start(self, *words, stderr, before=(), **more):
        return subprocess.Popen([*before, WINE, os.path.abspath(os.path.join(PROGRAMS, "skerry.exe")), *words], env=self.env, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=stderr, **more)

    def run_it(self, *words, code=0, stdin=b"", **more):
        # A file: under Wine a monitor has its starter's standard error as the host knows it, and would hold a pipe open.
        with tempfile.TemporaryFile() as messages:
            process = self.start(*words, stderr=messages, **more)
            try:
                out, _ = process.communicate(stdin, timeout=120)
            except subprocess.TimeoutExpired:
                process.kill()
                self.fail(f"{words}: no end{self.logs()}")
            messages.seek(0)
            err = messages.read()
        self.assertEqual(process.returncode, code, f"{words}: {out.decode()}{err.decode()}{self.logs()}")
        return out.decode() if code == 0 else (out + err).decode()

    def logs(self):
        """What monitors and guests have said, for a case that fails."""
        text = ""
        for directory, _, names in os.walk(os.path.join(self.root, "containers")):
            for name in set(names) & {"monitor.log", "console.log"}:
                with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
                    text += f"\n-- {name}\n{file.read()[-2000:]}"
        return text

    def nothing_left(self):
        for _ in range(100):
            if not os.listdir(os.path.join(self.root, "containers")):
                break
            time.sleep(0.1)
        self.assertEqual(os.listdir(os.path.join(self.root, "containers")), [])

    def test_1_run(self):
        self.assertEqual(self.run_it("run", "--rm", "box:1", "echo", "hello"), "hello\n")
        self.assertIn("bad\n", self.run_it("run", "--rm", "box:1", "sh", "-c", "echo bad >&2; exit 3", code=3))
        self.assertIn("no-such-program", self.run_it("run", "--rm", "box:1", "no-such-program", code=127))
        data = bytes(range(256)) * 2000
        self.assertEqual(self.run_it("run", "--rm", "-i", "box:1", "wc", "-c", stdin=data).strip(), str(len(data)))
        self.nothing_left()

    def test_2_life(self):
        name = self.run_it("run", "-d", "--name", "web", "box:1", "sh", "-c", "trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.1; done").strip()
        self.assertEqual(len(name), 64)
        self.assertIn("Up", self.run_it("ps", "--format", "{{.Names}} {{.Status}}"))
        self.assertEqual(self.run_it("exec", "web", "sh", "-c", "echo $((6*7)); exit 0"), "42\n")
        self.assertIn("", self.run_it("exec", "web", "sh", "-c", "exit 9", code=9))
        self.assertEqual(self.run_it("logs", "web"), "up\n")
        self.assertEqual(json.loads(self.run_it("inspect", "web"))[0]["State"]["Status"], "running")
        self.assertIn("is running", self.run_it("rm", "web", code=1))
        self.assertEqual(self.run_it("stop", "web"), "web\n")
        self.assertEqual(self.run_it("logs", "web"), "up\nbye\n")
        self.assertEqual(json.loads(self.run_it("inspect", "web"))[0]["State"]["ExitCode"], 7)
        self.assertEqual(self.run_it("rm", "web"), "web\n")
        self.nothing_left()

    def test_3_shares(self):
        data = os.path.join(self.top, "data")
        os.mkdir(data)
        with open(os.path.join(data, "from-host"), "w", encoding="ascii") as file:
            file.write("host\n")
        out = self.run_it("run", "--rm", "-v", windows(data) + ":/data", "box:1", "sh", "-c", "cat /data/from-host && echo guest > /data/from-guest && ls /data")
        self.assertEqual(out, "host\nfrom-guest\nfrom-host\n")
        with open(os.path.join(data, "from-guest"), encoding="ascii") as file:
            self.assertEqual(file.read(), "guest\n")
        self.assertIn("Read-only", self.run_it("run", "--rm", "-v", windows(data) + ":/data:ro", "box:1", "touch", "/data/x", code=1))
        self.assertEqual(self.run_it("run", "--rm", "-v", "vol:/v", "box:1", "sh", "-c", "echo kept > /v/file"), "")
        self.assertEqual(self.run_it("run", "--rm", "-v", "vol:/v", "box:1", "cat", "/v/file"), "kept\n")
        self.nothing_left()

    def test_8_notices(self):
        """What this machine does in a shared directory reaches programs of the guest that watch it; what the guest does is told once."""
        data = os.path.join(self.top, "watched")
        os.makedirs(os.path.join(data, "sub"))
        self.run_it("run", "-d", "--name", "no", "-v", windows(data) + ":/data", "box:1", "watch", "/data", "/data/sub")
        self.eventually(lambda: self.run_it("logs", "no"), "ready\n")
        with open(os.path.join(data, "sub", "host"), "w", encoding="ascii") as file:
            file.write("x")
        self.eventually(lambda: "close_write /data/sub/host" in self.run_it("logs", "no"), True)
        self.run_it("exec", "no", "sh", "-c", "echo x > /data/guest")
        os.rename(os.path.join(data, "sub", "host"), os.path.join(data, "sub", "renamed"))
        self.eventually(lambda: "moved_to /data/sub/renamed" in self.run_it("logs", "no"), True)
        os.remove(os.path.join(data, "sub", "renamed"))
        self.eventually(lambda: "delete /data/sub/renamed" in self.run_it("logs", "no"), True)
        lines = self.run_it("logs", "no").split("\n")
        self.assertEqual([line for line in lines if "/data/sub" in line],
                         ["create /data/sub/host", "modify /data/sub/host", "close_write /data/sub/host", "moved_from /data/sub/host", "moved_to /data/sub/renamed",
                          "delete /data/sub/renamed"])
        self.assertEqual([line for line in lines if "guest" in line], ["create /data/guest", "modify /data/guest", "close_write /data/guest"])
        self.run_it("rm", "-f", "no")
        self.nothing_left()

    def test_4_kill(self):
        self.run_it("run", "-d", "--name", "gone", "box:1", "sleep", "1000")
        self.assertEqual(self.run_it("kill", "gone"), "gone\n")
        self.assertEqual(self.run_it("wait", "gone"), "137\n")
        self.assertEqual(self.run_it("rm", "gone"), "gone\n")
        # A client that is killed takes its container along, and the VM.
        client = self.start("run", "--rm", "box:1", "sh", "-c", "echo up; sleep 1000", stderr=subprocess.DEVNULL, start_new_session=True)
        self.assertEqual(client.stdout.readline(), b"up\n")
        client.send_signal(signal.SIGKILL)
        client.communicate()
        self.nothing_left()
        self.assertEqual(self.engines(), [])

    def engines(self):
        for _ in range(100):
            found = []
            for pid in filter(str.isdigit, os.listdir("/proc")):
                try:
                    with open(f"/proc/{pid}/cmdline", "rb") as file:
                        if file.read().startswith(b"standin_engine\0" + self.top.encode()):
                            found.append(pid)
                except OSError:
                    pass
            if not found:
                break
            time.sleep(0.1)
        return found

    def test_6_disk(self):
        """What a container changes is on a disk of its own, which is as large as it was asked for, and outlives its VM."""
        self.run_it("run", "-d", "--name", "di", "--storage-opt", "size=40m", "box:1", "sh", "-c", "[ -e /f ] || dd if=/dev/zero of=/zeros bs=1M count=20; echo life >> /f; sync; sleep 1000")
        self.eventually(lambda: self.run_it("exec", "di", "cat", "/f"), "life\n")
        total = int(self.run_it("exec", "di", "df", "-k", "/").split()[-5])
        self.assertTrue(30 << 10 < total < 40 << 10, total)
        self.assertIn("No space left", self.run_it("exec", "di", "dd", "if=/dev/zero", "of=/more", "bs=1M", "count=30", code=1))
        self.run_it("exec", "di", "rm", "/more", "/zeros")
        self.assertEqual(self.run_it("stop", "-t", "0", "di"), "di\n")
        self.assertEqual(self.run_it("start", "di"), "di\n")
        self.eventually(lambda: self.run_it("exec", "di", "cat", "/f"), "life\nlife\n")
        # The VM ends without a word to its guest: what was synced is there.
        self.run_it("exec", "di", "sh", "-c", "echo synced >> /f; sync")
        self.assertEqual(self.run_it("kill", "di"), "di\n")
        self.run_it("wait", "di")
        self.assertEqual(self.run_it("start", "di"), "di\n")
        self.eventually(lambda: self.run_it("exec", "di", "cat", "/f"), "life\nlife\nsynced\nlife\n")
        disk = os.path.join(self.root, "containers", os.listdir(os.path.join(self.root, "containers"))[0], "disk.img")
        self.assertLess(os.path.getsize(disk), 48 << 20)
        self.assertEqual(self.run_it("rm", "-f", "di"), "di\n")
        # The size by default: its file system needs not grow. One that does.
        for options, least, most in ([], 62 << 20, 64 << 20), (["--storage-opt", "size=9g"], 8 << 20, 9 << 20):
            total = int(self.run_it("run", "--rm", *options, "box:1", "df", "-k", "/").split()[-5])
            self.assertTrue(least < total < most, (options, total))
        self.nothing_left()

    def test_5_refused(self):
        for words, text in [(["--network", "other"], "no such network"), (["--storage-opt", "size=1"], "at least 16m")]:
            self.assertIn(text, self.run_it("run", *words, "box:1", "true", code=125))
        self.assertIn("is not there on this system", self.run_it("machine", "ls", code=125))
        self.nothing_left()

    def test_7_network(self):
        """Out to this host, by address and by name; in through published ports of TCP and UDP."""
        with Server(page("from the host\n"), http=True) as server:
            for host in "10.0.2.2", "host.docker.internal":
                self.assertEqual(self.run_it("run", "--rm", "box:1", "wget", "-qO-", f"http://{host}:{server.port}/"), "from the host\n")
        self.assertEqual(self.run_it("run", "--rm", "box:1", "ls", "/sys/class/net").split(), ["eth0", "lo"])
        self.run_it("run", "-d", "--name", "in", "-p", "127.0.0.1::80", "-p", "127.0.0.1::53/udp", "box:1",
                    "sh", "-c", "udp_echo 53 & exec nc -ll -p 80 -e wc -c")
        self.eventually(lambda: self.run_it("logs", "in"), "up\n")
        ports = {}
        for line in self.run_it("port", "in").splitlines():
            guest, host = line.split(" -> ")
            self.assertEqual(host.split(":")[0], "127.0.0.1")
            ports[guest] = int(host.split(":")[1])
        # A half that ends keeps all of its bytes, and the answer comes on the other half.
        for size in 10, 3000000:
            with socket.create_connection(("127.0.0.1", ports["80/tcp"]), timeout=60) as client:
                client.sendall(b"x" * size)
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(int(client.makefile().read()), size)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", ports["53/udp"]))
            client.settimeout(20)
            client.send(b"question")
            self.assertEqual(client.recv(100), b"echo question")
        settings = json.loads(self.run_it("inspect", "in"))[0]["NetworkSettings"]
        self.assertEqual(settings["IPAddress"], "10.0.2.15")
        self.assertEqual(settings["Ports"]["80/tcp"], [{"HostIp": "127.0.0.1", "HostPort": str(ports["80/tcp"])}])
        # The port is the container's as long as it runs.
        text = self.run_it("run", "-p", f"127.0.0.1:{ports['80/tcp']}:80", "--rm", "box:1", "true", code=125)
        self.assertIn(f"127.0.0.1:{ports['80/tcp']}/tcp: Address already in use", text)
        self.run_it("rm", "-f", "in")
        with socket.create_server(("127.0.0.1", ports["80/tcp"])):
            pass
        self.nothing_left()

    # What follows runs in make test-full.

    @FULL
    def test_copy(self):
        """Both ways, running or not; names that Windows forbids; what there is not on Windows is said; archives."""
        source, target = os.path.join(self.top, "source"), os.path.join(self.top, "target")
        os.makedirs(os.path.join(source, "deep/er"))
        os.mkdir(target)
        for name, text in ("plain", "a"), ("Zo\u00eb", "b"), ("a\uf03ab", "c"), ("deep/er/file", "d" * 300000):
            with open(os.path.join(source, name), "w", encoding="utf-8") as file:
                file.write(text)
        os.utime(os.path.join(source, "plain"), (1000000000, 1000000000))
        self.run_it("run", "-d", "--name", "cp", "box:1", "sleep", "1000")
        self.run_it("cp", windows(source), "cp:/tmp")
        out = self.run_it("exec", "cp", "sh", "-c", "cd /tmp/source; ls; cat plain Zo\u00eb a:b; wc -c < deep/er/file; ls -l plain; od -A n -t d1 -N 1 plain")
        for text in "\na:b\ndeep\nplain\n", "abc300000\n", "-rwxr-xr-x", "2001":
            self.assertIn(text, out)
        self.run_it("exec", "cp", "sh", "-c", "mkdir /out && cd /out && echo 1 > x:y && echo 2 > 'q?' && mkdir sub && echo 3 > 'sub/b\\s' && ln 'q?' hard && touch -d '2001-02-03 12:00' x:y")
        self.run_it("cp", "cp:/out", windows(target))
        self.assertEqual(sorted(os.listdir(os.path.join(target, "out"))), ["hard", "q\uf03f", "sub", "x\uf03ay"])
        self.assertEqual(os.listdir(os.path.join(target, "out/sub")), ["b\uf05cs"])
        with open(os.path.join(target, "out/hard"), encoding="ascii") as file:
            self.assertEqual(file.read(), "2\n")
        self.assertEqual(time.gmtime(os.stat(os.path.join(target, "out/x\uf03ay")).st_mtime)[:3], (2001, 2, 3))
        # Links are said, and all else is there.
        self.run_it("exec", "cp", "sh", "-c", "cd /out && ln -s x:y link && echo 4 > zz")
        self.assertIn("all is copied but 1 links and pipes", self.run_it("cp", "cp:/out/.", windows(target), code=1))
        self.assertIn("zz", os.listdir(target))
        self.assertNotIn("link", os.listdir(target))
        self.assertIn("no path of a drive", self.run_it("cp", "cp:/out", "\\\\server\\share", code=1))
        self.assertIn("Could not find the file", self.run_it("cp", "cp:/no", windows(target), code=1))
        # Archives; the container does not run any more.
        self.run_it("stop", "-t", "0", "cp")
        self.run_it("cp", windows(os.path.join(source, "plain")), "cp:/renamed")
        archive = os.path.join(self.top, "passwd.tar")
        with open(archive, "wb") as file:
            subprocess.run([WINE, os.path.abspath(os.path.join(PROGRAMS, "skerry.exe")), "cp", "cp:/etc/passwd", "-"], env=self.env,
                           stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.DEVNULL, timeout=120, check=True)
        with tarfile.open(archive) as tar:
            self.assertEqual(tar.getnames(), ["passwd"])
        with open(archive, "rb") as file:
            self.run_it("cp", "-", "cp:/tmp", stdin=file.read())
        exported = os.path.join(self.top, "root.tar")
        self.run_it("export", "-o", windows(exported), "cp")
        with tarfile.open(exported) as tar:
            names = tar.getnames()
            self.assertEqual(tar.extractfile("tmp/passwd").read(), b"root:x:0:0:root:/:/bin/sh\n")
        for name in "bin/busybox", "renamed", "tmp/source/a:b", "out/link":
            self.assertIn(name, names)
        self.run_it("rm", "-f", "cp")
        self.nothing_left()

    @FULL
    def test_network_of_the_guest(self):
        """All bytes out of the guest; no network; resolv.conf, hosts, names; ranges of ports."""
        with Server(lambda data: b"%d\n" % len(data)) as server:
            out = self.run_it("run", "--rm", "box:1", "sh", "-c", f"dd if=/dev/zero bs=1000 count=3000 2>/dev/null | nc 10.0.2.2 {server.port}")
            self.assertEqual(out, "3000000\n")
            out = self.run_it("run", "--rm", "--network", "none", "box:1", "sh", "-c", f"ls /sys/class/net; wget -qO- http://10.0.2.2:{server.port}/ || echo no way")
            self.assertEqual(out, "lo\nno way\n")
        out = self.run_it("run", "--rm", "--dns", "192.0.2.1", "--dns-search", "example.test", "--add-host", "db:192.0.2.9", "--add-host",
                          "host:host-gateway", "--hostname", "seal", "box:1", "sh", "-c", "cat /etc/resolv.conf /etc/hosts; hostname")
        for text in "nameserver 192.0.2.1\n", "search example.test\n", "192.0.2.9\tdb\n", "10.0.2.2\thost\n", "10.0.2.15\tseal\n":
            self.assertIn(text, out)
        self.assertTrue(out.endswith("\nseal\n"), out)
        first = free_port()
        self.run_it("run", "-d", "--name", "ra", "-p", f"127.0.0.1:{first}-{first + 2}:4000-4002", "box:1", "nc", "-ll", "-p", "4001", "-e", "echo", "middle")
        self.assertEqual(self.run_it("port", "ra", "4001"), f"127.0.0.1:{first + 1}\n")
        self.eventually(lambda: socket.create_connection(("127.0.0.1", first + 1), timeout=20).makefile().read(), "middle\n")
        # A restart gives the ports up and takes them again.
        self.run_it("restart", "-t", "0", "ra")
        self.eventually(lambda: socket.create_connection(("127.0.0.1", first + 1), timeout=20).makefile().read(), "middle\n")
        self.run_it("rm", "-f", "ra")
        self.nothing_left()

    @FULL
    @unittest.skipUnless(os.geteuid() == 0, "needs root: a name server of the host on port 53")
    def test_name_server_of_the_host(self):
        """The one that Windows says it has; under Wine that is the host's resolv.conf, which is replaced for this test alone."""
        conf = os.path.join(self.top, "resolv.conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write("nameserver 127.0.0.53\n")
        before = ["unshare", "-m", "sh", "-c", f'mount --bind {conf} /etc/resolv.conf && exec "$@"', "sh"]
        with name_server("192.0.2.77"):
            out = self.run_it("run", "--rm", "box:1", "nslookup", "-type=a", "www.example.test", before=before)
        self.assertIn("10.0.2.3", out)
        self.assertIn("192.0.2.77", out)
        self.nothing_left()

    @FULL
    def test_environment(self):
        self.assertEqual(self.run_it("run", "--rm", "-e", "A=b c", "-e", "NAME=Zoë", "box:1", "sh", "-c", "echo $A $NAME"), "b c Zoë\n")
        self.assertEqual(self.run_it("run", "--rm", "-w", "/tmp", "box:1", "sh", "-c", "echo $PWD"), "/tmp\n")
        self.assertEqual(self.run_it("run", "--rm", "--user", "12:34", "box:1", "sh", "-c", "echo $(id -u) $(id -g)"), "12 34\n")
        self.assertEqual(self.run_it("run", "--rm", "--entrypoint", "/bin/echo", "box:1", "a", "b  c"), "a b  c\n")
        self.assertEqual(self.run_it("run", "--rm", "--hostname", "seal", "box:1", "uname", "-n"), "seal\n")
        self.nothing_left()

    @FULL
    def test_environment_file_with_carriage_returns(self):
        path = os.path.join(self.top, "settings.env")
        with open(path, "wb") as file:
            file.write(b"# of Windows\r\nONE=1\r\n\r\nTWO=2 3\r\n")
        out = self.run_it("run", "--rm", "--env-file", windows(path), "box:1", "sh", "-c", "echo \"[$ONE][$TWO]\"")
        self.assertEqual(out, "[1][2 3]\n")
        self.nothing_left()

    @FULL
    def test_names_and_labels(self):
        self.run_it("run", "-d", "--name", "one", "--label", "tier=front", "box:1", "sleep", "1000")
        self.assertIn("one", self.run_it("run", "--name", "one", "box:1", "true", code=125))
        self.assertEqual(self.run_it("ps", "--filter", "label=tier=front", "--format", "{{.Names}}"), "one\n")
        self.assertEqual(self.run_it("ps", "--filter", "label=tier=back", "--format", "{{.Names}}"), "")
        self.assertEqual(self.run_it("inspect", "--format", "{{.Config.Labels.tier}} {{.State.Running}}", "one").strip(), "front true")
        self.assertEqual(self.run_it("rename", "one", "two"), "")
        self.assertEqual(self.run_it("ps", "--format", "{{.Names}}"), "two\n")
        self.assertEqual(self.run_it("rm", "-f", "two"), "two\n")
        self.nothing_left()

    @FULL
    def test_exit_codes(self):
        for command, code in ("exit 0", 0), ("exit 1", 1), ("exit 255", 255), ("kill -9 $$", 137), ("kill -15 $$", 143):
            with self.subTest(command):
                self.run_it("run", "--rm", "--init", "box:1", "sh", "-c", f"sh -c '{command}'", code=code)
        self.run_it("run", "--rm", "box:1", "/etc/passwd", code=126)
        self.run_it("run", "--rm", "--no-such-option", "box:1", "true", code=125)
        self.run_it("run", "--rm", "nothing-of-that-name:1", "true", code=125)
        self.nothing_left()

    @FULL
    def test_signals(self):
        script = "trap 'echo usr1' USR1; trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done"
        self.run_it("run", "-d", "--name", "si", "box:1", "sh", "-c", script)
        self.eventually(lambda: self.run_it("logs", "si"), "up\n")
        self.assertEqual(self.run_it("kill", "--signal", "USR1", "si"), "si\n")
        self.eventually(lambda: self.run_it("logs", "si"), "up\nusr1\n")
        self.run_it("kill", "-s", "TERM", "si")
        self.assertEqual(self.run_it("wait", "si"), "5\n")
        self.assertIn("no-such", self.run_it("kill", "-s", "no-such", "si", code=1))
        self.run_it("rm", "si")
        self.nothing_left()

    @FULL
    def test_logs_follow(self):
        self.run_it("run", "-d", "--name", "lo", "box:1", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done")
        self.assertEqual(self.run_it("logs", "-f", "lo"), "1\n2\n3\n")
        self.assertEqual(self.run_it("logs", "--tail", "1", "lo"), "3\n")
        self.run_it("rm", "-f", "lo")
        self.nothing_left()

    @FULL
    def test_exec_input(self):
        self.run_it("run", "-d", "--name", "ex", "box:1", "sleep", "1000")
        data = bytes(range(256)) * 400
        self.assertEqual(self.run_it("exec", "-i", "ex", "wc", "-c", stdin=data).strip(), str(len(data)))
        self.assertEqual(self.run_it("exec", "-e", "X=y", "-w", "/etc", "-u", "7", "ex", "sh", "-c", "echo $X $PWD $(id -u)"), "y /etc 7\n")
        self.run_it("exec", "ex", "no-such-program", code=127)
        self.run_it("exec", "nobody-there", "true", code=1)
        self.run_it("rm", "-f", "ex")
        self.nothing_left()

    @FULL
    def test_monitor_is_killed(self):
        self.run_it("run", "-d", "--name", "mo", "-v", "vm:/v", "box:1", "sleep", "1000")
        for pid in self.monitors():
            os.kill(pid, signal.SIGKILL)
        self.eventually(lambda: self.run_it("ps", "--format", "{{.Names}}"), "")
        self.assertEqual(self.engines(), [])
        self.assertIn("Exited", self.run_it("ps", "-a", "--format", "{{.Status}}"))
        self.assertEqual(self.run_it("rm", "mo"), "mo\n")
        self.nothing_left()

    @FULL
    def test_paths(self):
        for name in "with space", "Žluťoučký 文件", "a,b":
            with self.subTest(name):
                data = os.path.join(self.top, name)
                os.mkdir(data)
                self.run_it("run", "--rm", "-v", windows(data) + ":/data", "box:1", "sh", "-c", "echo x > '/data/ľ file'")
                self.assertEqual(os.listdir(data), ["ľ file"])
        here = os.path.join(self.top, "here")
        os.makedirs(os.path.join(here, "x"))
        self.run_it("run", "--rm", "-v", ".\\x:/x", "box:1", "touch", "/x/file", cwd=here)
        self.assertEqual(os.listdir(os.path.join(here, "x")), ["file"])
        self.assertEqual(self.run_it("run", "--rm", "-v", windows(here).replace("\\", "/") + ":/x", "box:1", "ls", "/x"), "x\n")
        self.assertIn("drive", self.run_it("run", "--rm", "-v", "C:x:/x", "box:1", "true", code=125))
        self.nothing_left()

    @FULL
    def test_single_file(self):
        """Nothing else of its directory is to be had, and a file that replaces it is seen."""
        data = os.path.join(self.top, "of file")
        os.mkdir(data)
        path = os.path.join(data, "settings.ini")
        for name in path, os.path.join(data, "other"):
            with open(name, "w", encoding="ascii") as file:
                file.write("a\n")
        self.assertEqual(self.run_it("run", "--rm", "-v", windows(path) + ":/etc/set:ro", "box:1", "sh", "-c", "cat /etc/set; ls /etc"), "a\nhostname\nhosts\npasswd\nresolv.conf\nset\n")
        self.assertIn("Read-only", self.run_it("run", "--rm", "-v", windows(path) + ":/set:ro", "box:1", "sh", "-c", "echo b > /set", code=1))
        self.run_it("run", "-d", "--name", "sf", "-v", windows(path) + ":/set", "box:1", "sleep", "1000")
        self.run_it("exec", "sf", "sh", "-c", "echo b >> /set")
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), "a\nb\n")
        self.run_it("exec", "sf", "rm", "/set", code=1)
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write("new\n")
        os.replace(path + ".new", path)
        self.eventually(lambda: self.run_it("exec", "sf", "cat", "/set"), "new\n")
        self.assertEqual(sorted(os.listdir(data)), ["other", "settings.ini"])
        self.run_it("rm", "-f", "sf")
        self.nothing_left()

    @FULL
    def test_mount_option(self):
        data = os.path.join(self.top, "mounted")
        os.mkdir(data)
        bind = "type=bind,source=" + windows(data) + ",target=/data"
        self.run_it("run", "--rm", "--mount", bind, "box:1", "touch", "/data/file")
        self.assertEqual(os.listdir(data), ["file"])
        self.assertIn("Read-only", self.run_it("run", "--rm", "--mount", bind + ",readonly", "box:1", "rm", "/data/file", code=1))
        self.assertEqual(self.run_it("run", "--rm", "--mount", "type=tmpfs,target=/t", "box:1", "sh", "-c", "echo x > /t/f; cat /t/f"), "x\n")
        self.run_it("run", "--rm", "--mount", "type=bind,source=" + windows(data) + "-not,target=/data", "box:1", "true", code=125)
        self.nothing_left()

    @FULL
    def test_restart_policies(self):
        """A policy begins the next life by another monitor, with the same disk; the container is never seen without one."""
        script = "echo life >> /lives; exec sh -c \"exit 3\""
        self.assertIn("", self.run_it("run", "--name", "re", "--restart", "on-failure:2", "box:1", "sh", "-c", script, code=3))
        self.eventually(lambda: self.run_it("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}", "re"), "exited 3 2\n")
        self.run_it("rm", "re")
        self.run_it("run", "-d", "--name", "re", "--restart", "always", "box:1", "sh", "-c", "echo life >> /lives; cat /lives; while [ ! -e /go ]; do sleep 0.1; done; rm /go")
        self.eventually(lambda: self.run_it("logs", "re"), "life\n")
        self.run_it("exec", "re", "touch", "/go")
        seen = set()
        for _ in range(100):
            seen.add(self.run_it("inspect", "--format", "{{.State.Status}}", "re").strip())
            if self.run_it("logs", "re") == "life\nlife\nlife\n":
                break
        self.assertEqual(self.run_it("logs", "re"), "life\nlife\nlife\n")
        self.assertLessEqual(seen, {"running", "restarting", "starting"})
        self.assertEqual(self.run_it("exec", "re", "cat", "/lives"), "life\nlife\n")
        # Who stops it has it stopped.
        self.assertEqual(self.run_it("stop", "-t", "0", "re"), "re\n")
        self.assertEqual(self.run_it("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "re"), "exited 137\n")
        self.assertEqual(self.run_it("rm", "re"), "re\n")
        self.nothing_left()

    @FULL
    def test_restart_command(self):
        self.run_it("run", "-d", "--name", "rs", "box:1", "sh", "-c", "echo up; trap 'exit 4' TERM; while :; do sleep 0.1; done")
        self.eventually(lambda: self.run_it("logs", "rs"), "up\n")
        self.assertEqual(self.run_it("restart", "rs"), "rs\n")
        self.eventually(lambda: self.run_it("logs", "rs"), "up\nup\n")
        self.assertEqual(self.run_it("inspect", "--format", "{{.State.Status}}", "rs"), "running\n")
        self.run_it("stop", "rs")
        self.assertEqual(self.run_it("restart", "rs"), "rs\n")
        self.eventually(lambda: self.run_it("logs", "rs"), "up\nup\nup\n")
        self.run_it("rm", "-f", "rs")
        self.nothing_left()

    @FULL
    def test_volumes(self):
        self.assertEqual(self.run_it("volume", "create", "v1"), "v1\n")
        self.run_it("run", "-d", "--name", "vo", "-v", "v1:/v", "box:1", "sh", "-c", "echo a > /v/f; sleep 1000")
        self.eventually(lambda: self.run_it("run", "--rm", "-v", "v1:/v:ro", "box:1", "ls", "/v"), "f\n")
        self.assertIn("v1", self.run_it("volume", "rm", "v1", code=1))
        # Parts of it.
        self.run_it("exec", "vo", "sh", "-c", "mkdir -p /v/sub/dir; echo b > /v/sub/dir/g")
        part = "type=volume,source=v1,target=/p,volume-subpath="
        self.assertEqual(self.run_it("run", "--rm", "--mount", part + "sub/dir", "box:1", "ls", "/p"), "g\n")
        self.assertEqual(self.run_it("run", "--rm", "--mount", part + "sub/dir/g", "box:1", "cat", "/p"), "b\n")
        for wrong in "nowhere", "../../containers", "sub\\..\\..":
            self.run_it("run", "--rm", "--mount", part + wrong, "box:1", "true", code=125)
        self.run_it("rm", "-f", "vo")
        self.assertEqual(self.run_it("volume", "rm", "v1"), "v1\n")
        self.nothing_left()

    @FULL
    def test_update_and_stats(self):
        self.run_it("run", "-d", "--name", "up", "--memory", "64m", "box:1", "sh", "-c", "echo up; while [ ! -e /go ]; do sleep 0.1; done; rm /go")
        self.eventually(lambda: self.run_it("logs", "up"), "up\n")
        line = self.run_it("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}} {{.PIDs}}", "up")
        self.assertRegex(line, r"^up .*iB / 64MiB [1-9]")
        self.assertEqual(self.run_it("update", "--memory", "32m", "up"), "up\n")
        self.assertIn("/ 32MiB", self.run_it("stats", "--no-stream", "up"))
        # A policy that is given later holds, too.
        self.assertEqual(self.run_it("update", "--restart", "always", "up"), "up\n")
        self.run_it("exec", "up", "touch", "/go")
        self.eventually(lambda: self.run_it("logs", "up"), "up\nup\n")
        self.run_it("rm", "-f", "up")
        self.nothing_left()

    @FULL
    def test_create_and_start(self):
        name = self.run_it("create", "--name", "cr", "-i", "box:1", "sh", "-c", "cat; exit 6").strip()
        self.assertEqual(self.run_it("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.State}}"), name + " created\n")
        self.assertEqual(self.run_it("start", "-a", "-i", "cr", stdin=b"one\ntwo\n", code=6), "one\ntwo\n")
        self.assertEqual(self.run_it("start", "cr"), "cr\n")
        self.run_it("kill", "cr")
        self.assertEqual(self.run_it("rm", name[:12]), name[:12] + "\n")
        self.assertIn("cr", self.run_it("start", "cr", code=1))
        self.nothing_left()

    @FULL
    def test_attach(self):
        self.run_it("run", "-d", "--name", "at", "box:1", "sh", "-c", "while [ ! -e /go ]; do sleep 0.1; done; echo out; echo err >&2; exit 4")
        client = self.start("attach", "at", stderr=subprocess.DEVNULL)
        time.sleep(1)
        self.run_it("exec", "at", "touch", "/go")
        out, _ = client.communicate(timeout=60)
        self.assertEqual((client.returncode, out), (4, b"out\n"))
        self.assertEqual(self.run_it("logs", "at"), "out\n")
        self.run_it("rm", "at")
        self.nothing_left()

    @FULL
    def test_pause_and_top(self):
        self.run_it("run", "-d", "--name", "pa", "box:1", "sh", "-c", "while :; do echo x; sleep 0.1; done")
        self.assertIn("while :", self.run_it("top", "pa"))
        self.assertEqual(self.run_it("pause", "pa"), "pa\n")
        self.assertIn("Paused", self.run_it("ps", "--format", "{{.Status}}"))
        before = self.run_it("logs", "pa")
        time.sleep(1)
        self.assertEqual(self.run_it("logs", "pa"), before)
        self.assertEqual(self.run_it("unpause", "pa"), "pa\n")
        time.sleep(1)
        self.assertGreater(len(self.run_it("logs", "pa")), len(before))
        self.run_it("rm", "-f", "pa")
        self.nothing_left()

    @FULL
    def test_limits(self):
        """Of memory, processes, files; capabilities, a read-only root, sysctls."""
        self.run_it("run", "--rm", "--memory", "32m", "box:1", "sh", "-c", "dd if=/dev/zero of=/dev/null bs=100M count=1", code=137)
        self.run_it("run", "--name", "om", "--memory", "32m", "box:1", "dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1", code=137)
        self.assertEqual(self.run_it("inspect", "--format", "{{.State.OOMKilled}}", "om"), "true\n")
        self.run_it("rm", "om")
        self.assertIn("Read-only", self.run_it("run", "--rm", "--read-only", "box:1", "touch", "/x", code=1))
        self.assertEqual(self.run_it("run", "--rm", "--read-only", "--tmpfs", "/t", "box:1", "sh", "-c", "echo x > /t/x; cat /t/x"), "x\n")
        self.assertEqual(self.run_it("run", "--rm", "--ulimit", "nofile=77:88", "box:1", "sh", "-c", "ulimit -n"), "77\n")
        self.assertIn("CapEff:\t0000000000000000", self.run_it("run", "--rm", "--cap-drop", "ALL", "box:1", "cat", "/proc/self/status"))
        self.assertIn("permission denied", self.run_it("run", "--rm", "--cap-drop", "ALL", "box:1", "mount", "-t", "tmpfs", "none", "/tmp", code=1))
        self.assertEqual(self.run_it("run", "--rm", "--sysctl", "net.ipv4.ip_forward=1", "box:1", "cat", "/proc/sys/net/ipv4/ip_forward"), "1\n")
        self.nothing_left()

    @FULL
    def test_large_output(self):
        data = self.run_it("run", "--rm", "box:1", "sh", "-c", "seq 200000; seq 10 >&2")
        self.assertEqual(data, "".join(f"{i}\n" for i in range(1, 200001)))
        self.nothing_left()

    @FULL
    def test_events_and_wait(self):
        self.run_it("run", "-d", "--name", "ev", "box:1", "sh", "-c", "sleep 1; exit 8")
        self.assertEqual(self.run_it("wait", "ev"), "8\n")
        self.assertEqual(self.run_it("rename", "ev", "ew"), "")
        self.run_it("rm", "ew")
        actions = self.run_it("events", "--since", "1h", "--until", "0s", "--filter", "container=ev", "--format", "{{.Action}}").split()
        self.assertEqual(actions, ["create", "start", "die"])
        self.nothing_left()

    @FULL
    def test_images_and_prune(self):
        self.assertIn("box", self.run_it("images", "--format", "{{.Repository}}:{{.Tag}}"))
        self.assertEqual(self.run_it("tag", "box:1", "other:2"), "")
        self.run_it("run", "--name", "im", "other:2", "true")
        self.assertIn("other:2", self.run_it("ps", "-a", "--format", "{{.Image}}"))
        self.assertIn("im", self.run_it("ps", "-a", "--filter", "status=exited", "--format", "{{.Names}}"))
        self.assertIn("Total reclaimed space", self.run_it("container", "prune", "-f"))
        self.assertIn("other:2", self.run_it("rmi", "other:2"))
        self.assertNotIn("other", self.run_it("images"))
        self.assertIn("Containers", self.run_it("system", "df"))
        self.assertEqual(json.loads(self.run_it("image", "inspect", "box:1"))[0]["Os"], "linux")
        self.nothing_left()

    @FULL
    def test_many_layers(self):
        """Each is a disk: more than there are letters."""
        self.assertEqual(len(self.run_it("run", "--rm", "many:1", "ls", "/layers").split()), MANY_LAYERS - 1)
        self.assertEqual(self.run_it("run", "--rm", "many:1", "sh", "-c", "rm /layers/7 && echo x > /layers/new && ls /layers").split().count("new"), 1)
        self.nothing_left()

    @FULL
    def test_many_at_once(self):
        """Each has a VM, a disk and a monitor of its own."""
        for i in range(4):
            self.run_it("run", "-d", "--name", f"m{i}", "box:1", "sh", "-c", f"echo {i} > /own; sleep 1000")
        for i in range(4):
            self.eventually(lambda i=i: self.run_it("exec", f"m{i}", "cat", "/own"), f"{i}\n")
        self.assertEqual(sorted(self.run_it("ps", "--format", "{{.Names}}").split()), ["m0", "m1", "m2", "m3"])
        self.assertEqual(self.run_it("stop", "-t", "0", "m0", "m1", "m2", "m3"), "m0\nm1\nm2\nm3\n")
        self.assertEqual(self.run_it("rm", "m0", "m1", "m2", "m3"), "m0\nm1\nm2\nm3\n")
        self.nothing_left()

    @FULL
    def test_carriage_returns_pass(self):
        self.assertEqual(self.run_it("run", "--rm", "-i", "box:1", "cat", stdin=b"a\r\nb\n\x1a\r").encode(), b"a\r\nb\n\x1a\r")
        self.nothing_left()

    @FULL
    def test_diff_and_commit(self):
        """What a container has changed, and an image of it where layer images can be made."""
        self.run_it("run", "--name", "co", "box:1", "sh", "-c", "echo new > /etc/new; rm /etc/passwd; echo more >> /bin/added; ln -s x /link")
        self.assertEqual(sorted(self.run_it("diff", "co").split("\n")), ["", "A /bin/added", "A /etc/new", "A /link", "C /bin", "C /etc", "D /etc/passwd"])
        if self.makes_layers():
            self.run_it("commit", "-m", "all of it", "-a", "me", "-c", "CMD [\"cat\", \"/etc/new\"]", "co", "made:1")
            self.assertEqual(self.run_it("run", "--rm", "made:1"), "new\n")
            self.assertEqual(self.run_it("run", "--rm", "made:1", "sh", "-c", "ls -l /link | grep -c -- '-> x'; ls /etc/passwd; true").strip(), "1")
            self.assertIn("all of it", self.run_it("history", "--format", "{{.Comment}}", "made:1"))
            self.run_it("rmi", "made:1")
        else:
            self.assertIn("libsquashfs", self.run_it("commit", "co", "made:1", code=1))
            self.assertNotIn("made", self.run_it("images"))
        self.assertEqual(self.run_it("rm", "co"), "co\n")
        self.nothing_left()

    @FULL
    def test_health(self):
        self.run_it("run", "-d", "--name", "he", "--health-cmd", "test -e /good", "--health-interval", "200ms", "--health-retries", "2", "box:1", "sleep", "1000")
        status = lambda: self.run_it("inspect", "--format", "{{.State.Health.Status}}", "he")
        self.eventually(status, "unhealthy\n")
        self.run_it("exec", "he", "touch", "/good")
        self.eventually(status, "healthy\n")
        self.assertIn("(healthy)", self.run_it("ps", "--format", "{{.Status}}"))
        self.run_it("rm", "-f", "he")
        self.nothing_left()

    @FULL
    def test_save(self):
        path = os.path.join(self.top, "saved.tar")
        if not self.makes_layers():
            self.assertIn("libsquashfs", self.run_it("save", "-o", windows(path), "many:1", code=1))
            self.assertFalse(os.path.exists(path))
            return
        self.run_it("save", "-o", windows(path), "many:1")
        with tarfile.open(path) as tar:
            manifest = json.load(tar.extractfile("manifest.json"))[0]
            self.assertEqual(manifest["RepoTags"], ["many:1"])
            self.assertEqual(len(manifest["Layers"]), MANY_LAYERS)
            with tarfile.open(fileobj=tar.extractfile(manifest["Layers"][-1])) as layer:
                self.assertIn(f"layers/{MANY_LAYERS - 1}", [name.removeprefix("./") for name in layer.getnames()])

    def makes_layers(self):
        archive = os.path.join(self.top, "tiny.tar")
        with tarfile.open(archive, "w") as tar:
            add_bytes(tar, "file", b"x")
        with tempfile.TemporaryFile() as messages:
            process = self.start("import", windows(archive), "tiny:1", stderr=messages)
            process.communicate(timeout=120)
            messages.seek(0)
            text = messages.read().decode()
        if process.returncode:
            self.assertIn("libsquashfs", text)
            return False
        self.run_it("rmi", "tiny:1")
        return True

    @FULL
    def test_refused_commands(self):
        for words in ["pull", "box:2"], ["machine", "ls"], ["machine", "init"]:
            self.assertIn("is not there on this system", self.run_it(*words, code=125))

    def eventually(self, ask, answer):
        for _ in range(50):
            if ask() == answer:
                return
            time.sleep(0.1)
        self.assertEqual(ask(), answer)

    def monitors(self):
        """Of this test's prefix: other prefixes have other users of Wine."""
        found = []
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    command = file.read()
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if b"skerry-monitor" in command and self.top.encode().replace(b"/", b"\\") in file.read():
                        found.append(pid)
            except OSError:
                pass
        self.assertTrue(found)
        return found


class Result(unittest.TextTestResult):
    """Also appends a line for each case to the file SKERRY_TEST_RESULTS, as scripts/test counts them."""
    def line(self, word, test, why=""):
        name = test.id().rsplit(".", 1)[-1].replace(" ", "_").removeprefix("test_")
        if os.environ.get("SKERRY_TEST_RESULTS"):
            with open(os.environ["SKERRY_TEST_RESULTS"], "a", encoding="utf-8") as file:
                file.write(f"{word} windows/containers/{name}{why}\n")

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line("pass", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line("fail", test)

    def addError(self, test, err):
        super().addError(test, err)
        self.line("fail", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.line("skip", test, " " + reason)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]], testRunner=unittest.TextTestRunner(verbosity=2, resultclass=Result))
