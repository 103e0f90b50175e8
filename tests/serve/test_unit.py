#!/usr/bin/env python3
# limit: 180
# build: release
"""The unit that `make install` brings, under a real systemd (tools/systemd.py): it is ready when it answers, one that stands still is killed and started anew and finds what was under
way, and it ends in order. Skipped without root."""
import os, re, shutil, signal, subprocess, sys, tempfile, unittest, urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pty"))
import rungclient as r
import systemd
import tap

RELEASE = os.path.dirname(os.environ.get("RUNG_RELEASE", "build/rung"))
SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "engine", "http", "rung.service")
USER = "daemon"
FOLDER = sys.argv[sys.argv.index("--inside") + 1] if "--inside" in sys.argv else None

# What differs from the unit as it is shipped: an account that every host has, a port that is free, a watchdog that bites sooner.
MORE = """
[Unit]
DefaultDependencies=no
[Service]
ExecStart=
ExecStart=%(folder)s/bin/rung serve --state /var/lib/rung --listen 127.0.0.1:0
WorkingDirectory=%(folder)s/workspace
User=%(user)s
Group=%(user)s
WatchdogSec=2
RestartSec=0.2
StandardError=append:%(folder)s/log
"""


def shown(*names):
    text = subprocess.run(["systemctl", "show", "rung", "--property=" + ",".join(names)], capture_output=True, text=True, check=True).stdout
    values = dict(l.split("=", 1) for l in text.splitlines())
    return [values[n] for n in names]


class Unit(unittest.TestCase):
    def said(self):
        with open(os.path.join(FOLDER, "log"), errors="replace") as f:
            return f.read()

    def port(self):
        return int(re.findall(r"listening on http://127.0.0.1:(\d+)", self.said())[-1])

    def get(self, path):
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.port(), path), timeout=20) as a:
            return a.status, a.read()

    def test_it_starts_is_watched_and_ends(self):
        done = subprocess.run(["systemctl", "start", "rung"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr + str(shown("Result", "ExecMainCode", "ExecMainStatus")))
        # Ready means ready: nothing is waited for here.
        self.assertEqual(self.get("/readyz"), (200, b"ready\n"))
        self.assertEqual(shown("ActiveState", "SubState", "NRestarts", "StatusText"), ["active", "running", "0", "running"])
        pid = int(shown("MainPID")[0])
        with open("/proc/%d/cmdline" % pid) as f:
            self.assertIn("serve", f.read(), "the engine itself is the main process")
        self.assertEqual(os.stat("/var/lib/rung").st_mode & 0o777, 0o700)

        os.seteuid(os.stat("/var/lib/rung").st_uid)
        try:
            client = r.Client("/var/lib/rung")
        finally:
            os.seteuid(0)
        x = client.ask("run", book=os.path.join(FOLDER, "workspace", "waits.md"), mode="auto", declared=True)["execution"]
        r.deadline(20, "it waits", lambda: client.ask("attach", execution=x)["state"] == "waiting")

        # One that stands still says nothing: it is killed, and another one is started.
        os.kill(pid, signal.SIGSTOP)
        r.deadline(40, "it is started anew", lambda: shown("NRestarts")[0] == "1" and shown("ActiveState")[0] == "active", 0.2)
        self.assertNotEqual(int(shown("MainPID")[0]), pid)
        self.assertEqual(self.get("/healthz"), (200, b"ok\n"))
        os.seteuid(os.stat("/var/lib/rung").st_uid)
        try:
            client = r.Client("/var/lib/rung")
        finally:
            os.seteuid(0)
        self.assertTrue(client.ask("attach", execution=x)["interrupted"])
        client.ask("resume", execution=x)
        client.ask("answer", execution=x, step="wait", call=1, value="on")
        r.deadline(20, "it goes on", lambda: client.ask("attach", execution=x)["state"] == "succeeded")
        client.close()

        subprocess.run(["systemctl", "stop", "rung"], check=True, capture_output=True)
        self.assertEqual(shown("ActiveState", "Result", "ExecMainStatus"), ["inactive", "success", "0"])
        self.assertIn("ending: nothing new begins", self.said())


def prepare():
    folder = tempfile.mkdtemp(prefix="rung-unit-", dir="/var/tmp")
    os.chmod(folder, 0o755)
    for name in ("bin", "workspace", "workspace/.rung"):
        os.mkdir(os.path.join(folder, name))
    for name in ("rung", "rung-forkd"):
        shutil.copy(os.path.join(RELEASE, name), os.path.join(folder, "bin"))
    with open(os.path.join(folder, "workspace", "waits.md"), "w") as f:
        f.write("# Waits\n\n## Steps\n\n1. Wait\n\n   ```lua {id=wait}\n   return {said = ask{prompt = 'well?'}}\n   ```\n")
    with open(SHIPPED) as f:
        return folder, f.read().replace("@PREFIX@", "/usr/local") + MORE % {"folder": folder, "user": USER}


if __name__ == "__main__":
    if FOLDER:
        del sys.argv[1:]
        tap.main(Unit)
    if not systemd.is_possible():
        print("ok - nothing to do # skip it takes root and systemd")
        sys.exit(0)
    folder, unit = prepare()
    status = systemd.run_inside(__file__, {"rung.service": unit}, folder)
    if status == 0:
        shutil.rmtree(folder)
    sys.exit(status)
