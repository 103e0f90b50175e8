#!/usr/bin/env python3
"""Incidents on a disk that is full for a moment, or stays so: batches that the store refuses (the failpoint store.full), at the moments that matter.

limit: 120"""
import os, signal, sys, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fail"))
import alertworld as aw
import rungclient as r
from alertworld import Alerts
from failtable import Table
from world import run_tests, same

tests = []
ONCALL = """version: 1
people: {bin: {channels: [{command: ["true"]}]}}
policies: {web: {levels: [{who: bin, wait: 1h}]}}
defaults: {policy: web}
"""


def test(f):
    tests.append(f)
    return f


class Full(Alerts):
    def prepare(self):
        super().prepare()
        self.table = Table(self.path("table"), self.engine.program)
        environment = self.engine.environment
        self.engine.environment = lambda: dict(environment(), RUNG_FAIL_TABLE=self.table.path)
        self.write("playbooks/run.md", aw.playbook("Run", 'sh("until test -e %s; do sleep 0.02; done; echo ran >> %s")' % (self.path("go"), self.oracle)))
        self.write(".rung/oncall.yaml", ONCALL)

    def go(self):
        open(self.path("go"), "w").close()

    def refuse_behind(self, place):
        """The engine stands still at that place; the next group that it writes then is refused."""
        pid = r.deadline(20, "%s is passed" % place, lambda: self.table.happened(place))
        self.table.ask("store.full", "fail", 1)
        os.kill(pid, signal.SIGCONT)
        r.deadline(20, "a group is refused", lambda: self.table.happened("store.full"))


@test
def an_execution_whose_end_could_not_be_told_is_over_for_its_incident(w):
    d = w.one()
    w.table.ask("incident.execution.ended", "stop", 1)
    w.go()
    w.refuse_behind("incident.execution.ended")
    w.idle()
    same([x["state"] for x in w.incident(d["incident"])["executions"]], ["succeeded"])
    same(w.ran(), ["ran"])
    # It does not run any more: another episode starts the next one.
    d = r.deadline(20, "alerts are taken", lambda: w.one(starts="2026-11-29T08:00:00Z"))
    same(d["outcome"], "starts")
    w.until_ran(2)


@test
def a_disk_that_stays_full_costs_no_more_than_a_look_now_and_then(w):
    i = w.client.ask("incident.open", title="look")["incident"]
    w.client.ask("escalate", id=i, reason="look")
    r.deadline(20, "bin is told", lambda: w.records_of("notification.finished", i))
    is_over = threading.Event()

    def keep_full():
        while not is_over.is_set():
            if w.table.happened("store.full") or not is_begun:
                is_begun.append(1)
                w.table.ask("store.full", "fail", 1)
            time.sleep(0.0001)

    is_begun = []
    thread = threading.Thread(target=keep_full)
    before = w.table.row("store.full")[0]
    thread.start()
    try:
        for _ in range(3):
            w.refused("full", lambda: w.client.ask("incident.note", incident=i, text="hm"))
            time.sleep(1)  # what is counted is what happens by itself in this time
        count = w.table.row("store.full")[0] - before
    finally:
        is_over.set()
        thread.join()
        w.table.disarm("store.full")
    assert count <= 20, "%d groups were written in three seconds in which nothing could be" % count
    def noted():
        try:
            return w.client.ask("incident.note", incident=i, text="there is room again")
        except r.Refused as e:
            assert e.kind == "full", e
    r.deadline(30, "there is room again", noted)
    same([n["text"] for n in w.incident(i)["notes"]], ["there is room again"])
    w.client.ask("incident.ack", incident=i)


@test
def a_step_that_calls_a_person_is_told_where_that_could_not_be_stored(w):
    w.write("runbooks.md", "# Calls\n\n## Permissions\n\n- `sh sh -c *`\n\n## Steps\n\n1. Call\n\n   ```lua {id=s0}\n   return escalate('every server is down')\n   ```\n")
    w.table.ask("escalation.emit", "stop", 1)
    x = w.run(w.path("runbooks.md"))
    w.refuse_behind("escalation.emit")
    v = w.over(x)
    same(v["state"], "failed")
    assert "made to fail" in v["steps"][0]["why"], v["steps"][0]["why"]
    # Its failure calls somebody instead, once there is room.
    r.deadline(30, "bin is told", lambda: w.records_of("notification.finished"))


@test
def what_could_not_be_raised_is_raised_again_once_there_is_room(w):
    go = w.path("go")
    w.write("slow.md", "# Slow\n\n## Permissions\n\n- `sh sh -c *`\n\n## Steps\n\n1. Wait\n\n   ```lua {id=s0 expect_within=300ms}\n   sh('until test -e %s; do sleep 0.05; done')\n   ```\n" % go)
    w.table.ask("escalation.raise", "stop", 1)
    x = w.run(w.path("slow.md"))
    w.refuse_behind("escalation.raise")
    r.deadline(30, "bin is told", lambda: w.records_of("notification.finished"))
    same([k["d"]["trigger"] for k in w.records_of("escalation.raised")], ["overdue"])
    open(go, "w").close()
    same(w.over(x)["state"], "succeeded")


def at_once(client, count, op, **args):
    """So many requests without waiting for an answer, then their answers: for each the sentence why it was refused, or None."""
    first = client.next + 1
    client.next += count
    for n in range(count):
        client.send({"id": first + n, "op": op, "args": args})
    answers = {}
    while len(answers) < count:
        head = client.frame()[0]
        answers[head["re"]] = None if head["ok"] else (head["error"]["kind"], head["error"]["text"])
    return [answers[n] for n in range(first, first + count)]


@test
def nothing_of_incidents_is_stored_behind_a_group_that_was_refused(w):
    """What is said of an incident before the engine has heard that what came before was refused builds on what is not there: it is refused, too."""
    i = w.client.ask("incident.open", title="look")["incident"]
    taken = []

    def noted():
        answer = at_once(w.client, 1, "incident.note", incident=i, text="is there room?")[0]
        assert answer is None or answer[0] == "full", answer
        taken.extend([answer] * (answer is None))
        return answer is None

    def is_behind_refused():
        r.deadline(30, "there is room", noted)
        w.table.ask("store.full", "fail", 1)
        answers = at_once(w.client, 300, "incident.note", incident=i, text="hm")
        same(answers[0], ("full", "made to fail"))
        # Where it was read back meanwhile, the rest may be taken: on top of what is stored.
        taken.extend(a for a in answers if a is None)
        same(len(w.records_of("incident.noted", i)), len(taken))
        return any(a and a[1] == "what it builds on could not be stored" for a in answers)

    # Where the writer takes all of them as one group there is none behind it.
    r.deadline(60, "some to stand behind the group that was refused", is_behind_refused)
    r.deadline(30, "there is room", noted)
    same(w.client.ask("incident.ack", incident=i)["state"], "acknowledged")
    w.restart()
    same((w.incident(i)["state"], len(w.records_of("incident.noted", i))), ("acknowledged", len(taken)))


if __name__ == "__main__":
    sys.exit(run_tests(tests, world=Full))
