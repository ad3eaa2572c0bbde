#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client of the Kubernetes container runtime interface (k8s.io/cri-api, runtime.v1), as much of it as the tests need:

    cri.py SOCKET

Each line on stdin is a request: METHOD, tab, FIELD[,FIELD…] ("-": all, as JSON), tab, the message as JSON. Answered by what was asked for and
a line with an RS character and 0, or the error and 1. Debian has no crictl. Messages are encoded here by the field numbers of api.proto; the
transport is Debian's python3-grpcio.
"""
import json
import sys

import grpc

S, I, B = "string", "int", "bool"  # scalars; a dict is a message, [x] is repeated, ("map",) is map<string, string>
MAP = ("map",)
NAMESPACES = {"network": (1, I), "pid": (2, I), "ipc": (3, I), "target_id": (4, S)}
RESOURCES = {"cpu_period": (1, I), "cpu_quota": (2, I), "cpu_shares": (3, I), "memory_limit_in_bytes": (4, I), "oom_score_adj": (5, I)}
POD = {
    "metadata": (1, {"name": (1, S), "uid": (2, S), "namespace": (3, S), "attempt": (4, I)}),
    "hostname": (2, S),
    "log_directory": (3, S),
    "dns_config": (4, {"servers": (1, [S]), "searches": (2, [S]), "options": (3, [S])}),
    "labels": (6, MAP),
    "annotations": (7, MAP),
    "linux": (8, {"cgroup_parent": (1, S), "security_context": (2, {"namespace_options": (1, NAMESPACES)}), "sysctls": (3, MAP), "resources": (5, RESOURCES)}),
}
CONTAINER = {
    "metadata": (1, {"name": (1, S), "attempt": (2, I)}),
    "image": (2, {"image": (1, S)}),
    "command": (3, [S]),
    "args": (4, [S]),
    "working_dir": (5, S),
    "envs": (6, [{"key": (1, S), "value": (2, S)}]),
    "mounts": (7, [{"container_path": (1, S), "host_path": (2, S), "readonly": (3, B)}]),
    "labels": (9, MAP),
    "annotations": (10, MAP),
    "log_path": (11, S),
    "stdin": (12, B),
    "tty": (14, B),
    "linux": (15, {"resources": (1, RESOURCES), "security_context": (2, {"privileged": (2, B), "namespace_options": (3, NAMESPACES)})}),
}
ONE_POD, ONE = {"pod_sandbox_id": (1, S)}, {"container_id": (1, S)}
NUMBER = {"value": (1, I)}
METHODS = {
    "Version": ({"version": (1, S)}, {"version": (1, S), "runtime_name": (2, S), "runtime_version": (3, S)}),
    "Status": ({"verbose": (1, B)}, {"status": (1, {"conditions": (1, [{"type": (1, S), "status": (2, B), "reason": (3, S), "message": (4, S)}])})}),
    "RunPodSandbox": ({"config": (1, POD), "runtime_handler": (2, S)}, ONE_POD),
    "StopPodSandbox": (ONE_POD, {}),
    "RemovePodSandbox": (ONE_POD, {}),
    "PodSandboxStatus": (ONE_POD, {"status": (1, {"id": (1, S), "state": (3, I), "network": (5, {"ip": (1, S)})})}),
    "ListPodSandbox": ({}, {"items": (1, [{"id": (1, S), "state": (3, I)}])}),
    "CreateContainer": ({"pod_sandbox_id": (1, S), "config": (2, CONTAINER), "sandbox_config": (3, POD)}, ONE),
    "StartContainer": (ONE, {}),
    "StopContainer": ({"container_id": (1, S), "timeout": (2, I)}, {}),
    "RemoveContainer": (ONE, {}),
    "ListContainers": ({}, {"containers": (1, [{"id": (1, S), "state": (6, I)}])}),
    "ContainerStatus": (ONE, {"status": (1, {"id": (1, S), "state": (3, I), "exit_code": (7, I), "reason": (10, S), "message": (11, S)})}),
    "UpdateContainerResources": ({"container_id": (1, S), "linux": (2, RESOURCES)}, {}),
    "ExecSync": ({"container_id": (1, S), "cmd": (2, [S]), "timeout": (3, I)}, {"stdout": (1, S), "stderr": (2, S), "exit_code": (3, I)}),
    "ContainerStats": (ONE, {"stats": (1, {"cpu": (2, {"usage_core_nano_seconds": (2, NUMBER)}), "memory": (3, {"working_set_bytes": (2, NUMBER)})})}),
    "ReopenContainerLog": (ONE, {}),
}


def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def length_delimited(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def encode_one(number, kind, value):
    if kind == S:
        return length_delimited(number, value.encode())
    if kind in (I, B):
        return varint(number << 3) + varint(int(value))
    if kind == MAP:
        return b"".join(length_delimited(number, length_delimited(1, k.encode()) + length_delimited(2, v.encode())) for k, v in value.items())
    if isinstance(kind, list):
        return b"".join(encode_one(number, kind[0], v) for v in value)
    return length_delimited(number, encode(kind, value))


def encode(message, values):
    return b"".join(encode_one(*message[name], value) for name, value in values.items())


def read_varint(data, at):
    n = shift = 0
    while True:
        byte = data[at]
        n |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return n, at


def decode(message, data):
    names = {number: (name, kind) for name, (number, kind) in message.items()}
    out, at = {}, 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        elif tag & 7 == 2:
            size, at = read_varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            size = {1: 8, 5: 4}[tag & 7]
            value, at = None, at + size
        if tag >> 3 not in names:
            continue
        name, kind = names[tag >> 3]
        repeated = isinstance(kind, list)
        kind = kind[0] if repeated else kind
        if kind == S:
            value = value.decode(errors="replace")
        elif isinstance(kind, dict):
            value = decode(kind, value)
        if repeated:
            out.setdefault(name, []).append(value)
        else:
            out[name] = value
    return out


def call(channel, method, text):
    request, response = METHODS[method]
    unary = channel.unary_unary("/runtime.v1.RuntimeService/" + method)
    return decode(response, unary(encode(request, json.loads(text)), timeout=120))


def pick(value, path):
    for key in path.split("."):
        value = value.get(key, "")
    return value if isinstance(value, (str, int)) else json.dumps(value)


def show(fields, value):
    if fields == "-":
        return json.dumps(value)
    if fields.endswith("[]"):  # the ids in a list
        return " ".join(item["id"] for item in value.get(fields[:-2], []))
    if "," in fields:
        return " ".join(str(pick(value, field)) for field in fields.split(","))
    return pick(value, fields)


def main():
    with grpc.insecure_channel("unix://" + sys.argv[1]) as channel:
        for line in sys.stdin:
            method, fields, text = line.rstrip("\n").split("\t")
            try:
                print(show(fields, call(channel, method, text)))
                print("\x1e0", flush=True)
            except grpc.RpcError as error:
                print(f"{error.code().name}: {error.details()}")
                print("\x1e1", flush=True)


main()
