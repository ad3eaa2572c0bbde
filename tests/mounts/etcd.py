#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""etcd.py load | check N: keys by etcd's JSON gateway. load prints "acked N" for what etcd has confirmed, which it has synced by then."""
import base64
import http.client
import json
import sys

connection = http.client.HTTPConnection("127.0.0.1", 2379, timeout=600)


def call(path, **request):
    connection.request("POST", path, json.dumps(request))
    reply = connection.getresponse()
    text = reply.read()
    assert reply.status == 200, text
    return json.loads(text)


def b64(text):
    return base64.b64encode(text.encode()).decode()


def value(n):
    return f"{n} " + "x" * (n % 3000)


def keys():
    """The number of each key, with its value, in order."""
    start = "k"
    while True:
        found = call("/v3/kv/range", key=b64(start), range_end=b64("l"), limit=500).get("kvs", [])
        for pair in found:
            start = base64.b64decode(pair["key"]).decode()
            yield int(start[1:]), base64.b64decode(pair["value"]).decode()
        if not found:
            return
        start += "\0"


def load():
    n = max((n for n, _ in keys()), default=0)
    while True:
        n += 1
        call("/v3/kv/put", key=b64(f"k{n:09}"), value=b64(value(n)))
        # One key that is written again and again, so that there is something to compact.
        revision = int(call("/v3/kv/put", key=b64("last"), value=b64(str(n)))["header"]["revision"])
        print("acked", n, flush=True)
        if n % 500 == 0:
            call("/v3/kv/compaction", revision=revision - 100)


def check(wanted):
    seen = dict(keys())
    missing = [n for n in range(1, wanted + 1) if seen.get(n) != value(n)]
    assert not missing, f"{len(missing)} of {wanted} confirmed keys are missing or not whole, the first {missing[0]}"


if sys.argv[1] == "load":
    load()
else:
    check(int(sys.argv[2]))
