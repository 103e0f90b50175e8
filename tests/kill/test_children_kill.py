#!/usr/bin/env python3
"""kill -9 of the engine at random moments of a family of executions: a parent whose steps run runbooks, some of which run others. Each child is started once, whatever
dies when; what it did is in its parent's result; the journal verifies.

SEED=n ROUNDS=n KILLS=n: 4 rounds of at most 6 kills here.

limit: 240"""
import json, os, random, sqlite3, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import rungclient as r
from world import World, run_tests, same

SEED = int(os.environ.get("SEED", str(random.randrange(1 << 30))))
ROUNDS, KILLS = int(os.environ.get("ROUNDS", "4")), int(os.environ.get("KILLS", "6"))
ENDS = ("succeeded", "failed", "diverged", "cancelled", "timed_out")
HEAD = "# %s\n\n## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n| me | string | top | x |\n\n## Permissions\n\n- `sh sh -c *`\n%s\n## Steps\n\n"
STEP = "%d. Step\n\n   ```lua {id=s%d %s}\n   %s\n   ```\n\n"


class Family(World):
    def write(self, name, steps, names=()):
        text = HEAD % (name, "".join("- `runbook %s`\n" % n for n in names))
        for i, (source, attributes) in enumerate(steps):
            text += STEP % (i + 1, i, attributes, "\n   ".join(source.split("\n")))
        path = os.path.join(self.folder, name + ".md")
        with open(path, "w") as f:
            f.write(text)
        return path

    def prepare(self):
        line = "sh('echo ' .. run.id .. ' >> %s; sleep 0.0' .. math.random(9), {effect = 'idempotent'})" % self.path("oracle")
        self.write("leaf", [(line + "\nreturn {id = run.id, me = params.me}", "")])
        self.write("middle", [("return runbook('leaf', {me = params.me .. '.m'}).outputs.s0", ""), (line, "")], ["leaf"])
        both = "local b = parallel{function() return runbook('leaf', {me = 'a'}) end, function() return runbook('middle', {me = 'b'}) end}\nreturn {a = b[1].outputs.s0.me, b = b[2].outputs.s0.me}"
        self.top = self.write("top", [(both, ""), ("return {c = runbook('leaf', {me = 'c'}).outputs.s0.me}", ""), ("return {d = runbook('middle', {me = 'd'}).outputs.s0.me}", "")],
                              ["leaf", "middle"])

    def starts(self):
        """Of each execution its parent, as its records say."""
        db = sqlite3.connect("file:%s?mode=ro" % os.path.join(self.engine.state, "store.db"), uri=True)
        try:
            rows = [json.loads(l) for (l,) in db.execute("SELECT line FROM record ORDER BY seq")]
        finally:
            db.close()
        started = [(k["x"], k["d"].get("parent")) for k in rows if k["k"] == "execution.started"]
        intents = [k["d"]["child"] for k in rows if k["k"] == "call.started" and "child" in k["d"]]
        return started, intents


def go_on(w, x):
    view = w.client.ask("attach", execution=x)
    if view["interrupted"] and view["state"] not in ENDS:
        w.client.ask("resume", execution=x)


def children_are_started_once(w):
    draw = random.Random(SEED)
    print("# seed %d" % SEED)
    for n in range(ROUNDS):
        x = w.run(w.top)
        for _ in range(draw.randrange(1, KILLS + 1)):
            time.sleep(draw.random() * 0.25)
            w.restart()
            go_on(w, x)
        r.deadline(60, "round %d to end" % n, lambda: w.client.ask("attach", execution=x)["state"] in ENDS, 0.02)
        view = w.view(x)
        same((view["state"], [s["why"] for s in view["steps"]]), ("succeeded", [None] * 3))
        same([s["result"] for s in view["steps"]], [{"a": "a", "b": "b.m"}, {"c": "c"}, {"d": "d.m"}])
        started, intents = w.starts()
        ids = [i for i, _ in started]
        same(len(ids), len(set(ids)))
        same(sorted(set(intents)), sorted(i for i, parent in started if parent))
        same(len([i for i, parent in started if parent == x]), 4)


if __name__ == "__main__":
    sys.exit(run_tests([children_are_started_once], world=Family))
