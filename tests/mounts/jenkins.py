#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""jenkins.py ready | load | check N: jobs by Jenkins's HTTP interface. load prints "acked N" for the jobs that were created; every fifth
is built."""
import http.client
import json
import sys
import time

JOB = """<?xml version='1.1' encoding='UTF-8'?>
<project>
  <description>{text}</description>
  <builders><hudson.tasks.Shell><command>echo {text} | tee result</command></hudson.tasks.Shell></builders>
</project>
"""
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=600)


def call(method, path, body=None):
    connection.request(method, path, body, {"Content-Type": "application/xml"} if body else {})
    reply = connection.getresponse()
    return reply.status, reply.read().decode()


def text(n):
    return f"job-{n}-" + "x" * (n * 7 % 1000)


def ask(path):
    status, answer = call("GET", path)
    assert status == 200, f"{path}: {status} {answer[:300]}"
    return json.loads(answer)


def numbers():
    return {int(job["name"][1:]) for job in ask("/api/json?tree=jobs[name]")["jobs"]}


def load():
    n = max(numbers(), default=0)
    while True:
        n += 1
        status, answer = call("POST", f"/createItem?name=j{n}", JOB.format(text=text(n)))
        assert status == 200, f"{status} {answer[:300]}"
        print("acked", n, flush=True)
        if n % 5 == 0:
            call("POST", f"/job/j{n}/build")


def build(n):
    before = ask(f"/job/j{n}/api/json")["nextBuildNumber"]
    status, answer = call("POST", f"/job/j{n}/build")
    assert status in (200, 201), f"{status} {answer[:300]}"
    for _ in range(600):
        status, answer = call("GET", f"/job/j{n}/{before}/api/json")
        if status == 200 and not json.loads(answer)["building"]:
            assert json.loads(answer)["result"] == "SUCCESS", answer
            assert text(n) in call("GET", f"/job/j{n}/{before}/consoleText")[1]
            return
        time.sleep(0.2)
    raise AssertionError(f"job {n} is not built")


def check(wanted):
    missing = set(range(1, wanted + 1)) - numbers()
    assert not missing, f"{len(missing)} of {wanted} jobs are missing, the first {min(missing)}"
    for n in range(1, wanted + 1):
        status, config = call("GET", f"/job/j{n}/config.xml")
        assert status == 200 and text(n) + "<" in config, f"job {n}: {status} {config[:300]}"
    build(wanted)


if sys.argv[1] == "ready":
    ask("/api/json")
elif sys.argv[1] == "load":
    load()
else:
    check(int(sys.argv[2]))
