#!/usr/bin/env python3
"""Every real runbook loads and can be walked in guided mode to its end: over the project's own fixtures, and the shared ones where that folder is there."""
import glob, json, os, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.join(here, "..", "..")
shared = os.environ.get("RUNG_SHARED", os.path.join(root, "..", "shared"))


def walk(client, path):
    """Says go, or done, to whatever waits, until it is over. Returns (state, steps)."""
    try:
        x = client.ask("run", book=path, mode="guided", declared=True, params=inputs(path))["execution"]
    except r.Refused as e:
        if "no steps" in e.text:
            return "no steps", 0
        if subprocess.run([os.path.join(r.BUILD, "rung"), "check", path], capture_output=True, stdin=subprocess.DEVNULL).returncode == 3:
            return "refused", 0  # lint says why it cannot run
        raise
    for _ in range(2000):
        v = client.ask("attach", execution=x)
        if v["state"] in ("succeeded", "failed", "cancelled"):
            return v["state"], len(v["steps"])
        for s in v["steps"]:
            if s["waiting"] == "person":
                client.ask("settle", execution=x, step=s["id"], outcome="succeeded")
            elif s["waiting"] == "go" or s["waiting"] == "decision":
                client.ask("settle", execution=x, step=s["id"], outcome="skipped", note="walked")
            else:
                continue
            break
    raise AssertionError("it does not end")


def inputs(path):
    """A value for every placeholder that the book's commands have, and a host where it asks an inventory, which there is none of here."""
    shown = subprocess.run([os.path.join(r.BUILD, "rung"), "show", "--stage", "book", path], capture_output=True, stdin=subprocess.DEVNULL)
    book = json.loads(shown.stdout)
    parameters = book.get("params", book.get("parameters", []))
    hosts = {p["name"]: "localhost" for p in parameters if p.get("type") in ("host", "hosts")}
    return {**{p["name"]: "x" for p in parameters if p.get("required", p.get("is_required", False))}, **hosts}


def main():
    books = sorted(glob.glob(os.path.join(root, "tests", "fixtures", "books", "*.md")))
    real = sorted(glob.glob(os.path.join(shared, "fixtures", "runbooks", "*.md*")))
    folder = tempfile.mkdtemp(prefix="rung-walk-")
    engine = r.Engine(folder).start()
    client = engine.client()
    failed, empty = [], []
    try:
        for path in books + real:
            try:
                state, steps = walk(client, os.path.abspath(path))
                if state == "no steps":
                    empty.append(os.path.basename(path))
                elif state == "refused" and path in real:
                    failed.append("%s: refused" % path)
                elif state not in ("succeeded", "refused"):
                    failed.append("%s: %s" % (path, state))
            except Exception as e:
                failed.append("%s: %s" % (os.path.basename(path), str(e)[:300]))
    finally:
        engine.stop()
    for f in failed:
        print("# %s" % f)
    print("# %d own books, %d real ones; no step in %s" % (len(books), len(real), empty or "none"))
    good = len(real) - len([e for e in empty if os.path.exists(os.path.join(shared, "fixtures", "runbooks", e))])
    print("%s - every book walks to its end" % ("not ok" if failed else "ok"))
    enough = not real or good >= 54
    print("%s - %d of %d real runbooks have steps (54 are wanted)" % ("ok" if enough else "not ok", good, len(real)))
    whole = engine.verify().returncode == 0
    print("%s - the journal of all these runs verifies" % ("ok" if whole else "not ok"))
    return 0 if not failed and enough and whole else 1


sys.exit(main())
