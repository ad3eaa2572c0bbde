#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""vite.py make DIRECTORY | edit DIRECTORY PORT ROUNDS, on the host: a small site for vite, and one who works on it. vite keeps what it has made of a
file until its watcher tells of a change: what is served afterwards shows that it did."""
import http.client
import os
import sys
import time

top = sys.argv[2]

FILES = {
    "package.json": """{
  "name": "site",
  "private": true,
  "type": "module",
  "dependencies": { "lodash-es": "^4" },
  "devDependencies": { "vite": "^5" }
}
""",
    "index.html": '<!doctype html><title>site</title><script type="module" src="/src/main.js"></script>\n',
    "vite.config.js": "export default { server: { headers: { 'X-Config': '0' } } };\n",
    "src/main.js": "import { part } from './part.js';\nconst pages = import.meta.glob('./pages/*.js');\nconsole.log(part, Object.keys(pages));\n",
    "src/part.js": "export const part = 'round 0';\n",
    "src/pages/first.js": "export default 1;\n",
}


def put(name, text):
    path = os.path.join(top, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def put_by_rename(name, text):
    put(name + ".new~", text)
    os.rename(os.path.join(top, name + ".new~"), os.path.join(top, name))


def get(port, path):
    """The body, with the headers before it."""
    connection = http.client.HTTPConnection("localhost", port, timeout=60)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return str(reply.headers) + reply.read().decode()
    except OSError as error:
        return str(error)
    finally:
        connection.close()


# An editor's time: of what comes within milliseconds of another change, or in the tenth of a second after a removal, chokidar misses some anywhere.
def pause():
    time.sleep(0.3)


def until(port, what, path, text, there=True):
    begun = time.monotonic()
    while (text in get(port, path)) != there:
        assert time.monotonic() < begun + 20, f"{what}: vite has not noticed; {path}: {get(port, path)}"
        time.sleep(0.02)
    print(f"{what}: after {time.monotonic() - begun:.2f} s")
    pause()


def edit(port, rounds):
    get(port, "/src/main.js")
    pause()
    for n in range(1, rounds + 1):
        put("src/part.js", f"export const part = 'in place {n}';\n")
        until(port, "written in place", "/src/part.js", f"in place {n}'")
        put_by_rename("src/part.js", f"export const part = 'renamed {n}';\n")
        until(port, "renamed over", "/src/part.js", f"renamed {n}'")
        put(f"src/pages/page{n}.js", f"export default {n};\n")
        until(port, "a new file", "/src/main.js", f"/page{n}.js")
        os.unlink(os.path.join(top, f"src/pages/page{n}.js"))
        until(port, "a file removed", "/src/main.js", f"/page{n}.js", there=False)
    # Directories that come with their files, and go.
    for n in range(1, rounds + 1):
        put(f"src/part{n}/index.js", f"export const part = {n};\n")
        put("src/part.js", f"export {{ part }} from './part{n}/index.js';\n")
        until(port, "a new directory", f"/src/part{n}/index.js", f"part = {n};")
        put(f"src/part{n}/index.js", f"export const part = 'again {n}';\n")
        until(port, "a file in a new directory", f"/src/part{n}/index.js", f"again {n}'")
    # vite starts itself again for this one.
    put("vite.config.js", FILES["vite.config.js"].replace("'0'", "'1'"))
    until(port, "its configuration", "/src/main.js", "X-Config: 1")


if sys.argv[1] == "make":
    for file_name, content in FILES.items():
        put(file_name, content)
else:
    edit(int(sys.argv[3]), int(sys.argv[4]))
