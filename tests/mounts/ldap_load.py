#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ldap_load.py load | check N | dumped N: entries in OpenLDAP, and attributes of them that change. load prints "acked N" for what slapd has
confirmed, which it has synced by then; check asks slapd for it, dumped reads slapcat's LDIF from standard input."""
import sys

BASE = "dc=test"


def description(n):
    return f"{n}-" + "x" * (n % 1500)


def street(n):
    return f"changed {n}"


def connect():
    import ldap  # not needed where a dump is read

    connection = ldap.initialize("ldap://127.0.0.1/")
    connection.simple_bind_s("cn=admin," + BASE, "admin")
    return ldap, connection


def load():
    ldap, connection = connect()
    try:
        connection.add_s(BASE, [("objectClass", [b"organization", b"dcObject"]), ("o", [b"test"]), ("dc", [b"test"])])
    except ldap.ALREADY_EXISTS:
        pass
    found = connection.search_s(BASE, ldap.SCOPE_ONELEVEL, "(cn=*)", ["cn"])
    n = max((int(attributes["cn"][0]) for _, attributes in found), default=0)
    if n:
        # The end came perhaps before it was changed.
        connection.delete_s(f"cn={n},{BASE}")
        n -= 1
    while True:
        n += 1
        entry = [("objectClass", [b"applicationProcess"]), ("cn", [str(n).encode()]), ("description", [description(n).encode()])]
        connection.add_s(f"cn={n},{BASE}", entry)
        connection.modify_s(f"cn={n},{BASE}", [(ldap.MOD_ADD, "l", street(n).encode())])
        print("acked", n, flush=True)


def compare(have, wanted):
    missing = [n for n in range(1, wanted + 1) if have.get(n) != (description(n), street(n))]
    assert not missing, f"{len(missing)} of {wanted} confirmed entries are missing or not whole, the first {missing[0]}: {have.get(missing[0])}"


def check(wanted):
    ldap, connection = connect()
    found = connection.search_s(BASE, ldap.SCOPE_ONELEVEL, "(objectClass=applicationProcess)")
    text = lambda attributes, name: attributes.get(name, [b""])[0].decode()
    compare({int(text(a, "cn")): (text(a, "description"), text(a, "l")) for _, a in found}, wanted)
    # By the index.
    for n in {1, wanted // 2 + 1, wanted}:
        assert len(connection.search_s(BASE, ldap.SCOPE_ONELEVEL, f"(cn={n})")) == 1, n


def dumped(wanted):
    have = {}
    for block in sys.stdin.read().replace("\n ", "").split("\n\n"):
        entry = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "cn" in entry:
            have[int(entry["cn"])] = (entry.get("description", ""), entry.get("l", ""))
    compare(have, wanted)


if sys.argv[1] == "load":
    load()
elif sys.argv[1] == "check":
    check(int(sys.argv[2]))
else:
    dumped(int(sys.argv[2]))
