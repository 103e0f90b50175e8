#!/usr/bin/env python3
"""From an alert to its playbook to the runbook of the cause: what the steps see of the alert, what the incident knows, when it counts as mitigated, and who is told
where it does not.

limit: 240"""
import json, os, pwd, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import rungclient as r
from oncall import OnCall, write
from world import run_tests, same

tests = []
USER = pwd.getpwuid(os.getuid()).pw_name
POLICY = """version: 1
services: {bot: {rate: 1000/h, max_running: 5}}
rules:
  - {id: bot, allow: [run, read], who: [service:bot], books: ["**"], grants: ["sh sh -c *", "runbook **"]}
  - {id: us, allow: [run, read, respond, approve-book], who: ["user:%s"], books: ["**"], grants: ["sh sh -c *", "runbook **"]}
""" % USER
ALERTS = """version: 1
sources:
  test: {kind: generic, bearer: {sha256: %s}, name: /name, state: /state, fingerprint: /id, labels: /labels, starts: /starts}
defaults: {as: bot}
bindings:
  - {id: full, match: {kind: full}, playbook: playbooks/full.md, parameters: {where: {label: mount}}}
""" % ("0" * 64)


def test(f):
    tests.append(f)
    return f


class Incidents(OnCall):
    """A workspace that receives alerts: its playbook finds that a disk is full, and its runbook mends it."""

    def prepare(self):
        for d in ("runbooks", "playbooks"):
            os.mkdir(self.path(d))
        write(self.path(".rung/policy.yaml"), POLICY, 0o644)
        write(self.path(".rung/alerts.yaml"), ALERTS, 0o644)
        self.runbook("sh('echo ' .. params.path .. ' >> %s')" % self.path("mended"))
        self.playbook("cause('full', {evidence = {path = alert.labels.mount}})", "30s")

    def people(self):
        self.oncall("people:\n  ana: {channels: [%s]}\npolicies:\n  web: {levels: [{who: ana, wait: 60s}]}\ndefaults: {policy: web}\n" % self.pager("ana"))

    def runbook(self, source):
        write(self.path("runbooks/mend.md"), "# Mend\n\n## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n| path | string | | Where |\n\n"
              "## Permissions\n\n- `sh sh -c *`\n\n## Steps\n\n1. Mend\n\n   ```lua {id=mend irreversible=\"it is gone\"}\n   %s\n   ```\n" % source, 0o644)

    def playbook(self, source, within, mode="automatic"):
        write(self.path("playbooks/full.md"), "# Full\n\n## Playbook Info\n\n| Playbook ID |\n|---|\n| PLAY001 |\n\n## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n"
              "| where | string | / | Where |\n\n## Permissions\n\n- read: `sh sh -c *`\n\n## Diagnosis\n\n1. Look\n\n   ```lua {id=look}\n   %s\n   return {alert = alert, incident = incident, trigger = run.trigger}\n   ```\n\n"
              "## Root Causes\n\n| Cause | Runbook | Mode | Parameters | Resolves within |\n|---|---|---|---|---|\n| `full` | runbooks/mend.md | %s | path={evidence:path} | %s |\n"
              % ("\n   ".join(source.split("\n")), mode, within), 0o644)

    def approve(self):
        for book in ("playbooks/full.md", "runbooks/mend.md"):
            self.client.ask("book.approve", books=[self.path(book)], reason="looked at")

    def alert(self, state="firing", starts="2026-11-29T03:00:00Z", mount="/srv"):
        body = json.dumps({"id": "a1", "name": "DiskFull", "state": state, "starts": starts, "labels": {"kind": "full", "mount": mount}}).encode()
        return self.client.ask("alerts.receive", source="test", headers={}, payload=body)["decisions"][0]

    def incident(self, id):
        return self.client.ask("incident.show", incident=id)

    def kinds_of(self, id):
        return [k["k"] for k in self.journal(id)]

    def until(self, id, kind, timeout=20):
        r.deadline(timeout, kind, lambda: kind in self.kinds_of(id))

    def one(self, id, kind):
        return [k["d"] for k in self.journal(id) if k["k"] == kind]


@test
def an_alert_is_mended_and_that_counts_when_it_resolves(w):
    w.approve()
    d = w.alert()
    same(d["outcome"], "starts")
    w.over(d["execution"])
    v = w.view(d["execution"])
    same((v["state"], v["conclusion"]["outcome"], v["conclusion"]["within_us"]), ("succeeded", "mended", 30000000))
    child = v["children"][0]["execution"]
    with open(w.path("mended")) as f:
        same(f.read(), "/srv\n")
    look = v["steps"][0]["result"]
    same((look["alert"]["name"], look["alert"]["labels"]["mount"], look["incident"]["id"], look["trigger"]), ("DiskFull", "/srv", d["incident"], "alert"))
    w.until(d["incident"], "execution.ended")
    r.deadline(20, "both ends", lambda: len(w.one(d["incident"], "execution.ended")) == 2)
    same([(k["execution"], k["trigger"], k["parent"]) for k in w.one(d["incident"], "execution.linked")], [(child, "parent", d["execution"])])
    same(w.records(child)[0]["d"]["incident"], d["incident"])
    same(w.one(d["incident"], "execution.ended")[1], {"execution": d["execution"], "state": "succeeded", "cause": "full", "within_us": 30000000})
    assert w.incident(d["incident"])["state"] == "open"
    w.alert("resolved")
    w.until(d["incident"], "incident.resolved")
    same(w.kinds_of(d["incident"])[-2:], ["incident.mitigated", "incident.resolved"])
    same(w.one(d["incident"], "incident.mitigated"), [{"why": "alert", "execution": d["execution"]}])


@test
def one_that_does_not_resolve_in_time_is_told(w):
    w.people()
    w.playbook("cause('full', {evidence = {path = '/srv'}})", "2s")
    w.approve()
    d = w.alert()
    w.over(d["execution"])
    page = r.deadline(20, "ana is told", lambda: w.pages("ana"))[0]
    same((page["trigger"], page["incident"], page["execution"]), ("not_resolved", d["incident"], d["execution"]))
    w.alert("resolved")
    w.until(d["incident"], "incident.resolved")
    assert "incident.mitigated" not in w.kinds_of(d["incident"])


@test
def nobody_is_woken_for_an_alert_that_is_over_before_its_playbook(w):
    w.people()
    w.playbook("sh('until test -e %s; do sleep 0.05; done')" % w.path("go"), "30s")
    w.approve()
    d = w.alert()
    r.deadline(20, "the playbook to look", lambda: any(k["k"] == "call.started" for k in w.records(d["execution"])))
    w.alert("resolved")
    w.until(d["incident"], "incident.resolved")
    write(w.path("go"), "", 0o644)
    same(w.over(d["execution"])["conclusion"]["outcome"], "no_cause")
    w.until(d["incident"], "execution.ended")
    same([i["incident"] for i in w.client.ask("incidents", all=True)["incidents"]], [d["incident"]])
    same(w.pages("ana"), [])


@test
def the_binding_says_how_long_where_the_row_does_not(w):
    w.people()
    with open(w.path(".rung/alerts.yaml"), "w") as f:
        f.write(ALERTS.replace("playbooks/full.md,", "playbooks/full.md, resolves_within: 2s,"))
    w.playbook("cause('full', {evidence = {path = '/srv'}})", "")
    w.approve()
    d = w.alert()
    w.over(d["execution"])
    page = r.deadline(20, "ana is told", lambda: w.pages("ana"))[0]
    same((page["trigger"], page["execution"]), ("not_resolved", d["execution"]))
    same([k["within_us"] for k in w.one(d["incident"], "execution.ended") if "within_us" in k], [2000000])


@test
def the_time_goes_on_across_a_restart(w):
    w.people()
    w.playbook("cause('full', {evidence = {path = '/srv'}})", "4s")
    w.approve()
    d = w.alert()
    w.over(d["execution"])
    w.until(d["incident"], "execution.ended")
    r.deadline(20, "both ends", lambda: len(w.one(d["incident"], "execution.ended")) == 2)
    w.restart()
    page = r.deadline(20, "ana is told", lambda: w.pages("ana"))[0]
    same(page["trigger"], "not_resolved")
    w.restart()
    same([k["trigger"] for k in w.one(d["incident"], "escalation.raised")], ["not_resolved"])


@test
def no_cause_is_told(w):
    w.people()
    w.playbook("if not alert then cause('full') end", "2s")
    w.approve()
    d = w.alert()
    w.over(d["execution"])
    same(w.view(d["execution"])["conclusion"]["outcome"], "no_cause")
    page = r.deadline(20, "ana is told", lambda: w.pages("ana"))[0]
    same((page["trigger"], page["incident"], page["execution"]), ("no_cause", d["incident"], d["execution"]))
    same(len(w.one(d["incident"], "escalation.raised")), 1)
    assert w.incident(d["incident"])["state"] == "open"


@test
def no_cause_by_hand_is_told_to_nobody_but_alone_it_is(w):
    w.people()
    w.playbook("if not params then cause('full') end", "2s")
    x = w.run(w.path("playbooks/full.md"), mode="auto", declared=False)
    w.over(x)
    page = r.deadline(20, "ana is told", lambda: w.pages("ana"))[0]
    same((page["trigger"], page["execution"]), ("no_cause", x))
    y = w.run(w.path("playbooks/full.md"), mode="guided", declared=False)
    for step in ("look", "remedy"):
        w.waits(y, step, "go")
        w.client.ask("go", execution=y, step=step)
    w.over(y)
    same([k["d"]["outcome"] for k in w.records(y) if k["k"] == "playbook.concluded"], ["no_cause"])
    same(len(w.pages("ana")), 1)


@test
def a_runbook_that_nobody_approved_is_proposed_and_that_is_told(w):
    w.people()
    w.client.ask("book.approve", books=[w.path("playbooks/full.md")], reason="looked at")
    d = w.alert()
    w.over(d["execution"])
    v = w.view(d["execution"])
    same((v["state"], v["conclusion"]["outcome"]), ("succeeded", "proposed"))
    assert "approved" in v["steps"][1]["result"]["why"], v["steps"][1]["result"]
    page = r.deadline(20, "ana is told", lambda: w.pages("ana"))[0]
    same(page["trigger"], "denied")
    assert not os.path.exists(w.path("mended"))


@test
def a_cause_that_no_runbook_mends_is_told(w):
    w.people()
    path = w.path("playbooks/full.md")
    with open(path) as f:
        text = f.read().replace("runbooks/mend.md | automatic | path={evidence:path} | 30s", " | | | ").replace("return {alert", "return {why = 'not for people', alert")
    write(path, text, 0o644)
    w.approve()
    d = w.alert()
    v = w.over(d["execution"])
    same((v["state"], v["conclusion"]["outcome"], v["conclusion"]["cause"], len(v["steps"])), ("succeeded", "proposed", "full", 1))
    page = r.deadline(20, "ana to be told", lambda: w.pages("ana") and w.pages("ana")[0])
    assert "full" in page["reason"] and "names no runbook" in page["reason"] and "not for people" not in page["reason"], page


@test
def labels_stay_data(w):
    w.approve()
    d = w.alert(mount="/srv; touch " + w.path("hacked"))
    w.over(d["execution"])
    same(w.view(d["execution"])["params"]["where"], "/srv; touch " + w.path("hacked"))
    text = json.dumps([k["d"] for x in (d["execution"], d["incident"]) for k in w.journal(x)])
    assert "touch" not in text, text


@test
def a_runbook_that_an_alert_started_is_told_of_when_it_fails(w):
    w.people()
    w.runbook("fail('it is worse')")
    w.approve()
    d = w.alert()
    w.over(d["execution"])
    same(w.view(d["execution"])["state"], "failed")
    page = r.deadline(20, "ana is told", lambda: w.pages("ana"))[0]
    same((page["trigger"], page["execution"]), ("failed", d["execution"]))
    same([k["state"] for k in w.one(d["incident"], "execution.ended")], ["failed", "failed"])


if __name__ == "__main__":
    sys.exit(run_tests(tests, world=Incidents))
