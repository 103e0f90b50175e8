"""A workspace with people on call, and what reaches them: for tests of channels and escalations."""
import json, os, sqlite3, tempfile

import rungclient as r
from world import World


def write(path, data, mode=0o600):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(data)
    os.chmod(path, mode)


class OnCall(World):
    """A workspace whose engine serves it: .rung/oncall.yaml is written by the test (oncall), as are secrets. What commands of `pager` get is in pages()."""

    CONFIG = "version: 1\n"

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="rung-oncall-")
        os.makedirs(os.path.join(self.folder, ".rung"))
        self.engine = r.Engine(self.folder)
        self.engine.state = os.path.join(self.folder, ".rung", "state")
        self.books = 0
        write(self.path(".rung/config.yaml"), self.CONFIG, 0o644)
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
        """The records of an incident (or of an execution), as they are stored."""
        db = sqlite3.connect("file:%s?mode=ro" % os.path.join(self.engine.state, "store.db"), uri=True)
        try:
            return [json.loads(line) for (line,) in db.execute("SELECT line FROM record WHERE execution = ? ORDER BY seq", (x,))]
        finally:
            db.close()

    def test(self, person, timeout=40):
        return [(c["result"], c.get("why")) for c in self.client.ask("oncall.test", timeout=timeout, workspace=self.folder, person=person)["channels"]]
