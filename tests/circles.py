#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Circles of files inside a module: a.c calls what b.c defines, and b.c what a.c does, directly or by way of others. Two such files
# cannot be read or tested one after the other. Reads the sources: a name that one file defines without `static` and another one
# uses. A circle that does no harm is listed below with its reason; a circle within a listed one is fine, too.
import collections
import os
import re
import subprocess
import sys

HARMLESS = [
    ("engine", "qemu qemu_probe", "whether KVM works is found out by starting a guest, and a start asks that first"),
    ("export", "posix posix_attr posix_file posix_io posix_keep posix_left posix_links posix_lock posix_lx posix_mounts posix_name posix_node posix_ntfs posix_socket"
     " posix_watch", "one back end in parts: posix.c has its table of operations and what all parts use (posix_internal.h)"),
    ("image", "docker load oci", "load.c reads either format, and each adds to the one list of images that load.c keeps"),
    ("image", "op partial store", "to open the store is to remove what interrupted operations have left in it"),
    ("ninep", "fid ops_ext ops_file ops_io ops_lock ops_meta ops_name ops_session ops_socket server",
     "one server: its table names the operations, which answer parked requests of each other"),
    ("vm", "sandbox sandbox_linux sandbox_windows", "two halves of one VM: what is the same on each system, and what is not (sandbox_internal.h)"),
    ("virtio", "vsock_dev vsock_stream", "two halves of one device: packets and streams (vsock_internal.h)"),
]


def sources():
    files = subprocess.check_output(["git", "ls-files", "-z", "src/*.c", "guest/agent/*.c"], text=True).split("\0")
    modules = collections.defaultdict(list)
    for file in filter(os.path.exists, filter(None, files)):
        if not file.startswith("src/base/platform/"):
            modules["agent" if file.startswith("guest/") else file.split("/")[1]].append(file)
    return modules


def plain(file):
    with open(file, encoding="utf-8") as f:
        text = re.sub(r"/\*.*?\*/", " ", f.read(), flags=re.S)
    return re.sub(r'"(\\.|[^"\\])*"', '""', text)


def defined(text):
    names = set()
    for m in re.finditer(r"^(?!static\b|typedef\b|extern\b)[A-Za-z_][\w *]*?\b(\w+)\(", text, re.M):
        body, end = text.find("{", m.end()), text.find(";", m.end())
        if body >= 0 and (end < 0 or body < end):
            names.add(m.group(1))
    return names | set(re.findall(r"^const [\w ]+?\b(\w+)(?:\[\])? = \{", text, re.M))


def used(text):
    return set(re.findall(r"\b[A-Za-z_]\w+\b", re.sub(r"\b(struct|enum|union) \w+", " ", text)))


def circles(edges):
    """Strongly connected components of more than one node (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in edges[v]:
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            at = stack.index(v)
            if len(stack) - at > 1:
                found.append(stack[at:])
            del stack[at:]

    for v in edges:
        if v not in index:
            visit(v)
    return found


def name_of(file):
    return os.path.basename(file)[:-2]


def is_harmless(module, circle):
    names = {name_of(file) for file in circle}
    return any(m == module and (files == "*" or names <= set(files.split())) for m, files, _ in HARMLESS)


def main():
    bad = 0
    for module, files in sorted(sources().items()):
        texts = {file: plain(file) for file in files}
        owner = {name: file for file in files for name in defined(texts[file])}
        uses = {file: {u for u in used(texts[file]) if owner.get(u, file) != file} for file in files}
        for circle in circles({file: {owner[u] for u in uses[file]} for file in files}):
            if is_harmless(module, circle):
                continue
            bad = 1
            print(f"{module}: a circle of files: {' '.join(sorted(map(name_of, circle)))}")
            for a in sorted(circle):
                for b in sorted(circle):
                    names = sorted(u for u in uses[a] if owner[u] == b)
                    if names:
                        print(f"    {name_of(a)} uses {', '.join(names[:4])} of {name_of(b)}")
    return bad


sys.exit(main())
