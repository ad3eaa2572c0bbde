#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_installer.py WINE OUT: what `make windows` packs, under Wine: the zip's files, the installer without its windows, the
PATH of all users, and the removal."""
import filecmp
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile

WINE, OUT = sys.argv[1:3]
KEY = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment"
UNINSTALL = "HKLM\\Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\Skerry"
FILES = ["LICENSE.kernel.txt", "LICENSE.txt", "guest", "skerry-9pd.exe", "skerry-monitor.exe", "skerry-path.exe", "skerry.exe"]


def windows(*words, code=0):
    done = subprocess.run([WINE, *words], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != code:
        raise AssertionError(f"{words}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def path_value():
    for line in windows("reg", "query", KEY, "/v", "PATH").splitlines():
        words = line.strip().split(None, 2)
        if len(words) == 3 and words[0].lower() == "path":
            return words[1], words[2]
    raise AssertionError("there is no PATH")


class Case(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="sk-setup-")
        self.dir = os.path.join(os.environ["WINEPREFIX"], "drive_c", "Program Files", "Skerry")
        self.windows_dir = "C:\\Program Files\\Skerry"

    def tearDown(self):
        shutil.rmtree(self.top)

    def test_sizes(self):
        self.assertLess(os.path.getsize(f"{OUT}/skerry.exe"), 8 << 20)

    def test_zip(self):
        with zipfile.ZipFile(glob.glob(f"{OUT}/skerry-*-windows-x86_64.zip")[0]) as archive:
            self.assertEqual(sorted({name.split("/")[0] for name in archive.namelist()}), FILES)
            archive.extractall(self.top)
        self.assertTrue(windows(os.path.join(self.top, "skerry.exe"), "--version").startswith("Skerry version "))
        self.check_guest(self.top)

    def check_guest(self, top):
        """What was built of the guest's parts; the file systems of disks always."""
        parts = sorted(os.listdir(f"{OUT}/guest"))
        self.assertEqual(sorted(os.listdir(os.path.join(top, "guest"))), parts)
        self.assertIn("disk.template", parts)
        for part in parts:
            self.assertTrue(filecmp.cmp(f"{OUT}/guest/{part}", os.path.join(top, "guest", part), shallow=False), part)

    def test_setup(self):
        before = path_value()
        setup = glob.glob(f"{OUT}/skerry-*-setup.exe")[0]
        windows(setup, "/S")
        self.assertEqual(sorted(os.listdir(self.dir)), [*FILES, "uninstall.exe"])
        self.assertTrue(windows(os.path.join(self.dir, "skerry.exe"), "--version").startswith("Skerry version "))
        self.check_guest(self.dir)
        self.assertEqual(path_value(), (before[0], f"{before[1]};{self.windows_dir}"))
        self.assertIn("DisplayVersion", windows("reg", "query", UNINSTALL))
        # A second time changes nothing.
        windows(setup, "/S")
        self.assertEqual(path_value()[1], f"{before[1]};{self.windows_dir}")
        # It goes on by a copy of itself.
        windows(os.path.join(self.dir, "uninstall.exe"), "/S")
        deadline = time.monotonic() + 100
        while os.path.exists(self.dir) and time.monotonic() < deadline:
            time.sleep(0.5)
        self.assertFalse(os.path.exists(self.dir))
        self.assertEqual(path_value(), before)
        windows("reg", "query", UNINSTALL, code=1)

    def test_path(self):
        def path(*words, code=0):
            windows(f"{OUT}/skerry-path.exe", *words, code=code)
            return path_value()[1]

        before = path_value()[1]
        self.assertEqual(path("remove", "C:\\nowhere"), before)
        self.assertEqual(path("add", "C:\\A b\\"), before + ";C:\\A b")
        self.assertEqual(path("add", "C:\\c"), before + ";C:\\A b;C:\\c")
        self.assertEqual(path("remove", "c:\\a B"), before + ";C:\\c")
        self.assertEqual(path("remove", "C:\\c"), before)
        self.assertEqual(path("add", "C:\\a;C:\\b", code=2), before)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
