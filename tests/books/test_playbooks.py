#!/usr/bin/env python3
"""The shipped playbooks for alerts, with their runbooks, on a host of their own: a mount namespace with a small file system and a systemd that is a script; a real Prometheus.

limit: 240
"""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import test_books as books
from test_books import MINE, Place, command, steps, write
from prometheus import PROGRAM, Prometheus

DISK = "/run/disk"
SPOOL = DISK + "/spool/done"

# One unit, demo, as two ways of asking for it see it; any other is not there.
SYSTEMCTL = """#!/bin/sh
cd /usr/local/sbin/unit || exit 1
verb=$1 unit=
for word; do case $word in show | restart | -*) ;; *) unit=$word ;; esac; done
[ "$unit" = demo ] || { [ "$verb" != show ] || echo LoadState=not-found; exit 0; }
case $verb in
show) printf 'Id=demo.service\\nLoadState=loaded\\nActiveState=%s\\nSubState=x\\nResult=exit-code\\nNRestarts=%s\\nInvocationID=%s\\nMainPID=0\\n' "$(cat state)" "$(cat restarts)" "$(cat start)" ;;
restart) echo $(($(cat start) + 1)) >start; echo active >state ;;
esac
"""


def unit(state="failed", restarts="0", start="1"):
    os.makedirs(MINE + "/unit", exist_ok=True)
    for name, value in (("state", state), ("restarts", restarts), ("start", start)):
        write(MINE + "/unit/" + name, value + "\n")


def disk(size="32m"):
    subprocess.run(["umount", "-q", DISK], check=False, stderr=subprocess.DEVNULL)
    os.makedirs(DISK, exist_ok=True)
    command("mount", "-t", "tmpfs", "-o", "mode=0755,size=" + size, "none", DISK)
    os.makedirs(SPOOL)


def put(path, mib, days=0):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(b"\0" * int(mib * (1 << 20)))
    os.utime(path, (time.time() - days * 86400,) * 2)


def investigate(place, book, allow=(), **params):
    """The exit status, the ids of the causes that it found, what became of the most certain one, all steps."""
    words = [w for name, value in params.items() for w in ("--param", "%s=%s" % (name, value))] + [w for pattern in ("declared", *allow) for w in ("--allow", pattern)]
    code, out, err = place.rung("run", "playbooks/%s.md" % book, "--auto", "--json", *words)
    try:
        result = json.loads(out)
    except ValueError:
        raise AssertionError("exit %d: %s%s" % (code, out, err)) from None
    causes = [f["cause"] for f in place.view(result["execution"])["findings"] if f["kind"] == "cause"]
    return code, causes, steps(result)["remedy"].get("result") or {}, steps(result)


def filling(place, **params):
    return investigate(place, "disk-filling", mount=DISK, clean=SPOOL, percent=80, **params)


def test_old_files_are_removed_by_the_runbook_and_new_ones_stay(place):
    disk()
    for i in range(14):
        put(SPOOL + "/old-%d" % i, 2, days=3)
    put(SPOOL + "/new", 1)
    put(DISK + "/other/old", 1, days=3)
    code, causes, remedy, _ = filling(place)
    assert (code, causes) == (0, ["old-files"]), (code, causes)
    assert remedy["outcome"] == "mended" and remedy["runbook"] == "runbooks/free-space.md", remedy
    assert os.listdir(SPOOL) == ["new"] and os.path.exists(DISK + "/other/old")


def test_one_big_file_is_asked_about(place):
    disk()
    put(DISK + "/data/huge", 28)
    code, causes, _, seen = filling(place)
    assert (code, causes) == (5, ["one-file"]), (code, causes)  # waits for a person
    assert seen["remedy"]["state"] == "waiting" and os.path.exists(DISK + "/data/huge"), seen["remedy"]


def test_deleted_files_that_are_held_open_are_named(place):
    disk()
    for i in range(10):
        put(DISK + "/data/%d" % i, 1)
    with open(DISK + "/gone", "wb") as f:
        f.write(b"\0" * (18 << 20))
        f.flush()
        os.unlink(f.name)
        code, causes, remedy, _ = filling(place)
    assert causes == ["held-open"] and remedy["outcome"] == "proposed", (code, causes, remedy)


def test_room_again_and_nothing_known(place):
    disk()
    code, causes, remedy, seen = filling(place)
    assert causes == ["room-again"] and seen["big"]["state"] == "skipped", (code, causes, remedy)
    for i in range(28):
        put(DISK + "/data/%d" % i, 1)
    code, causes, remedy, seen = filling(place)
    assert causes == [] and seen["remedy"]["state"] == "skipped", (code, causes, remedy)


def test_a_name_with_a_lines_end_is_no_size(place):
    disk()
    for i in range(28):
        put(DISK + "/data/%d" % i, 1)
    put(SPOOL + "/x\n99999999999 y", 0.5, days=3)
    code, causes, remedy, seen = filling(place)
    assert causes == [] and seen["old"]["result"] == {"files": 1, "bytes": 1 << 19}, (code, causes, remedy, seen["old"])
    code, result = place.run("runbooks/free-space.md", folder=SPOOL, target_percent=70)
    assert steps(result)["look"]["result"]["bytes"] == 1 << 19, result
    put(DISK + "/data/y\n1048576000 z", 0.5)
    code, result = place.run("runbooks/disk-full.md", path=DISK, target_percent=50)
    assert "1000 MiB" not in json.dumps(steps(result)["big"]), steps(result)["big"]


def test_free_space_stops_where_nothing_is_old(place):
    disk()
    put(SPOOL + "/new", 30)
    code, result = place.run("runbooks/free-space.md", folder=SPOOL)
    assert code == 1 and "is something else" in steps(result)["look"]["why"], result
    os.unlink(SPOOL + "/new")
    code, result = place.run("runbooks/free-space.md", folder=SPOOL)
    assert code == 0 and steps(result)["remove"]["state"] == "skipped", result
    # Only below what was named, and never a folder of the top level.
    for folder in ("/run", "/", DISK + "/../etc", "spool"):
        code, out, err = place.rung("run", "runbooks/free-space.md", "--auto", "--allow", "declared", "--param", "folder=" + folder)
        assert code in (2, 3), (folder, code, out, err)


def test_a_program_that_runs_away_is_ended(place):
    # Deaf to the first signal, as programs in a loop can be.
    away = subprocess.Popen([sys.executable, "-c", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass", "runaway-of-a-test"], preexec_fn=lambda: os.nice(-15))
    other = subprocess.Popen(["sleep", "300"])
    try:
        books.poll("it to be busy", lambda: float(subprocess.run(["ps", "-o", "pcpu=", "-p", str(away.pid)], capture_output=True, text=True).stdout) >= 20)
        code, causes, remedy, _ = investigate(place, "high-load", runaway=15, seconds=0, may_end="runaway-of-a-test$")
        assert code == 0 and "runaway" in causes and remedy["outcome"] == "mended", (code, causes, remedy)
        assert away.wait(10) < 0 and other.poll() is None
    finally:
        for p in (away, other):
            p.kill()
            p.wait()


def test_the_wrong_process_is_left_alone(place):
    p = subprocess.Popen(["sleep", "300"])
    try:
        code, result = place.run("runbooks/end-process.md", pid=p.pid, command="/usr/sbin/batch")
        assert code == 1 and "another one than was meant" in steps(result)["look"]["why"] and p.poll() is None, result
        code, result = place.run("runbooks/end-process.md", pid=p.pid, command="sleep 300")
        assert code == 0 and steps(result)["finish"]["result"]["ended_by"] == "TERM" and p.wait(10) == -15, result
        code, result = place.run("runbooks/end-process.md", pid=p.pid, command="sleep 300")
        assert code == 0 and steps(result)["finish"]["state"] == "skipped", result
    finally:
        p.kill()
        p.wait()


def test_a_unit_that_failed_is_started_again(place):
    unit()
    code, causes, remedy, seen = investigate(place, "service-down", unit="demo")
    assert (code, causes) == (0, ["down"]) and remedy["outcome"] == "mended", (code, causes, remedy, seen)
    with open(MINE + "/unit/start") as f:
        assert f.read() == "2\n"


def test_units_that_a_start_does_not_help(place):
    for given, name, cause in ((unit(restarts="7"), "demo", "crashes-again"), (unit(), "nobody", "no-unit"), (unit(state="active"), "demo", "up-again")):
        if cause == "crashes-again":
            unit(restarts="7")
        elif cause == "up-again":
            unit(state="active")
        code, causes, remedy, _ = investigate(place, "service-down", unit=name)
        assert causes == [cause] and remedy["outcome"] == "proposed", (cause, code, causes, remedy, given)
    # With no room to write, a start is no help either: that comes first.
    unit()
    disk("4m")
    put(DISK + "/full", 4)
    code, causes, remedy, seen = investigate(place, "service-down", unit="demo", folder=DISK)
    assert code == 5 and causes[0] == "no-room" and seen["remedy"]["state"] == "waiting", (code, causes, remedy)
    with open(MINE + "/unit/start") as f:
        assert f.read() == "1\n", "started all the same"


def test_targets_that_are_down(place):
    if not PROGRAM:
        return
    with Prometheus(scrape={"far": "127.0.0.2:1"}) as p:
        def target(job, instance):
            return investigate(place, "target-down", prometheus="127.0.0.1", port=p.port, job=job, instance=instance,
                               allow=["http GET http://127.0.0.1:%d/api/v1/targets?**" % p.port])
        code, causes, _, seen = target("gone", "127.0.0.1:1")
        assert (code, causes) == (5, ["nobody-listens"]) and seen["remedy"]["state"] == "waiting", (code, causes, seen)
        # On another host it is that one's unit that is started again, not this one's.
        code, causes, _, seen = target("far", "127.0.0.2:1")
        assert (code, causes) == (5, ["nobody-listens-there"]) and seen["remedy"]["state"] == "waiting", (code, causes, seen)
        assert target("self", "127.0.0.1:%d" % p.port)[1] == ["up-again"]
        assert target("self", "10.0.0.9:9100")[1] == ["not-scraped"]


def main():
    tests = [(name, f) for name, f in globals().items() if name.startswith("test_") and callable(f)]
    if os.environ.get("RUNG_BOOKS_INSIDE") != "1":
        if os.getuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            for name, _ in tests:
                print(f"ok {name} # skip a mount namespace is needed")
            return 0
        os.environ["RUNG_BOOKS_INSIDE"] = "1"
        return subprocess.run(["unshare", "-m", "--propagation", "private", sys.executable, __file__, *sys.argv[1:]], check=False).returncode
    os.makedirs(MINE, exist_ok=True)
    for folder in (MINE, "/run"):
        command("mount", "-t", "tmpfs", "-o", "mode=0755", "none", folder)
    os.makedirs("/run/systemd/system")
    write(MINE + "/systemctl", SYSTEMCTL, 0o755)
    write(MINE + "/journalctl", "#!/bin/sh\ncase $* in *--since*) ;; *) echo it said this last ;; esac\n", 0o755)
    failed = 0
    for name, test in tests:
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        place = Place()
        try:
            test(place)
            print("ok", name, flush=True)
        except Exception as e:
            failed += 1
            print("not ok", name, flush=True)
            print("# " + f"{type(e).__name__}: {e}".replace("\n", "\n# ")[:3000], flush=True)
        finally:
            place.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
