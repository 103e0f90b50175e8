"""A workspace whose inventory names the targets of real sshd servers, and an engine for it: for tests of ssh.

    with Fleet(3) as f:                       three targets t0, t1, t2 of f.sshd, in f's inventory with their host keys
        f.result('ssh("t0", {"true"}).code')  what a Lua expression gives, as a step of a book that may make every call of ssh
        f.why('ssh("t0", {"false"})')         why a step failed"""
import json, os

from host import RELEASE, Host
from sshd import Sshd
from world import same


ALL = ("ssh *@* -- **", "ssh *@* as * -- **")


class Fleet(Host):
    """more: further settings below ssh: in config.yaml; hosts: changes the entries of the inventory, a dict by name."""

    def __init__(self, count=1, more="", hosts=None, build=None, environment=None, **sshd):
        self.sshd = Sshd(count, **sshd)
        config = "version: 1\nssh:\n  identities: [%s]\n  known_hosts: []\n%s" % (self.sshd.keys.user, more)
        super().__init__(config, build or os.environ.get("RUNG_BUILD", RELEASE), environment=environment)
        self.entries = {t.name: {"address": t.address, "port": t.port, "login": t.user, "host_keys": [" ".join(t.key.split()[:2])]} for t in self.sshd.targets}
        if hosts:
            hosts(self.entries)
        self.write_inventory()

    def write_inventory(self):
        with open(os.path.join(self.folder, ".rung", "inventory.yaml"), "w") as f:
            f.write("version: 1\nhosts:\n" + "".join("  %s: %s\n" % (name, json.dumps(e)) for name, e in self.entries.items()))

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *more):
        try:
            super().__exit__(kind, *more)
        finally:
            self.sshd.stop()

    def of(self, source, attributes="", permissions=ALL):
        """The book that does it."""
        return self.lua((source, attributes), permissions=permissions)

    def result(self, expression, **more):
        v = self.over(self.run(self.of("return {v = %s}" % expression, **more)), 120)
        same((v["state"], v["steps"][0].get("why")), ("succeeded", None))
        return v["steps"][0]["result"]["v"]

    def why(self, source, state="failed", **more):
        v = self.over(self.run(self.of(source, **more)), 120)
        same((v["steps"][0]["state"], v["steps"][0].get("why")) if v["steps"][0]["state"] != state else state, state)
        return v["steps"][0]["why"]
