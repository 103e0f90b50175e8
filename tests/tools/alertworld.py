"""A workspace whose engine receives alerts: sources with their proof, bindings, playbooks that append to a file, a policy for the service account that runs them."""
import hashlib, hmac, json, os, pwd

import rungclient as r
from world import World

ME = pwd.getpwuid(os.geteuid()).pw_name
TOKEN, KEY = "0123456789abcdef", "a-key-of-sixteen"
SECRETS = """version: 1
secrets:
  am-token: {file: .rung/am-token}
  ci-key: {file: .rung/ci-key}
"""
SOURCES = """version: 1
sources:
  prom: {kind: alertmanager, bearer: {secret: am-token}}
  ci: {kind: generic, hmac: {secret: ci-key, header: X-Signature, prefix: "sha256="}}
"""
POLICY = """version: 1
services: {alert-bot: {rate: 100000/h, max_running: 1000}}
rules:
  - {id: bot, allow: [run], who: ["service:alert-bot"], books: ["playbooks/**"], grants: ["sh sh -c *"]}
  - {id: me, allow: [run, read, cancel, respond, approve-book], who: ["user:%s"], books: ["**"], grants: ["sh sh -c *"]}
""" % ME
BINDINGS = """defaults: {as: alert-bot, priority: 3}
bindings:
  - {id: run, match: {alertname: [Run, RunToo]}, playbook: playbooks/run.md, parameters: {what: {label: instance}}, cooldown: 0s, priority: 1}
"""


def playbook(title, *sources, risk="read", parameters=("what",), permissions=("sh sh -c *",)):
    """A book of steps that are Lua; its parameters are texts."""
    out = ["# %s" % title, "", "## Parameters", "", "| Name | Type | Default | Description |", "|---|---|---|---|"]
    out += ["| %s | string | unsaid | x |" % p for p in parameters]
    out += ["", "## Permissions", ""] + ["- read: `%s`" % p for p in permissions] + ["", "## Diagnosis", ""]
    for i, s in enumerate(sources):
        out += ["%d. Step %d" % (i + 1, i), "", "   ```lua {id=s%d risk=%s}" % (i, risk)] + ["   " + l for l in s.split("\n")] + ["   ```", ""]
    return "\n".join(out)


def alert(name="Run", fingerprint="f1", state="firing", starts="2026-11-29T07:00:00Z", **labels):
    return {"status": state, "labels": dict(labels, alertname=name), "annotations": {}, "startsAt": starts, "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prom.example/g",
            "fingerprint": fingerprint}


def delivery(*alerts, group="{}:{}"):
    return json.dumps({"version": "4", "groupKey": group, "status": "firing", "receiver": "rung", "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
                       "externalURL": "http://am.example", "truncatedAlerts": 0, "alerts": list(alerts)}).encode()


def sign(body, key=KEY):
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


class Alerts(World):
    bindings = BINDINGS

    def prepare(self):
        self.root = self.folder
        os.makedirs(self.path(".rung"))
        os.makedirs(self.path("playbooks"))
        self.engine.state = self.path(".rung/state")
        self.oracle = self.path("oracle")
        self.write(".rung/secrets.yaml", SECRETS)
        self.secret("am-token", TOKEN)
        self.secret("ci-key", KEY)
        self.write(".rung/alerts.yaml", SOURCES + self.bindings)
        self.write(".rung/policy.yaml", POLICY)
        self.write("playbooks/run.md", playbook("Run", 'sh("echo " .. params.what .. " >> %s")' % self.oracle))

    def write(self, name, text):
        """At once, as an editor does: a file is never seen half written."""
        with open(self.path(name + ".new"), "w") as f:
            f.write(text)
        os.rename(self.path(name + ".new"), self.path(name))

    def secret(self, name, value):
        with open(os.open(self.path(".rung/" + name), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as f:
            f.write(value + "\n")

    def send(self, *alerts, source="prom", body=None, headers=None, client=None, **more):
        """The decisions; with a bearer token where no headers are given."""
        body = body if body is not None else delivery(*alerts, **more)
        headers = {"Authorization": "Bearer " + TOKEN} if headers is None else headers
        return (client or self.client).ask("alerts.receive", body, source=source, headers=headers)["decisions"]

    def one(self, *args, **more):
        """The decision about one alert."""
        return self.send(alert(*args, **more))[0]

    def refused(self, kind, f):
        try:
            got = f()
        except r.Refused as e:
            assert e.kind == kind, "%s: %s" % (e.kind, e.text)
            return e.text
        raise AssertionError("it was taken: %r; %s was expected" % (got, kind))

    def incidents(self, **args):
        return self.client.ask("incidents", **args)["incidents"]

    def incident(self, id):
        return self.client.ask("incident.show", incident=id)

    def ran(self):
        """What the playbooks appended."""
        try:
            with open(self.oracle) as f:
                return f.read().split()
        except FileNotFoundError:
            return []

    def until_ran(self, count, timeout=30):
        return r.deadline(timeout, "%d playbooks to have run" % count, lambda: len(self.ran()) >= count and self.ran())

    def idle(self, timeout=30):
        """No execution of any open incident runs any more."""
        r.deadline(timeout, "executions to end", lambda: not any(i["running"] for i in self.incidents()))

    def journal(self):
        """Every record, from the stored lines."""
        import sqlite3
        db = sqlite3.connect("file:%s/store.db?mode=ro" % self.engine.state, uri=True)
        try:
            return [json.loads(line) for (line,) in db.execute("SELECT line FROM record ORDER BY seq")]
        finally:
            db.close()

    def records_of(self, kind, x=None):
        return [k for k in self.journal() if k["k"] == kind and (x is None or k.get("x") == x)]

    def forget_executions(self):
        """For what is asked of a new world."""
        if os.path.exists(self.oracle):
            os.unlink(self.oracle)
