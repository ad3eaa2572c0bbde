#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes an image of one layer: make_image.py [--user USER] ROOTFS ARCHIVE NAME COMMAND …
ARCHIVE is an OCI archive, or, with a slash at its end, an OCI layout that gets one image more."""
import hashlib
import io
import json
import os
import sys
import tarfile


def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def add_to_layout(directory, blobs, described):
    at = os.path.join(directory, "blobs", "sha256")
    os.makedirs(at, exist_ok=True)
    for digest, data in blobs.items():
        with open(os.path.join(at, digest), "wb") as file:
            file.write(data)
    with open(os.path.join(directory, "oci-layout"), "w") as file:
        file.write('{"imageLayoutVersion":"1.0.0"}')
    index = os.path.join(directory, "index.json")
    manifests = []
    if os.path.exists(index):
        with open(index) as file:
            manifests = json.load(file)["manifests"]
    with open(index, "w") as file:
        json.dump({"schemaVersion": 2, "manifests": manifests + [described]}, file)


def main():
    arguments = sys.argv[1:]
    user = arguments[1] if arguments[0] == "--user" else ""
    rootfs, archive, name, *command = arguments[2:] if user else arguments
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for entry in sorted(os.listdir(rootfs)):
            tar.add(os.path.join(rootfs, entry), entry)
    blobs = {}

    def blob(data, kind):
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": "application/vnd.oci.image." + kind, "digest": "sha256:" + digest, "size": len(data)}

    layers = [blob(layer.getvalue(), "layer.v1.tar")]
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    config = {"architecture": machine, "os": "linux", "config": {"Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": command, "User": user},
              "rootfs": {"type": "layers", "diff_ids": [layers[0]["digest"]]}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob(json.dumps(config).encode(), "config.v1+json"), "layers": layers}
    layout = archive.endswith("/")
    described = dict(blob(json.dumps(manifest).encode(), "manifest.v1+json"),
                     annotations={"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name if layout else name.rsplit(":", 1)[-1]})
    if layout:
        add_to_layout(archive, blobs, described)
        return
    with tarfile.open(archive, "w") as tar:
        add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": [described]}).encode())
        for digest, data in blobs.items():
            add(tar, "blobs/sha256/" + digest, data)


main()
