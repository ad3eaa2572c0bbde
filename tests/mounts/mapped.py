# SPDX-License-Identifier: Apache-2.0
"""mapped.py FILE WHO N LOCKED-FILE: counts in mapped memory under a lock: for all, and for itself, in pages that others use, too."""
import fcntl
import mmap
import os
import struct
import sys

path, who, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
memory = mmap.mmap(os.open(path, os.O_RDWR), 8192)
lock = os.open(sys.argv[4], os.O_RDWR | os.O_CREAT, 0o666)
for i in range(n):
    fcntl.lockf(lock, fcntl.LOCK_EX)
    for at in (4096, 8 * who):
        (v,) = struct.unpack_from("Q", memory, at)
        struct.pack_into("Q", memory, at, v + 1)
    fcntl.lockf(lock, fcntl.LOCK_UN)
