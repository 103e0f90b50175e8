#!/usr/bin/env python3
"""One-line faults (faults.py), one at a time in a copy of the checkout, each built and met with the suites that should catch it: each must turn one red. `make mutants`.

    mutants.py [WORD...]     those whose names hold one of the words; all without
    mutants.py --missing     those that no run before has seen caught, as they are now
    mutants.py --write       no run: the table of README.md anew from what runs before saw
    mutants.py --check       whether README.md and faults.py name the same faults, and the files have their lines

A fault whose line is not there any more is a failure: the list is brought up to date with the code. Before the faults every suite named must be green. Several copies
are worked on beside each other (JOBS=n; as many as processors). Prints which test caught what; exit status 1 where one was missed, or does not apply, or does not
build."""
import json, os, queue, re, shutil, subprocess, sys, tempfile, threading, time

from faults import MUTANTS

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
README = os.path.join(HERE, "README.md")
SEEN = os.path.join(ROOT, os.environ.get("B", "build"), "mutants.json")  # what caught which fault, by all of its row: where the row changes it is met anew
NOTING = threading.Lock()
JOBS = int(os.environ.get("JOBS") or os.cpu_count() or 1)
HEAD = "| fault | file | caught by |\n|---|---|---|\n"


def text_of(path):
    with open(path) as f:
        return f.read()


def needs_release(suite):
    """Does it run the release build, or both? Its file says so."""
    return suite.endswith(".py") and re.search("release|import host", text_of(os.path.join(ROOT, suite)), re.I)


class Tree:
    """A copy of the checkout with what is built, outside of it."""

    def __init__(self, folder):
        self.folder = folder
        names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
        for name in filter(None, names.decode().split("\0")):
            if not os.path.exists(os.path.join(ROOT, name)):
                continue
            to = os.path.join(folder, name)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), to)
        build = os.path.join(ROOT, os.environ.get("B", "build"))
        for part in ("obj", "lib", "gen", "san/obj", "san/lib", "san/gen", "san/test"):
            if os.path.isdir(os.path.join(build, part)):
                shutil.copytree(os.path.join(build, part), os.path.join(folder, "build", part), symlinks=True)
        self.environment = dict(os.environ, B="build")

    def make(self, suites):
        """What it says where it fails, or None."""
        units = ["build/san/test/" + s[len("tests/unit/"):-2] for s in suites if s.endswith(".c")]
        wanted = [["SAN=1", "all", "probes"] + units]
        if any(map(needs_release, suites)):
            wanted.append(["all", "variants"])
        for more in wanted:
            got = subprocess.run(["make", "--no-print-directory", "B=build"] + more, cwd=self.folder, capture_output=True, text=True)
            if got.returncode != 0:
                return (got.stdout + got.stderr)[-1500:]
        return None

    def suite(self, name):
        """The first test that failed, or None."""
        os.makedirs(os.path.join(self.folder, "build", "check"), exist_ok=True)
        got = subprocess.run(["sh", "tests/tools/suite.sh", name], cwd=self.folder, env=self.environment, capture_output=True, text=True)
        for left in re.findall(r"what it left is in (/tmp/rung-suite-\S+)", got.stdout):
            shutil.rmtree(left, ignore_errors=True)
        # One that ran out of its time may have had too little of it.
        if not got.stdout.startswith("FAIL") or "  (ran out of its " in got.stdout.split("\n")[0]:
            return None
        test = re.search(r"not ok[ \d-]*(?!# SKIP)([^ \d-][^:(\n]*)", got.stdout)
        return test.group(1).strip() if test and test.group(1).strip() else got.stdout.split("\n")[0]

    def change(self, path, text, instead):
        """Its text before; None where the fault does not apply."""
        before = text_of(os.path.join(self.folder, "engine", path))
        if before.count(text) != 1:
            return None
        self.put(path, before.replace(text, instead))
        return before

    def put(self, path, text):
        with open(os.path.join(self.folder, "engine", path), "w") as f:
            f.write(text)

    def meet(self, mutant, wrong):
        """(the test that caught it, or None; else why not)"""
        _, path, text, instead, suites = mutant
        before = self.change(path, text, instead)
        if before is None:
            return None, "its line is not in engine/%s, or more than once" % path
        try:
            failed = self.make(suites)
            if failed:
                return None, "it does not build: " + failed
            for s in suites:
                test = self.suite(s) if s not in wrong else None
                if test and self.suite(s):  # twice: once may be chance, on a busy machine
                    # What a random run says first is its seed; one that a sanitizer ended says nothing.
                    return s[len("tests/"):] + ("" if test.startswith(("seed ", "FAIL ")) else ": " + test), None
            return None, "no suite caught it: " + " ".join(suites)
        finally:
            self.put(path, before)


def share(trees, jobs, do):
    """Each job once, by whichever tree is free."""
    waiting, lost = queue.Queue(), []
    for job in jobs:
        waiting.put(job)

    def work(tree):
        while True:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                do(tree, job)
            except Exception as e:
                lost.append("%r: %r" % (job, e))
    threads = [threading.Thread(target=work, args=(tree,)) for tree in trees]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not lost, lost


def seen():
    return json.loads(text_of(SEEN)) if os.path.exists(SEEN) else {}


def key_of(mutant):
    return repr(mutant[:4])


def note(mutant, by):
    with NOTING:
        known = seen()
        known[key_of(mutant)] = by
        with open(SEEN, "w") as f:
            json.dump(known, f, indent=1)


def write_table():
    known = seen()
    rows = ["| %s | `%s` | %s |\n" % (m[0], m[1], "`%s`" % known[key_of(m)].replace("|", "\\|") if key_of(m) in known else "not met yet") for m in MUTANTS]
    text = text_of(README)
    with open(README, "w") as f:
        f.write(text[:text.index(HEAD)] + HEAD + "".join(rows))


def check():
    """A line for each thing that is not as it should be."""
    out = []
    named = re.findall(r"^\| ([^|]+) \| `[^`]+` \| ", text_of(README), re.M)
    out += ["README.md has no row for \"%s\": tests/mutants/mutants.py --missing, then --write" % m[0] for m in MUTANTS if m[0] not in named]
    out += ["README.md names \"%s\", which is no fault of faults.py" % n for n in named if n not in {m[0] for m in MUTANTS}]
    for name, path, text, instead, suites in MUTANTS:
        whole = os.path.join(ROOT, "engine", path)
        if not os.path.exists(whole) or text_of(whole).count(text) != 1:
            out.append("faults.py: the line of \"%s\" is not in engine/%s, or more than once" % (name, path))
        out += ["faults.py: \"%s\" names %s, which is not there" % (name, s) for s in suites if not os.path.exists(os.path.join(ROOT, s))]
    return out


def meet_all(trees, mutants):
    """(what caught each, what is wrong)"""
    caught, wrong = {}, []
    suites = sorted({s for m in mutants for s in m[4]})

    def prepare(tree, _):
        failed = tree.make(suites)
        assert not failed, "the build failed without any fault:\n" + failed

    def look(tree, name):
        test = tree.suite(name)
        if test:
            print("not ok - %s is red without any fault: %s" % (name, test), flush=True)
            wrong.append(name)

    def meet(tree, mutant):
        started = time.monotonic()
        by, why = tree.meet(mutant, wrong)
        print("%s - %s (%.0f s): %s" % ("ok" if by else "not ok", mutant[0], time.monotonic() - started, "caught by " + by if by else why), flush=True)
        if by:
            caught[mutant[0]] = by
            note(mutant, by)
    for tree in trees:
        prepare(tree, None)
    share(trees, suites, look)
    share(trees, mutants, meet)
    return caught, wrong + [m[0] for m in mutants if m[0] not in caught]


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    if "--check" in sys.argv:
        wrong = check()
        print("\n".join(wrong) if wrong else "# %d faults, each with its line and its row" % len(MUTANTS))
        return 1 if wrong else 0
    if "--write" in sys.argv:
        write_table()
        return 0
    known = seen() if "--missing" in sys.argv else {}
    mutants = [m for m in MUTANTS if key_of(m) not in known and (not words or any(w in m[0] for w in words))]
    folder = tempfile.mkdtemp(prefix="rung-mutants-")
    print("# %d faults, in %s" % (len(mutants), folder), flush=True)
    started = time.monotonic()
    try:
        trees = [Tree(os.path.join(folder, str(i))) for i in range(min(JOBS, len(mutants)))]
        caught, wrong = meet_all(trees, mutants)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("# %d of %d faults caught, in %.0f s" % (len(caught), len(mutants), time.monotonic() - started))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
