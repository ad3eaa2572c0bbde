#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""programs.py DIR: 40 programs for Linux on x86-64, DIR/1 to DIR/40, at the same addresses. Each adds up numbers of its own, one in each of 64 pages of
code, and exits with its name."""
import os
import struct
import sys

PAGES = 64
BASE = 0x400000


def program(number):
    text, total = b"", 0
    for page in range(PAGES):
        term = number * (page + 1) if page < PAGES - 1 else (number - total) % 256
        total += term
        code = (b"\x31\xdb" if page == 0 else b"") + b"\x81\xc3" + struct.pack("<I", term)  # xor %ebx,%ebx; add $term,%ebx
        if page < PAGES - 1:
            code += b"\xe9" + struct.pack("<i", 4096 - len(code) - 5)  # jmp to the next page
        else:
            code += b"\x0f\xb6\xfb\xb8\xe7\x00\x00\x00\x0f\x05"  # movzbl %bl,%edi; mov $231,%eax; syscall: exit_group
        text += code.ljust(4096, b"\xcc")
    size = 4096 + len(text)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, BASE + 4096, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return (header + struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 4096)).ljust(4096, b"\0") + text


for n in range(1, 41):
    path = os.path.join(sys.argv[1], str(n))
    with open(path, "wb") as file:
        file.write(program(n))
    os.chmod(path, 0o755)
