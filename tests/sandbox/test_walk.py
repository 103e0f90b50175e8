#!/usr/bin/env python3
"""What a step can get hold of in Lua, and what stands behind it, is what tests/golden/sandbox/walk.txt says. RUNG_GOLDEN=write writes it. build: release"""
import difflib, os, sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
import forkd

GOLDEN = os.path.join(HERE, "..", "golden", "sandbox", "walk.txt")


def walk():
    server = forkd.Forkd(forkd.variant("walk"))
    w = server.worker()
    with open(os.path.join(HERE, "walk.lua")) as f:
        w.send(*forkd.attempt(f.read(), params={"host": "a", "list": [1, {"x": 2}]}, steps={"look": {"down": ["a"]}}, item=5, run={"id": "x"}, alert={}, incident={}))
    while True:
        head, _ = w.frame(30)
        if head["t"] == "idle":
            w.send({"t": "answer", "c": 1, "now_us": 1, "ok": True, "value": {"code": 0}, "stdout": 0, "stderr": 0})
        if head["t"] == "end":
            break
    w.close()
    server.stop()
    assert head["outcome"] == "succeeded", head
    value = head["value"]
    reached = list(dict.fromkeys(value["lines"][:value["reached"]]))
    behind = list(dict.fromkeys(value["lines"][value["reached"]:]))
    return ["What a step reaches:", ""] + reached + ["", "What is behind it (hidden metatables, upvalues), out of its reach:", ""] + [l for l in behind if l not in reached]


def main():
    got = walk()
    if os.environ.get("RUNG_GOLDEN") == "write":
        os.makedirs(os.path.dirname(GOLDEN), exist_ok=True)
        with open(GOLDEN, "w") as f:
            f.write("\n".join(got) + "\n")
    with open(GOLDEN) as f:
        want = f.read().splitlines()
    different = list(difflib.unified_diff(want, got, "golden", "now", lineterm="", n=0))
    print("%s a step reaches what is written down, and nothing else" % ("not ok" if different else "ok"))
    for line in different[:60]:
        print("#   " + line)
    sys.exit(1 if different else 0)


main()
