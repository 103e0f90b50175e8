"""A small world in which an alert is real: a file system that can be filled, Debian's node_exporter, Prometheus and Alertmanager on loopback, a workspace that `rung serve` serves, and two
people who can be reached: one by mail, one by a webhook. All of it belongs to this process; nothing of the host's is touched.

Has to run in a mount namespace of its own: enter() starts the program again in one."""
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
import rungclient as r
from alertmanager import ALERTMANAGER, NODE_EXPORTER, Alertmanager, NodeExporter, Process, free_port, get
from prometheus import PROGRAM as PROMETHEUS
from prometheus import Prometheus
from smtpd import Smtpd

RUNG = os.path.abspath(os.environ.get("RUNG", os.path.join(ROOT, "build/rung")))
DISK_BYTES = 48 << 20
LIMIT_PERCENT = 80
BOOKS = ("playbooks/disk-filling.md", "runbooks/free-space.md")
TOKEN = "a-token-of-this-stage-alone-0123456789"


def missing():
    """What this host does not have, as a sentence; or None."""
    for name, path in (("prometheus", PROMETHEUS), ("prometheus-alertmanager", ALERTMANAGER), ("prometheus-node-exporter", NODE_EXPORTER)):
        if not path:
            return "%s is not installed (make packages-test installs it)" % name
    return None


def enter(may_ask=False):
    """Goes on in a mount namespace of its own, as root; where this user is another one, by sudo if may_ask. False where it cannot be had. (In a user namespace the system's programs belong to
    nobody, and rung runs none that others than root or its own user own.)"""
    if os.environ.get("RUNG_STAGE") == "entered":
        return True
    os.environ["RUNG_STAGE"] = "entered"
    unshare = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() == 0 and subprocess.run(unshare + ["true"], stderr=subprocess.DEVNULL).returncode == 0:
        os.execvp(unshare[0], unshare + [sys.executable] + sys.argv)
    if os.geteuid() != 0 and may_ask and shutil.which("sudo"):
        kept = ["%s=%s" % (n, os.environ[n]) for n in ("RUNG", "RUNG_STAGE", "NO_COLOR", "TERM", "LANG") if n in os.environ]
        os.execvp("sudo", ["sudo", "env"] + kept + unshare + [sys.executable] + sys.argv)
    return False


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def declared(book):
    """What a book's Permissions name: the service account of the stage holds that, and nothing else."""
    with open(os.path.join(ROOT, book)) as f:
        part = f.read().split("## Permissions")[1].split("\n## ")[0]
    return re.findall(r"(?m)^- (?:read: )?`(.*)`$", part)


class Hook:
    """A person's webhook: what it was sent, as JSON."""

    def __init__(self):
        self.messages = messages = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Stage:
    def __init__(self, say=lambda text: None):
        self.folder = tempfile.mkdtemp(prefix="rung-stage-")
        self.say = say
        self.parts = []
        self.disk = os.path.join(self.folder, "disk")
        self.spool = os.path.join(self.disk, "spool", "done")
        self.work = os.path.join(self.folder, "workspace")
        self.state = os.path.join(self.folder, "state")
        self.environment = dict(os.environ, RUNG_STATE=self.state, XDG_STATE_HOME=os.path.join(self.folder, "home"), NO_COLOR="1")
        os.mkdir(self.disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d,mode=0755" % DISK_BYTES, "stage", self.disk], check=True)
        os.makedirs(self.spool)

    # ---- the parts ----

    def start(self):
        self.mail, self.hook = Smtpd(), Hook()
        self.port = free_port()
        self.url = "http://127.0.0.1:%d" % self.port
        self.workspace()
        self.say("rung serve")
        self.engine = Process(os.path.join(self.folder, "rung"), [RUNG, "serve"], cwd=self.work, env=self.environment)
        self.parts.append(self.engine)
        r.deadline(30, "rung serve to be ready", lambda: get(self.url + "/readyz") is not None, 0.05)
        self.approve_books()
        self.say("node_exporter")
        exporter = NodeExporter(os.path.join(self.folder, "node"))
        self.parts.append(exporter)
        self.say("Alertmanager")
        self.alertmanager = Alertmanager(os.path.join(self.folder, "alertmanager"), self.url + "/v1/alerts/prometheus", TOKEN)
        self.parts.append(self.alertmanager)
        self.say("Prometheus")
        self.prometheus = Prometheus(self.rules(), {"node": "127.0.0.1:%d" % exporter.port}, "127.0.0.1:%d" % self.alertmanager.port)
        r.deadline(30, "the small file system to be measured", lambda: self.prometheus.count('node_filesystem_size_bytes{mountpoint="%s"}' % self.disk) == 1, 0.1)
        return self

    def rules(self):
        return json.dumps({"groups": [{"name": "hosts", "rules": [{
            "alert": "HostOutOfDiskSpace",
            "expr": '100 * (1 - node_filesystem_avail_bytes{mountpoint="%s"} / node_filesystem_size_bytes{mountpoint="%s"}) > %d' % (self.disk, self.disk, LIMIT_PERCENT),
            "for": "1s",
            "labels": {"severity": "critical"},
            "annotations": {"summary": "{{ $labels.mountpoint }} is at {{ $value | printf \"%.0f\" }} %"},
        }]}]})

    def workspace(self):
        for kind in ("playbooks", "runbooks"):
            shutil.copytree(os.path.join(ROOT, kind), os.path.join(self.work, kind))
        me = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip() or "root"
        config = {
            "config.yaml": {"version": 1, "http": {"listen": "127.0.0.1:%d" % self.port, "public": self.url}},
            "alerts.yaml": {
                "version": 1,
                "sources": {"prometheus": {"kind": "alertmanager", "bearer": {"sha256": hashlib.sha256(TOKEN.encode()).hexdigest()}}},
                "defaults": {"as": "alert-bot", "owner": "ops", "priority": 2, "escalation": "ops", "cooldown": "1s"},
                "bindings": [{
                    "id": "disk",
                    "match": {"alertname": "HostOutOfDiskSpace"},
                    "playbook": "playbooks/disk-filling.md",
                    "parameters": {"mount": {"label": "mountpoint"}, "clean": {"value": self.spool}, "percent": {"value": str(LIMIT_PERCENT)}},
                }],
            },
            "oncall.yaml": {
                "version": 1,
                "people": {"ana": {"channels": [{"mail": "ana@example.net"}]}, "bo": {"channels": [{"webhook": self.hook.url}]}},
                "policies": {"ops": {"levels": [{"who": "ana", "wait": "5s"}, {"who": "bo", "wait": "5m"}], "finally": "nobody"}},
                "defaults": {"policy": "ops"},
                "mail": {"server": "127.0.0.1", "port": self.mail.port, "tls": "none", "from": "rung@example.net"},
            },
            "policy.yaml": {
                "version": 1,
                "services": {"alert-bot": {"rate": "600/h", "max_running": 5}},
                "rules": [
                    {"id": "owner", "allow": ["run", "read", "cancel", "resolve", "approve-book", "respond"], "who": ["user:" + me], "books": ["**"]},
                    {"id": "bot", "allow": ["run"], "who": ["service:alert-bot"], "books": list(BOOKS), "grants": sorted({c for b in BOOKS for c in declared(b)})},
                ],
            },
        }
        for name, value in config.items():
            write(os.path.join(self.work, ".rung", name), json.dumps(value, indent=1) + "\n")

    def approve_books(self):
        """Whoever answers for the workspace agrees to what services may run of it."""
        for book in BOOKS:
            self.rung("approve-book", book, "--reason", "read, and tried on the stage")

    def stop(self):
        for part in [getattr(self, "prometheus", None)]:
            if part:
                part.__exit__()
        for part in reversed(self.parts):
            part.stop()
        for part in (getattr(self, "mail", None), getattr(self, "hook", None)):
            if part:
                part.stop() if hasattr(part, "stop") else part.__exit__()
        subprocess.run(["umount", self.disk])
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    # ---- what one does there ----

    def rung(self, *argv, check=True):
        done = subprocess.run([RUNG, *argv], cwd=self.work, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if check and done.returncode:
            raise AssertionError("rung %s: %d: %s%s" % (" ".join(argv), done.returncode, done.stdout, done.stderr))
        return done.stdout

    def json(self, *argv, **more):
        out = self.rung(*argv, "--json", **more)
        return json.loads(out) if out.strip() else None

    def incidents(self):
        """All there are, the newest last."""
        lines = self.rung("incidents", "--all", "--json", check=False).splitlines()
        return sorted((json.loads(l) for l in lines if l.strip()), key=lambda i: i["opened_us"])

    def incident(self, id):
        return self.json("incidents", id)

    def executions(self):
        """All there are, the newest last: {execution, title, state, driver, ...}."""
        lines = self.rung("log", "--json", check=False).splitlines()
        return sorted((json.loads(l) for l in lines if l.strip()), key=lambda x: x["started_us"])

    def open_link(self, link, method="GET"):
        with urllib.request.urlopen(urllib.request.Request(link, method=method, data=b"" if method == "POST" else None), timeout=10) as f:
            return f.status, f.read().decode()

    def percent(self):
        s = os.statvfs(self.disk)
        return 100 * (s.f_blocks - s.f_bavail) // s.f_blocks

    def fill(self, folder, percent, names="part-%03d", age_days=0, piece=2 << 20):
        """Writes files there until the file system is so full."""
        os.makedirs(folder, exist_ok=True)
        i = 0
        while self.percent() < percent:
            path = os.path.join(folder, names % i)
            with open(path, "wb") as f:
                f.write(b"\0" * piece)
            then = time.time() - age_days * 86400
            os.utime(path, (then, then))
            i += 1
        return i
