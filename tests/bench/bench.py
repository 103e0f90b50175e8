#!/usr/bin/env python3
"""Steps a second, durable and isolated, beside a plain shell loop in the same run; what the engine holds for open executions. RUNG_BUILD names the build."""
import os, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r

STEPS = int(os.environ.get("STEPS", "1000"))


def book(folder, name, n, source, attributes=""):
    out = ["# Bench %s" % name, "", "## Permissions", "", "- `sh true`", "", "## Steps", ""]
    for i in range(n):
        out += ["%d. Step %d" % (i + 1, i), "", "   ```lua {id=s%d%s}" % (i, attributes), "   " + source, "   ```", ""]
    path = os.path.join(folder, name + ".md")
    with open(path, "w") as f:
        f.write("\n".join(out))
    return path


def cpu(pid):
    with open("/proc/%d/stat" % pid) as f:
        a = f.read().rsplit(")", 1)[1].split()
    return (int(a[11]) + int(a[12])) / os.sysconf("SC_CLK_TCK")


def reaped_cpu(engine):
    """CPU of the fork server's children that have ended: the workers and actors so far."""
    total = 0.0
    for pid in engine.children():
        with open("/proc/%d/stat" % pid) as f:
            a = f.read().rsplit(")", 1)[1].split()
        total += (int(a[13]) + int(a[14])) / os.sysconf("SC_CLK_TCK")
    return total


def rss_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            if line.startswith("VmRSS"):
                return int(line.split()[1])


def run_one(client, path):
    t = time.monotonic()
    x = client.ask("run", book=path, mode="auto", declared=True, attach=True)["execution"]
    ended(client, {x})
    return time.monotonic() - t


def ended(client, left):
    while left:
        head, _ = client.event(300)
        if head.get("ev") == "ended" and head["execution"] in left:
            assert head["state"] == "succeeded", head
            left.discard(head["execution"])


def main():
    folder = tempfile.mkdtemp(prefix="rung-bench-")
    e = r.Engine(folder).start()
    c = e.client()
    c.quiet = True
    lua = book(folder, "lua", STEPS, "return {}")
    sh = book(folder, "sh", STEPS, 'sh{"true"}')
    t = time.monotonic()
    subprocess.run(["sh", "-c", "i=0; while [ $i -lt %d ]; do /bin/true; i=$((i+1)); done" % STEPS], check=True)
    loop = time.monotonic() - t
    print("shell loop of %d true        %8.2f ms a step" % (STEPS, loop / STEPS * 1e3))
    for name, path in (("Lua", lua), ("sh true", sh)):
        before, workers = cpu(e.process.pid), reaped_cpu(e)
        took = run_one(c, path)
        inside = (cpu(e.process.pid) - before) / STEPS * 1e3
        r.deadline(10, "its processes to end", lambda: len(e.children()) == 1)
        outside = (reaped_cpu(e) - workers) / STEPS * 1e3
        print("%-8s one after another      %8.2f ms a step  %6.2f of the shell loop; CPU a step: engine %.2f ms, worker, actor and command %.2f ms" % (name, took / STEPS * 1e3, took / loop, inside, outside))
    short = book(folder, "short", max(1, STEPS // 10), "return {}")
    t = time.monotonic()
    for _ in range(32):
        c.ask("run", book=short, mode="auto", declared=True)
    r.deadline(300, "all 32 over", lambda: not c.ask("log", open=True, limit=50)["executions"], 0.02)
    took = time.monotonic() - t
    print("Lua, 32 executions at once       %8.0f steps a second" % (32 * max(1, STEPS // 10) / took))
    waits = book(folder, "waits", 1, 'ask{prompt = "go on?", type = "bool"}')
    c.close()
    c = e.client()
    c.ask("run", book=waits, mode="auto", declared=True)
    one = rss_kib(e.process.pid)
    for _ in range(1000):
        c.ask("run", book=waits, mode="auto", declared=True)
    print("memory with 1 and 1,001 open executions  %d and %d KiB" % (one, rss_kib(e.process.pid)))
    e.stop()


if __name__ == "__main__":
    main()
