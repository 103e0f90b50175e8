#!/usr/bin/env python3
"""A storm of alerts, half of them duplicates, some forged, while the engine is killed in the middle: what was answered with 2xx is in the journal, no event starts
two executions, nothing forged is taken, the guard rails hold across the kills, and the journal verifies.

RATE=n a second, for SECONDS=n, KILLS=n (here a share; 1,000 a second for 30 s with 2 kills in make torture), SEED=n. Prints the seed and what came of it.

limit: 300
build: release"""
import asyncio, hashlib, os, random, shutil, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import rungclient as r
import storm

RATE, SECONDS, KILLS = (int(os.environ.get(k, v)) for k, v in (("RATE", "300"), ("SECONDS", "8"), ("KILLS", "2")))
SEED = int(os.environ.get("SEED", str(int(time.time()))))
RAIL_STARTS = 5
KEY = b"the key of the storm's source"
print("# seed %d, %d a second for %d s, %d kills" % (SEED, RATE, SECONDS, KILLS), flush=True)

def key_of(d):
    return hashlib.sha256(b"alert\0storm\0" + d.fingerprint.encode()).hexdigest()


async def blow(served, deliveries):
    wind = storm.Storm(served.port, "/v1/alerts/storm", KEY)
    moments = sorted(random.Random(SEED).uniform(0.2, 0.8) * SECONDS for _ in range(KILLS))

    async def kills():
        began = time.monotonic()
        for at in moments:
            await asyncio.sleep(max(0, began + at - time.monotonic()))
            served.kill()
            served.start()

    took, _ = await asyncio.gather(wind.run(deliveries, RATE), kills())
    return wind, took


def judge(served, deliveries, wind, took):
    records = served.records()
    received = {}
    for x in records:
        if x["k"] == "alert.received":
            received.setdefault(x["d"]["key"], []).append(x)
    lost = [d.fingerprint for d in deliveries if not d.is_forged and not any(x["d"]["state"] == d.state for x in received.get(key_of(d), []))]
    assert not lost, "answered, and not in the journal: %s" % lost[:5]
    wrong = [(d.fingerprint, d.answers) for d in deliveries if d.answers[-1][0] != (401 if d.is_forged else 200)]
    assert not wrong, "answered otherwise: %s" % wrong[:5]
    assert not any(d.is_forged and key_of(d) in received for d in deliveries), "a forged one was taken"
    # One event, one execution; one execution, one start.
    decided, begun = {}, {}
    for x in records:
        if x["k"] == "alert.received" and x["d"].get("outcome") == "starts":
            decided.setdefault((x["d"]["key"], x["d"].get("starts_us")), []).append(x["d"]["execution"])
        if x["k"] == "execution.started":
            begun[x["x"]] = begun.get(x["x"], 0) + 1
    twice = {k: v for k, v in decided.items() if len(v) > 1}
    assert not twice, "started twice for one event: %s" % list(twice.items())[:3]
    ids = [v[0] for v in decided.values()]
    missing = [i for i in ids if begun.get(i) != 1]
    assert not missing and len(begun) == len(ids), "decided %d, begun %d, not once: %s" % (len(ids), len(begun), missing[:5])
    with open(os.path.join(served.folder, "oracle")) as f:
        ran = f.read().split()
    assert set(ran) == set(ids), "what ran is not what was decided"
    rails = [x for x in records if x["k"] == "alert.received" and x["d"].get("rule") == "binding:rails" and x["d"]["outcome"] == "starts"]
    assert len(rails) <= RAIL_STARTS, "%d starts where %d are allowed" % (len(rails), RAIL_STARTS)
    incidents = [x for x in records if x["k"] == "incident.opened"]
    keys = {key_of(d) for d in deliveries if not d.is_forged}
    assert len(incidents) == len(keys), "%d incidents for %d alerts" % (len(incidents), len(keys))
    waits = sorted(d.done_s - d.sent_s for d in deliveries)
    print("# %d deliveries in %.1f s (%.0f a second), %d connections lost; %d alerts, %d executions, %d by the rail; answers: median %.1f ms, p99 %.0f ms" %
          (len(deliveries), took, len(deliveries) / took, wind.errors, len(keys), len(ids), len(rails), 1000 * waits[len(waits) // 2], 1000 * waits[int(len(waits) * 0.99)]))


served, status = storm.Served(KEY, RAIL_STARTS), 0
try:
    served.start().ready()
    deliveries = storm.deliveries(RATE * SECONDS, SEED)
    wind, took = asyncio.run(blow(served, deliveries))

    def all_over():
        decided = {x["d"]["execution"] for x in served.records() if x["k"] == "alert.received" and x["d"].get("outcome") == "starts"}
        return decided <= {x["d"]["execution"] for x in served.records() if x["k"] == "execution.ended"}
    r.deadline(120, "every execution that was decided has ended", all_over, every=0.5)
    served.end()
    v = served.rung("verify")
    assert v.returncode == 0, v.stdout + v.stderr
    judge(served, deliveries, wind, took)
    print("ok - a storm of %d alerts with %d kills: none that was answered is lost, none starts twice, nothing forged is taken, rails hold" % (len(deliveries), KILLS))
except AssertionError as e:
    print("not ok - seed %d: %s (%s)" % (SEED, e, served.folder))
    status = 1
served.end()
if not status:
    shutil.rmtree(served.folder, ignore_errors=True)
sys.exit(status)
