"""What a command costs: wall time, the CPU of all that it started (also of what went on behind its back), memory."""
import collections, ctypes, json, os, resource, signal, subprocess, threading, time

Cost = collections.namedtuple("Cost", "wall cpu peak_mib ok output")
TICK = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36


def run(argv, environment=None, cwd=None, input=None, memory=False):
    """Runs it under a process of its own that takes up what it leaves behind, ends that, and counts it in."""
    reads, writes = os.pipe()
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reads)
            with os.fdopen(writes, "w") as out:
                out.write(json.dumps(run_and_count(argv, environment, cwd, input)))
        finally:
            os._exit(0)
    os.close(writes)
    sampler = Sampler(lambda: [pid] + descendants(pid)) if memory else None
    with os.fdopen(reads) as f:
        said = json.loads(f.read() or '{"ok": false, "cpu": 0, "wall": 0, "output": ""}')
    os.waitpid(pid, 0)
    peak = sampler.end() if sampler else None
    return Cost(said["wall"] or time.monotonic() - start, said["cpu"], peak, said["ok"], said["output"])


def run_and_count(argv, environment, cwd, input):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    start = time.monotonic()
    done = subprocess.run(argv, env=environment, cwd=cwd, input=input, stdin=None if input else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    wall = time.monotonic() - start
    for p in descendants(os.getpid()):
        try:
            os.kill(p, signal.SIGTERM)
        except OSError:
            pass
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"ok": done.returncode == 0, "wall": wall, "cpu": used.ru_utime + used.ru_stime, "output": done.stdout[-2000:]}


def descendants(pid):
    out, left = [], [pid]
    while left:
        p = left.pop()
        try:
            with open("/proc/%d/task/%d/children" % (p, p)) as f:
                kids = [int(k) for k in f.read().split()]
        except OSError:
            kids = []
        out += kids
        left += kids
    return out


def cpu_of(pids):
    """Seconds of these processes and of those of their children that have ended."""
    total = 0
    for p in pids:
        try:
            with open("/proc/%d/stat" % p) as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(x) for x in fields[11:15])
    return total / TICK


class Sampler:
    """The most memory that processes held at once, shared pages counted once."""

    EVERY_S = 0.05

    def __init__(self, pids):
        self.pids, self.peak, self.over = pids, 0, threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.over.wait(self.EVERY_S):
            self.peak = max(self.peak, sum(proportional_kib(p) for p in self.pids()))

    def end(self):
        self.over.set()
        self.thread.join()
        return self.peak / 1024


def proportional_kib(pid):
    try:
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return next((int(l.split()[1]) for l in f if l.startswith("Pss:")), 0)
    except OSError:
        return 0
