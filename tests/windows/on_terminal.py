#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""on_terminal.py PROGRAM [ARGUMENT...]: runs it on a terminal of its own, so that Wine gives a program of Windows a console. Its exit code; what it
has shown comes as plain text, without the terminal's sequences."""
import os
import pty
import re
import sys

pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[1], sys.argv[1:])
shown = b""
while True:
    try:
        data = os.read(fd, 65536)
    except OSError: # the other side is closed
        break
    if not data:
        break
    shown += data
_, status = os.waitpid(pid, 0)
# Wine's console moves over blanks.
text = re.sub(r"\x1b\[(\d*)C", lambda m: " " * int(m.group(1) or 1), shown.decode(errors="replace"))
sys.stdout.write(re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", text).replace("\r", ""))
sys.exit(os.waitstatus_to_exitcode(status))
