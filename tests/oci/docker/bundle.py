#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""bundle.py DIR ROOTFS CGROUP [STATEMENT…]: writes DIR/config.json, a small container's, after the statements have changed `c` (the whole), `p`
(its process), `l` (its linux part)."""
import json
import os
import sys

directory, rootfs, cgroup, *statements = sys.argv[1:]
os.makedirs(directory, exist_ok=True)
CAPS = ["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_CHOWN", "CAP_DAC_OVERRIDE"]
c = {
    "ociVersion": "1.0.2",
    "process": {
        "terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["sleep", "1000"], "env": ["PATH=/bin:/usr/bin", "TERM=xterm"], "cwd": "/",
        "capabilities": {kind: CAPS for kind in ("bounding", "effective", "permitted")}, "noNewPrivileges": True,
    },
    "root": {"path": rootfs, "readonly": True},
    "hostname": "direct",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=8m"]},
    ],
    "linux": {
        "cgroupsPath": cgroup,
        "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
    },
}
p, l = c["process"], c["linux"]
for statement in statements:
    exec(statement)  # pylint: disable=exec-used
with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
    json.dump(c, file)
