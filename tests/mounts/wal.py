# SPDX-License-Identifier: Apache-2.0
"""wal.py DATABASE WHO N: commits N transactions in WAL mode beside others, and says how many."""
import sqlite3
import sys

database, who, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = sqlite3.connect(database, timeout=60, isolation_level=None)
assert db.execute("pragma journal_mode=wal").fetchone()[0] == "wal"
db.execute("pragma synchronous=normal")
db.execute("create table if not exists rows(who text, i int, primary key(who, i))")
db.execute("create table if not exists total(k int primary key, v int)")
db.execute("insert or ignore into total values(1, 0)")
done = wrong = 0
for i in range(n):
    try:
        db.execute("begin immediate")
        db.execute("insert into rows values(?, ?)", (who, i))
        db.execute("update total set v = v + 1")
        db.execute("commit")
        done += 1
    except sqlite3.Error as e:
        print(e, file=sys.stderr)
        if db.in_transaction:
            db.execute("rollback")
    # What a reader sees belongs together.
    rows, total = db.execute("select count(*), (select v from total) from rows").fetchone()
    wrong += rows != total
print(done, wrong)
