#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sqlite.py init | write WHO N | check WHO N… | wal PROCESSES N: writers that share /data/db. write prints "acked N" for what was committed."""
import multiprocessing
import random
import sqlite3
import sys


def connect(path="/data/db"):
    return sqlite3.connect(path, timeout=600, isolation_level=None)


def write(db, who, n):
    db.execute("insert or ignore into counters values(?, 0)", (who,))
    for i in range(1, n + 1):
        db.execute("begin immediate")
        # Every writer changes a row that all of them change: a lost update is seen in the sum.
        db.execute("update counters set n = n + 1 where who in ('all', ?)", (who,))
        db.execute("insert into rows values(?, ?, ?)", (who, i, "x" * random.randrange(2000)))
        db.execute("commit")
        print("acked", i, flush=True)


def check(db, words):
    assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
    total = 0
    for who, n in zip(words[::2], words[1::2]):
        have, counted = (db.execute(q, (who,)).fetchone()[0] for q in ("select count(*) from rows where who=?", "select n from counters where who=?"))
        assert have == counted, (who, have, counted)
        assert have >= int(n[2:]) if n.startswith(">=") else have == int(n), f"{who}: {have} rows instead of {n}"
        total += have
    assert db.execute("select n from counters where who='all'").fetchone()[0] == total, "updates were lost"


def wal_writer(who, n):
    write(connect("/data/wal.db"), who, n)


def main():
    word, *more = sys.argv[1:]
    path = "/data/wal.db" if word == "wal" else "/data/db"
    db = connect(path)
    if word in ("init", "wal"):
        if word == "wal":
            assert db.execute("pragma journal_mode=wal").fetchone()[0] == "wal"
        db.execute("create table rows(who text, i int, t text)")
        db.execute("create index byi on rows(i, who)")
        db.execute("create table counters(who text primary key, n int)")
        db.execute("insert into counters values('all', 0)")
    if word == "wal":
        count, n = int(more[0]), int(more[1])
        writers = [multiprocessing.Process(target=wal_writer, args=(f"w{i}", n)) for i in range(count)]
        for w in writers:
            w.start()
        for w in writers:
            w.join()
            assert w.exitcode == 0
        check(db, [x for i in range(count) for x in (f"w{i}", str(n))])
    elif word == "write":
        write(db, more[0], int(more[1]))
    elif word == "check":
        check(db, more)


main()
