#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_skerry_windows.py WINE SKERRY.EXE COMPUTECORE.DLL: the command as a whole, under Wine. The library is the stand-in
of tests/windows, for what asks for Hyper-V."""
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

PROGRAM = sys.argv[1:3]
STANDIN = "Z:" + os.path.abspath(sys.argv[3])


def add_file(tar, name, data, mode=0o644):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = mode
    tar.addfile(info, io.BytesIO(data))


def layer():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        add_file(tar, "etc/motd", b"hello\n")
        add_file(tar, "bin/sh", b"#!", 0o755)
    return out.getvalue()


def docker_archive(path, name):
    data = layer()
    config = json.dumps({"architecture": "amd64", "os": "linux", "created": "2020-01-02T03:04:05Z",
                         "config": {"Cmd": ["sh"], "Labels": {"a": "b"}},
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(data).hexdigest()]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        add_file(tar, "config.json", config)
        add_file(tar, "layer.tar", data)
        add_file(tar, "manifest.json", manifest)


class Case(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="sk-exe-")
        self.root = os.path.join(self.top, "root")
        self.env = {**os.environ, "SKERRY_ROOT": "Z:" + self.root.replace("/", "\\")}
        self.env.pop("SKERRY_CONFIG", None)

    def tearDown(self):
        shutil.rmtree(self.top)

    def run_it(self, *words, code=0, stdin=b"", **env):
        done = subprocess.run([*PROGRAM, *words], env={**self.env, **env}, input=stdin, capture_output=True, timeout=120,
                              check=False)
        out, err = done.stdout.decode(), done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{words}: {out}{err}")
        return out if code == 0 else err

    def test_usage(self):
        self.assertTrue(self.run_it("--version").startswith("Skerry version "))
        self.assertIn("windows/amd64", self.run_it("version"))
        text = self.run_it("--help")
        self.assertIn("LOCALAPPDATA%\\Skerry", text)
        self.assertNotIn("\r", text)
        self.assertIn("Create a volume", self.run_it("volume", "--help"))
        self.assertIn("is not a skerry command", self.run_it("nonsense", code=1))
        self.assertIn("unknown flag: --bogus", self.run_it("images", "--bogus", code=125))
        self.assertIn("requires at least 1 argument", self.run_it("rmi", code=1))
        for words in ["machine", "ls"], ["machine", "init"], ["image", "pull", "debian"]:
            self.assertIn(f"'skerry {words[0]} {words[1]}' is not there on this system: ", self.run_it(*words, code=125))
        self.assertIn("'skerry pull' is not there on this system: it needs skopeo", self.run_it("pull", "debian", code=125))
        self.assertNotIn("\n  machine ", text)
        self.assertIn("\n  exec ", text)

    def test_info(self):
        info = json.loads(self.run_it("info", "-f", "json"))
        self.assertEqual(info["Engine"], "")
        self.assertEqual([e["Name"] for e in info["Engines"]], ["hyperv"])
        self.assertIn("Virtual Machine Platform", info["Engines"][0]["Problem"])
        self.assertGreater(info["MemTotal"], 1 << 20)
        self.assertGreater(info["NCPU"], 0)
        self.assertEqual(info["SkerryRootDir"], "Z:" + self.root)

    def test_hyperv(self):
        def problem(**env):
            info = json.loads(self.run_it("info", "-f", "json", SKERRY_COMPUTECORE=STANDIN, **env))
            return info["Engines"][0]["Problem"]

        self.assertIn("vmlinux-hyperv is missing", problem())
        guest = os.path.join(self.top, "guest")
        os.mkdir(guest)
        for name in "vmlinux-hyperv", "initramfs.cpio":
            with open(os.path.join(guest, name), "wb"):
                pass
        self.assertEqual(problem(SKERRY_GUEST_DIR="Z:" + guest), "")
        self.assertIn("version 1903 or later", problem(SKERRY_STANDIN_SCHEMA="1"))
        self.assertIn("Hyper-V Administrators", problem(SKERRY_STANDIN_DENY="1"))

    def test_commands(self):
        """Each command of the whole tree is there, or says by its name that it is not."""
        def names(text):
            blocks = [b for b in text.split("\n\n") if b.split("\n")[0] in ("Common Commands:", "Management Commands:", "Commands:")]
            return [line.split()[0] for b in blocks for line in b.split("\n") if line.startswith("  ") and not line.startswith("   ")]

        tree = [[name] for name in names(self.run_it("--help"))]
        for group in "container", "image", "system", "volume":
            self.assertIn([group], tree)
            tree += [[group, name] for name in names(self.run_it(group, "--help"))]
        self.assertGreater(len(tree), 75)
        for words in tree:
            self.assertIn("Usage:  skerry " + " ".join(words), self.run_it(*words, "--help"))
        self.assertEqual(names(self.run_it("machine", "--help")), [])
        for words in ["pull"], ["image", "pull"], *(["machine", v] for v in "cp default init inspect logs ls reset restart rm set ssh start stop".split()):
            self.assertNotIn(words, tree)
            self.assertIn(f"'skerry {' '.join(words)}' is not there on this system: ", self.run_it(*words, code=125))

    def test_doctor(self):
        def checks(code, **env):
            done = subprocess.run([*PROGRAM, "doctor", "-f", "json"], env={**self.env, **env}, capture_output=True, timeout=120, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            all_ = json.loads(done.stdout)
            return all_, {c["Name"]: c for c in all_["Checks"]}

        all_, found = checks(1, SKERRY_GUEST_DIR="Z:" + self.top)
        self.assertEqual(all_["Engine"], "")
        # Wine calls itself Windows 7, and has no such service. Its user is an administrator.
        self.assertEqual(found["Windows"]["State"], "bad")
        self.assertIn("1903", found["Windows"]["Text"])
        self.assertEqual(found["Host Compute Service"]["State"], "bad")
        self.assertIn("dism /online /enable-feature", found["Host Compute Service"]["Text"])
        self.assertEqual(found["rights"]["State"], "ok")
        self.assertIn(found["hypervisor"]["State"], ("ok", "note", "bad"))
        self.assertEqual(found["disk.template"]["State"], "bad")
        self.assertIn("disk.template is missing", found["disk.template"]["Text"])
        guest = os.path.join(self.top, "guest")
        os.mkdir(guest)
        for name in "vmlinux-hyperv", "initramfs.cpio", "disk.template":
            with open(os.path.join(guest, name), "wb"):
                pass
        all_, found = checks(1, SKERRY_COMPUTECORE=STANDIN, SKERRY_GUEST_DIR="Z:" + guest)
        self.assertEqual((all_["Engine"], found["disk.template"]["State"]), ("hyperv", "ok"))
        self.assertIn("\nbad  Windows: ", "\n" + subprocess.run([*PROGRAM, "doctor"], env=self.env, capture_output=True, text=True, timeout=120, check=False).stdout)
        self.assertIn("--export is not there on Windows yet", self.run_it("doctor", "--export", "C:\\", code=1))

    def test_volumes(self):
        self.assertEqual(self.run_it("volume", "create", "--label", "a=b", "data"), "data\n")
        self.assertEqual(self.run_it("volume", "ls", "-q"), "data\n")
        volume = json.loads(self.run_it("volume", "inspect", "data"))[0]
        self.assertEqual(volume["Labels"], {"a": "b"})
        self.assertEqual(volume["Mountpoint"], f"Z:{self.root}/volumes/data/_data")
        self.assertTrue(os.path.isdir(f"{self.root}/volumes/data/_data"))
        with open(f"{self.root}/volumes/data/_data/file", "wb") as file:
            file.write(bytes(1 << 20))
        self.assertIn("1.04", self.run_it("system", "df"))
        self.assertIn('"\u00fc\u4e2d" includes invalid characters', self.run_it("volume", "create", "\u00fc\u4e2d", code=1))
        self.assertEqual(self.run_it("volume", "rm", "data"), "data\n")
        self.assertFalse(os.path.exists(f"{self.root}/volumes/data"))
        self.assertIn("no such volume", self.run_it("volume", "rm", "data", code=1))
        self.assertIn("create", self.run_it("events", "--since", "1h", "--until", "0s"))

    def test_root_long_and_not_ascii(self):
        root = os.path.join(self.top, *["\u00e4\u4e2d" + 60 * "x"] * 6)
        self.run_it("--root", "Z:" + root.replace("/", "\\"), "volume", "create", "vol")
        self.assertTrue(os.path.isdir(f"{root}/volumes/vol/_data"))

    def test_configuration(self):
        path = os.path.join(self.top, "config.json")
        with open(path, "w", encoding="ascii", newline="\r\n") as file:
            file.write('{\n"memory": 2048,\n"cpus": 3,\n"machine_mounts": ["D:\\\\src"]\n}\n')
        info = json.loads(self.run_it("info", "-f", "json", SKERRY_CONFIG="Z:" + path))
        self.assertEqual((info["DefaultMemory"], info["DefaultCPUs"]), (2048 << 20, 3))
        for text, words in [('{"engine": "kvm"}', '"engine" is auto or hyperv'), ('{"machine_mounts": ["/src"]}', "absolute paths")]:
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
            self.assertIn(words, json.loads(self.run_it("info", "-f", "json", SKERRY_CONFIG="Z:" + path))["Error"])

    def test_images(self):
        archive = os.path.join(self.top, "image.tar")
        docker_archive(archive, "demo:1")
        done = subprocess.run([*PROGRAM, "load", "-i", "Z:" + archive], env=self.env, capture_output=True, text=True, timeout=120,
                              check=False)
        if "libsquashfs" in done.stderr:
            self.skipTest("built without libsquashfs: no layer images (scripts/windows-libs)")
        self.assertEqual((done.returncode, done.stdout), (0, "Loaded image: demo:1\n"), done.stderr)
        image = json.loads(self.run_it("inspect", "demo:1"))[0]
        self.assertEqual(image["Config"]["Labels"], {"a": "b"})
        self.run_it("tag", "demo:1", "other:2")
        self.assertEqual(sorted(self.run_it("images", "--format", "{{.Repository}}:{{.Tag}}").split()), ["demo:1", "other:2"])
        # Of the same archive through a pipe: binary, whatever bytes there are.
        with open(archive, "rb") as file:
            self.assertEqual(self.run_it("load", stdin=file.read()), "Loaded image: demo:1\n")
        imported = self.run_it("import", "-", "flat:1", stdin=layer())
        self.assertTrue(imported.startswith("sha256:"))
        self.assertIn("flat:1", self.run_it("images", "--format", "{{.Repository}}:{{.Tag}}"))
        self.assertIn("Untagged: other:2", self.run_it("rmi", "other:2"))
        self.assertIn("Deleted: sha256:", self.run_it("rmi", "demo:1"))
        self.assertIn("no such image", self.run_it("rmi", "demo:1", code=1))
        self.run_it("rmi", "flat:1")
        layers = [name for _, _, names in os.walk(f"{self.root}/images") for name in names if name.endswith(".squashfs")]
        self.assertEqual(layers, [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
