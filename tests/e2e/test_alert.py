#!/usr/bin/env python3
"""From a firing alert to a mended host, and from one that nothing mends to a woken person: a real file system that fills, Debian's node_exporter, Prometheus and Alertmanager, rung serve, a
real SMTP server and a webhook. limit: 240, build: release"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stage as stages
import scenarios
from world import same


def test_a_full_disk_mends_itself(stage):
    got = scenarios.mended(stage)
    assert got["percent"] <= stages.LIMIT_PERCENT, got["percent"]
    same((got["kept"], got["left"]), (True, ["of-today"]))
    i = got["after"]
    same([a["alert"]["name"] for a in i["alert_list"]], ["HostOutOfDiskSpace"])
    books = [(x["title"], x["state"], x["driver"]) for x in stage.executions()]
    assert ("Disk filling", "succeeded", "service:alert-bot") in books, books
    assert ("Free space", "succeeded", "service:alert-bot") in books, books
    same((len(stage.mail.mails), len(stage.hook.messages)), (0, 0))
    report = stage.rung("report", got["incident"])
    for part in ("HostOutOfDiskSpace", "| Mitigated |", "old-files", "playbooks/disk-filling.md", "runbooks/free-space.md", "Resolved by", "its alerts, which are over"):
        assert part in report, (part, report)
    order = [t["seq"] for t in stage.json("report", got["incident"])["timeline"]]
    assert len(order) > 20 and order == sorted(order), order


def test_what_nothing_mends_wakes_a_person(stage):
    got = scenarios.woken(stage)
    assert "HostOutOfDiskSpace" in got["mail"].text and got["incident"] in got["mail"].text, got["mail"].text
    same(got["mail"].recipients, ["ana@example.net"])
    assert got["hook"]["link"].startswith(stage.url + "/a/"), got["hook"]
    # Looking at the page acknowledges nothing: programs that read mail open links, too.
    same((got["seen"][0], got["before"]["state"]), (200, "open"))
    same(got["told"], (1, 1))
    report = stage.rung("report", got["incident"])
    for part in ("(no_cause)", "ana", "bo", "acknowledged", "level 1 is reached", "level 2 is reached"):
        assert part in report, (part, report)
    # A link is used once.
    try:
        again = stage.open_link(got["hook"]["link"], "POST")[0]
    except OSError as e:
        again = e.code
    assert again >= 400, again


def test_the_record_of_all_of_it_verifies(stage):
    stage.rung("verify")


TESTS = [v for k, v in list(globals().items()) if k.startswith("test_")]


def main():
    missing = stages.missing()
    if missing or not stages.enter():
        print("ok - from alert to person # SKIP %s" % (missing or "takes root"))
        return 0
    failed = 0
    with stages.Stage() as stage:
        for t in TESTS:
            if sys.argv[1:] and t.__name__ not in sys.argv[1:]:
                continue
            try:
                t(stage)
                print("ok - %s" % t.__name__, flush=True)
            except Exception as e:
                failed += 1
                print("not ok - %s: %s: %s" % (t.__name__, type(e).__name__, str(e)[:3000]), flush=True)
                print("# rung serve said: %s" % stage.engine.said()[-1000:].replace("\n", "\n# "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
