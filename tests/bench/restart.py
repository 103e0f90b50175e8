#!/usr/bin/env python3
"""An engine that is killed with OPEN (10,000) open executions and started again: how long until it is ready, answers, lists them and shows one; what it holds; then with
500 of them taken up. Exit status 1 where it is not ready in 2 s or holds more than 300 MiB. RUNG_BUILD names the build."""
import os, shutil, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r

OPEN = int(os.environ.get("OPEN", "10000"))
AT_ONCE = 100
READY_S, HELD_MIB = 2.0, 300
TAKEN_UP = min(OPEN, 500)


def book(folder):
    path = os.path.join(folder, "open.md")
    with open(path, "w") as f:
        f.write("# Open\n\n## Permissions\n\n- `sh true`\n\n## Steps\n\n")
        for i in range(9):
            f.write("%d. Step %d\n\n   Somebody does it, and looks at what the dashboard says.\n\n" % (i + 1, i))
        f.write("10. Last\n\n   ```lua {id=last}\n   sh{\"true\"}\n   ```\n")
    return path


def many(client, op, list_of_args):
    """Requests AT_ONCE at a time, so that their records share commits."""
    values = []
    for at in range(0, len(list_of_args), AT_ONCE):
        part = list_of_args[at:at + AT_ONCE]
        for args in part:
            client.next += 1
            client.send({"id": client.next, "op": op, "args": args})
        for _ in part:
            head, _ = client.frame()
            while "re" not in head:
                head, _ = client.frame()
            assert head["ok"], head
            values.append(head["value"])
    return values


def resident_mib(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def main():
    folder = tempfile.mkdtemp(prefix="rung-bench-")
    try:
        e = r.Engine(folder).start()
        c = e.client()
        c.sock.settimeout(120)
        path = book(folder)
        start = time.monotonic()
        ids = [v["execution"] for v in many(c, "run", [{"book": path, "mode": "guided", "declared": True}] * OPEN)]
        print("%d executions started        %8.1f s   the engine holds %.0f MiB" % (OPEN, time.monotonic() - start, resident_mib(e.process.pid)))
        c.close()
        e.kill()
        times = []
        start = time.monotonic()
        e.start()
        times.append(("ready", time.monotonic() - start))
        c = e.client()
        c.ask("hello")
        times.append(("answers", time.monotonic() - start))
        listed = c.ask("log", open=True, limit=50)["executions"]
        assert len(listed) == 50, len(listed)
        times.append(("lists", time.monotonic() - start))
        assert c.ask("attach", execution=ids[OPEN // 2])["interrupted"]
        times.append(("shows one", time.monotonic() - start))
        held = resident_mib(e.process.pid)
        print("restart with %d open         %s   it holds %.0f MiB" % (OPEN, ", ".join("%s after %.3f s" % t for t in times), held))
        c.close()
        c = e.client()
        c.sock.settimeout(120)
        start = time.monotonic()
        many(c, "resume", [{"execution": x} for x in ids[:TAKEN_UP]])
        took, all_held = time.monotonic() - start, resident_mib(e.process.pid)
        print("%d of them taken up           %8.1f s   it holds %.0f MiB" % (TAKEN_UP, took, all_held))
        e.stop()
        return 1 if times[-1][1] > READY_S or held > HELD_MIB else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())
