#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""prometheus.py load LAG | check N | snapshot | dumped N: samples by remote write, 1, 2, 3… in each of some series.

Prometheus writes what it has confirmed to its log, but does not sync it. load prints "acked N" LAG seconds after the confirmation.
check asks the server for the samples up to N, dumped reads them from what `promtool tsdb dump` writes.
"""
import collections
import http.client
import json
import struct
import sys
import time
import urllib.parse

SERIES = 10
connection = http.client.HTTPConnection("127.0.0.1", 9090, timeout=600)


def call(method, path, body=None, headers=None):
    connection.request(method, path, body, headers or {})
    reply = connection.getresponse()
    text = reply.read()
    assert reply.status in (200, 204), f"{reply.status} {text!r}"
    return text


# As much of protobuf and snappy (one literal) as a remote write needs.
def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def write_request(n, when):
    request = b""
    for series in range(SERIES):
        labels = b"".join(field(1, field(1, k) + field(2, v)) for k, v in ((b"__name__", b"acked"), (b"series", str(series).encode())))
        sample = b"\x09" + struct.pack("<d", n) + b"\x10" + varint(when)
        request += field(1, labels + field(2, sample))
    return request


def snappy(data):
    return varint(len(data)) + bytes([61 << 2]) + struct.pack("<H", len(data) - 1) + data


def found():
    # More than one in a millisecond, and the times run ahead of the clock.
    query = urllib.parse.urlencode({"query": "acked[2h]", "time": time.time() + 600})
    return json.loads(call("GET", "/api/v1/query?" + query))["data"]["result"]


def samples():
    """The numbers of each series."""
    return {s["metric"]["series"]: [int(float(v)) for _, v in s["values"]] for s in found()}


def load(lag):
    # Behind the last ones, whose times may be ahead of the clock still: a server takes none in between.
    before = [value for s in found() for value in s["values"]]
    n = max((int(float(v)) for _, v in before), default=0)
    when, pending = max((round(float(t) * 1000) for t, _ in before), default=0), collections.deque()
    while True:
        n += 1
        when = max(when + 1, int(time.time() * 1000))
        call("POST", "/api/v1/write", snappy(write_request(n, when)), {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"})
        pending.append((time.monotonic() + lag, n))
        while pending and pending[0][0] <= time.monotonic():
            print("acked", pending.popleft()[1], flush=True)


def compare(name, numbers, wanted):
    missing = set(range(1, wanted + 1)) - set(numbers)
    assert not missing, f"{name}: {len(missing)} of {wanted} confirmed samples are missing, the first {min(missing)}"
    assert len(set(numbers)) == len(numbers), f"{name}: samples are there twice"


if sys.argv[1] == "load":
    load(float(sys.argv[2]))
elif sys.argv[1] == "check":
    all_series = samples()
    assert len(all_series) == SERIES, all_series.keys()
    for key, have in all_series.items():
        compare(key, have, int(sys.argv[2]))
elif sys.argv[1] == "snapshot":
    print(json.loads(call("POST", "/api/v1/admin/tsdb/snapshot"))["data"]["name"])
else:
    compare("dump", [int(float(line.split()[-2])) for line in sys.stdin], int(sys.argv[2]))
