#!/usr/bin/env python3
"""Nothing is left over: neither between the attempts of a worker, nor in a fork server, nor in an engine, after ten thousand of them. limit: 300 build: release"""
import os, shutil, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
import forkd, rungclient as r

ATTEMPTS = 10000
SLACK = 512 << 10  # what an allocator may keep one time more, and another time less

# What steps do, well and badly; each must end in the way that is named.
SOURCES = [
    ("succeeded", "return {a = 1}"),
    ("succeeded", "left = ('x'):rep(100000) string.left, json.left = left, left return #left"),
    ("succeeded", "return json.decode(json.encode{a = {1, 2, {b = ('x'):rep(1000)}}})"),
    ("succeeded", "return {re.match('abc', '(?<x>b)').x, re.replace('aaa', 'a', 'b'), #re.split('a,b', ',')}"),
    ("succeeded", "return yaml.decode('a: &x [1, 2]\\nb: *x')"),
    ("succeeded", "return #parallel{function() return sh('x').stdout end, function() return sh('y').stdout end}"),
    ("succeeded", "kept = coroutine.wrap(function() local x <close> = setmetatable({}, {__close = print}) coroutine.yield() end) kept() log.info('x')"),
    ("succeeded", "local function deep(n) if n == 0 then return json.encode{1, {2}} end return 1 + deep(n - 1) end pcall(deep, 199995) pcall(deep, 300000)"),
    ("succeeded", "for i = 1, 3 do pcall(sh, {'x', ('y'):rep(800000)}) pcall(json.encode, {1, {2, print}}) pcall(json.decode, '[1, [2, [') pcall(yaml.decode, 'a: [') end"),
    ("succeeded", "pcall(re.match, 'x', '(') pcall(re.match, ('a'):rep(30) .. '!', '^(a+)+$')"),
    ("failed", "error({a = {b = 'c'}})"),
    ("failed", "fail('x')"),
    ("failed", "return print"),
    ("failed", "x = = 1"),
    ("failed", "parallel{function() error('x') end, function() sh('x') end}"),
    ("skipped", "skip('x')"),
    ("go", "go('x')"),
]


def memory(pid):
    """Private bytes of a process: of smaps_rollup where that may be read, else what is resident and not shared."""
    try:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return sum(int(l.split()[1]) for l in f if l.startswith(("Private_Clean", "Private_Dirty"))) << 10
    except PermissionError:
        with open("/proc/%d/statm" % pid) as f:
            fields = f.read().split()
            return (int(fields[1]) - int(fields[2])) * forkd.PAGE


def descriptors(pid):
    """How many a process has; None where only root may look (the fork server is not dumpable)."""
    try:
        return len(os.listdir("/proc/%d/fd" % pid))
    except PermissionError:
        return None


def run(worker, source, **given):
    """The attempt's end; its calls are answered."""
    worker.send(*forkd.attempt(source, **given))
    open_calls = []
    while True:
        head, _ = worker.frame(60)
        if head["t"] == "call":
            open_calls.append(head["c"])
        if head["t"] == "idle":
            worker.send({"t": "answer", "c": open_calls.pop(0), "now_us": 1, "ok": True, "value": {"code": 0}, "stdout": 4, "stderr": 0}, b"out\n")
        if head["t"] == "end":
            return head


def test_a_fork_server_keeps_nothing():
    server = forkd.Forkd()
    before = None
    for n in range(ATTEMPTS // 100):
        w = server.worker()
        for i in range(100):
            want, source = SOURCES[i % 7]
            end = run(w, source)
            assert end["outcome"] == want, (source, end)
        w.close()
        if n == 10:
            before, fds_before = memory(server.process.pid), descriptors(server.process.pid)
    after, fds = memory(server.process.pid), descriptors(server.process.pid)
    server.stop()
    assert after <= before + SLACK, "the fork server had %d KiB, and has %d" % (before >> 10, after >> 10)
    assert fds == fds_before, "the fork server had %s descriptors, and has %s" % (fds_before, fds)


def test_a_worker_keeps_nothing():
    server = forkd.Forkd()
    w = server.worker()
    rounds, sizes = 24, []
    for n in range(rounds):
        for want, source in SOURCES:
            end = run(w, source)
            assert end["outcome"] == want, (source, end)
        sizes.append(memory(w.pid))
    w.close()
    server.stop()
    # The first rounds fill what the allocator keeps; and now and then it keeps a block until the next round.
    assert min(sizes[-6:]) <= min(sizes[6:12]) + SLACK // 2, "KiB after each round: %s" % [s >> 10 for s in sizes]


def test_a_later_attempt_finds_what_the_first_found():
    """Names, values, metatables, upvalues: the same walk before and after attempts that change all that they can."""
    server = forkd.Forkd(forkd.variant("walk"))
    w = server.worker()
    with open(os.path.join(HERE, "walk.lua")) as f:
        source = f.read()
    first = run(w, source)
    assert first["outcome"] == "succeeded", first
    for spoil in ("for k in pairs(_G) do _G[k] = nil end",
                  "for _, t in ipairs{string, table, math, utf8, coroutine, json, re, text, time, yaml} do for k in pairs(t) do t[k] = 1 end t.more = 1 end",
                  "string.format = nil tostring = function() return 'x' end print = nil pairs = nil setmetatable(_ENV, nil)",
                  "debug.getmetatable('').__add = print debug.setmetatable(0, {__index = string}) debug.setmetatable(nil, {__index = string})",
                  "debug.getregistry().x = 1 debug.setmetatable(_G, {}) debug.sethook(print, 'l') math.randomseed(7)"):
        run(w, spoil)
    again = run(w, source)
    w.close()
    server.stop()
    assert again == first, "the walk differs"


def test_the_same_seed_gives_the_same_numbers_in_each_attempt():
    server = forkd.Forkd()
    w = server.worker()
    source = "local a = {math.random(1 << 50), math.random(1 << 50)} math.randomseed(9) math.random() return a"
    got = [run(w, source, seed=seed)["value"] for seed in ([1, 2], [1, 2], [3, 4], [1, 2])]
    w.close()
    server.stop()
    assert got[0] == got[1] == got[3] != got[2], got


def ended(client, execution):
    while True:
        head, _ = client.event(120)
        if head.get("ev") == "ended" and head["execution"] == execution:
            assert head["state"] == "succeeded", head
            return


def test_an_engine_keeps_nothing():
    folder = tempfile.mkdtemp(prefix="leftover-")
    e = r.Engine(folder, build=os.path.dirname(forkd.RELEASE)).start()
    try:
        c = e.client()
        c.quiet = True
        steps = 500
        lines = ["# Many", "", "## Steps", ""]
        for i in range(steps):
            want, source = SOURCES[i % 7]
            lines += ["%d. Step" % (i + 1), "", "   ```lua {id=s%d}" % i, "   " + source.replace("sh('x').stdout", "'x'").replace("sh('y').stdout", "'y'"), "   ```", ""]
        book = os.path.join(folder, "many.md")
        with open(book, "w") as f:
            f.write("\n".join(lines))
        sizes = []
        for n in range(ATTEMPTS // steps):
            x = c.ask("run", book=book, mode="auto", declared=True, attach=True)["execution"]
            ended(c, x)
            r.deadline(20, "its processes to end", lambda: len(e.children()) == 1)
            sizes.append((memory(e.process.pid), descriptors(e.process.pid)))
        # The least of several: a descriptor that is about to be closed is nothing that is kept.
        early, late = sizes[4:10], sizes[-6:]
        fds, fds_late = min(f for _, f in early), min(f for _, f in late)
        assert fds_late <= fds, "descriptors after each execution: %s" % [f for _, f in sizes]
        # Of memory the middle one: now and then much of it is given back for a moment.
        size, size_late = sorted(m for m, _ in early)[len(early) // 2], sorted(m for m, _ in late)[len(late) // 2]
        assert size_late <= size + SLACK, "KiB after each execution of %d attempts: %s" % (steps, [m >> 10 for m, _ in sizes])
    finally:
        e.stop()
        shutil.rmtree(folder)


def main():
    failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_") or sys.argv[1:] and not any(w in name for w in sys.argv[1:]):
            continue
        try:
            test()
            print("ok " + name, flush=True)
        except Exception as why:
            failed += 1
            print("not ok %s\n#   %s: %s" % (name, type(why).__name__, str(why)[:2000]), flush=True)
    sys.exit(1 if failed else 0)


main()
