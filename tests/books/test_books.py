"""The shipped books that change something, on a host of their own: a mount namespace in which /var is a small full disk, and systemd a script.

limit: 180
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from rungclient import Client, deadline

RUNG = os.path.abspath(os.environ.get("RUNG", "build/rung"))
DEADLINE = 60
MINE = "/usr/local/sbin"  # first in the actor's path; a file system of our own in the namespace

SYSTEMCTL = """#!/bin/sh
# One unit, demo: every start has an id. A file "hang" makes a restart hang after it was done.
cd /usr/local/sbin/unit || exit 1
case $1 in
show)
	[ "$2" = demo ] || { echo LoadState=not-found; exit 0; }
	printf 'LoadState=loaded\\nActiveState=%s\\nSubState=running\\nNRestarts=0\\nInvocationID=%s\\nResult=success\\n' "$(cat state)" "$(cat start)" ;;
restart)
	echo $(($(cat start) + 1)) >start
	[ ! -e broken ] || echo failed >state
	[ ! -e hang ] || { touch hanging; exec sleep 600; } ;;
esac
"""
JOURNALCTL = """#!/bin/sh
case $1 in
--disk-usage)
	echo "Archived and active journals take up $(du -sm /var/log/journal | cut -f1)M in the file system." ;;
--vacuum-size=*)
	rm -f /var/log/journal/old
	echo "Vacuuming done, freed 3.0M of archived journals from /var/log/journal." >&2 ;;
esac
"""


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def command(*argv):
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def poll(what, condition):
    deadline(DEADLINE, what, condition)


class Place:
    """A state directory and what is done in it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="rung-books-")
        self.state = os.path.join(self.dir, "state")
        self.env = dict(os.environ, RUNG_STATE=self.state, XDG_STATE_HOME=self.dir, NO_COLOR="1")

    def rung(self, *argv):
        done = subprocess.run([RUNG, *argv], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE)
        return done.returncode, done.stdout, done.stderr

    def run(self, book, **params):
        given = [word for name, value in params.items() for word in ("--param", f"{name}={value}")]
        code, out, err = self.rung("run", book, "--auto", "--allow", "declared", "--json", *given)
        try:
            return code, json.loads(out)
        except ValueError:
            raise AssertionError(f"exit {code}: {out}{err}") from None

    def view(self, execution):
        client = Client(self.state)
        try:
            return client.ask("attach", execution=execution)
        finally:
            client.close()

    def until_over(self, execution):
        poll("the end of the execution", lambda: self.view(execution)["finished_us"])
        return self.view(execution)

    def engine(self):
        with open(os.path.join(self.state, "engine.pid")) as f:
            return int(f.read())

    def close(self):
        try:
            os.kill(self.engine(), signal.SIGTERM)
        except (OSError, ValueError):
            pass
        shutil.rmtree(self.dir, ignore_errors=True)


def steps(view):
    return {s["id"]: s for s in view["steps"]}


def fill_var():
    subprocess.run(["umount", "-q", "/var"], check=False)
    command("mount", "-t", "tmpfs", "-o", "size=20m,mode=0755", "none", "/var")
    for folder in ("/var/log/journal", "/var/cache/apt/archives/partial", "/var/lib/apt/lists/partial", "/var/lib/dpkg"):
        os.makedirs(folder)
    for path, mib, days in (("/var/log/app.log.1.gz", 4, 30), ("/var/log/app.log.2.gz", 2, 1), ("/var/log/app.log", 1, 30), ("/var/log/journal/old", 3, 30),
                            ("/var/cache/apt/archives/some_1_all.deb", 5, 1)):
        with open(path, "wb") as f:
            f.write(b"\0" * (mib << 20))
        then = time.time() - days * 86400
        os.utime(path, (then, then))


def disk_full(place, choice):
    """Runs until the question, answers it, and gives the view at the end."""
    fill_var()
    code, result = place.run("runbooks/disk-full.md", path="/var", target_percent=60, keep_journal="1M")
    assert code == 5, result
    assert os.path.exists("/var/log/app.log.1.gz"), "removed before anyone agreed"
    client = Client(place.state)
    question = client.ask("attach", execution=result["execution"])["questions"][0]
    for word in ("packages", "journal", "logs", "everything", "nothing"):
        assert word in question["choices"], question
    client.ask("answer", execution=result["execution"], step="agree", call=question["call"], value=choice)
    return place.until_over(result["execution"])


def test_disk_full_frees_what_was_agreed_and_proves_it(place):
    view = disk_full(place, "everything")
    s = steps(view)
    assert view["state"] == "succeeded", json.dumps({k: (v["state"], v["why"]) for k, v in s.items()})
    assert {s[i]["state"] for i in ("journal", "packages", "logs", "prove")} == {"succeeded"}
    assert not os.path.exists("/var/log/app.log.1.gz") and not os.path.exists("/var/cache/apt/archives/some_1_all.deb")
    assert os.path.exists("/var/log/app.log.2.gz"), "a log younger than keep_days must stay"
    assert os.path.exists("/var/log/app.log"), "a log that is not rotated must stay"


def test_disk_full_frees_only_what_was_agreed(place):
    view = disk_full(place, "packages")
    s = steps(view)
    assert s["journal"]["state"] == s["logs"]["state"] == "skipped"
    assert os.path.exists("/var/log/app.log.1.gz") and os.path.exists("/var/log/journal/old")
    assert not os.path.exists("/var/cache/apt/archives/some_1_all.deb")


def test_disk_full_changes_nothing_where_nothing_was_agreed(place):
    view = disk_full(place, "nothing")
    s = steps(view)
    assert {s[i]["state"] for i in ("journal", "packages", "logs")} == {"skipped"}
    assert view["state"] == "failed" and "full" in s["prove"]["why"], "the disk is as full as before, and the end must say so"
    assert os.path.exists("/var/log/app.log.1.gz") and os.path.exists("/var/cache/apt/archives/some_1_all.deb")


def test_disk_full_says_who_is_to_be_asked_where_nothing_may_go(place):
    fill_var()
    for path in ("/var/log/app.log.1.gz", "/var/log/journal/old", "/var/cache/apt/archives/some_1_all.deb"):
        os.remove(path)
    os.makedirs("/var/data")
    with open("/var/data/big", "wb") as f:
        f.write(b"\0" * (14 << 20))
    code, result = place.run("runbooks/disk-full.md", path="/var", target_percent=60, keep_journal="1M")
    assert code == 1 and "/var/data" in steps(result)["offers"]["why"], result
    assert os.path.exists("/var/data/big")


def start_unit():
    shutil.rmtree(MINE + "/unit", ignore_errors=True)
    os.makedirs(MINE + "/unit")
    write(MINE + "/unit/state", "active\n")
    write(MINE + "/unit/start", "1\n")


def starts():
    with open(MINE + "/unit/start") as f:
        return int(f.read())


def test_service_restart_proves_that_it_is_another_start(place):
    start_unit()
    code, result = place.run("runbooks/service-restart.md", unit="demo", settle=1, agreed="true")
    s = steps(result)
    assert code == 0 and s["tell"]["state"] == "skipped" and s["prove"]["state"] == "succeeded", result
    assert starts() == 2


def test_service_restart_waits_for_the_word_of_its_users(place):
    start_unit()
    code, result = place.run("runbooks/service-restart.md", unit="demo", settle=1)
    assert code == 5 and steps(result)["tell"]["state"] == "waiting" and starts() == 1, result


def test_service_restart_fails_where_the_unit_does_not_come_back(place):
    start_unit()
    write(MINE + "/unit/broken", "")
    code, result = place.run("runbooks/service-restart.md", unit="demo", settle=1, agreed="true")
    assert code == 1 and "is failed" in steps(result)["restart"]["why"], result


def test_service_restart_refuses_a_unit_that_is_not_there(place):
    start_unit()
    code, result = place.run("runbooks/service-restart.md", unit="nothing", settle=1, agreed="true")
    assert code == 1 and "there is no unit nothing" in steps(result)["look"]["why"] and starts() == 1, result


def test_a_restart_that_a_crash_left_unknown_is_settled_by_its_proof(place):
    start_unit()
    write(MINE + "/unit/hang", "")
    client = subprocess.Popen([RUNG, "run", "runbooks/service-restart.md", "--auto", "--allow", "declared", "--param", "unit=demo", "--param", "settle=1",
                               "--param", "agreed=true"], env=place.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    poll("the restart under way", lambda: os.path.exists(MINE + "/unit/hanging"))
    os.kill(place.engine(), signal.SIGKILL)
    client.wait(DEADLINE)
    os.remove(MINE + "/unit/hang")
    code, out, _ = place.rung("log", "--json")
    execution = json.loads(out.splitlines()[0])["execution"]
    code, out, err = place.rung("resume", execution)
    view = place.until_over(execution)
    assert view["state"] == "succeeded", (code, out, err, [(s["id"], s["state"], s["why"]) for s in view["steps"]])
    assert starts() == 2, "restarted a second time"


def main():
    tests = [(name, f) for name, f in globals().items() if name.startswith("test_")]
    if os.environ.get("RUNG_BOOKS_INSIDE") != "1":
        # A mount namespace needs root; what is mounted there is seen by nobody else and is gone with it.
        if os.getuid() != 0 or subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            for name, _ in tests:
                print(f"ok {name} # skip a mount namespace is needed")
            return 0
        os.environ["RUNG_BOOKS_INSIDE"] = "1"
        return subprocess.run(["unshare", "-m", "--propagation", "private", sys.executable, __file__], check=False).returncode
    os.makedirs(MINE, exist_ok=True)
    command("mount", "-t", "tmpfs", "-o", "mode=0755", "none", MINE)
    command("mount", "-t", "tmpfs", "-o", "mode=0755", "none", "/run")
    os.makedirs("/run/systemd/system")
    write(MINE + "/systemctl", SYSTEMCTL, 0o755)
    write(MINE + "/journalctl", JOURNALCTL, 0o755)
    failed = 0
    for name, test in tests:
        place = Place()
        try:
            test(place)
            print("ok", name, flush=True)
        except Exception as e:  # pylint: disable=broad-except
            failed += 1
            print("not ok", name, flush=True)
            print("# " + f"{type(e).__name__}: {e}".replace("\n", "\n# "), flush=True)
        finally:
            place.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
