#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wordpress.py ready|install|publish|check N: a user of the WordPress at http://localhost.

install  the web installation, as a browser does it
publish  writes an article and uploads a file, again and again; prints "acked N" for each pair that WordPress has confirmed
check N  the articles and files 1 to N are there, byte for byte
"""
import hashlib
import sys
import urllib.parse
import urllib.request
import xmlrpc.client

SITE = "http://localhost"
USER, PASSWORD = "admin", "a long pass phrase"


def get(url, data=None):
    with urllib.request.urlopen(url, data=data, timeout=60) as answer:
        return answer.read()


def body(n):
    return hashlib.sha256(str(n).encode()).digest() * 1000


def install():
    form = {
        "weblog_title": "Skerry", "user_name": USER, "admin_password": PASSWORD, "admin_password2": PASSWORD, "pw_weak": "1",
        "admin_email": "admin@example.org", "blog_public": "0", "Submit": "Install WordPress", "language": "",
    }
    page = get(f"{SITE}/wp-admin/install.php?step=2", urllib.parse.urlencode(form).encode()).decode()
    assert "Success!" in page, page


def client():
    return xmlrpc.client.ServerProxy(f"{SITE}/xmlrpc.php").wp


def newest(wp):
    posts = wp.getPosts(0, USER, PASSWORD, {"number": 1, "orderby": "ID", "order": "DESC"}, ["post_title"])
    return int(posts[0]["post_title"]) if posts and posts[0]["post_title"].isdigit() else 0


def publish():
    wp = client()
    n = newest(wp)
    while True:
        n += 1
        wp.uploadFile(0, USER, PASSWORD, {"name": f"file-{n}.txt", "type": "text/plain", "bits": xmlrpc.client.Binary(body(n)), "overwrite": True})
        wp.newPost(0, USER, PASSWORD, {"post_title": str(n), "post_content": f"article {n}", "post_status": "publish"})
        print("acked", n, flush=True)


def check(count):
    wp = client()
    posts = wp.getPosts(0, USER, PASSWORD, {"number": 100000}, ["post_title", "post_content"])
    have = {post["post_title"]: post["post_content"] for post in posts}
    files = {item["title"]: item["link"] for item in wp.getMediaLibrary(0, USER, PASSWORD, {"number": 100000})}
    for n in range(1, count + 1):
        assert have.get(str(n)) == f"article {n}", f"article {n}: {have.get(str(n))}"
        assert get(files[f"file-{n}.txt"]) == body(n), f"file {n} differs"
    assert b"<title>Skerry" in get(SITE)


def main():
    word = sys.argv[1]
    if word == "ready":
        get(f"{SITE}/wp-includes/version.php")
    elif word == "install":
        install()
    elif word == "publish":
        publish()
    elif word == "check":
        check(int(sys.argv[2]))
    else:
        sys.exit(f"unknown word: {word}")


main()
