#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The guest's side of bench/mounts: PID 1 of a guest, measures one mount after the other.

Reads /bench.json: {"mounts": [{"name", "kind", "source", "options", "tar", "scaled"}], …}. "tar" has 1/"scaled" of the small files: times are multiplied.
Prints lines "@@ JSON" on the console.
"""
import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, options=""):
    os.makedirs(target, exist_ok=True)
    if LIBC.mount(source.encode(), target.encode(), kind.encode(), 0, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"mount {kind} {source} {options}")


def say(**what):
    print("@@ " + json.dumps(what), flush=True)


def run(*words, **more):
    return subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more).stdout


def timed(function):
    begun = time.monotonic()
    function()
    return time.monotonic() - begun


def cold():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")


def fio(path, what, block, size, **more):
    """MiB/s and operations per second of one fio job."""
    words = ["fio", "--name=x", f"--filename={path}", f"--rw={what}", f"--bs={block}", f"--size={size}m", "--ioengine=psync", "--output-format=json",
             "--invalidate=0", "--fallocate=none"] + [f"--{k}={v}" for k, v in more.items()]
    text = run(*words, cwd="/tmp").decode()
    job = json.loads(text[text.index("{"):])["jobs"][0]["write" if "write" in what else "read"]
    return job["bw_bytes"] / (1 << 20), job["iops"]


class Bench:
    def __init__(self, config, place):
        self.c, self.place, self.name, self.dir = config, place, place["name"], place["dir"]

    def row(self, name, value, unit, scaled=1):
        say(mount=self.name, row=name, value=value * scaled, unit=unit)

    def io(self):
        size, file = self.c["io_mib"], self.dir + "/fio"
        self.row("1 MiB sequential write, fsync at the end", fio(file, "write", "1m", size, end_fsync=1)[0], "MiB/s")
        cold()
        self.row("1 MiB sequential read, cold", fio(file, "read", "1m", size)[0], "MiB/s")
        self.row("1 MiB sequential read, cached", fio(file, "read", "1m", size, loops=2)[0], "MiB/s")
        cold()
        self.row("4 KiB random read, cold", fio(file, "randread", "4k", size // 4)[1], "IOPS")
        fio(file, "read", "1m", size)
        self.row("4 KiB random read, cached", fio(file, "randread", "4k", size // 4, loops=2)[1], "IOPS")
        self.row("4 KiB random write, fsync at the end", fio(file, "randwrite", "4k", size // 4, end_fsync=1)[1], "IOPS")
        os.unlink(file)

    def append(self):
        n = self.c["appends"]

        def go():
            fd = os.open(self.dir + "/log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
            for _ in range(n):
                os.write(fd, b"x" * 512)
                os.fsync(fd)
            os.close(fd)
        self.row("append 512 B and fsync", n / timed(go), "/s")
        self.small_appends(20 * n)
        os.unlink(self.dir + "/log")

    def small_appends(self, n):
        """A log that grows line by line, with and without O_APPEND, in turns; the file is closed in the time."""
        def go(flags):
            fd = os.open(self.dir + "/log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC | flags, 0o644)
            for _ in range(n):
                os.write(fd, b"x" * 128)
            os.close(fd)
        plain, append = [], []
        for _ in range(3):
            plain.append(timed(lambda: go(0)))
            append.append(timed(lambda: go(os.O_APPEND)))
        self.row("append 128 B", n / min(append), "/s")
        self.row("append 128 B, in plain writes of 128 B", min(append) / min(plain), "times")

    def tree(self):
        top, scaled = self.dir + "/tree", self.place.get("scaled", 1)
        os.mkdir(top)
        self.row("tar x of the small files", timed(lambda: run("tar", "xf", self.place["tar"], "-C", top)), "s", scaled)
        cold()
        self.row("find over them, cold", timed(lambda: run("find", top, "-size", "+1000k")), "s", scaled)
        self.row("find over them, again", timed(lambda: run("find", top, "-size", "+1000k")), "s", scaled)
        git = ["git", "-c", "safe.directory=*", "-C", top, "--no-optional-locks"]
        run("mv", top + "/git", top + "/.git")
        # The index holds inode numbers and times of where it was made.
        run("git", "-c", "safe.directory=*", "-C", top, "status", "--porcelain")
        cold()
        self.row("git status, cold", timed(lambda: run(*git, "status", "--porcelain")), "s", scaled)
        self.row("git status, again", timed(lambda: run(*git, "status", "--porcelain")), "s", scaled)
        self.row("rm -r of them", timed(lambda: run("rm", "-rf", top)), "s", scaled)

    def all(self):
        for part in self.c["parts"]:
            getattr(self, part)()


def open_stream(port):
    s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    s.connect((2, port))
    os.set_inheritable(s.fileno(), True)
    return s


def one(config, place):
    place["dir"] = "/bench/" + place["name"]
    options, stream = place["options"], None
    if place["kind"] == "local":
        os.makedirs(place["dir"], exist_ok=True)
    else:
        if "port" in place:
            stream = open_stream(place["port"])
            options += f",rfdno={stream.fileno()},wfdno={stream.fileno()}"
        mount(place["source"], place["dir"], place["kind"], options)
    for name in os.listdir(place["dir"]):
        shutil.rmtree(os.path.join(place["dir"], name), ignore_errors=True)
    Bench(config, place).all()


def main():
    for source, target, kind in (("proc", "/proc", "proc"), ("sysfs", "/sys", "sysfs"), ("dev", "/dev", "devtmpfs"), ("tmp", "/tmp", "tmpfs")):
        try:
            mount(source, target, kind)
        except OSError as error:
            if error.errno != 16:
                raise
    os.environ.update(PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME="/tmp", LC_ALL="C.UTF-8")
    LIBC.mount(None, b"/", None, 32 | 1 << 10, None)  # remount, noatime
    with open("/bench.json", encoding="ascii") as file:
        config = json.load(file)
    for place in config["mounts"]:
        try:
            one(config, place)
        except (OSError, subprocess.CalledProcessError, ValueError, KeyError) as error:
            text = f"{error}: " + (getattr(error, "output", b"") or b"").decode(errors="replace")
            say(mount=place["name"], error=" ".join(text.split())[:300])
    say(done=True)


try:
    main()
finally:
    sys.stdout.flush()
    os.sync()
    LIBC.reboot(0x4321FEDC)
