#!/usr/bin/env python3
"""Playbooks: what they find, the cause that leads to its runbook, what is asked first, what is concluded.

limit: 240"""
import json, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import rungclient as r
from awkward import lines, there, touch
from world import World, run_tests, same, states

tests = []


def test(f):
    tests.append(f)
    return f


class Practice(World):
    """A workspace with one runbook that mends, and playbooks that lead to it."""

    def prepare(self):
        for d in (".rung", "runbooks", "playbooks"):
            os.mkdir(self.path(d))
        self.runbook()

    def runbook(self, source="sh('echo ' .. params.path .. ' ' .. params.days .. ' >> %s') return {freed = params.days}", permissions="- `sh sh -c *`"):
        with open(self.path("runbooks/disk-full.md"), "w") as f:
            f.write("# Disk full\n\n## Runbook Info\n\n| Runbook ID |\n|---|\n| RUN003 |\n\n## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n"
                    "| path | string | | Where |\n| days | int 1..9 | 7 | Old |\n\n## Permissions\n\n%s\n\n## Steps\n\n1. Mend it\n\n   ```lua {id=mend}\n   %s\n   ```\n"
                    % (permissions, source.replace("%s", self.path("mended"))))

    def playbook(self, source, *rows, name="slow", params=""):
        path = self.path("playbooks/%s.md" % name)
        with open(path, "w") as f:
            f.write("# %s\n\n## Playbook Info\n\n| Playbook ID |\n|---|\n| PLAY001 |\n\n%s## Permissions\n\n- read: `sh sh -c *`\n\n## Diagnosis\n\n1. Look\n\n   ```lua {id=look}\n   %s\n   ```\n\n"
                    "## Root Causes\n\n| Cause | Runbook | Automatic or ask | Parameters |\n|---|---|---|---|\n%s\n"
                    % (name, "## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n%s\n\n" % params if params else "", "\n   ".join(source.split("\n")), "\n".join(rows)))
        return path

    def mended(self):
        try:
            with open(self.path("mended")) as f:
                return f.read().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def concluded(self, x):
        return [k["d"] for k in self.records(x) if k["k"] == "playbook.concluded"]

    def step_of(self, x, id="remedy"):
        return next(s for s in self.view(x)["steps"] if s["id"] == id)


FULL = "| `full`: it is full | [Disk full](../runbooks/disk-full.md) | automatic | path={evidence:disk.path}, days=3 |"
LOAD = "| `load`: too much to do | | ask | |"


@test
def findings_are_calls_of_the_record(w):
    x = w.run(w.playbook("evidence('load', {one = 3.5, hosts = {'a', 'b'}}) evidence('load') cause('load', {evidence = {pid = 7}, certainty = 0.25})", LOAD))
    same(w.over(x)["state"], "succeeded")
    found = w.view(x)["findings"]
    same([(f["kind"], f.get("name"), f.get("cause")) for f in found], [("evidence", "load", None), ("evidence", "load", None), ("cause", None, "load")])
    same(found[0]["data"], {"one": 3.5, "hosts": ["a", "b"]})
    same((found[2]["text"], found[2]["evidence"], found[2]["certainty"], found[2]["step"]), ("load: too much to do", {"pid": 7}, 25, "look"))
    started = [k["d"] for k in w.records(x) if k["k"] == "call.started"]
    same([(d["module"], d["function"], d["effect"]) for d in started], [("evidence", "add", "read")] * 2 + [("cause", "found", "read")])
    assert "one" not in json.dumps(w.records(x)), "what was found stays out of the record's own words"


@test
def a_cause_leads_to_its_runbook(w):
    x = w.run(w.playbook("cause('full', {evidence = {disk = {path = '/srv'}}})", FULL))
    same(w.over(x)["state"], "succeeded")
    same(w.mended(), ["/srv 3"])
    d = w.concluded(x)
    child = w.view(x)["children"][0]["execution"]
    same(d, [{"outcome": "mended", "cause": "full", "runbook": "runbooks/disk-full.md", "execution": child, "count": 1, "within_us": 900000000}])
    same(w.view(x)["conclusion"], d[0])
    same(w.step_of(x)["result"], {"cause": "full", "runbook": "runbooks/disk-full.md", "execution": child, "outcome": "mended"})
    same(w.records(child)[0]["d"]["parent"], x)


@test
def with_no_cause_nothing_is_started_and_that_is_said(w):
    x = w.run(w.playbook("if params == nil then cause('full') end", FULL))
    same(w.over(x)["state"], "succeeded")
    same(w.step_of(x)["state"], "skipped")
    same(w.concluded(x), [{"outcome": "no_cause", "count": 0}])
    same(w.mended(), [])


@test
def the_most_certain_cause_with_a_runbook_comes_first(w):
    rows = (FULL, LOAD, "| `other` | RUN003 | automatic | path=/other |")
    x = w.run(w.playbook("cause('full', {certainty = 0.3, evidence = {disk = {path = '/a'}}}) cause('load', {certainty = 0.9}) cause('other', {certainty = 0.5}) cause('nobody')", *rows))
    same(w.over(x)["state"], "succeeded")
    same(w.mended(), ["/other 7"])
    same((w.concluded(x)[0]["cause"], w.concluded(x)[0]["count"]), ("other", 4))
    x = w.run(w.playbook("cause('other') cause('full', {evidence = {disk = {path = '/a'}}})", *rows))
    same(w.over(x)["state"], "succeeded")
    same(w.mended(), ["/other 7"] * 2)  # of two that are as certain the first


@test
def a_cause_without_a_runbook_is_proposed(w):
    x = w.run(w.playbook("cause('load')", FULL, LOAD))
    same(w.over(x)["state"], "succeeded")
    same(w.step_of(x)["result"], {"cause": "load", "outcome": "proposed", "why": "the table of root causes names no runbook for it"})
    same(w.concluded(x), [{"outcome": "proposed", "cause": "load", "count": 1, "within_us": 900000000}])
    x = w.run(w.playbook("cause('surprise')", FULL))
    same(w.over(x)["state"], "succeeded")
    same(w.concluded(x), [{"outcome": "proposed", "count": 1}])  # a cause that no table names may be a host's words


@test
def ask_waits_for_a_person_across_a_restart(w):
    x = w.run(w.playbook("cause('full', {evidence = {path = '/srv'}})", "| `full` | RUN003 | ask | path={evidence:path} |"))
    w.waits(x, "remedy", "answer")
    w.restart()
    w.client.ask("resume", execution=x)
    w.waits(x, "remedy", "answer")
    q = w.view(x)["questions"][0]
    same(q["type"], "bool")
    for part in ("The cause is full", "Disk full (RUN003)", "path=/srv", "sh sh -c *"):
        assert part in q["prompt"], q["prompt"]
    w.client.ask("answer", execution=x, step="remedy", call=q["call"], value=True)
    same(w.over(x)["state"], "succeeded")
    same(w.mended(), ["/srv 7"])
    same(w.concluded(x)[0]["outcome"], "mended")


@test
def a_person_who_says_no_leaves_it_proposed(w):
    x = w.run(w.playbook("cause('full')", "| `full` | RUN003 | ask | path=/srv |"))
    w.waits(x, "remedy", "answer")
    q = w.view(x)["questions"][0]
    w.client.ask("answer", execution=x, step="remedy", call=q["call"], value=False)
    same(w.over(x)["state"], "succeeded")
    same(w.mended(), [])
    same(w.concluded(x)[0]["outcome"], "proposed")


@test
def what_the_step_gives_goes_over_what_the_table_gives(w):
    x = w.run(w.playbook("cause('full', {parameters = {days = 2}})", "| `full` | RUN003 | automatic | path={param:where}, days=9 |", params="| where | string | /here | x |"))
    same(w.over(x)["state"], "succeeded")
    same(w.mended(), ["/here 2"])


@test
def parameters_are_checked_by_the_runbook(w):
    x = w.run(w.playbook("cause('full', {evidence = {disk = {path = '/srv'}}, parameters = {days = 70}})", FULL))
    same(w.over(x)["state"], "failed")
    assert "days" in w.step_of(x)["why"], w.step_of(x)["why"]
    same(w.concluded(x)[0]["outcome"], "failed")
    same(w.mended(), [])


@test
def a_runbook_that_fails_fails_the_playbook(w):
    w.runbook("fail('it is worse')")
    x = w.run(w.playbook("cause('full', {evidence = {disk = {path = '/srv'}}})", FULL))
    same(w.over(x)["state"], "failed")
    d = w.concluded(x)[0]
    same((d["outcome"], d["execution"]), ("failed", w.view(x)["children"][0]["execution"]))


@test
def a_playbook_that_is_led_to_and_mends_nothing_is_not_mended(w):
    row = "| `down` | [Further](further.md) | automatic | |"
    w.playbook("if params == nil then cause('full') end", FULL, name="further")
    x = w.run(w.playbook("cause('down')", row))
    same(w.over(x)["state"], "succeeded")
    child = w.view(x)["children"][0]["execution"]
    same(w.concluded(child)[0]["outcome"], "no_cause")
    result = w.step_of(x)["result"]
    same((w.concluded(x)[0]["outcome"], w.concluded(x)[0]["execution"], result["outcome"]), ("proposed", child, "proposed"))
    assert child in result["why"] and "found no cause" in result["why"], result
    # One that found a cause and had nothing for it: in its words.
    w.playbook("cause('load')", FULL, LOAD, name="further")
    x = w.run(w.playbook("cause('down')", row))
    same(w.over(x)["state"], "succeeded")
    same(w.concluded(x)[0]["outcome"], "proposed")
    assert "names no runbook" in w.step_of(x)["result"]["why"], w.step_of(x)["result"]
    # One that mended it has.
    w.playbook("cause('full', {evidence = {disk = {path = '/srv'}}})", FULL, name="further")
    x = w.run(w.playbook("cause('down')", row))
    same(w.over(x)["state"], "succeeded")
    same((w.concluded(x)[0]["outcome"], w.mended()), ("mended", ["/srv 3"]))


@test
def what_is_not_allowed_is_proposed(w):
    path = w.playbook("cause('full', {evidence = {disk = {path = '/srv'}}})", FULL)
    x = w.run(path, declared=False, allow=["sh sh -c *"])
    same(w.over(x)["state"], "succeeded")
    same(w.step_of(x)["result"]["outcome"], "proposed")
    same(w.concluded(x)[0]["outcome"], "proposed")
    same(w.mended(), [])


@test
def findings_of_an_attempt_that_is_over_count_no_more(w):
    source = "local n = tonumber(sh('echo x >> %s; wc -l < %s').stdout)\nif n == 1 then cause('full') fail('again') end\ncause('load')"
    path = w.playbook(source % (w.path("n"), w.path("n")), FULL, LOAD)
    with open(path) as f:
        text = f.read().replace("{id=look}", "{id=look retry=1}")
    with open(path, "w") as f:
        f.write(text)
    x = w.run(path)
    same(w.over(x)["state"], "succeeded")
    same([f["cause"] for f in w.view(x)["findings"]], ["load"])
    same(w.mended(), [])


@test
def a_playbook_that_is_killed_starts_its_runbook_once(w):
    w.runbook("sh('echo ' .. params.path .. ' >> %s; until [ -e " + w.path("go") + " ]; do sleep 0.02; done', {effect = 'read'})")
    x = w.run(w.playbook("cause('full', {evidence = {disk = {path = '/srv'}}})", FULL))
    r.deadline(20, "the runbook", lambda: w.mended())
    w.restart()
    w.client.ask("resume", execution=x)
    touch(w.path("go"))
    same(w.over(x)["state"], "succeeded")
    same(len(w.view(x)["children"]), 1)
    same(w.concluded(x)[0]["outcome"], "mended")
    same([k["k"] for k in w.records(x)].count("playbook.concluded"), 1)


@test
def findings_are_bounded(w):
    x = w.run(w.playbook("local ok, e = pcall(evidence, 'big', {s = ('x'):rep(70000)}) expect(not ok and e.why:find('64 KiB', 1, true), e.why)\n"
                         "for i = 1, 199 do evidence('n' .. i) end\nlocal ok, e = pcall(evidence, 'one more') expect(not ok and e.why:find('200 findings', 1, true), e.why)", LOAD))
    state = w.over(x)["state"]
    same((state, w.step_of(x, "look")["why"]), ("succeeded", None))
    same(len(w.view(x)["findings"]), 199)


@test
def all_findings_together_are_bounded(w):
    x = w.run(w.playbook("local n = 0\nwhile n < 12 and pcall(evidence, 'big', {s = ('x'):rep(60000)}) do n = n + 1 end\nreturn {n = n}", LOAD))
    same(w.over(x)["state"], "succeeded")
    same(w.step_of(x, "look")["result"], {"n": 8})


@test
def names_and_options_are_checked(w):
    wrong = ["evidence()", "evidence('')", "cause()", "cause(5)", "cause('x', 5)", "cause('x', {evidnce = 1})", "cause('x', {certainty = 2})", "cause('x', {parameters = 1})",
             "runbook()", "runbook('x', 5)", "runbook('x', {1})", "runbook('x', {}, {chek = true})"]
    x = w.run(w.playbook("\n".join("expect(not pcall(function() %s end), %r)" % (s, s) for s in wrong), LOAD))
    state = w.over(x)["state"]
    same((state, w.step_of(x, "look")["why"]), ("succeeded", None))


@test
def a_runbook_concludes_nothing(w):
    x = w.run(w.path("runbooks/disk-full.md"), params={"path": "/x"})
    same(w.over(x)["state"], "succeeded")
    same((w.concluded(x), w.view(x)["conclusion"], w.view(x)["findings"]), ([], None, []))


if __name__ == "__main__":
    sys.exit(run_tests(tests, world=Practice))
