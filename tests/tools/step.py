"""One step of Lua through a whole engine: what it returns, or why it failed. For tests of modules against the real thing."""
import os

import rungclient as r
from world import World


class Failed(Exception):
    pass


class Steps(World):
    def lua_result(self, source, *permissions, attributes="effect=read risk=read", timeout=60):
        """What the step returned. Failed, with its reason, where it did not succeed."""
        path = self.lua((source, attributes), permissions=permissions)
        x = self.run(path)
        view = r.wait_over(self.client, x, timeout)
        s = view["steps"][0]
        if s["state"] != "succeeded":
            raise Failed("%s: %s" % (s["state"], s.get("why")))
        return s["result"]


def fails(f, *parts):
    try:
        f()
    except Failed as e:
        for part in parts:
            assert part in str(e), (part, str(e))
        return str(e)
    raise AssertionError("it succeeded; a failure with %r was expected" % (parts,))
