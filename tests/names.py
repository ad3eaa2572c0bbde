#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# No two structures of the sources have the same name, also in files that do not know each other: a reader who looks one up has to
# find one. For tests/check-includes.sh.
import collections
import re
import subprocess
import sys

# Each back end of the file server says what these are (ninep/fs.h), each carrier (virtio/stream.h), and each system.
SEVERAL = {"sk_9p_file", "sk_9p_hostlock", "sk_9p_node", "sk_poller", "sk_carrier", "sk_stream", "sk_clock_watch", "sk_sandbox_vm", "sk_shares"}


def main():
    files = subprocess.check_output(["git", "ls-files", "src/*.[ch]", "guest/*.[ch]"], text=True).split()
    places = collections.defaultdict(list)
    for file in files:
        with open(file, encoding="utf-8") as f:
            for name in re.findall(r"^(?:struct|union|enum) (\w+) \{", f.read(), re.M):
                places[name].append(file)
    bad = {name: found for name, found in places.items() if len(found) > 1 and name not in SEVERAL}
    for name, found in sorted(bad.items()):
        print(f"{name} is defined in {', '.join(found)}")
    return 1 if bad else 0


sys.exit(main())
