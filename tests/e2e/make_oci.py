#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes an OCI image layout for the image cases, by hand: make_oci.py ROOTFS.tar DIRECTORY

Three layers (gzip, gzip, plain): programs of the root file system and a few files; an opaque directory; a whiteout. The image is called
"e2e" and has a configuration worth looking at.
"""
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

KEEP = ("etc/passwd", "etc/group", "etc/nsswitch.conf", "usr/bin/", "usr/lib64", "bin", "sbin", "lib", "lib64", "usr/lib/x86_64-linux-gnu/lib",
        "usr/lib/x86_64-linux-gnu/ld-", "usr/lib/aarch64-linux-gnu/lib", "usr/lib/ld-", "usr/lib/aarch64-linux-gnu/ld-")


def entry(tar, name, kind=tarfile.REGTYPE, data=b"", link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname, info.mode = kind, len(data), link, mode
    tar.addfile(info, io.BytesIO(data))


def base_layer(source):
    out = io.BytesIO()
    with tarfile.open(source) as old, tarfile.open(fileobj=out, mode="w") as new:
        for directory in ("tmp", "root", "proc", "sys", "dev", "run", "usr", "etc", "var", "var/tmp", "opaque"):
            entry(new, directory, tarfile.DIRTYPE, mode=0o1777 if directory.endswith("tmp") else 0o755)
        for member in old:
            name = member.name.removeprefix("./")
            if name.startswith(KEEP) and not member.isdev():
                member.name = name
                if member.islnk():
                    member.linkname = member.linkname.removeprefix("./")
                new.addfile(member, old.extractfile(member) if member.isreg() else None)
        entry(new, "opaque/old", data=b"old\n")
        entry(new, "one", data=b"one\n")
        entry(new, "gone", data=b"gone\n")
        entry(new, "hard", tarfile.LNKTYPE, link="one")
    return out.getvalue()


def small_layer(*names):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in names:
            if name.endswith("/"):
                entry(tar, name[:-1], tarfile.DIRTYPE, mode=0o755)
            else:
                entry(tar, name, data=b"" if ".wh." in name else b"new\n")
    return out.getvalue()


class Layout:
    def __init__(self, directory):
        self.blobs = os.path.join(directory, "blobs/sha256")
        os.makedirs(self.blobs)
        with open(os.path.join(directory, "oci-layout"), "w", encoding="ascii") as file:
            file.write('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, data, kind):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.blobs, digest), "wb") as file:
            file.write(data)
        return {"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + digest, "size": len(data)}

    def json(self, value, kind):
        return self.blob(json.dumps(value).encode(), kind)


def main():
    source, directory = sys.argv[1:3]
    layout = Layout(directory)
    tars = [base_layer(source), small_layer("opaque/", "opaque/.wh..wh..opq", "opaque/new"), small_layer(".wh.gone")]
    layers = [
        layout.blob(gzip.compress(tars[0], 1), "layer.v1.tar+gzip"),
        layout.blob(gzip.compress(tars[1]), "layer.v1.tar+gzip"),
        layout.blob(tars[2], "layer.v1.tar"),
    ]
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    config = {
        "created": "2026-01-02T03:04:05Z",
        "architecture": machine,
        "os": "linux",
        "config": {
            "Env": ["PATH=/usr/bin:/bin", "FROM_IMAGE=yes"],
            "User": "daemon",
            "WorkingDir": "/var/tmp",
            "Entrypoint": ["echo"],
            "Cmd": ["default"],
            "StopSignal": "SIGUSR1",
            "Volumes": {"/data": {}},
            "ExposedPorts": {"7070/tcp": {}},
            "Labels": {"own": "label"},
        },
        "history": [
            {"created": "2026-01-01T00:00:00Z", "created_by": "/bin/sh -c #(nop) ADD file:1 in / "},
            {"created": "2026-01-02T00:00:00Z", "created_by": "ENV FROM_IMAGE=yes", "empty_layer": True, "comment": "own \x1b[31mwords"},
            {"created": "2026-01-02T00:00:00Z", "created_by": "RUN mkdir\t/opaque &&\nrm -rf /opaque/* && echo new >/opaque/new # done"},
            {"created": "2026-01-02T03:04:05Z", "created_by": "RUN rm /gone"},
        ],
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(t).hexdigest() for t in tars]},
    }
    manifest = {"schemaVersion": 2, "config": layout.json(config, "config.v1+json"), "layers": layers}
    described = dict(layout.json(manifest, "manifest.v1+json"), annotations={"org.opencontainers.image.ref.name": "e2e"})
    with open(os.path.join(directory, "index.json"), "w", encoding="ascii") as file:
        json.dump({"schemaVersion": 2, "manifests": [described]}, file)


main()
