#!/usr/bin/env python3
"""ssh.each over fleets of real sshd: how many at once, when it stops, what it says, what is recorded of each host.

limit: 200
"""
import os, signal, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from fleet import Fleet
from host import read, run_host_tests
from world import same

# Every target is this host: one that is asked finds out which it is by the address that it was reached at.
WHO = "set -- $SSH_CONNECTION; n=${3##*.}; n=$((n - 2))"


def names(n, first=0):
    return "{%s}" % ", ".join("'t%d'" % i for i in range(first, first + n))


def test_outcomes_as_one_table():
    with Fleet(6) as f:
        f.entries["t5"]["port"] = 1
        f.write_inventory()
        v = f.result("""(function()
            local r = ssh.each(%s, [[%s; test $n != 2 || exit 4; echo fine]], {check = false})
            return {ok = r:ok_hosts(), failed = r:failed_hosts(), unreachable = r:unreachable_hosts(), idle = r:not_started_hosts(), code = r.hosts.t2.code, errors = r.errors,
                out = r.hosts.t1.stdout, why = r.hosts.t5.why, order = #r.all, groups = #r:groups()}
        end)()""" % (names(6), WHO))
        assert "Connection refused" in v.pop("why")
        same(v, {"ok": ["t0", "t1", "t3", "t4"], "failed": ["t2"], "unreachable": ["t5"], "idle": {}, "code": 4, "errors": 2, "out": "fine\n", "order": 6, "groups": 3})


def test_max_errors_stops_before_the_next_host_starts():
    with Fleet(12) as f:
        mark = f.path("ran")
        why = f.why("ssh.each(%s, [[%s; echo $n >> %s; test $n -lt 3]], {max_concurrency = 1, max_errors = 1})" % (names(12), WHO, mark))
        same(read(mark).split(), ["0", "1", "2", "3", "4"])
        assert "2 of 12 ended with exit status 1 (t[3:4])" in why and "7 of 12 not started (t[5:11])" in why and "max_errors is 1: no other was started" in why, why
        # What has started finishes.
        os.unlink(mark)
        f.why("ssh.each(%s, [[%s; test $n != 0 || exit 1; sleep 0.5; echo $n >> %s]], {max_concurrency = 4})" % (names(12), WHO, mark))
        same(sorted(read(mark).split()), ["1", "2", "3"])
        same(f.result("ssh.each(%s, [[%s; test $n -gt 2]], {max_errors = '25%%', max_concurrency = '50%%'}).errors" % (names(12), WHO)), 3)
        # A share is reckoned whatever the step then makes of the names around it.
        same(f.result("(function() local each = ssh.each tonumber = nil return each(%s, {'true'}, {max_concurrency = '50%%'}).errors end)()" % names(4)), 0)


def test_canary_and_ramp_up():
    with Fleet(8) as f:
        mark = f.path("ran")
        why = f.why("ssh.each(%s, [[%s; echo $n >> %s; test $n != 1]], {canary = 2, max_errors = 5})" % (names(8), WHO, mark))
        same(sorted(read(mark).split()), ["0", "1"])
        assert "6 of 8 not started" in why and "the first of them failed: no other was started" in why, why
        os.unlink(mark)
        same(f.result("#ssh.each(%s, [[%s; echo $n >> %s]], {canary = true}):ok_hosts()" % (names(8), WHO, mark)), 8)
        same(read(mark).split()[0], "0")
        # How many run at once never grows faster than they succeed.
        at_once = f.path("at-once")
        os.mkdir(at_once)
        script = "%s; touch %s/$n; ls %s | wc -l; sleep 0.2; rm %s/$n" % (WHO, at_once, at_once, at_once)
        counts = f.result("(function() local out = {} for i, r in ipairs(ssh.each(%s, [[%s]], {ramp_up = true, max_concurrency = 3}).all) do out[i] = r.stdout end return out end)()" % (names(8), script))
        counts = [int(c) for c in counts]
        assert counts[0] == 1 and max(counts[:3]) <= 2 and max(counts) <= 3, counts


def test_order_and_results_as_they_come():
    with Fleet(5) as f:
        for order, want in (("given", "t3 t1 t4 t0"), ("sorted", "t0 t1 t3 t4"), ("reverse", "t0 t4 t1 t3")):
            same(f.result("(function() local seen = {} ssh.each({'t3', 't1', 't4', 't0', 't1'}, {'true'}, {max_concurrency = 1, order = '%s', on_result = function(h, r) seen[#seen + 1] = h end}) return table.concat(seen, ' ') end)()" % order), want)
        same(len(set(f.result("(function() local seen = {} ssh.each(%s, {'true'}, {order = 'shuffled', on_result = function(h) seen[#seen + 1] = h end}) return seen end)()" % names(5)))), 5)


def test_what_was_said_wrongly():
    with Fleet() as f:
        for source, why in (("ssh.each('t0', {'true'})", "a list of hosts was expected"), ("ssh.each({'t0'}, {'true'}, {max_concurrency = 0})", "max_concurrency must be at least 1"),
                            ("ssh.each({'t0'}, {'true'}, {max_errors = 'x'})", "max_errors must be a whole number, or a share"), ("ssh.each({'t0'}, {})", "the command is empty"),
                            ("ssh.each({'t0'}, {'true'}, {order = 'odd'})", "order must be given, sorted, reverse or shuffled"), ("ssh('t0', {'true'}, {canary = 1})", "there is no option canary"),
                            ("ssh('t0', {secret 'x'})", "argument 1 is a secret"), ("ssh('no host', {'true'})", "no host"), ("ssh('t0', {'-x'})", "is no command"),
                            ("ssh('t0', {'true'}, {as = '-x'})", "as must be the name of a user"), ("ssh('t0', {'true'}, {login = 'a b'})", "is no user to log in as")):
            said = f.why(source)
            assert why in said, (source, said)
        same(f.result("#ssh.each({}, {'true'}).all"), 0)


def test_each_host_has_its_right_and_its_record():
    with Fleet(3) as f:
        user = f.sshd.user
        x = f.run(f.of("ssh.each(%s, {'echo', 'x'})" % names(3), permissions=("ssh %s@t0 -- echo x" % user, "ssh %s@t2 -- echo x" % user)))
        v = f.over(x)
        same(v["steps"][0]["state"], "denied")
        finished = [k["d"]["outcome"] for k in f.records(x) if k["k"] == "call.finished"]
        same(sorted(finished), ["denied", "ok", "ok"])
        words = sorted(c["words"] for c in f.view(x)["steps"][0]["calls"])
        same(words, ["ssh %s@t%d -- echo x" % (user, i) for i in range(3)])


def ran_on(path):
    return sorted(int(n) for n in read(path).split()) if os.path.exists(path) else []


def test_a_crash_in_the_middle_is_settled_host_by_host():
    for who in ("engine", "actor"):
        with Fleet(12) as f:
            ran, go = f.path("ran"), f.path("go")
            script = "%s; echo $n >> %s; test $n -lt 4 || until [ -e %s ]; do sleep 0.05; done" % (WHO, ran, go)
            x = f.run(f.of("ssh.each(%s, [[%s]], {max_concurrency = 3})" % (names(12), script)))
            r.deadline(60, "four are done and three run", lambda: len(ran_on(ran)) == 7)
            os.kill(f.engine.process.pid if who == "engine" else f.actor(), signal.SIGKILL)
            open(go, "w").close()
            if who == "engine":
                f.client.close()
                f.engine.kill()
                f.engine.start()
                f.client = f.connect()
                f.client.ask("resume", execution=x)
            f.step(x, "s0", lambda s: s["state"] == "unknown", 60)
            records = f.records(x)
            of = {kind: {k["c"] for k in records if k["k"] == kind} for kind in ("call.started", "call.finished", "call.unknown")}
            # An intent before each effect, an outcome or a doubt for each intent, and nothing twice.
            same((who, ran_on(ran)), (who, list(range(len(ran_on(ran))))))
            assert len(ran_on(ran)) <= len(of["call.started"]), (ran_on(ran), of)
            same(of["call.finished"] | of["call.unknown"], of["call.started"])
            same((len(of["call.finished"] & of["call.unknown"]), 1 <= len(of["call.unknown"]) <= 3), (0, True))
            f.client.ask("cancel", execution=x)


def test_three_hundred_targets():
    with Fleet(300, log_level="ERROR", build=os.path.dirname(os.environ.get("RUNG_RELEASE", "build/rung"))) as f:
        x = f.run(f.of("local r = ssh.each(%s, {'echo', 'x'})\nlocal again = ssh.each(%s, {'echo', 'y'})\nreturn {n = #r:ok_hosts() + #again:ok_hosts()}" % (names(300), names(300))))
        v = f.over(x, 120)
        same((v["state"], v["steps"][0].get("why"), v["steps"][0].get("result")), ("succeeded", None, {"n": 600}))
        same(sum(1 for k in f.records(x) if k["k"] == "call.finished"), 600)


def test_the_report_of_forty_hosts_is_a_table_of_outcomes():
    with Fleet(42) as f:
        f.entries["t30"]["port"] = f.entries["t31"]["port"] = 1
        f.write_inventory()
        x = f.run(f.of("ssh.each(%s, [[%s; test $n != 7 || { echo dead; exit 3; }; echo fine]], {max_concurrency = 1, max_errors = 2})" % (names(40), WHO)))
        f.over(x, 120)
        report = f.client.ask("report", execution=x, format="json")["report"]
        fleet, = report["fleets"]
        same([(g["state"], g.get("code"), len(g["hosts"]), g["said"].replace("t30", "HOST")) for g in fleet["groups"]][:1], [("ok", 0, 29, "fine")])
        same(sorted((g["state"], g["hosts"]) for g in fleet["groups"][1:]), [("failed", ["t7"]), ("unreachable", ["t30", "t31"])])
        same(fleet["not_started"], ["t%d" % i for i in range(32, 40)])
        same(fleet["hosts"], 40)
        # Each call stands in it by itself; people see a line.
        same(len([t for t in report["timeline"] if t["kind"] == "call.started" and t.get("fleet") == 0]), 33)
        text = f.client.ask("report", execution=x, format="markdown")["text"]
        assert "| ok | 29 | `t[0:6], t[8:29]` | fine |" in text and "| unreachable | 2 | `t[30:31]` |" in text, text
        assert "| failed, exit status 3 | 1 | t7 | dead |" in text and "| not started | 8 | `t[32:39]` |" in text, text
        same(text.count("call.started"), 0)
        assert "ssh on 40 hosts, 29 ok, 2 unreachable, 1 failed, 8 not started" in text, text


TESTS = [v for k, v in list(globals().items()) if k.startswith("test_")]

if __name__ == "__main__":
    sys.exit(run_host_tests(TESTS))
