#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""semantics.py DIRECTORY [mapped] [REGEX]: what a Linux program may expect of a file system, one function each.

Runs in a container as root. "mapped": the directory is shared by a plain user; what the host then cannot keep is not asked for.
The same is run on the container's own disk, which shows that it is the tests that are right. Prints what failed and how many there were.
"""
import ctypes
import errno
import fcntl
import mmap
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
import traceback

TOP = sys.argv[1]
MAPPED = "mapped" in sys.argv[2:]
LIBC = ctypes.CDLL(None, use_errno=True)
NOBODY = 65534


def raises(code, function, *args, **more):
    codes = code if isinstance(code, tuple) else (code,)
    try:
        result = function(*args, **more)
    except OSError as error:
        assert error.errno in codes, f"{errno.errorcode.get(error.errno)} instead of {[errno.errorcode[c] for c in codes]}"
        return
    if isinstance(result, int) and result > 2:
        os.close(result)
    raise AssertionError(f"no error instead of {[errno.errorcode[c] for c in codes]}")


def write(path, data=b"x", mode=0o644):
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)
    os.write(fd, data)
    os.close(fd)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def child(function, uid=0, gid=0, groups=()):
    """Runs it in a child with other ids; raises what it said when it failed."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(list(groups))
            os.setgid(gid)
            os.setuid(uid)
            function()
            os._exit(0)
        except BaseException:  # pylint: disable=broad-except
            os.write(w, traceback.format_exc().encode()[-900:])
            os._exit(1)
    os.close(w)
    with os.fdopen(r, "rb") as pipe:
        said = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, said.decode()


def optional(function, *args):
    """False: the file system below has no such thing, and says so."""
    try:
        function(*args)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY):
            return False
        raise
    return True


def call(name, *args):
    """A function of libc that returns -1 and sets errno."""
    result = getattr(LIBC, name)(*args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)
    return result


def fallocate(fd, mode, offset, length):
    return call("fallocate", fd, mode, ctypes.c_long(offset), ctypes.c_long(length))


def renameat2(old, new, flags):
    return call("renameat2", -100, old.encode(), -100, new.encode(), flags)


def fallocate_modes():
    keep, punch, collapse, zero, insert = 1, 2, 8, 0x10, 0x20
    write("f")
    fd = os.open("f", os.O_RDWR)
    if not optional(fallocate, fd, 0, 0, 65536):
        return
    assert os.fstat(fd).st_size == 65536 and os.fstat(fd).st_blocks >= 128
    if optional(fallocate, fd, keep, 65536, 65536):
        assert os.fstat(fd).st_size == 65536
    # what was written a moment ago and is nowhere but in a cache
    os.pwrite(fd, b"Z" * 65536, 0)
    view = mmap.mmap(fd, 65536)
    if optional(fallocate, fd, punch | keep, 4096, 8192):
        assert os.pread(fd, 3, 4095) == b"Z\0\0" and os.pread(fd, 2, 12287) == b"\0Z"
        assert view[4095:4098] == b"Z\0\0" and view[12287:12289] == b"\0Z"
        raises(errno.EOPNOTSUPP, fallocate, fd, punch, 0, 4096)
    if optional(fallocate, fd, zero, 16385, 4096):
        assert os.pread(fd, 3, 16384) == b"Z\0\0" and os.pread(fd, 2, 20480) == b"\0Z"
    view[32768:32771] = b"abc"
    if optional(fallocate, fd, collapse, 0, 4096):
        assert os.fstat(fd).st_size == 61440 and os.pread(fd, 4, 28672) == b"abcZ"
        if optional(fallocate, fd, insert, 8192, 4096):
            assert os.fstat(fd).st_size == 65536 and os.pread(fd, 4, 32768) == b"abcZ"
            assert os.pread(fd, 4096, 8192) == bytes(4096)
    view.close()
    raises(errno.EINVAL, fallocate, fd, 0, 0, 0)
    raises(errno.EINVAL, fallocate, fd, 0, -1, 10)
    os.close(fd)
    fd = os.open("f", os.O_RDONLY)
    raises(errno.EBADF, fallocate, fd, 0, 0, 10)
    os.close(fd)


def posix_fallocate_keeps_its_word():
    write("f")
    fd = os.open("f", os.O_RDWR)
    os.posix_fallocate(fd, 0, 1 << 20)
    assert os.fstat(fd).st_size == 1 << 20 and os.fstat(fd).st_blocks * 512 >= 1 << 20, os.fstat(fd)
    os.close(fd)


def holes():
    fd = os.open("f", os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, 8 << 20)
    os.pwrite(fd, b"x" * 4096, 4 << 20)
    # before it is synced, and after
    for _ in range(2):
        if os.fstat(fd).st_blocks * 512 >= 8 << 20:
            return
        assert os.lseek(fd, 0, os.SEEK_DATA) == 4 << 20
        assert os.lseek(fd, 4 << 20, os.SEEK_HOLE) == (4 << 20) + 4096
        assert os.lseek(fd, 0, os.SEEK_HOLE) == 0
        raises(errno.ENXIO, os.lseek, fd, (4 << 20) + 4096, os.SEEK_DATA)
        raises(errno.ENXIO, os.lseek, fd, 8 << 20, os.SEEK_HOLE)
        os.fsync(fd)
    os.close(fd)


def rename_flags():
    noreplace, exchange, whiteout = 1, 2, 4
    write("a", b"A")
    write("b", b"BB")
    with open("a", "rb") as held:
        inodes = os.stat("a").st_ino, os.stat("b").st_ino
        if optional(renameat2, "a", "b", exchange):
            assert (read("a"), read("b"), held.read()) == (b"BB", b"A", b"A")
            assert (os.stat("b").st_ino, os.stat("a").st_ino) == inodes
            os.mkdir("d")
            write("d/x")
            renameat2("d", "a", exchange)
            assert read("a/x") == b"x" and read("d") == b"BB" and os.listdir("a") == ["x"]
            renameat2("d", "a/x", exchange)
            assert read("a/x") == b"BB" and read("d") == b"x"
            raises(errno.ENOENT, renameat2, "a", "none", exchange)
            raises(errno.EINVAL, renameat2, "a", "a/x", exchange)
            raises(errno.EINVAL, renameat2, "d", "b", exchange | noreplace)
            os.unlink("a/x")
            os.rmdir("a")
            os.unlink("d")
    write("a")
    raises(errno.EEXIST, renameat2, "a", "b", noreplace)
    renameat2("a", "c", noreplace)
    assert not os.path.exists("a") and read("c") == b"x"
    if optional(renameat2, "c", "m", whiteout):
        st = os.lstat("c")
        assert stat.S_ISCHR(st.st_mode) and st.st_rdev == 0 and read("m") == b"x"


def tmpfile():
    try:
        fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o640)
    except OSError as error:
        assert error.errno == errno.EOPNOTSUPP, error
        return
    os.write(fd, b"hello")
    assert os.fstat(fd).st_nlink == 0 and os.fstat(fd).st_size == 5 and os.listdir(".") == []
    # 0x400: AT_SYMLINK_FOLLOW, 0x1000: AT_EMPTY_PATH
    proc = b"/proc/self/fd/%d" % fd
    call("linkat", -100, proc, -100, b"one", 0x400)
    call("linkat", fd, b"", -100, b"two", 0x1000)
    assert os.fstat(fd).st_nlink == 2 and sorted(os.listdir(".")) == ["one", "two"]
    os.write(fd, b" more")
    raises(errno.EEXIST, call, "linkat", -100, proc, -100, b"one", 0x400)
    os.close(fd)
    assert read("one") == read("two") == b"hello more"
    assert os.stat("one").st_mode & 0o7777 == 0o640
    fd = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_EXCL, 0o600)
    raises(errno.ENOENT, call, "linkat", -100, b"/proc/self/fd/%d" % fd, -100, b"three", 0x400)
    os.close(fd)
    raises(errno.EINVAL, os.open, ".", os.O_TMPFILE | os.O_RDONLY)


def copies_and_clones():
    data = os.urandom(200000)
    write("a", data)
    a, b = os.open("a", os.O_RDWR), os.open("b", os.O_RDWR | os.O_CREAT)
    os.pwrite(a, b"fresh", 100)
    data = data[:100] + b"fresh" + data[105:]
    os.pwrite(b, b"old" * 10, 0)
    done = 0
    while done < 150000:
        done += os.copy_file_range(a, b, 150000 - done, 1000 + done, done)
    assert read("b") == data[1000:151000]
    assert os.copy_file_range(a, b, 10, 200000, 0) == 0
    if optional(fcntl.ioctl, b, 0x40049409, a):  # FICLONE
        assert read("b") == data
    os.close(a)
    os.close(b)


def birth_time():
    class Statx(ctypes.Structure):
        _fields_ = [("mask", ctypes.c_uint32), ("_", ctypes.c_uint8 * 76), ("btime", ctypes.c_int64), ("btime_ns", ctypes.c_uint32)]
        _fields_ += [("rest", ctypes.c_uint8 * 164)]

    before = time.time()
    write("f")
    os.utime("f", (1, 1))
    st = Statx()
    call("statx", -100, b"f", 0, 0xFFF, ctypes.byref(st))
    if st.mask & 0x800:
        assert before - 2 <= st.btime <= time.time() + 2, (before, st.btime)


def leases():
    write("f")
    fd = os.open("f", os.O_RDONLY)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    assert fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_RDLCK
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    os.close(fd)


def nlink_is_true():
    write("f")
    assert os.stat("f").st_nlink == 1
    os.link("f", "g")
    os.link("g", "h")
    assert os.stat("f").st_nlink == os.stat("h").st_nlink == 3
    assert os.stat("f").st_ino == os.stat("g").st_ino == os.stat("h").st_ino
    os.unlink("f")
    assert os.stat("h").st_nlink == 2, os.stat("h")
    fd = os.open("g", os.O_RDONLY)
    os.unlink("g")
    os.unlink("h")
    assert os.fstat(fd).st_nlink == 0
    os.close(fd)


def nlink_of_directories():
    os.mkdir("d")
    before = os.stat("d").st_nlink
    os.mkdir("d/a")
    os.mkdir("d/b")
    assert os.stat("d").st_nlink in (before + 2, 1), os.stat("d").st_nlink
    os.rmdir("d/a")
    assert os.stat("d").st_nlink in (before + 1, 1)


def open_flags():
    write("f", b"0123456789")
    raises(errno.EEXIST, os.open, "f", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    raises(errno.ENOTDIR, os.open, "f", os.O_DIRECTORY)
    os.symlink("f", "l")
    raises(errno.ELOOP, os.open, "l", os.O_NOFOLLOW | os.O_RDONLY)
    raises(errno.EEXIST, os.open, "l", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.mkdir("d")
    raises(errno.EISDIR, os.open, "d", os.O_WRONLY)
    raises(errno.ENOENT, os.open, "none", os.O_RDONLY)
    raises(errno.ENOTDIR, os.open, "f/x", os.O_RDONLY)
    for flags in (os.O_SYNC, os.O_DSYNC, os.O_NOATIME, os.O_NONBLOCK, os.O_CLOEXEC):
        fd = os.open("f", os.O_RDWR | flags)
        assert os.pwrite(fd, b"A", 1) == 1 and os.pread(fd, 2, 0) == b"0A"
        os.close(fd)
    fd = os.open("f", os.O_RDWR | os.O_TRUNC)
    assert os.fstat(fd).st_size == 0
    raises(errno.EBADF, os.read, os.open("f", os.O_WRONLY), 1)
    raises(errno.EBADF, os.write, os.open("f", os.O_RDONLY), b"x")


def append_of_two():
    a = os.open("log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    b = os.open("log", os.O_WRONLY | os.O_APPEND)
    for i in range(50):
        os.write(a, b"a%02d\n" % i)
        os.write(b, b"b%02d\n" % i)
    c = os.open("log", os.O_RDWR | os.O_APPEND)
    os.write(c, b"last")
    text = read("log")
    assert len(text) == 404 and text.endswith(b"b49\nlast"), text[-20:]


def append_of_processes():
    def add():
        fd = os.open("log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        for i in range(200):
            os.write(fd, b"%09d\n" % i)
    pids = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            add()
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    assert os.stat("log").st_size == 8000
    lines = read("log").split()
    assert len(lines) == 800 and all(len(x) == 9 for x in lines)


def unlink_while_open():
    fd = os.open("f", os.O_CREAT | os.O_RDWR, 0o640)
    os.write(fd, b"hello")
    os.unlink("f")
    raises(errno.ENOENT, os.stat, "f")
    os.write(fd, b" world")
    assert os.pread(fd, 20, 0) == b"hello world"
    os.ftruncate(fd, 5)
    os.fchmod(fd, 0o600)
    os.fchown(fd, 12, 34)
    os.fsync(fd)
    os.utime(fd, (1, 2))
    st = os.fstat(fd)
    assert (st.st_size, stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, st.st_mtime) == (5, 0o600, 12, 34, 2), st
    write("f", b"other")
    assert os.pread(fd, 20, 0) == b"hello" and read("f") == b"other"
    os.close(fd)


def rename_over_open():
    write("new", b"new")
    fd = os.open("old", os.O_CREAT | os.O_RDWR, 0o600)
    os.write(fd, b"old")
    os.rename("new", "old")
    os.write(fd, b"er")
    assert os.pread(fd, 9, 0) == b"older" and read("old") == b"new"
    assert os.fstat(fd).st_nlink == 0
    raises(errno.ENOENT, os.stat, "new")


def rename_rules():
    os.makedirs("a/b/c")
    raises(errno.EINVAL, os.rename, "a", "a/b/x")
    os.mkdir("full")
    write("full/f")
    raises((errno.ENOTEMPTY, errno.EEXIST), os.rename, "a", "full")
    os.mkdir("empty")
    os.rename("full", "empty")
    assert os.listdir("empty") == ["f"]
    write("file")
    raises(errno.EISDIR, os.rename, "file", "empty")
    raises(errno.ENOTDIR, os.rename, "empty", "file")
    raises(errno.ENOENT, os.rename, "none", "file")
    fd = os.open("a/b/c/inner", os.O_CREAT | os.O_RDWR, 0o600)
    os.rename("a", "z")
    os.write(fd, b"moved")
    assert read("z/b/c/inner") == b"moved"
    os.rename("z/b/c/inner", "top")
    assert os.pread(fd, 9, 0) == b"moved"
    os.link("top", "top2")
    os.rename("top", "top2")
    assert os.path.exists("top") and os.path.exists("top2"), "rename of two names of one file does nothing"


def rmdir_rules():
    os.mkdir("d")
    write("d/f")
    raises((errno.ENOTEMPTY, errno.EEXIST), os.rmdir, "d")
    raises((errno.EISDIR, errno.EPERM), os.unlink, "d")
    raises(errno.ENOTDIR, os.rmdir, "d/f")
    fd = os.open("d", os.O_RDONLY)
    os.unlink("d/f")
    os.rmdir("d")
    assert os.listdir(fd) == []
    raises(errno.ENOENT, os.mkdir, "d/x")


def names():
    name = b"n" * 255
    write(name)
    assert os.listdir(b".") == [name]
    os.unlink(name)
    raises(errno.ENAMETOOLONG, os.stat, b"n" * 257)  # an overlay over squashfs takes one more
    raises(errno.ENAMETOOLONG, os.mkdir, b"n" * 256)
    wanted = set()
    for i in range(1, 256):
        if i not in (0x2F,):
            wanted.add(b"x" + bytes([i]))
    wanted |= {b"\xff\xfe\x80", b"a\nb", b" ", b"-rf", b"*", b"\x01\x02", "größe \u2603".encode()}
    for w in wanted:
        write(w, w)
    assert set(os.listdir(b".")) == wanted
    for w in wanted:
        assert read(w) == w
        os.rename(w, w + b"2")
        os.unlink(w + b"2")


def symlinks():
    target = "t" * 200 + "/" + "u/" * 1800 + "end"
    os.symlink(target, "l")
    assert os.readlink("l") == target
    assert os.lstat("l").st_size == len(target)
    os.symlink("../../../../etc/hostname", "out")
    assert os.readlink("out") == "../../../../etc/hostname"
    os.symlink("loop", "loop")
    raises(errno.ELOOP, os.open, "loop", os.O_RDONLY)
    os.link("l", "hard", follow_symlinks=False)
    assert os.lstat("hard").st_nlink == 2
    raises(errno.EINVAL, os.readlink, ".")
    os.utime("l", (5, 6), follow_symlinks=False)
    assert os.lstat("l").st_mtime == 6
    os.lchown("l", 5, 6)
    assert (os.lstat("l").st_uid, os.lstat("hard").st_gid) == (5, 6)
    os.rename("l", "l2")
    os.unlink("hard")
    assert (os.lstat("l2").st_uid, os.lstat("l2").st_gid) == (5, 6)


def times():
    write("f")
    os.utime("f", ns=(1234567890123456789, 987654321987654321))
    st = os.stat("f")
    assert st.st_atime_ns == 1234567890123456789 and st.st_mtime_ns == 987654321987654321
    before = time.time() - 5
    os.utime("f")
    assert os.stat("f").st_mtime > before
    os.utime("f", ns=(0, 0))
    assert os.stat("f").st_mtime_ns == 0
    os.utime("f", ns=(-10**9, 2**33 * 10**9))
    assert os.stat("f").st_mtime == 2**33
    c = os.stat("f").st_ctime_ns
    time.sleep(0.02)
    os.chmod("f", 0o600)
    assert os.stat("f").st_ctime_ns > c
    os.mkdir("d")
    os.utime("d", (1, 1))
    write("d/f")
    assert os.stat("d").st_mtime > before
    write("w")
    os.utime("w", (1, 1))
    fd = os.open("w", os.O_WRONLY)
    os.write(fd, b"changed")
    assert os.fstat(fd).st_mtime > before
    os.close(fd)
    assert os.stat("w").st_mtime > before


def modes():
    old = os.umask(0o027)
    fd = os.open("f", os.O_CREAT | os.O_WRONLY, 0o666)
    os.close(fd)
    os.mkdir("d", 0o777)
    os.umask(old)
    assert stat.S_IMODE(os.stat("f").st_mode) == 0o640
    assert stat.S_IMODE(os.stat("d").st_mode) == 0o750
    for mode in (0, 0o400, 0o4755, 0o2755, 0o1777, 0o7777):
        os.chmod("f", mode)
        assert stat.S_IMODE(os.stat("f").st_mode) == mode, oct(mode)
        os.chmod("d", mode)
        assert stat.S_IMODE(os.stat("d").st_mode) == mode, oct(mode)
    os.chmod("f", 0)
    assert read("f") == b""  # root


def owners():
    write("f")
    os.chown("f", 1000, 2000)
    assert (os.stat("f").st_uid, os.stat("f").st_gid) == (1000, 2000)
    os.chown("f", -1, 7)
    assert (os.stat("f").st_uid, os.stat("f").st_gid) == (1000, 7)
    os.chown("f", 4294967294, 4294967293)
    assert (os.stat("f").st_uid, os.stat("f").st_gid) == (4294967294, 4294967293)
    os.chmod(".", 0o777)

    def other():
        write("mine")
        os.mkdir("mydir")
        os.symlink("x", "mylink")
        st = os.stat("mine")
        assert (st.st_uid, st.st_gid) == (NOBODY, 100), st
        raises(errno.EPERM, os.chown, "mine", 0, 100)
        raises(errno.EPERM, os.chmod, "f", 0o777)
        raises(errno.EPERM, os.utime, "f", (1, 1))
        os.chown("mine", NOBODY, 200)
    child(other, NOBODY, 100, [200])
    assert os.stat("mydir").st_uid == NOBODY and os.stat("mine").st_gid == 200


def own_changes_are_seen_at_once():
    """What is changed is so for the one who changed it, whatever others have asked for at the same time."""
    def look():
        parent = os.getppid()
        while os.getppid() == parent:
            for name in ["f", "g", "h", "k"] + os.listdir("."):
                try:
                    os.stat(name)
                    os.listxattr(name)
                except OSError:
                    pass
    looker = os.fork()
    if looker == 0:
        look()
        os._exit(0)
    try:
        end = time.monotonic() + 4
        while time.monotonic() < end:
            write("f")
            os.link("f", "g")
            assert os.stat("f").st_nlink == 2, os.stat("f")
            os.link("g", "h")
            assert os.stat("h").st_nlink == os.stat("f").st_nlink == 3, (os.stat("h"), os.stat("f"))
            os.unlink("f")
            assert os.stat("h").st_nlink == 2, os.stat("h")
            assert not os.path.exists("f")
            os.rename("g", "k")
            assert os.path.exists("k") and not os.path.exists("g")
            os.setxattr("k", "user.a", b"1")
            assert os.listxattr("h") == ["user.a"] and os.getxattr("h", "user.a") == b"1", os.listxattr("h")
            os.mkdir("d")
            links = os.stat("d").st_nlink
            os.mkdir("d/d")
            assert os.stat("d").st_nlink in (links + 1, 1), (links, os.stat("d"))
            os.rename("d/d", "e")
            assert os.listdir("d") == [] and not os.path.exists("d/d")
            os.rmdir("d")
            os.rmdir("e")
            os.unlink("k")
            assert os.stat("h").st_nlink == 1, os.stat("h")
            os.unlink("h")
            assert os.listdir(".") == []
    finally:
        os.kill(looker, signal.SIGKILL)
        os.waitpid(looker, 0)


def rights():
    os.chmod(".", 0o755)
    write("secret", b"x", 0o600)
    os.mkdir("closed", 0o700)
    write("closed/f")

    def other():
        raises(errno.EACCES, os.open, "secret", os.O_RDONLY)
        raises(errno.EACCES, os.open, "new", os.O_CREAT | os.O_WRONLY)
        raises(errno.EACCES, os.stat, "closed/f")
        raises(errno.EACCES, os.listdir, "closed")
        raises(errno.EACCES, os.unlink, "secret")
        assert not os.access("secret", os.R_OK) and os.access(".", os.R_OK | os.X_OK)
    child(other, NOBODY, NOBODY)


def sticky():
    os.mkdir("tmp")
    os.chmod("tmp", 0o1777)
    write("tmp/root")
    child(lambda: write("tmp/a"), 1001, 1001)

    def other():
        raises((errno.EPERM, errno.EACCES), os.unlink, "tmp/a")
        raises((errno.EPERM, errno.EACCES), os.rename, "tmp/a", "tmp/b")
        raises((errno.EPERM, errno.EACCES), os.unlink, "tmp/root")
        write("tmp/own")
        os.rename("tmp/own", "tmp/own2")
        os.unlink("tmp/own2")
    child(other, 1002, 1002)
    child(lambda: os.unlink("tmp/a"), 1001, 1001)


def setid_bits():
    os.chmod(".", 0o777)
    write("f", b"x", 0o755)
    os.chmod("f", 0o6777)
    os.chown("f", 1001, 1001)
    assert stat.S_IMODE(os.stat("f").st_mode) & 0o6000 == 0, "chown clears them"
    os.chmod("f", 0o6777)

    def other():
        fd = os.open("f", os.O_WRONLY)
        os.write(fd, b"changed")
        os.close(fd)
    child(other, 1002, 1002)
    assert stat.S_IMODE(os.stat("f").st_mode) == 0o777, f"a write clears them: {os.stat('f').st_mode:o}"
    os.chmod("f", 0o4755)
    child(lambda: os.truncate("f", 0) if os.access("f", os.W_OK) else None, 1001, 1001)
    assert stat.S_IMODE(os.stat("f").st_mode) & 0o4000 == 0, "truncate clears them"

    def directly():
        fd = os.open("f", os.O_WRONLY | os.O_DIRECT)
        os.write(fd, mmap.mmap(-1, 4096))
        os.close(fd)
    # Where the group may not execute the file, set-group-id stays for who is in the group.
    for groups, left in (((1001,), 0o2000), ((), 0)):
        for change in (other, directly, lambda: os.truncate("f", 3)):
            os.chmod("f", 0o2666)
            child(change, 1002, 1002, groups)
            assert os.stat("f").st_mode & 0o7000 == left, f"{change.__name__} with groups {groups}: {os.stat('f').st_mode:o}"
    # Root may keep them all (CAP_FSETID), also when what he wrote is written back later.
    for change in (other, directly, lambda: os.truncate("f", 3), lambda: os.posix_fallocate(os.open("f", os.O_WRONLY), 0, 9)):
        os.chmod("f", 0o6777)
        change()
        os.sync()
        assert os.stat("f").st_mode & 0o7777 == 0o6777, f"{change.__name__} by root: {os.stat('f').st_mode:o}"
    # A chown leaves set-group-id where the group may not execute the file, whatever groups it is of.
    os.chown("f", 1, 1003)
    os.chmod("f", 0o2644)
    os.chown("f", 2, 1004)
    assert os.stat("f").st_mode & 0o7777 == 0o2644, f"chown: {os.stat('f').st_mode:o}"
    os.mkdir("g")
    os.chown("g", 0, 500)
    os.chmod("g", 0o2777)
    child(lambda: (write("g/f"), os.mkdir("g/d")), 1002, 1002)
    assert os.stat("g/f").st_gid == 500 and os.stat("g/d").st_gid == 500, "a set-gid directory gives its group on"
    assert os.stat("g/d").st_mode & 0o2000


def acls():
    os.chmod(".", 0o755)
    write("f", b"x", 0o600)
    child_read = lambda: os.close(os.open("f", os.O_RDONLY))
    subprocess.run(["setfacl", "-m", "u:1234:r", "f"], check=True)
    out = subprocess.run(["getfacl", "-n", "f"], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert "user:1234:r--" in out and "mask::r--" in out, out
    child(child_read, 1234, 1234)
    child(lambda: raises(errno.EACCES, os.open, "f", os.O_RDONLY), 1235, 1235)
    subprocess.run(["setfacl", "-b", "f"], check=True)
    child(lambda: raises(errno.EACCES, os.open, "f", os.O_RDONLY), 1234, 1234)
    os.mkdir("d")
    subprocess.run(["setfacl", "-d", "-m", "g:55:rwx", "d"], check=True)
    write("d/f")
    os.mkdir("d/sub")
    out = subprocess.run(["getfacl", "-n", "d/f", "d/sub"], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert out.count("group:55:rwx") == 3, out
    subprocess.run(["setfacl", "-k", "d"], check=True)


def xattrs():
    write("f")
    raises(errno.ENODATA, os.getxattr, "f", "user.none")
    os.setxattr("f", "user.a", b"1")
    os.setxattr("f", "user.b", b"\0\xff" * 100)
    os.setxattr("f", "user.empty", b"")
    assert os.getxattr("f", "user.a") == b"1" and os.getxattr("f", "user.b") == b"\0\xff" * 100 and os.getxattr("f", "user.empty") == b""
    assert set(os.listxattr("f")) == {"user.a", "user.b", "user.empty"}, os.listxattr("f")
    raises(errno.EEXIST, os.setxattr, "f", "user.a", b"2", os.XATTR_CREATE)
    raises(errno.ENODATA, os.setxattr, "f", "user.new", b"2", os.XATTR_REPLACE)
    os.setxattr("f", "user.a", b"", os.XATTR_REPLACE)
    assert os.getxattr("f", "user.a") == b"", "empty, and not removed"
    os.setxattr("f", "user.a", b"22", os.XATTR_REPLACE)
    os.removexattr("f", "user.b")
    raises(errno.ENODATA, os.removexattr, "f", "user.b")
    assert set(os.listxattr("f")) == {"user.a", "user.empty"} and os.getxattr("f", "user.a") == b"22"
    fd = os.open("f", os.O_RDWR)
    os.unlink("f")
    assert os.getxattr(fd, "user.a") == b"22"
    os.setxattr(fd, "user.c", b"3")
    os.close(fd)
    os.mkdir("d")
    os.setxattr("d", "user.d", b"directory")
    assert os.getxattr("d", "user.d") == b"directory"
    raises((errno.EOPNOTSUPP, errno.EPERM), os.setxattr, "d", "nonsense.x", b"1")


def capabilities_go_with_a_write():
    write("prog", b"x", 0o755)
    cap = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
    try:
        os.setxattr("prog", "security.capability", cap)
    except OSError as error:
        # A plain user may not set it on the host, nor everybody everywhere.
        assert MAPPED and error.errno in (errno.EPERM, errno.EOPNOTSUPP), error
        return
    assert os.getxattr("prog", "security.capability")[:8] == cap[:8]
    fd = os.open("prog", os.O_WRONLY)
    os.write(fd, b"y")
    os.close(fd)
    raises(errno.ENODATA, os.getxattr, "prog", "security.capability")


def fifos():
    os.mkfifo("p", 0o600)
    assert stat.S_ISFIFO(os.stat("p").st_mode)
    raises(errno.ENXIO, os.open, "p", os.O_WRONLY | os.O_NONBLOCK)
    pid = os.fork()
    if pid == 0:
        fd = os.open("p", os.O_WRONLY)
        os.write(fd, b"through")
        os._exit(0)
    fd = os.open("p", os.O_RDONLY)
    assert os.read(fd, 99) == b"through"
    os.waitpid(pid, 0)


def sockets():
    s = socket.socket(socket.AF_UNIX)
    s.bind("s")
    assert stat.S_ISSOCK(os.stat("s").st_mode)
    s.listen()
    c = socket.socket(socket.AF_UNIX)
    c.connect("s")
    a = s.accept()[0]
    c.sendall(b"hello")
    assert a.recv(9) == b"hello"
    t = socket.socket(socket.AF_UNIX)
    raises(errno.EADDRINUSE, t.bind, "s")
    s.close()
    d = socket.socket(socket.AF_UNIX)
    raises(errno.ECONNREFUSED, d.connect, "s")
    os.unlink("s")


def devices():
    os.mknod("null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod("blk", 0o600 | stat.S_IFBLK, os.makedev(259, 70000))
    st = os.stat("null")
    assert stat.S_ISCHR(st.st_mode) and (os.major(st.st_rdev), os.minor(st.st_rdev)) == (1, 3)
    st = os.stat("blk")
    assert stat.S_ISBLK(st.st_mode) and (os.major(st.st_rdev), os.minor(st.st_rdev)) == (259, 70000), st
    with open("null", "r+b", buffering=0) as file:
        assert file.write(b"x") == 1 and file.read(1) == b""
    os.mknod("plain", 0o640 | stat.S_IFREG)
    assert stat.S_ISREG(os.stat("plain").st_mode) and os.stat("plain").st_size == 0


def sparse_and_large():
    fd = os.open("big", os.O_CREAT | os.O_RDWR, 0o600)
    os.ftruncate(fd, 1 << 40)
    at = (5 << 30) + 12345
    os.pwrite(fd, b"far away", at)
    os.fsync(fd)
    assert os.pread(fd, 8, at) == b"far away" and os.pread(fd, 8, at - 100) == bytes(8)
    st = os.fstat(fd)
    assert st.st_size == 1 << 40 and st.st_blocks * 512 < 10 << 20, st
    os.ftruncate(fd, at + 3)
    assert os.pread(fd, 99, at) == b"far"
    os.ftruncate(fd, at + 6)
    assert os.pread(fd, 99, at) == b"far\0\0\0"
    raises((errno.EINVAL, errno.EFBIG), os.ftruncate, fd, (1 << 63) - 1)
    os.close(fd)
    os.unlink("big")


def truncate_and_zeros():
    write("f", b"a" * 10000)
    os.truncate("f", 5000)
    os.truncate("f", 12000)
    assert read("f") == b"a" * 5000 + bytes(7000)
    fd = os.open("f", os.O_RDWR)
    os.pwrite(fd, b"end", 20000)
    assert os.fstat(fd).st_size == 20003 and os.pread(fd, 8000, 12000) == bytes(8000)
    os.truncate("f", 0)
    assert os.pread(fd, 10, 0) == b""
    os.write(fd, b"again")
    assert read("f") == b"again"


def mmap_shared():
    fd = os.open("m", os.O_CREAT | os.O_RDWR, 0o600)
    os.ftruncate(fd, 3 * 4096)
    m = mmap.mmap(fd, 3 * 4096)
    m[5000:5005] = b"mmap!"
    assert os.pread(fd, 5, 5000) == b"mmap!"
    os.pwrite(fd, b"write", 9000)
    assert m[9000:9005] == b"write"
    m.flush()
    m.close()
    other = os.open("m", os.O_RDONLY)
    assert os.pread(other, 5, 5000) == b"mmap!" and os.pread(other, 5, 9000) == b"write"
    p = mmap.mmap(fd, 4096, mmap.MAP_PRIVATE)
    p[0:4] = b"priv"
    assert os.pread(fd, 4, 0) == bytes(4)
    os.unlink("m")
    m = mmap.mmap(fd, 4096)
    m[0:4] = b"gone"
    assert os.pread(fd, 4, 0) == b"gone"


def exec_from_here():
    write("script", b"#!/bin/sh\necho ran\n", 0o755)
    assert subprocess.run(["./script"], check=True, stdout=subprocess.PIPE).stdout == b"ran\n"
    subprocess.run(["cp", "/bin/true", "true"], check=True)
    subprocess.run(["./true"], check=True)


def lock(fd, kind, start=0, length=0, wait=False, cmd=None):
    data = struct.pack("hhqqi4x", kind, 0, start, length, 0)
    fcntl.fcntl(fd, cmd or (fcntl.F_SETLKW if wait else fcntl.F_SETLK), data)


def getlk(fd, kind, start=0, length=0):
    data = fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack("hhqqi4x", kind, 0, start, length, 0))
    return struct.unpack("hhqqi4x", data)


def posix_locks():
    write("f", b"x" * 100)
    fd = os.open("f", os.O_RDWR)
    lock(fd, fcntl.F_WRLCK, 10, 20)

    def other():
        f = os.open("f", os.O_RDWR)
        raises((errno.EAGAIN, errno.EACCES), lock, f, fcntl.F_RDLCK, 15, 1)
        raises((errno.EAGAIN, errno.EACCES), lock, f, fcntl.F_WRLCK, 0, 0)
        lock(f, fcntl.F_WRLCK, 0, 10)
        lock(f, fcntl.F_WRLCK, 30, 0)
        kind, _, start, length, pid = getlk(f, fcntl.F_WRLCK, 0, 0)
        assert (kind, start, length, pid) == (fcntl.F_WRLCK, 10, 20, os.getppid()), (kind, start, length, pid)
        assert getlk(f, fcntl.F_WRLCK, 40, 5)[0] == fcntl.F_UNLCK
    child(other)
    lock(fd, fcntl.F_RDLCK, 10, 5)  # downgrade a part

    def reader():
        f = os.open("f", os.O_RDWR)
        lock(f, fcntl.F_RDLCK, 10, 5)
        raises((errno.EAGAIN, errno.EACCES), lock, f, fcntl.F_RDLCK, 14, 2)
    child(reader)
    lock(fd, fcntl.F_UNLCK, 12, 5)
    child(lambda: lock(os.open("f", os.O_RDWR), fcntl.F_WRLCK, 12, 5))
    os.close(os.open("f", os.O_RDONLY))  # POSIX: any close of the file drops all of them
    child(lambda: lock(os.open("f", os.O_RDWR), fcntl.F_WRLCK, 0, 0))
    r = os.open("f", os.O_RDONLY)
    raises(errno.EBADF, lock, r, fcntl.F_WRLCK)
    lock(r, fcntl.F_RDLCK)


def blocked_locks_wake_at_once():
    write("f")
    fd = os.open("f", os.O_RDWR)
    lock(fd, fcntl.F_WRLCK)
    waits = []
    for _ in range(3):
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            f = os.open("f", os.O_RDWR)
            lock(f, fcntl.F_WRLCK, wait=True)
            os.write(w, struct.pack("d", time.monotonic()))
            os._exit(0)
        time.sleep(0.3)
        released = time.monotonic()
        lock(fd, fcntl.F_UNLCK)
        waits.append(struct.unpack("d", os.read(r, 8))[0] - released)
        os.waitpid(pid, 0)
        lock(fd, fcntl.F_WRLCK)
    assert min(waits) < 0.5, waits


def killed_waiter_leaves_no_lock():
    write("f")
    fd = os.open("f", os.O_RDWR)
    lock(fd, fcntl.F_WRLCK)
    pid = os.fork()
    if pid == 0:
        lock(os.open("f", os.O_RDWR), fcntl.F_WRLCK, wait=True)
        os._exit(0)
    time.sleep(0.3)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    lock(fd, fcntl.F_UNLCK)
    child(lambda: lock(os.open("f", os.O_RDWR), fcntl.F_WRLCK))


def interrupted_waiter():
    write("f")
    fd = os.open("f", os.O_RDWR)
    lock(fd, fcntl.F_WRLCK)

    def other():
        def on_alarm(*_):
            raise InterruptedError
        signal.signal(signal.SIGALRM, on_alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        begun = time.monotonic()
        try:
            lock(os.open("f", os.O_RDWR), fcntl.F_WRLCK, wait=True)
            raise AssertionError("got it")
        except InterruptedError:
            pass
        assert time.monotonic() - begun < 20
    child(other)


def flocks():
    write("f")
    a = os.open("f", os.O_RDONLY)
    b = os.open("f", os.O_RDONLY)
    fcntl.flock(a, fcntl.LOCK_EX)
    raises(errno.EWOULDBLOCK, fcntl.flock, b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fcntl.flock(a, fcntl.LOCK_SH)
    fcntl.flock(b, fcntl.LOCK_SH | fcntl.LOCK_NB)
    raises(errno.EWOULDBLOCK, fcntl.flock, b, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(a)
    fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)
    # It belongs to the open file, not to the process.
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    c = os.open("f", os.O_RDONLY)
    raises(errno.EWOULDBLOCK, fcntl.flock, c, fcntl.LOCK_EX | fcntl.LOCK_NB)
    out = subprocess.run(["sh", "-c", "exec 9<f; flock -n 9 || echo refused; exec 9<&-"], stdout=subprocess.PIPE, check=True).stdout
    assert out == b"refused\n"
    os.close(b)
    fcntl.flock(c, fcntl.LOCK_EX | fcntl.LOCK_NB)


def flock_of_a_helper_process():
    """A shell's way: flock(1) locks a descriptor that the shell keeps."""
    out = subprocess.run(
        ["bash", "-c", 'exec 9>f; flock 9; if flock -n f true; then echo free; else echo held; fi; exec 9>&-; flock -n f echo free'],
        stdout=subprocess.PIPE, check=True,
    ).stdout
    assert out == b"held\nfree\n", out


def ofd_locks():
    write("f")
    a = os.open("f", os.O_RDWR)
    b = os.open("f", os.O_RDWR)
    lock(a, fcntl.F_WRLCK, 0, 10, cmd=37)
    raises(errno.EAGAIN, lock, b, fcntl.F_WRLCK, 5, 1, cmd=37)
    lock(b, fcntl.F_WRLCK, 10, 1, cmd=37)
    os.close(a)
    lock(b, fcntl.F_WRLCK, 5, 1, cmd=37)


def locks_of_hard_links():
    write("f")
    os.link("f", "g")
    fd = os.open("f", os.O_RDWR)
    lock(fd, fcntl.F_WRLCK)
    child(lambda: raises((errno.EAGAIN, errno.EACCES), lock, os.open("g", os.O_RDWR), fcntl.F_WRLCK))


def listings():
    os.mkdir("d")
    for i in range(1500):
        os.close(os.open(f"d/entry{i:05}", os.O_CREAT | os.O_WRONLY, 0o600))
    entries = {e.name: e.inode() for e in os.scandir("d")}
    assert len(entries) == 1500
    for name in list(entries)[:100]:
        assert os.stat("d/" + name).st_ino == entries[name]
    # Removing while listing misses nothing.
    seen = 0
    for e in os.scandir("d"):
        os.unlink(e.path)
        seen += 1
    assert seen == 1500 and os.listdir("d") == []
    os.rmdir("d")


def listing_types():
    os.mkdir("d")
    write("f")
    os.symlink("f", "l")
    os.mkfifo("p")
    kinds = {e.name: (e.is_dir(follow_symlinks=False), e.is_symlink(), e.is_file(follow_symlinks=False)) for e in os.scandir(".")}
    assert kinds == {"d": (True, False, False), "f": (False, False, True), "l": (False, True, False), "p": (False, False, False)}, kinds


def deep_paths():
    path = ""
    for i in range(60):
        path = os.path.join(path, f"level{i:02}")
        os.mkdir(path)
    write(path + "/f", b"deep")
    assert read(path + "/f") == b"deep"
    os.chdir(path)
    assert os.getcwd().endswith(path)
    os.chdir(os.path.join("..", *[".."] * 59))


def fsyncs():
    fd = os.open("f", os.O_CREAT | os.O_RDWR, 0o600)
    os.write(fd, b"x")
    os.fsync(fd)
    os.fdatasync(fd)
    d = os.open(".", os.O_RDONLY)
    os.fsync(d)
    os.fdatasync(d)
    os.sync()


def statfs():
    st = os.statvfs(".")
    assert st.f_namemax in (255, 256) and st.f_blocks > 0 and 0 < st.f_bavail <= st.f_blocks and st.f_bsize >= 512


def many_open_files():
    fds = []
    for i in range(800):
        fds.append(os.open(f"o{i}", os.O_CREAT | os.O_RDWR, 0o600))
        os.write(fds[-1], b"%d" % i)
    for i, fd in enumerate(fds):
        assert os.pread(fd, 9, 0) == b"%d" % i
        os.close(fd)


def concurrent_creation():
    """O_EXCL gives a name to one only."""
    pids = []
    for who in range(4):
        pid = os.fork()
        if pid == 0:
            won = 0
            for i in range(100):
                try:
                    os.close(os.open(f"c{i}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                    won += 1
                except FileExistsError:
                    pass
            os._exit(won)
        pids.append(pid)
    won = sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids)
    assert won == 100, won


def vectors_and_big_io():
    fd = os.open("v", os.O_CREAT | os.O_RDWR, 0o600)
    data = os.urandom(3 << 20)
    assert os.writev(fd, [data[:1000], data[1000:70000], data[70000:]]) == len(data)
    got = b""
    while len(got) < len(data):
        got += os.pread(fd, len(data), len(got))
    assert got == data
    out = os.open("w", os.O_CREAT | os.O_RDWR, 0o600)
    os.lseek(fd, 0, os.SEEK_SET)
    assert os.sendfile(out, fd, 0, 1 << 20) == 1 << 20
    assert read("w") == data[: 1 << 20]
    n = os.copy_file_range(fd, out, 1 << 20, 0, 0)
    assert n > 0 and read("w")[:n] == data[:n]


def direct_io():
    write("f", b"d" * 8192)
    try:
        fd = os.open("f", os.O_RDWR | os.O_DIRECT)
    except OSError as error:
        assert error.errno == errno.EINVAL
        return
    buf = mmap.mmap(-1, 8192)
    assert os.preadv(fd, [buf], 0) == 8192 and buf[:] == b"d" * 8192
    buf[:] = b"e" * 8192
    assert os.pwritev(fd, [buf], 4096) == 8192
    assert read("f") == b"d" * 4096 + b"e" * 8192


def attributes_of_a_new_file_while_it_is_open():
    """As tar and cp set them: they may be held back, but not seen otherwise, and not lost by what comes after."""
    fd = os.open("f", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    os.write(fd, b"abc")
    os.fchmod(fd, 0o640)
    os.utime(fd, (1000, 2000))
    os.fchown(fd, os.getuid(), os.getgid())
    for st in (os.fstat(fd), os.stat("f")):
        assert (stat.S_IMODE(st.st_mode), st.st_size, st.st_atime, st.st_mtime) == (0o640, 3, 1000, 2000), st
    # A write after it counts more than the time that was set.
    os.utime(fd, (1000, 2000))
    os.write(fd, b"def")
    assert os.stat("f").st_mtime > 1e9 and os.stat("f").st_size == 6
    os.utime(fd, (1000, 2000))
    os.rename("f", "g")
    os.fchmod(fd, 0o4755)
    os.fchown(fd, NOBODY, NOBODY)  # clears the bit
    assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o755
    os.fchmod(fd, 0o2750)
    os.close(fd)
    st = os.stat("g")
    assert (stat.S_IMODE(st.st_mode), st.st_uid, st.st_mtime, st.st_size) == (0o2750, NOBODY, 2000, 6), st
    # Closed in a child first, unlinked before it is closed, synced in between.
    fd = os.open("h", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    os.fchmod(fd, 0o644)
    child(lambda: os.close(fd))
    os.utime(fd, (3, 4))
    os.fsync(fd)
    os.fchmod(fd, 0o604)
    os.link("h", "i")
    os.unlink("h")
    os.close(fd)
    st = os.stat("i")
    assert (stat.S_IMODE(st.st_mode), st.st_mtime, st.st_nlink) == (0o604, 4, 1), st


def attributes_after_a_listing():
    """What a listing has told is what is there, and names made or removed since are known."""
    for i in range(300):
        write(f"f{i:03}", b"x" * i)
    os.mkdir("sub")
    os.symlink("f001", "link")
    for _ in range(2):
        found = {e.name: e.stat(follow_symlinks=False) for e in os.scandir(".")}
        assert len(found) == 302 and all(found[f"f{i:03}"].st_size == i for i in range(300))
        assert stat.S_ISLNK(found["link"].st_mode) and stat.S_ISDIR(found["sub"].st_mode)
    write("f007", b"more than before")
    os.chmod("f008", 0o600)
    os.unlink("f009")
    os.rename("f010", "sub/f010")
    write("new")
    found = {e.name: e.stat(follow_symlinks=False) for e in os.scandir(".")}
    assert found["f007"].st_size == 16 and stat.S_IMODE(found["f008"].st_mode) == 0o600 and "new" in found
    assert "f009" not in found and "f010" not in found and os.stat("sub/f010").st_size == 10
    raises(errno.ENOENT, os.stat, "f009")
    raises(errno.EEXIST, os.mkdir, "new")
    # A listing that is begun again.
    assert sorted(os.listdir(".")) == sorted(found)


def large_writes_in_pieces():
    """Written in order, over again, and read back through other descriptors while that goes on."""
    block = bytes(range(256)) * 1024
    fd, other = os.open("f", os.O_CREAT | os.O_RDWR), os.open("f", os.O_RDONLY)
    for i in range(24):
        assert os.write(fd, block) == len(block)
        assert os.fstat(other).st_size == (i + 1) * len(block)
        assert os.pread(other, 1000, i * len(block) + 5) == block[5:1005]
    for i in range(0, 24, 5):
        os.pwrite(fd, b"!" * 5000, i * len(block) + 100)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    data = read("f")
    for i in range(24):
        want = block if i % 5 else block[:100] + b"!" * 5000 + block[5100:]
        assert data[i * len(block): (i + 1) * len(block)] == want, i
    os.ftruncate(fd, 1000)
    os.pwrite(fd, b"end", 5000)
    assert read("f") == data[:1000] + bytes(4000) + b"end"
    os.close(fd)
    os.close(other)


def chdir_and_removed_directory():
    os.mkdir("d")
    os.chdir("d")
    os.rmdir("../d")
    raises(errno.ENOENT, os.open, "f", os.O_CREAT | os.O_WRONLY)
    os.chdir("..") if os.path.exists("..") else os.chdir(TOP)


def run_one(function):
    place = os.path.join(TOP, function.__name__)
    os.mkdir(place)
    os.chdir(place)
    signal.alarm(120)
    try:
        function()
        return None
    except BaseException:  # pylint: disable=broad-except
        return traceback.format_exc()
    finally:
        signal.alarm(0)
        os.chdir("/")
        subprocess.run(["rm", "-rf", place], check=False)


def main():
    pattern = next((a for a in sys.argv[2:] if a != "mapped"), "")
    helpers = ("raises", "optional", "call", "fallocate", "renameat2", "write", "read", "child", "lock", "getlk", "run_one", "main")
    todo = [f for n, f in globals().items() if callable(f) and getattr(f, "__module__", "") == "__main__" and n not in helpers and re.search(pattern, n)]
    bad = 0
    for function in todo:
        begun = time.monotonic()
        said = run_one(function)
        if said:
            bad += 1
            print(f"NOT OK {function.__name__}\n    " + said.strip().replace("\n", "\n    "))
        elif os.environ.get("VERBOSE"):
            print(f"ok {function.__name__} {time.monotonic() - begun:.1f}")
    print(f"{len(todo)} checks, {bad} failed")
    return 1 if bad or not todo else 0


sys.exit(main())
