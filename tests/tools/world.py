"""A state directory with an engine and a client of its own for each test, books made from steps, and the loop that runs the tests of a file."""
import json, os, shutil, sys, tempfile, time

import rungclient as r


class World:
    """A state directory, an engine, a client, and books made from steps."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="rung-engine-")
        self.engine = r.Engine(self.folder)
        self.prepare()
        self.engine.start()
        self.client = self.engine.client()
        self.books = 0

    def prepare(self):
        """What must be there before the engine starts."""

    def book(self, steps, head="", permissions=("sh sh -c *", "sh true", "sh false", "sh echo *", "sh sleep *", "sh cat **")):
        self.books += 1
        out = ["# Book %d" % self.books, "", head, ""]
        if permissions is not None:
            out += ["## Permissions", ""] + ["- `%s`" % p for p in permissions] + [""]
        out += ["## Steps", ""]
        for i, s in enumerate(steps):
            out += ["%d. %s" % (i + 1, s.get("title", "Step %d" % i)), ""]
            if "comment" in s:
                out += ["   <!-- step: %s -->" % s["comment"], ""]
            for source, attributes in s.get("fences", []):
                out += ["   ```%s" % attributes] + ["   " + l for l in source.split("\n")] + ["   ```", ""]
        path = os.path.join(self.books_in(), "book%d.md" % self.books)
        with open(path, "w") as f:
            f.write("\n".join(out))
        return path

    def books_in(self):
        return self.folder

    def lua(self, *sources, **more):
        steps = []
        for i, s in enumerate(sources):
            source, attributes = s if isinstance(s, tuple) else (s, "")
            steps.append({"fences": [(source, "lua {id=s%d %s}" % (i, attributes))]})
        return self.book(steps, **more)

    def run(self, path, mode="auto", **more):
        more.setdefault("declared", True)
        return self.client.ask("run", book=path, mode=mode, **more)["execution"]

    def view(self, x):
        return self.client.ask("attach", execution=x)

    def over(self, x, timeout=30):
        return r.wait_over(self.client, x, timeout)

    def step(self, x, id, condition, timeout=20):
        def look():
            s = next(s for s in self.view(x)["steps"] if s["id"] == id)
            return s if condition(s) else None
        return r.deadline(timeout, "step %s" % id, look)

    def waits(self, x, id, what, timeout=20):
        return self.step(x, id, lambda s: s["waiting"] == what, timeout)

    def records(self, x):
        return [json.loads(l) for l in self.client.ask("records", execution=x)["lines"]]

    def kinds(self, x):
        return [k["k"] for k in self.records(x)]

    def restart(self):
        self.client.close()
        self.engine.kill()
        self.engine.start()
        self.client = self.engine.client()

    def path(self, name):
        return os.path.join(self.folder, name)

    def log_tail(self):
        with open(os.path.join(self.folder, "engine.log")) as f:
            return f.read()[-1500:]

    def end(self):
        self.engine.stop()
        v = self.engine.verify()
        assert v.returncode == 0, v.stdout + v.stderr
        with open(os.path.join(self.folder, "engine.log")) as f:
            log = f.read()
        assert "Sanitizer" not in log and "runtime error" not in log, log[-3000:]


def states(view):
    return [s["state"] for s in view["steps"]]


def same(a, b):
    assert a == b, "%r is not %r" % (a, b)


def run_tests(tests, unverified=(), world=World):
    """Runs those that the command line names, or all; each in a world of its own, whose journal must verify at the end. TAP-like lines; gives the exit status."""
    names = sys.argv[1:]
    failed = passed = 0
    for t in tests:
        if names and t.__name__ not in names:
            continue
        w, started = world(), time.monotonic()
        try:
            t(w)
            if t not in unverified:
                w.end()
            print("ok - %s (%.1f s)" % (t.__name__, time.monotonic() - started), flush=True)
            passed += 1
            w.engine.stop()
            shutil.rmtree(w.folder, ignore_errors=True)
        except Exception as e:
            failed += 1
            print("not ok - %s: %s: %s (%s)" % (t.__name__, type(e).__name__, str(e)[:1500], w.folder), flush=True)
        finally:
            w.engine.stop()
    print("# %d passed, %d failed" % (passed, failed))
    return 1 if failed else 0
