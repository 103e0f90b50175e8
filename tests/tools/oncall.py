"""A workspace with people on call, and what reaches them: for tests of channels and escalations."""
import http.client, json, os, re, socket, sqlite3, subprocess, tempfile, urllib.parse

import rungclient as r
from world import World


def write(path, data, mode=0o600):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(data)
    os.chmod(path, mode)


class Engine(r.Engine):
    """An engine that serves HTTP on a port of its own, and dies where failpoints (base/failpoint.h) say so."""

    def __init__(self, folder):
        super().__init__(folder)
        self.state = os.path.join(folder, ".rung", "state")
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        self.fail = None

    def environment(self):
        return dict(super().environment(), **({"RUNG_FAIL": self.fail} if self.fail else {}))

    def start(self):
        a, b = os.pipe()
        self.process = subprocess.Popen([self.program, "engine", "--serve", "http", "--listen", "127.0.0.1:%d" % self.port, "--state", self.state, "--ready-fd", str(b)], pass_fds=[b],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True, env=self.environment())
        os.close(b)
        with os.fdopen(a) as f:
            said = f.read()
        if said != "ready\n":
            raise AssertionError("the engine did not start: %r" % said)
        return self


class OnCall(World):
    """A workspace whose engine serves it: .rung/oncall.yaml is written by the test (oncall), as are secrets. What commands of `pager` get is in pages()."""

    CONFIG = "version: 1\nhttp: {public: \"http://127.0.0.1:%d\"}\n"

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="rung-oncall-")
        os.makedirs(os.path.join(self.folder, ".rung"))
        self.engine = Engine(self.folder)
        self.books = 0
        write(self.path(".rung/config.yaml"), self.CONFIG % self.engine.port, 0o644)
        self.prepare()
        self.engine.start()
        self.client = self.engine.client()

    def oncall(self, text):
        write(self.path(".rung/oncall.yaml"), "version: 1\n" + text, 0o644)

    def secrets(self, **values):
        for name, value in values.items():
            write(self.path("secrets/" + name), value)
        write(self.path(".rung/secrets.yaml"), "version: 1\nsecrets:\n" + "".join("  %s: {file: secrets/%s}\n" % (n, n) for n in values), 0o644)

    def pager(self, name, then="exit 0"):
        """A channel that keeps each page as a line of pages(name), then does what it is told."""
        script = self.path("pager-" + name)
        write(script, "#!/bin/sh\n{ cat; } >> %s\n%s\n" % (self.path("pages-" + name), then), 0o755)
        return "{command: [%s]}" % script

    def pages(self, name):
        try:
            with open(self.path("pages-" + name)) as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def journal(self, x):
        """The records of an incident (or of an execution; None: of neither), as they are stored."""
        db = sqlite3.connect("file:%s?mode=ro" % os.path.join(self.engine.state, "store.db"), uri=True)
        try:
            return [json.loads(line) for (line,) in db.execute("SELECT line FROM record WHERE execution IS ? ORDER BY seq", (x,))]
        finally:
            db.close()

    def page(self, link, method="GET"):
        """(status, headers, text) of a link."""
        u = urllib.parse.urlsplit(link)
        c = http.client.HTTPConnection(u.hostname, u.port, timeout=20)
        try:
            c.request(method, u.path, headers={"Content-Length": "0"} if method == "POST" else {})
            a = c.getresponse()
            return a.status, {k.lower(): v for k, v in a.getheaders()}, re.sub(r"\s+", " ", a.read().decode())
        finally:
            c.close()

    def test(self, person, timeout=40):
        return [(c["result"], c.get("why")) for c in self.client.ask("oncall.test", timeout=timeout, workspace=self.folder, person=person)["channels"]]
