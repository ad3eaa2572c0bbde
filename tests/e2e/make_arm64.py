#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes an OCI layout of an image for arm64, without a compiler: make_arm64.py DIRECTORY

Its only program, /hello, writes "aarch64" and a newline and ends with 7. The image is called "foreign".
"""
import hashlib
import io
import json
import os
import struct
import sys
import tarfile

BASE = 0x400000
CODE = [
    0xD2800020,  # mov x0, #1
    0x100000E1,  # adr x1, text (28 bytes on)
    0xD2800102,  # mov x2, #8
    0xD2800808,  # mov x8, #64 (write)
    0xD4000001,  # svc #0
    0xD28000E0,  # mov x0, #7
    0xD2800BA8,  # mov x8, #93 (exit)
    0xD4000001,  # svc #0
]


def program():
    body = b"".join(struct.pack("<I", word) for word in CODE) + b"aarch64\n"
    size = 64 + 56 + len(body)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, BASE + 120, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000) + body


def main():
    blobs = os.path.join(sys.argv[1], "blobs/sha256")
    os.makedirs(blobs)

    def blob(data, kind):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as file:
            file.write(data)
        return {"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + digest, "size": len(data)}

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("hello")
        info.mode, info.size = 0o755, len(program())
        tar.addfile(info, io.BytesIO(program()))
    layer = blob(out.getvalue(), "layer.v1.tar")
    config = blob(json.dumps({"architecture": "arm64", "os": "linux", "config": {"Cmd": ["/hello"]},
                              "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode(), "config.v1+json")
    manifest = blob(json.dumps({"schemaVersion": 2, "config": config, "layers": [layer]}).encode(), "manifest.v1+json")
    with open(os.path.join(sys.argv[1], "index.json"), "w", encoding="ascii") as file:
        json.dump({"schemaVersion": 2, "manifests": [dict(manifest, annotations={"io.containerd.image.name": "foreign"})]}, file)
    with open(os.path.join(sys.argv[1], "oci-layout"), "w", encoding="ascii") as file:
        file.write('{"imageLayoutVersion":"1.0.0"}')


main()
