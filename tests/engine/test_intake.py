#!/usr/bin/env python3
"""Alerts through the engine's socket: whose they are, what is read, what is decided, what starts, what is refused; duplicates, late ones, groups, guard rails, a
full disk, restarts.

limit: 240"""
import json, os, re, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import alertworld as aw
import rungclient as r
from alertworld import Alerts, alert, delivery, sign
from world import run_tests, same

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "..", "fixtures", "alerts")
SHARED = os.path.join(os.environ.get("RUNG_SHARED", os.path.join(HERE, "..", "..", "..", "shared")), "fixtures", "alerts")
tests = []


def test(f):
    tests.append(f)
    return f


# ---- what is read -----------------------------------------------------------------------------------------------------------------------

def table(path):
    """{(file, source): [cells of one alert...]}"""
    out = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            if line.startswith("#") or not line.strip():
                continue
            cells = [c.replace("\\e", "\x1b") for c in line.rstrip("\n").split(" | ")]
            out.setdefault((cells[0], cells[1]), []).append(cells[2:])
    return out


def labels_of(alert):
    out = []
    for key, value in sorted(alert["labels"].items()):
        out.append("%s=%s" % (key, value.replace(",", ";")))
    return ",".join(out) or "-"


def check_files(w, folder, name):
    with open(os.path.join(FIXTURES, "sources.yaml")) as f:
        w.write(".rung/alerts.yaml", f.read())
    seen = 0
    for (file, source), rows in table(os.path.join(FIXTURES, name)).items():
        with open(os.path.join(folder, file), "rb") as f:
            body = f.read()
        got = w.send(source=source, body=body, headers={})
        same(len(got), len(rows))
        for decision, cells in zip(got, rows):
            name, state, severity, fingerprint, labels, link = cells[:6]
            same([decision["name"] or "-", decision["state"], decision["fingerprint"]], [name, state, fingerprint])
            seen += 1
            if "incident" not in decision:
                same(state, "resolved")
                continue
            shown = [a["alert"] for a in w.incident(decision["incident"])["alert_list"] if a["alert"]["fingerprint"] == fingerprint][0]
            same([shown["severity"] or "-", shown["link"] or "-", labels_of(shown)], [severity, link, labels])
    return seen


@test
def every_file_of_a_source_gives_the_alerts_of_the_table(w):
    same(check_files(w, FIXTURES, "table.txt"), 14)


@test
def the_shared_files_give_the_alerts_of_the_table(w):
    if os.path.isdir(SHARED):
        same(check_files(w, SHARED, "shared.txt"), 6)


# ---- whose they are ---------------------------------------------------------------------------------------------------------------------

@test
def a_delivery_is_taken_with_its_sources_proof_only(w):
    body = delivery(alert())
    before = len(w.journal())
    for headers in ({"Authorization": "Bearer wrong-wrong-wrong"}, {"Authorization": aw.TOKEN}, {"X-Signature": sign(body)}, {"authorization": "Bearer"}):
        text = w.refused("denied", lambda: w.send(body=body, headers=headers))
        assert aw.TOKEN not in text and "wrong" not in text, text
    w.refused("denied", lambda: w.send(body=body + b" ", headers={"X-Signature": sign(body)}, source="ci"))
    w.refused("not_found", lambda: w.send(body=body, source="nobody"))
    same(len(w.journal()), before)  # nothing of a forged delivery is stored
    with open(w.path("engine.log")) as f:
        log = f.read()
    same(log.count("more were refused"), 1)  # and the log is not filled with it
    same(w.send(body=body)[0]["outcome"], "starts")
    small = json.dumps({"name": "A", "id": "1"}).encode()
    same(w.send(body=small, source="ci", headers={"X-Signature": sign(small)})[0]["outcome"], "unbound")


@test
def a_secret_that_is_exchanged_counts_from_then_on(w):
    w.one()
    w.secret("am-token", "fedcba9876543210")
    new = {"Authorization": "Bearer fedcba9876543210"}

    def taken():
        try:
            return w.send(alert(fingerprint="f2"), headers=new)
        except r.Refused:
            return None
    r.deadline(20, "the new secret to count", taken, 0.1)
    w.refused("denied", lambda: w.one())
    os.unlink(w.path(".rung/am-token"))

    def closed():
        try:
            return w.send(alert(fingerprint="f2"), headers=new) and None
        except r.Refused as e:
            return e
    e = r.deadline(20, "no secret: nothing is taken", closed, 0.1)
    same(e.kind, "full")  # 503: the fault is the engine's
    assert "token" not in e.text, e.text


@test
def what_is_no_delivery_is_refused_with_a_reason_and_stores_nothing(w):
    before = len(w.journal())
    for body in (b"", b"{", b"[1", b"nonsense", b'{"alerts":{}}', b'{"alerts":[{"labels":{"a":"b"}},{"labels":3}]}', b'{"a":1,"a":2}', b"\xff\xfe"):
        assert len(w.refused("invalid", lambda: w.send(body=body))) > 10, body
    for body in (b"{\"alerts\":[" + b"1," * 140000 + b"1]}", b"[" * 200 + b"]" * 200):
        w.refused("too_big", lambda: w.send(body=body))
    same(len(w.journal()), before)
    w.write(".rung/alerts.yaml", "version: 1\nsources: nonsense\n")
    text = w.refused("full", lambda: w.one())
    assert "nonsense" not in text, text
    w.write(".rung/alerts.yaml", aw.SOURCES + aw.BINDINGS)
    same(w.one()["outcome"], "starts")


# ---- what is decided and started ---------------------------------------------------------------------------------------------------------

@test
def an_alert_starts_its_playbook_as_the_service_with_its_parameters(w):
    d = w.one(instance="web-1")
    same([d["outcome"], d["rail"]], ["starts", "free"])
    same(w.until_ran(1), ["web-1"])
    x = w.over(d["execution"])
    same([x["state"], x["driver"], x["mode"]], ["succeeded", "service:alert-bot", "auto"])
    start = [k for k in w.journal() if k["k"] == "execution.started"][0]
    same([start["x"], start["d"]["trigger"], start["d"]["incident"]], [d["execution"], "alert", d["incident"]])
    assert start["d"]["alert"].startswith("hmac-sha256:")
    w.idle()
    i = w.incident(d["incident"])
    same([i["state"], i["priority"], i["title"], i["executions"][0]["state"], i["book"]], ["open", 1, "Run", "succeeded", "playbooks/run.md"])
    kinds = [k["k"] for k in w.journal() if k.get("x") == d["incident"]]
    same([k for k in kinds if not k.startswith("escalation.")], ["incident.opened", "alert.received", "execution.ended"])
    received = w.records_of("alert.received")[0]
    assert received["seq"] < start["seq"], "it began before its decision"
    same(received["d"]["execution"], d["execution"])
    same([received["by"], received["d"]["source"], received["d"]["outcome"], received["d"]["book"]], ["user:" + aw.ME, "prom", "starts", "playbooks/run.md"])


@test
def the_same_event_never_starts_two_executions(w):
    first = w.one()
    for _ in range(5):
        d = w.one()
        assert d["outcome"] in ("joins", "repeat"), d
        same(d["incident"], first["incident"])
    w.until_ran(1)
    w.over(first["execution"])
    w.idle()
    w.restart()
    for _ in range(3):
        same(w.one()["outcome"], "repeat")
    same(len(w.ran()), 1)
    same(len(w.records_of("execution.started")), 1)
    same(len(w.incidents()), 1)


@test
def an_alert_that_is_over_closes_its_incident_and_fires_anew_as_another(w):
    a = w.one()
    w.over(a["execution"])
    w.idle()
    d = w.one(state="resolved")
    same([d["outcome"], d["incident"]], ["resolves", a["incident"]])
    same(w.incidents(), [])
    i = w.incident(a["incident"])
    same([i["state"], "resolved_by" in i, i["firing"]], ["resolved", False, 0])
    same(w.one(state="resolved")["incident"], a["incident"])  # again: nothing happens
    late = w.one()
    same([late["outcome"], late["incident"]], ["late", a["incident"]])
    same(w.one(starts="2026-11-29T06:00:00Z")["outcome"], "late")
    w.restart()
    same(w.one()["outcome"], "late")
    new = w.one(starts="2026-11-29T08:00:00Z")
    same(new["outcome"], "starts")
    assert new["incident"] != a["incident"]
    w.over(new["execution"])
    same(len(w.records_of("incident.resolved")), 1)
    same(w.one(fingerprint="never seen", state="resolved").get("incident"), None)


@test
def what_the_alert_says_reaches_no_record_and_no_shell(w):
    evil = "$(touch /tmp/x); \x1b[2J 'q'"
    d = w.one(instance=evil, fingerprint="\x1bfp", name="Run")
    w.over(d["execution"])
    for k in w.journal():
        text = json.dumps(k)
        assert "touch" not in text and "[2J" not in text and "bfp" not in text, text


@test
def alerts_of_a_group_share_an_incident_where_the_binding_says_so(w):
    w.write(".rung/alerts.yaml", aw.SOURCES + aw.BINDINGS.replace("priority: 1}", "priority: 1, incident: group}"))
    a, b, c = w.send(alert(fingerprint="a"), alert(fingerprint="b", name="RunToo"), alert(fingerprint="c"), group="g1")
    same({a["incident"], b["incident"], c["incident"]}, {a["incident"]})
    other = w.send(alert(fingerprint="d"), group="g2")[0]
    assert other["incident"] != a["incident"]
    same(len({a["execution"], b["execution"], c["execution"]}), 3)
    for d in (a, b, c, other):
        w.over(d["execution"])
    w.idle()
    w.restart()
    w.send(alert(fingerprint="a", state="resolved"), alert(fingerprint="b", name="RunToo", state="resolved"), group="g1")
    same(w.incident(a["incident"])["state"], "open")  # one fires still
    w.send(alert(fingerprint="c", state="resolved"), group="g1")
    same(w.incident(a["incident"])["state"], "resolved")
    again = w.send(alert(fingerprint="a", starts="2026-11-29T09:00:00Z"), group="g1")[0]
    assert again["incident"] != a["incident"]
    w.over(again["execution"])


@test
def a_group_without_end_is_no_incident_without_end(w):
    """What each alert of an incident costs grows with their number, and a label that always changes makes new ones for ever."""
    w.write(".rung/alerts.yaml", aw.SOURCES + aw.BINDINGS.replace("priority: 1}", "priority: 1, incident: group, max_running: 1, runs: {count: 1, within: 1h}}"))
    decisions = w.send(*[alert(fingerprint="f%d" % i) for i in range(2003)], group="g")
    shared = [d for d in decisions if d["incident"] == decisions[0]["incident"]]
    same((len(shared), len({d["incident"] for d in decisions})), (2000, 4))
    same(w.send(alert(fingerprint="f2002"), group="g")[0]["incident"], decisions[2002]["incident"])
    w.over(decisions[0]["execution"])


@test
def one_delivery_is_one_batch_with_one_answer(w):
    w.write(".rung/alerts.yaml", aw.SOURCES)
    before = len(w.journal())
    got = w.send(*[alert("A%d" % i, "f%d" % i) for i in range(500)])
    same([len(got), {d["outcome"] for d in got}, len({d["incident"] for d in got})], [500, {"unbound"}, 500])
    new = w.journal()[before:]
    same(len(new), 1000)
    import sqlite3
    db = sqlite3.connect("file:%s/store.db?mode=ro" % w.engine.state, uri=True)
    sizes = [s for (s,) in db.execute("SELECT size FROM checkpoint ORDER BY size")]
    db.close()
    same([s for s in sizes if before < s <= before + 1000], [before + 1000])
    same(len(w.incidents()), 500)
    same(len({b for k in new if k["k"] == "alert.received" for b in k["d"]["body"]}), 1)


# ---- guard rails --------------------------------------------------------------------------------------------------------------------------

@test
def a_cooldown_holds_over_a_restart_and_over_incidents(w):
    w.write(".rung/alerts.yaml", aw.SOURCES + aw.BINDINGS.replace("cooldown: 0s", "cooldown: 1h"))
    a = w.one()
    w.over(a["execution"])
    w.idle()
    w.one(state="resolved")
    w.restart()
    for starts in ("2026-11-29T08:00:00Z", "2026-11-29T08:00:00Z"):
        d = w.one(starts=starts)
        same([d["outcome"], d["rail"]], ["suppressed", "cooldown"])
        assert d["incident"] != a["incident"]
    other = w.one(fingerprint="other")
    same(other["outcome"], "starts")
    w.over(other["execution"])


@test
def no_more_run_and_start_than_the_binding_says_over_a_restart(w):
    w.write("playbooks/run.md", aw.playbook("Run", 'sh("echo x >> %s; while [ ! -e %s ]; do sleep 0.02; done", {effect = "idempotent"})' % (w.oracle, w.path("go"))))
    w.write(".rung/alerts.yaml", aw.SOURCES + aw.BINDINGS.replace("cooldown: 0s", "cooldown: 0s, max_running: 2, runs: {count: 3, within: 1h}"))
    a, b, c = w.send(*[alert(fingerprint=f) for f in "abc"])
    same([a["outcome"], b["outcome"], c["outcome"], c["rail"]], ["starts", "starts", "suppressed", "max_running"])
    w.until_ran(2)
    w.restart()
    same(w.one(fingerprint="c")["rail"], "max_running")
    w.write("go", "")
    for d in (a, b):
        r.deadline(30, "it goes on", lambda: w.client.ask("attach", execution=d["execution"])["state"] not in ("pending", "running"))
    r.deadline(30, "incidents to be told", lambda: all(i["running"] == 0 for i in w.incidents()))
    same(w.one(fingerprint="c")["outcome"], "starts")  # what was suppressed starts later
    d = w.one(fingerprint="d")
    same([d["outcome"], d["rail"]], ["suppressed", "runs"])
    w.restart()
    same(w.one(fingerprint="e")["rail"], "runs")
    same(len(w.records_of("execution.started")), 3)


@test
def the_breaker_opens_after_failures_and_a_person_is_asked(w):
    w.write("playbooks/run.md", aw.playbook("Run", 'fail("no")'))
    w.write(".rung/alerts.yaml", aw.SOURCES + aw.BINDINGS.replace("cooldown: 0s", "cooldown: 0s, breaker: {failures: 2, within: 1h}"))
    for f in "ab":
        w.over(w.one(fingerprint=f)["execution"])
    w.idle()
    for _ in range(2):
        d = w.one(fingerprint="c")
        same([d["outcome"], d["rail"], "execution" in d], ["proposed", "breaker", False])
        w.restart()
    raised = w.records_of("escalation.raised", d["incident"])
    same([k["d"]["trigger"] for k in raised], ["denied"])  # once for the episode


@test
def what_cannot_begin_says_why_on_its_incident_and_somebody_is_asked(w):
    w.write(".rung/alerts.yaml", aw.SOURCES + """defaults: {as: alert-bot}
bindings:
  - {id: missing, match: {alertname: Missing}, playbook: playbooks/missing.md}
  - {id: typed, match: {alertname: Typed}, playbook: playbooks/typed.md, parameters: {n: {label: n}}}
  - {id: change, match: {alertname: Change}, playbook: playbooks/change.md}
  - {id: other, match: {alertname: Other}, playbook: other/book.md}
""")
    os.makedirs(w.path("other"))
    w.write("other/book.md", aw.playbook("Other", "return {}"))
    w.write("playbooks/change.md", aw.playbook("Change", "return {}", risk="change"))
    w.write("playbooks/typed.md", aw.playbook("Typed", "return {}").replace("| what | string | unsaid | x |", "| n | int | | x |"))
    for name, state, word in (("Missing", "invalid", "missing.md"), ("Typed", "invalid", "n"), ("Change", "denied", "approve"), ("Other", "denied", "service:alert-bot")):
        d = w.one(name, name, n="many")
        same(d["outcome"], "starts")

        def ended():
            i = w.incident(d["incident"])
            return i if not i["running"] else None
        i = r.deadline(20, "%s to be refused" % name, ended)
        same([x["state"] for x in i["executions"]], [state])
        assert word in i["executions"][0]["why"], i["executions"][0]
        same(len(w.records_of("escalation.raised", d["incident"])), 1)
        same(w.one(name, name, n="many")["outcome"] in ("repeat", "suppressed"), True)
    same(w.records_of("execution.started"), [])


@test
def maintenance_suppresses_starts_and_not_records(w):
    w.write(".rung/alerts.yaml", aw.SOURCES + aw.BINDINGS + """maintenance:
  - {id: move, from: 2020-01-01, to: 2099-01-01, match: {zone: b}}
""")
    d = w.one(zone="b")
    same([d["outcome"], d["rail"]], ["suppressed", "maintenance"])
    same(len(w.incidents()), 1)
    w.write(".rung/alerts.yaml", aw.SOURCES + aw.BINDINGS)
    d = w.one(zone="b")
    same(d["outcome"], "starts")
    w.over(d["execution"])


# ---- a full disk ---------------------------------------------------------------------------------------------------------------------------

@test
def a_big_body_is_kept_in_pieces(w):
    w.write(".rung/alerts.yaml", aw.SOURCES)
    a = alert("Big", "big")
    a["annotations"] = {"n%d" % i: "x" * 16000 for i in range(100)}
    d = w.send(a)[0]
    body = w.records_of("alert.received")[-1]["d"]["body"]
    same([len(body), d["outcome"]], [2, "unbound"])


@test
def an_edit_of_the_file_holds_for_the_very_next_delivery(w):
    """Also where the engine has looked at the file by itself a moment before, and nothing else has happened since."""
    w.write(".rung/alerts.yaml", "version: 1\nsources: {\n")
    r.deadline(20, "the engine looks at it", lambda: "no alerts are received" in w.log_tail())
    w.write(".rung/alerts.yaml", aw.SOURCES + w.bindings)
    same(w.one()["outcome"], "starts")


if __name__ == "__main__":
    sys.exit(run_tests(tests, world=Alerts))
