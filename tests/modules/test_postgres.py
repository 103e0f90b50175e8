#!/usr/bin/env python3
"""The module postgres against a real PostgreSQL.

limit: 180"""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from postgres import Postgres, programs
from step import Steps, fails
from world import run_tests, same

tests = []
LOOK = "sh psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --dbname=* '--command=BEGIN READ ONLY' --file=-"
CHANGE = "sh psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --dbname=* --file=-"


def test(f):
    tests.append(f)
    return f


class WithServer(Steps):
    server = None

    def db(self, more=""):
        return '{server = "%s", port = %d, user = "postgres", database = "postgres"%s}' % (self.server.folder, self.server.port, more)

    def look(self, expression, *rights):
        return self.lua_result("local db = %s\nreturn {value = %s}" % (self.db(), expression), *(rights or (LOOK,)))["value"]


@test
def rows_come_as_tables(w):
    same(w.look("postgres.query([[SELECT 1 AS one, 'it''s' AS text, NULL AS nothing, ARRAY[1,2] AS list;]], db)"), [{"one": 1, "text": "it's", "list": [1, 2]}])
    same(w.look("#postgres.query('SELECT 1 WHERE false', db)"), 0)
    fails(lambda: w.look("postgres.query('SELECT nothing', db)"), 'column "nothing" does not exist')
    fails(lambda: w.look("postgres.query('SELECT 1; DROP TABLE x', db)"), "one statement")
    fails(lambda: w.look(r"postgres.query('SELECT 1 \\! touch /tmp/x', db)"), "backslash")


@test
def what_looks_changes_nothing(w):
    w.server.psql("CREATE TABLE kept (id int)")
    fails(lambda: w.look("postgres.query([[SELECT nextval('no_such')]], db)"), "does not exist")
    w.server.psql("CREATE SEQUENCE counted")
    fails(lambda: w.look("postgres.query([[SELECT nextval('counted')]], db)"), "read-only transaction")
    fails(lambda: w.look("postgres.query([[INSERT INTO kept VALUES (1) RETURNING id]], db)"), "postgres.query")
    same(w.server.psql("SELECT count(*) FROM kept").stdout.strip(), "0")
    fails(lambda: w.lua_result("return {value = postgres.execute('INSERT INTO kept VALUES (1)', %s)}" % w.db(), LOOK), "not allowed")
    w.lua_result("postgres.execute('INSERT INTO kept VALUES (1); INSERT INTO kept VALUES (2)', %s)" % w.db(), CHANGE, attributes="risk=change")
    fails(lambda: w.lua_result("postgres.execute('INSERT INTO kept VALUES (3); SELECT 1/0', %s)" % w.db(), CHANGE, attributes="risk=change"), "division by zero")
    same(w.server.psql("SELECT count(*) FROM kept").stdout.strip(), "2")


@test
def health_and_sizes(w):
    h = w.look("postgres.health(db)")
    assert h["is_standby"] is False and h["connections"] >= 1 and h["connections_max"] == 100 and h["up_s"] >= 0 and h["version"], h
    w.server.psql("CREATE TABLE wide AS SELECT repeat('x', 1000) AS x FROM generate_series(1, 5000)")
    sizes = w.look("postgres.sizes{server = db.server, port = db.port, user = db.user, database = db.database, count = 1}")
    assert [s["name"] for s in sizes] == ["wide"] and sizes[0]["bytes"] > 5000000, sizes
    same(w.look("postgres.replication(db)"), [])
    same(w.lua_result("return {is_primary = postgres.standby_lag(%s) == nil}" % w.db(), LOOK)["is_primary"], True)


@test
def who_waits_for_whom_and_how_it_is_ended(w):
    w.server.psql("CREATE TABLE held (id int); INSERT INTO held VALUES (1)")
    holder = w.server.begin("BEGIN", "UPDATE held SET id = 2", "SELECT pg_backend_pid()")
    waiter = None
    try:
        holder_pid = int(r.deadline(20, "the holder's pid", holder.stdout.readline))
        waiter = w.server.begin("UPDATE held SET id = 3")
        locks = r.deadline(30, "a wait", lambda: w.look("postgres.locks(db)"), 0.1)
        same([(l["by_pid"], l["by_state"], l["query"]) for l in locks], [(holder_pid, "idle in transaction", "UPDATE held SET id = 3;")])
        long = w.look('postgres.long_queries{server = db.server, port = db.port, user = db.user, database = db.database, over = "1ms"}')
        assert holder_pid in [q["pid"] for q in long], long
        same(w.look('postgres.long_queries{server = db.server, port = db.port, user = db.user, database = db.database, over = "1h"}'), [])
        done = w.lua_result("return {told = postgres.terminate(%d, %s), again = postgres.terminate(2147483647, %s)}" % (holder_pid, w.db(), w.db()), CHANGE, attributes="risk=change")
        same(done, {"told": True, "again": False})
        r.deadline(20, "the change of who waited", lambda: w.server.psql("SELECT id FROM held").stdout.strip() == "3")
    finally:
        for p in (holder, waiter):
            if p:
                p.kill()
                p.wait()


@test
def a_password_is_a_secret(w):
    w.over(w.run(w.lua("return 1")))
    os.makedirs(os.path.join(w.folder, ".rung"), exist_ok=True)
    path = os.path.join(w.folder, "password")
    with open(path, "w") as f:
        f.write(w.server.password + "\n")
    os.chmod(path, 0o600)
    with open(os.path.join(w.folder, ".rung", "secrets.yaml"), "w") as f:
        f.write("version: 1\nsecrets:\n  db: {file: %s}\n" % path)
    db = '{server = "127.0.0.1", port = %d, user = "postgres", password = secret "db"}' % w.server.port
    got = w.lua_result("return postgres.query([[SELECT inet_client_addr() IS NOT NULL AS by_network]], %s)[1]" % db, LOOK, "secret db")
    same(got, {"by_network": True})
    fails(lambda: w.lua_result("return postgres.query('SELECT 1', %s)" % db.replace('secret "db"', '"wrong password"'), LOOK), "authentication failed")


def book(w, **more):
    return w.run(os.path.abspath("runbooks/postgres-health.md"), params=dict({"server": w.server.folder, "port": w.server.port}, **more))


@test
def the_shipped_book_says_that_all_is_well(w):
    view = w.over(book(w))
    same([(s["id"], s["state"]) for s in view["steps"]], [("health", "succeeded"), ("replication", "succeeded"), ("queries", "succeeded"), ("agree", "skipped"), ("end", "skipped"), ("verdict", "succeeded")])


@test
def the_shipped_book_ends_what_others_wait_for_after_asking(w):
    w.server.psql("CREATE TABLE IF NOT EXISTS blocked (id int); INSERT INTO blocked VALUES (1)")
    holder = w.server.begin("BEGIN", "UPDATE blocked SET id = 2", "SELECT pg_backend_pid()")
    pid = int(r.deadline(20, "the holder's pid", holder.stdout.readline))
    waiter = w.server.begin("UPDATE blocked SET id = 3")
    try:
        r.deadline(30, "a wait", lambda: w.server.psql("SELECT 1 FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0").stdout)
        x = book(w)
        question = r.deadline(30, "the question", lambda: w.view(x)["questions"])[0]
        assert "pid %d of postgres (idle in transaction)" % pid in question["prompt"], question
        w.client.ask("answer", execution=x, step="agree", call=question["call"], value="terminate the connection")
        view = r.wait_over(w.client, x)
        same((view["state"], next(s for s in view["steps"] if s["id"] == "end")["result"]), ("succeeded", {"told": True}))
        r.deadline(20, "the change of who waited", lambda: w.server.psql("SELECT id FROM blocked").stdout.strip() == "3")
    finally:
        for p in (holder, waiter):
            p.kill()
            p.wait()


if __name__ == "__main__":
    if not programs():
        print("ok - nothing to do # skip PostgreSQL is not installed")
        sys.exit(0)
    with Postgres() as server:
        WithServer.server = server
        sys.exit(run_tests(tests, world=WithServer))
