#!/usr/bin/env python3
"""Receipts on other hosts: a command that a dropped connection, a killed actor or a killed engine lost is asked for again, has its real outcome, and has run once. A file on the target says
how often it ran. CUTS=n SEED=n: connections cut at random moments (20 here, 200 in make torture).

limit: 200
"""
import os, random, shutil, signal, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from badwire import BadWire
from fleet import Fleet
from host import read, run_host_tests
from world import same

CUTS = int(os.environ.get("CUTS", "20"))
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 30))))


class Wired(Fleet):
    """One target, reached through a wire that a test cuts. Its login has a home of its own: receipts do not meet those of the user who runs this."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="home-")
        super().__init__(force_command="export HOME=%s; eval \"$SSH_ORIGINAL_COMMAND\"" % self.home)
        t = self.sshd.targets[0]
        self.wire = BadWire(t.address, t.port)
        self.entries["t0"].update(address=self.wire.address, port=self.wire.port)
        self.write_inventory()

    def __exit__(self, *how):
        self.wire.stop()
        shutil.rmtree(self.home, ignore_errors=True)
        super().__exit__(*how)

    def begun(self, script, options="effect = 'receipt', check = false"):
        return self.run(self.of("local r = ssh('t0', [[%s]], {%s}) return {code = r.code, out = r.stdout}" % (script, options)))


def lines(path):
    return len(read(path).split()) if os.path.exists(path) else 0


def once(f, x, ran, want):
    v = f.over(x, 60)
    same((v["state"], v["steps"][0].get("why"), v["steps"][0].get("result")), ("succeeded", None, want))
    same(lines(ran), 1)


def test_a_dropped_connection_is_asked_again():
    with Wired() as f:
        ran, go = f.path("ran"), f.path("go")
        x = f.begun("echo x >> %s; echo before; until [ -e %s ]; do sleep 0.05; done; echo after; exit 3" % (ran, go))
        r.deadline(20, "the command runs", lambda: lines(ran))
        assert f.wire.cut() > 0
        open(go, "w").close()
        once(f, x, ran, {"code": 3, "out": "before\nafter\n"})
        started = [k["d"] for k in f.records(x) if k["k"] == "call.started"]
        same((len(started), started[1]["again"], started[0]["target"] == started[1]["target"], started[0]["target"][:14]), (2, 1, True, "receipts:host:"))


def test_a_host_that_is_away_for_a_while_is_waited_for():
    with Wired() as f:
        ran, go = f.path("ran"), f.path("go")
        x = f.begun("echo x >> %s; until [ -e %s ]; do sleep 0.05; done; exit 4" % (ran, go))
        r.deadline(20, "the command runs", lambda: lines(ran))
        f.wire.refuse = True
        f.wire.cut()
        before = f.wire.count
        r.deadline(20, "two tries in vain", lambda: f.wire.count >= before + 2)
        f.wire.refuse = False
        open(go, "w").close()
        once(f, x, ran, {"code": 4, "out": ""})


def test_an_engine_that_was_killed_hears_the_outcome():
    with Wired() as f:
        ran, go = f.path("ran"), f.path("go")
        x = f.begun("echo x >> %s; until [ -e %s ]; do sleep 0.05; done; exit 5" % (ran, go))
        r.deadline(20, "the command runs", lambda: lines(ran))
        f.client.close()
        f.engine.kill()
        open(go, "w").close()
        f.engine.start()
        f.client = f.connect()
        f.client.ask("resume", execution=x)
        once(f, x, ran, {"code": 5, "out": ""})


def test_an_actor_that_was_killed():
    with Wired() as f:
        ran, go = f.path("ran"), f.path("go")
        x = f.begun("echo x >> %s; until [ -e %s ]; do sleep 0.05; done; exit 6" % (ran, go))
        r.deadline(20, "the command runs", lambda: lines(ran))
        os.kill(f.actor(), signal.SIGKILL)
        open(go, "w").close()
        once(f, x, ran, {"code": 6, "out": ""})


def test_another_place_is_not_asked():
    with Wired() as f:
        ran, go = f.path("ran"), f.path("go")
        x = f.begun("echo x >> %s; until [ -e %s ]; do sleep 0.05; done" % (ran, go))
        r.deadline(20, "the command runs", lambda: lines(ran))
        f.client.close()
        f.engine.kill()
        f.entries["t0"]["login"] = "nobody"
        f.write_inventory()
        f.engine.start()
        f.client = f.connect()
        f.client.ask("resume", execution=x)
        f.step(x, "s0", lambda s: s["state"] == "unknown")
        f.client.ask("cancel", execution=x)
        open(go, "w").close()


def test_connections_cut_at_random():
    luck = random.Random(SEED)
    print("# SEED=%d CUTS=%d" % (SEED, CUTS))
    with Wired() as f:
        # Where no receipt was ever kept, one that is not there could also have been removed: that is in doubt.
        same(f.over(f.begun("true"))["state"], "succeeded")
        done = rounds = 0
        while done < CUTS:
            rounds += 1
            ran = f.path("ran%d" % rounds)
            x = f.begun("echo x >> %s; sleep 0.0%d; echo out; exit 7" % (ran, luck.randrange(10)))
            # Up to three are cut; a fourth try in a row is not made without a person.
            for _ in range(luck.choice((1, 1, 2))):
                time.sleep(luck.random() * 0.6)
                done += f.wire.cut() > 0
            v = f.over(x, 120)
            first = v["steps"][0]
            started = sum(1 for k in f.records(x) if k["k"] == "call.started")
            if first["state"] == "failed":
                # It was cut before the command was sent: then nothing has happened.
                same((lines(ran), started), (0, 1))
            else:
                same((v["state"], first.get("why"), first.get("result"), lines(ran)), ("succeeded", None, {"code": 7, "out": "out\n"}, 1))


TESTS = [v for k, v in list(globals().items()) if k.startswith("test_")]

if __name__ == "__main__":
    sys.exit(run_host_tests(TESTS))
