#!/usr/bin/env python3
"""Incidents: what people see of them and say about them, who may, what the journal keeps; by the engine's socket and on the command line; over restarts; a disk that
fills up. Parts need root: to be others, and for a small file system.

limit: 240"""
import grp, json, os, pwd, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import alertworld as aw
import rungclient as r
from alertworld import Alerts, alert
from world import run_tests, same

tests = []
ROOT = os.geteuid() == 0
GROUP = "users"
POLICY = aw.POLICY + """  - {id: web, allow: [respond], who: ["user:daemon"], books: ["playbooks/**"]}
  - {id: all, allow: [respond], who: ["user:bin"], books: ["**"]}
  - {id: run, allow: [run], who: ["user:games"], books: ["playbooks/**"]}
"""
HELD = aw.SOURCES + """defaults: {as: alert-bot}
bindings:
  - {id: web, match: {alertname: Web}, playbook: playbooks/run.md, priority: 2}
maintenance:
  - {id: all, from: 2020-01-01, to: 2099-01-01}
"""


def test(f):
    tests.append(f)
    return f


class Incidents(Alerts):
    """Nothing starts here, but where a test says so; with a socket that others reach."""

    def prepare(self):
        super().prepare()
        os.chmod(self.folder, 0o755)
        outer = os.path.dirname(self.folder)
        if not os.stat(outer).st_mode & 0o001:
            os.chmod(outer, 0o711)
        self.shared = self.path("shared.sock")
        if ROOT:
            self.write(".rung/config.yaml", "version: 1\nsocket: {path: %s, group: %s}\n" % (self.shared, GROUP))
        self.write(".rung/policy.yaml", POLICY)
        self.write(".rung/alerts.yaml", HELD)

    def user(self, name):
        os.setegid(grp.getgrnam(GROUP).gr_gid)
        os.seteuid(pwd.getpwnam(name).pw_uid)
        try:
            return r.Client(None, self.shared)
        finally:
            os.seteuid(0)
            os.setegid(0)

    def rung(self, *args, status=0):
        p = subprocess.run([self.engine.program, *args], cwd=self.folder, env=self.engine.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        same((p.returncode, p.stderr if p.returncode != status else ""), (status, ""))
        return p.stdout


def say(w, op, id, **args):
    return w.client.ask("incident." + op, incident=id, **args)


@test
def the_most_urgent_stand_first_then_the_oldest(w):
    a = w.one("Other", "a")["incident"]
    b = w.one("Web", "b")["incident"]
    c = w.one("Web", "c")["incident"]
    d = w.client.ask("incident.open", title="by hand", priority=1)["incident"]
    same([i["incident"] for i in w.incidents()], [d, b, c, a])
    say(w, "prioritise", a, priority=1, reason="the shop is down")
    same([i["incident"] for i in w.incidents()][:2], [a, d])
    same([(i["title"], i["priority"], i["origin"]) for i in w.incidents()], [("Other", 1, "alert"), ("by hand", 1, "person"), ("Web", 2, "alert"), ("Web", 2, "alert")])
    same(len(w.incidents(limit=2)), 2)
    w.restart()
    same([i["incident"] for i in w.incidents()], [a, d, b, c])


@test
def what_people_say_is_recorded_and_outlives_the_engine(w):
    id = w.one("Web")["incident"]
    say(w, "ack", id, note="on it")
    say(w, "note", id[:12], text="looking \x1b[2J at the disk")
    say(w, "assign", id, to="user:bo", reason="knows it")
    say(w, "ack", id, how="api")
    before = w.incident(id)
    same([before["state"], before["acknowledged_by"], before["assigned_to"], before["notes"][0]["text"]], ["acknowledged", "user:" + aw.ME, "user:bo", "looking \x1b[2J at the disk"])
    say(w, "resolve", id, reason="replaced the disk")
    w.restart()
    after = w.incident(id)
    same([after["state"], after["resolved_by"], after["acknowledged_us"]], ["resolved", "user:" + aw.ME, before["acknowledged_us"]])
    same({k: v for k, v in after.items() if k not in ("state", "resolved_us", "resolved_by", "changed_us", "firing", "alert_list")},
         {k: v for k, v in before.items() if k not in ("state", "changed_us", "firing", "alert_list")})
    kinds = [k["k"] for k in w.journal() if k.get("x") == id]
    same([k for k in kinds if k.startswith("incident.")],
         ["incident.opened", "incident.acknowledged", "incident.noted", "incident.assigned", "incident.acknowledged", "incident.resolved"])
    for k in w.journal():  # what people write is in blobs
        assert not any(word in json.dumps(k) for word in ("on it", "looking", "knows it", "replaced")), k


@test
def what_its_state_does_not_allow_is_a_conflict(w):
    id = w.one("Web")["incident"]
    for op, args in (("resolve", {}), ("assign", {"to": "bo"}), ("assign", {}), ("prioritise", {"priority": 6}), ("prioritise", {}), ("note", {})):
        w.refused("usage", lambda: say(w, op, id, **args))
    say(w, "resolve", id, reason="done")
    for op, args in (("ack", {}), ("resolve", {"reason": "again"}), ("assign", {"to": "user:bo"}), ("prioritise", {"priority": 1})):
        w.refused("conflict", lambda: say(w, op, id, **args))
    say(w, "note", id, text="afterwards")
    same(w.one("Web")["outcome"], "late")  # a person's word ends the episode
    assert w.one("Web", starts="2026-11-29T10:00:00Z")["incident"] != id
    w.refused("not_found", lambda: say(w, "ack", "01ZZZZZZZZ"))
    w.refused("usage", lambda: say(w, "ack", "01"))
    w.refused("usage", lambda: w.client.ask("incident.open", title=""))
    w.refused("usage", lambda: w.client.ask("incident.open", title="x" * 300))


@test
def those_that_are_over_are_listed_where_they_are_asked_for(w):
    ids = [w.one("Web", str(i))["incident"] for i in range(5)]
    for id in ids[:3]:
        say(w, "resolve", id, reason="done")
    same([i["incident"] for i in w.incidents(all=True)], ids[::-1])
    page = w.client.ask("incidents", all=True, limit=2)
    same([i["incident"] for i in page["incidents"]], ids[:2:-1])
    page = w.client.ask("incidents", all=True, limit=2, before=page["next"])
    same([(i["incident"], i["state"]) for i in page["incidents"]], [(ids[2], "resolved"), (ids[1], "resolved")])


@test
def others_see_and_answer_what_their_rules_name(w):
    if not ROOT:
        print("# skip: needs root")
        return
    web, other = w.one("Web")["incident"], w.one("Other", "o")["incident"]
    daemon, bin, games = w.user("daemon"), w.user("bin"), w.user("games")
    same([i["incident"] for i in daemon.ask("incidents")["incidents"]], [web])
    same([i["incident"] for i in bin.ask("incidents")["incidents"]], [web, other])
    same(games.ask("incidents")["incidents"], [])
    same(games.ask("alerts.list")["alerts"], [])
    for client, id in ((daemon, other), (games, web), (games, other)):
        for op, args in (("show", {}), ("ack", {}), ("note", {"text": "x"}), ("assign", {"to": "user:bo"}), ("prioritise", {"priority": 1}), ("resolve", {"reason": "x"})):
            w.refused("denied", lambda: client.ask("incident." + op, incident=id, **args))
    w.refused("denied", lambda: daemon.ask("incident.open", title="x"))
    w.refused("denied", lambda: games.ask("incidents", all=True))
    same(daemon.ask("incident.ack", incident=web)["state"], "acknowledged")
    same(w.incident(web)["acknowledged_by"], "user:daemon")
    same(len([k for k in w.journal() if k.get("x") == other]), 2)
    # Alerts are not theirs to send but with the source's proof.
    w.refused("denied", lambda: w.send(alert(), client=bin, headers={}))
    same(w.send(alert("Web", "by bin"), client=bin)[0]["outcome"], "suppressed")
    same(w.records_of("alert.received")[-1]["by"], "user:bin")


@test
def the_command_line_says_the_same(w):
    with open(w.path("a.json"), "wb") as f:
        f.write(aw.delivery(alert("Web", "f", instance="\x1b[2Jweb")))
    out = w.rung("alerts", "send", "prom", "a.json")
    assert "suppressed (maintenance)" in out, out
    w.rung("alerts", "send", "prom", "a.json", "--header", "Authorization: Bearer nonsense-here", status=4)
    w.rung("alerts", "send", "prom", "a.json", "--header", "Authorization: Bearer " + aw.TOKEN)
    w.rung("alerts", "send", "prom", "nowhere.json", status=2)
    w.rung("alerts", "send", "prom", status=2)
    id = json.loads(w.rung("incidents", "--json"))["incident"]
    assert "P2  open          Web" in w.rung("incidents"), w.rung("incidents")
    assert "Web" in w.rung("alerts", "list")
    w.rung("ack", id, "--note", "mine")
    w.rung("note", id[:10], "seen")
    w.rung("incidents", id, "--assign", "bo")
    w.rung("incidents", id, "--priority", "1")
    w.rung("incidents", id, "--priority", "12", status=2)
    w.rung("incidents", "--assign", "bo", status=2)
    shown = w.rung("incidents", id)
    for word in ("acknowledged  priority 1  assigned to user:bo", "delivered 2 times", "seen", "instance=\u241b[2Jweb"):
        assert word in shown, shown
    assert "\x1b" not in shown
    same(json.loads(w.rung("incidents", id, "--json"))["notes"][0]["text"], "seen")
    w.rung("incidents", id, "--resolve", "over")
    same(w.rung("incidents", "--json"), "")
    assert "resolved" in w.rung("incidents", "--all")
    new = w.rung("incidents", "--open", "A thing", "--priority", "2").strip()
    same(json.loads(w.rung("incidents", "--json"))["incident"], new)
    w.rung("ack", "01ZZZZZZZZ", status=2)
    w.rung("note", "01ZZZZZZZZ", "x", status=2)


def fill(path):
    with open(path, "ab", buffering=0) as f:
        try:
            while f.write(bytes(1 << 16)):
                pass
        except OSError:
            pass


def noted(w, id):
    try:
        return say(w, "note", id, text="again")
    except r.Refused as e:
        same(e.kind, "full")


@test
def a_disk_that_is_full_refuses_alerts_and_loses_none_that_was_taken(w):
    if not ROOT:
        print("# skip: needs root")
        return
    w.client.close()
    w.engine.stop()
    small, guard = w.engine.state, w.engine.guard
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "none", small]).returncode != 0:
        print("# skip: cannot mount")
        w.engine.start()
        w.client = w.engine.client()
        return
    try:
        w.engine.guard = w.path("guard of the small one")
        w.engine.start()
        w.client = w.engine.client()
        taken = {w.one("Web", "before")["incident"]}
        fill(os.path.join(small, "filler"))
        refused = 0
        for i in range(40):
            big = alert("Web", "f%d" % i)
            big["annotations"] = {"a%d" % k: "%d%s" % (i, "x" * 16000) for k in range(100)}
            try:
                taken.add(w.send(big)[0]["incident"])
            except r.Refused as e:
                same(e.kind, "full")
                refused += 1
        assert refused > 10, refused
        ids = {i["incident"] for i in w.incidents()}
        same(ids, taken)
        # What people write is taken as long as the reserve lasts; when that is gone too, what could not be stored is nowhere.
        fill(os.path.join(small, "filler"))
        id, notes = sorted(taken)[0], 0
        for i in range(2000):
            try:
                say(w, "note", id, text="n" * 60000)
                notes += 1
            except r.Refused as e:
                same(e.kind, "full")
                break
        else:
            raise AssertionError("the disk is not full")
        same(len(w.incident(id)["notes"]), min(notes, 200))
        same(len(w.records_of("incident.noted", id)), notes)
        os.unlink(os.path.join(small, "filler"))
        r.deadline(20, "a note is taken again", lambda: noted(w, id), 0.1)
        same({i["incident"] for i in w.incidents()}, taken)
        w.restart()
        same({i["incident"] for i in w.incidents()}, taken)
        same(w.one("Web", "afterwards")["outcome"], "suppressed")
        w.client.close()
        w.engine.stop()
        v = w.engine.verify()
        assert v.returncode == 0, v.stdout + v.stderr
    finally:
        w.engine.stop()
        subprocess.run(["umount", small], check=True)
        w.engine.guard = guard
        w.engine.start()
        w.client = w.engine.client()


@test
def the_list_of_alerts_has_all_of_an_incident_or_says_that_there_are_more(w):
    w.write(".rung/alerts.yaml", HELD.replace("priority: 2}", "priority: 2, incident: group}"))
    w.send(*(alert("Web", "f%d" % n) for n in range(150)))
    said = w.client.ask("alerts.list")
    same((len(said["alerts"]), said["more"]), (150, False))
    same(len({a["key"] for a in said["alerts"]}), 150)
    for limit, more in ((150, False), (149, True), (100, True)):
        said = w.client.ask("alerts.list", limit=limit)
        same((len(said["alerts"]), said["more"]), (limit, more))


if __name__ == "__main__":
    sys.exit(run_tests(tests, world=Incidents))
