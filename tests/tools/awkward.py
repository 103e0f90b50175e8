"""What the tests of awkward moments share: Lua that runs shell, files as signs, processes, refusals."""
import os, signal

import rungclient as r
from world import same


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def sh(script, options=""):
    return 'sh({"sh", "-c", %s}%s)' % (quoted(script), ", {%s}" % options if options else "")


def with_read(path, *patterns):
    """Declares patterns under read: as well, so that a proof may use them."""
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace("## Permissions\n", "## Permissions\n\n" + "".join("- read: `%s`\n" % p for p in patterns), 1))
    return path


def there(path, timeout=20):
    r.deadline(timeout, "%s to be there" % os.path.basename(path), lambda: os.path.exists(path))


def touch(path):
    open(path, "w").close()


def lines(path):
    if not os.path.exists(path):
        return 0
    with open(path) as f:
        return len(f.read().split("\n")) - 1


def processes(w, mark):
    """Children of the engine whose command line holds mark."""
    out = []
    for pid in w.engine.children():
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                if mark in f.read():
                    out.append(pid)
        except OSError:
            pass
    return out


def kill_actor(w):
    (pid,) = processes(w, b"actor\0")
    os.kill(pid, signal.SIGKILL)


def refused(f, *kinds):
    try:
        f()
    except r.Refused as e:
        assert e.kind in kinds, "%s: %s" % (e.kind, e.text)
        return e.text
    raise AssertionError("it was taken")


def alive(w):
    """The engine still serves, and nothing that was asked of it has ended it."""
    try:
        same(w.over(w.run(w.lua("return {}")))["state"], "succeeded")
    except r.Closed:
        raise AssertionError("the engine is gone: %s" % w.log_tail())
