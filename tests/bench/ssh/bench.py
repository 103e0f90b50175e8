#!/usr/bin/env python3
"""`true` on many hosts over SSH: rung beside ansible, pssh, clush, ssh and a floor (floor.c) in one run, against the same sshd on loopback.

COUNTS="1 10 100 300"   how many targets          ROUNDS=3   medians of so many (1 where one takes longer than SLOW_S)
ONLY="rung floor"       these alone               HOSTS=1000 of the server that costs nothing
RUNG_BUILD names the build. What is not installed is left out. CPU is the client's and all that it started; the servers' is shown apart. curve: OpenSSH with the key
exchange that libssh has, curve25519-sha256, in place of its own first choice. warm: five more commands on sessions that are kept, as the difference of six and one."""
import json, os, shutil, statistics, sys, tempfile, time

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(here, "..", "..", "tools")]
import measure
import rungclient as r
from host import Host, name as name_of
from sshd import Sshd, can_mount, keygen, write
from sshpeer import Peer

BUILD = os.path.abspath(os.environ.get("RUNG_BUILD", "build"))
COUNTS = [int(n) for n in os.environ.get("COUNTS", "1 10 100 300").split()]
ROUNDS = int(os.environ.get("ROUNDS", "3"))
HOSTS = int(os.environ.get("HOSTS", "1000"))
ONLY = os.environ.get("ONLY", "").split()
AT_ONCE, WARM, SLOW_S = 50, 5, 5.0
SHELL_MARK = "\x1erung\x1e"  # what a POSIX shell prints of what rung puts before a command (modules/ssh/words.c)
CORES = len(os.sched_getaffinity(0))


class Bench:
    """A fleet and what the programs need to know of it: configuration, lists of hosts, an inventory."""

    def __init__(self, fleet):
        self.fleet, self.folder, self.n = fleet, tempfile.mkdtemp(prefix="bench-"), len(fleet.targets)
        self.addresses = [t.address for t in fleet.targets]
        settings = ["Port %d" % fleet.port, "User " + fleet.user, "IdentityFile " + fleet.keys.user, "IdentitiesOnly yes", "IdentityAgent none", "BatchMode yes",
                    "StrictHostKeyChecking yes", "UserKnownHostsFile " + fleet.known_hosts, "GlobalKnownHostsFile none"]
        self.config = {False: self.file("ssh_config", settings), True: self.file("ssh_config_curve", settings + ["KexAlgorithms curve25519-sha256"])}
        self.list = self.file("hosts", self.addresses)
        self.sockets = tempfile.mkdtemp(prefix="c-", dir="/tmp")
        self.inventory = self.file("inventory", ["[all]"] + ["%s ansible_port=%d ansible_user=%s" % (a, fleet.port, fleet.user) for a in self.addresses])

    def file(self, name, lines):
        return write(os.path.join(self.folder, name), "\n".join(lines) + "\n")

    def clear(self):
        for folder in (self.folder, self.sockets):
            shutil.rmtree(folder, ignore_errors=True)


def floor(b, curve, commands):
    lines = "".join("%s %d %s\n" % (t.address, t.port, t.user) for t in b.fleet.targets)
    return dict(argv=[os.path.join(BUILD, "ssh-floor"), "-c", str(AT_ONCE), "-w", str(commands - 1), b.fleet.keys.user, "true"], input=lines)


def ssh(b, curve, commands):
    return dict(argv=["ssh", "-F", b.config[curve], b.addresses[0], "true"])


def pssh(b, curve, commands):
    return dict(argv=["parallel-ssh", "-h", b.list, "-p", str(AT_ONCE), "-t", "0", "-x", "-F " + b.config[curve], "true"])


def clush(b, curve, commands):
    return dict(argv=["clush", "-f", str(AT_ONCE), "-o", "-F " + b.config[curve], "-w", ",".join(b.addresses), "true"])


def ansible_environment(b, curve):
    # New ones for each start: its first command is cold. A socket's path has little room.
    sockets = tempfile.mkdtemp(dir=b.sockets)
    return dict(os.environ, ANSIBLE_PIPELINING="1", ANSIBLE_FORKS=str(AT_ONCE), ANSIBLE_SSH_ARGS="-F %s -o ControlMaster=auto -o ControlPersist=60s" % b.config[curve],
                ANSIBLE_SSH_CONTROL_PATH_DIR=sockets, ANSIBLE_HOME=b.folder, ANSIBLE_LOCAL_TEMP=b.folder, ANSIBLE_PYTHON_INTERPRETER="/usr/bin/python3", ANSIBLE_NOCOLOR="1",
                ANSIBLE_CONFIG=b.file("ansible.cfg", []), ANSIBLE_REMOTE_TEMP=os.path.join(b.folder, "remote"))


def ansible(module):
    def command(b, curve, commands):
        environment = ansible_environment(b, curve)
        if commands == 1:
            return dict(argv=["ansible", "all", "-i", b.inventory, "-m", module, "-a", "true"], environment=environment)
        tasks = "".join("    - %s: 'true'\n" % module for _ in range(commands))
        book = b.file("play-%s-%d.yaml" % (module, commands), ["- hosts: all", "  gather_facts: false", "  tasks:", tasks])
        return dict(argv=["ansible-playbook", "-i", b.inventory, book], environment=environment)
    return command


# name, program, what it runs, at most so many targets, whether sessions are kept, whether OpenSSH does the key exchange
PROGRAMS = [("floor", None, floor, 10000, True, False), ("ssh", "ssh", ssh, 1, False, True), ("pssh", "parallel-ssh", pssh, 10000, False, True),
            ("clush", "clush", clush, 10000, False, True), ("ansible raw", "ansible", ansible("raw"), 10000, True, True),
            ("ansible command", "ansible", ansible("command"), 10000, True, True)]


class Rung:
    """An engine with the fleet as its inventory. The command line's program and the engine are both the client."""

    def __init__(self, targets, identity):
        self.host = Host("version: 1\nssh: {identities: [%s], known_hosts: []}\n" % identity, build=BUILD)
        entries = {"t%d" % i: {"address": t.address, "port": t.port, "login": t.user, "host_keys": [" ".join(t.key.split()[:2])]} for i, t in enumerate(targets)}
        write(os.path.join(self.host.folder, ".rung", "inventory.yaml"), "version: 1\nhosts:\n" + "".join("  %s: %s\n" % (n, json.dumps(e)) for n, e in entries.items()))
        self.targets = targets
        self.host.start()
        self.engine = self.host.engine

    def book(self, commands):
        """ssh.each over the whole inventory, as often."""
        path = os.path.join(self.host.folder, "true%d.md" % commands)
        each = '   ssh.each(params.hosts, {"true"}, {max_concurrency = %d})' % AT_ONCE
        write(path, "# Bench\n\n## Parameters\n\n| Name | Type | Default |\n|---|---|---|\n| hosts | hosts | * |\n\n## Permissions\n\n- `ssh *@* -- true`\n\n## Steps\n\n1. All\n\n"
              "   ```lua {id=all risk=read}\n%s\n   ```\n" % "\n".join([each] * commands))
        return path

    def settled(self):
        """CPU so far, when only the engine and its fork server are left."""
        r.deadline(60, "its workers end", lambda: len(self.engine.children()) <= 1)
        return measure.cpu_of([self.engine.process.pid] + self.engine.children())

    def actors(self):
        return [p for p in self.engine.children() if name_of(p) == "rung-actor"]

    def run(self, commands, memory=False, of=None):
        argv = [os.path.join(self.host.folder, "bin", "rung"), "run", self.book(commands), "--auto", "--allow", "declared"]
        before = self.settled()
        sampler = measure.Sampler(of or (lambda: [self.engine.process.pid] + self.engine.children())) if memory else None
        cost = measure.run(argv, cwd=self.host.folder)
        peak = sampler.end() if sampler else None
        return cost._replace(cpu=cost.cpu + self.settled() - before, peak_mib=peak)

    def stop(self):
        self.host.__exit__(None)


def rung_has_ssh():
    return os.path.isdir(os.path.join(here, "..", "..", "..", "modules", "ssh")) and os.path.exists(os.path.join(BUILD, "rung"))


def wanted(name):
    return not ONLY or any(w in name for w in ONLY)


def median(costs):
    middle = statistics.median
    return measure.Cost(middle(c.wall for c in costs), middle(c.cpu for c in costs), costs[0].peak_mib, all(c.ok for c in costs), costs[0].output)


def repeated(once):
    """The first round looks at memory, too; it alone counts where it takes long."""
    first = once(True)
    if not first.ok or first.wall > SLOW_S:
        return first
    return median([once(False) for _ in range(ROUNDS)])._replace(peak_mib=first.peak_mib)


class Table:
    """Rows of one number of targets: {name: (cold cost, server CPU, seconds of WARM more commands or None)}."""

    def __init__(self, n):
        self.n, self.rows = n, {}
        print("\n%d target%s\n%-26s%10s%10s%12s%12s%10s%12s" % (n, "" if n == 1 else "s", "", "cold s", "x floor", "CPU ms/host", "server CPU", "MiB", "warm 5 s"), flush=True)

    def add(self, name, cost, server_cpu, warm):
        if not cost.ok:
            print("%-26sfailed: %s" % (name, cost.output.strip()[-300:]), flush=True)
            return
        self.rows[name] = (cost, server_cpu, warm)
        base = self.rows.get("floor")
        print("%-26s%10.3f%10s%12.2f%12.1f%10s%12s" % (name, cost.wall, "%.2f" % (cost.wall / base[0].wall) if base else "", cost.cpu / self.n * 1e3, server_cpu / self.n * 1e3,
                                                      "%.0f" % cost.peak_mib if cost.peak_mib else "", "%.3f" % warm if warm is not None else ""), flush=True)


def server_cpu(fleet):
    """When the sessions are over: they are counted when sshd has waited for them."""
    r.deadline(120, "the servers' sessions end", lambda: not fleet.sessions())
    return measure.cpu_of([p.pid for p in fleet.processes])


def measured(b, run, rounds_of):
    """(cost, the servers' CPU a round)"""
    before, rounds = server_cpu(b.fleet), []

    def once(memory):
        rounds.append(1)
        return run(memory)
    cost = rounds_of(once)
    return cost, (server_cpu(b.fleet) - before) / len(rounds)


def bench_program(b, table, name, command, keeps, curve):
    def once(commands):
        how = command(b, curve, commands)
        return lambda memory: measure.run(memory=memory, **how)
    cost, servers = measured(b, once(1), repeated)
    warm = None
    if keeps and cost.ok and b.n > 1:
        # The play of one command starts as the play of six does.
        one = cost if name == "floor" else once_play(b, command, curve)
        six = once(1 + WARM)(False)
        warm = six.wall - one.wall if six.ok and one.ok else None
        if name == "floor" and six.ok:
            warm = json.loads(six.output)["warm_s"]
    table.add(name + (", curve" if curve else ""), cost, servers, warm)


def once_play(b, command, curve):
    """A playbook of one task, by the same program as those of more."""
    how = command(b, curve, 2)
    path = how["argv"][-1]
    with open(path) as f:
        text = f.read().split("\n")
    how["argv"][-1] = b.file("play-one.yaml", text[:4])
    return measure.run(**how)


def bench_rung(b, table):
    if not rung_has_ssh():
        return print("%-26sleft out: this build has no ssh" % "rung")
    rung = Rung(b.fleet.targets, b.fleet.keys.user)
    try:
        cost, servers = measured(b, lambda memory: rung.run(1, memory), repeated)
        warm = None
        if cost.ok:
            six = [rung.run(1 + WARM) for _ in range(ROUNDS)]
            warm = median(six).wall - cost.wall if all(c.ok for c in six) else None
        table.add("rung", cost, servers, warm)
    finally:
        rung.stop()


def bench_count(n):
    table = Table(n)
    # A user of its own has no shell start-up files, which would cost more than all the rest.
    user = dict(users={"bench": "/bin/sh"}, user="bench") if can_mount() else {}
    with Sshd(n, log_level="INFO", adopts=True, **user) as fleet:
        b = Bench(fleet)
        for name, program, command, most, keeps, is_openssh in PROGRAMS:
            if n > most or not wanted(name):
                continue
            if program and not shutil.which(program):
                print("%-26sleft out: %s is not installed" % (name, program))
                continue
            for curve in ((False, True) if is_openssh else (False,)):
                bench_program(b, table, name, command, keeps, curve)
            if name == "floor" and wanted("rung"):
                bench_rung(b, table)
        b.clear()
    say_aims(table)


def aim(what, value, most):
    print("  %-4s %-72s %8.2f  aim %.2f" % ("met" if value <= most else "MISS", what, value, most))


def say_aims(table):
    rows, n = table.rows, table.n
    if "rung" not in rows:
        return
    cost, servers, warm = rows["rung"]
    if n == 1 and "ssh" in rows:
        aim("one host, cold: wall to ssh's", cost.wall / rows["ssh"][0].wall, 0.4)
    if n == 100:
        aim("cold: wall to (servers' and client's CPU) / cores", cost.wall / ((servers + cost.cpu) / CORES), 1.15)
        if "floor" in rows:
            aim("cold: client CPU to 1.3 of the floor's and 0.5 ms a host", cost.cpu / (1.3 * rows["floor"][0].cpu + 0.0005 * n), 1.0)
        for name, times in (("ansible command", 10), ("ansible raw", 5), ("pssh, curve", 1.3)):
            if name in rows:
                aim("cold: wall to that of %s" % name, cost.wall / rows[name][0].wall, 1 / times)
        if warm is not None and rows.get("ansible command", (0, 0, None))[2]:
            aim("warm: five commands to those of ansible command", warm / rows["ansible command"][2], 1 / 20)


def bench_nothing():
    """Servers that cost nothing: how many hosts a second, and what a session holds."""
    print("\n%d hosts of a server that costs nothing\n%-26s%10s%12s%12s%14s%10s" % (HOSTS, "", "cold s", "hosts/s", "CPU ms/host", "server CPU", "MiB"), flush=True)
    folder = tempfile.mkdtemp(prefix="bench-")
    with Peer("none", instant=True, addresses=HOSTS, program=os.path.join(BUILD, "ssh-peer"), answers={"*": SHELL_MARK}) as peer:
        key = os.path.join(folder, "id")
        keygen("-t", "ed25519", "-N", "", "-f", key)
        targets = peer.targets("none")
        lines = "".join("%s %d %s\n" % (t.address, t.port, t.user) for t in targets)

        def show(name, cost, servers):
            if not cost.ok:
                return print("%-26sfailed: %s" % (name, cost.output.strip()[-300:]))
            print("%-26s%10.3f%12.0f%12.2f%14.2f%10s" % (name, cost.wall, HOSTS / cost.wall, cost.cpu / HOSTS * 1e3, servers / HOSTS * 1e3, "%.0f" % cost.peak_mib if cost.peak_mib else ""), flush=True)

        def with_servers(run):
            before = measure.cpu_of([peer.process.pid])
            cost = run()
            return cost, measure.cpu_of([peer.process.pid]) - before
        if wanted("floor"):
            show("floor", *with_servers(lambda: measure.run([os.path.join(BUILD, "ssh-floor"), "-c", "200", key, "true"], input=lines)))
        if wanted("rung") and rung_has_ssh():
            bench_rung_on_nothing(targets, key, with_servers, show)
    shutil.rmtree(folder, ignore_errors=True)


def bench_rung_on_nothing(targets, key, with_servers, show):
    rung, one = Rung(targets, key), Rung(targets[:1], key)
    try:
        cost, servers = with_servers(lambda: rung.run(1))
        show("rung", cost, servers)
        base, held = one.run(1, True, one.actors), rung.run(1, True, rung.actors)
        whole = rung.run(1, True)
        if cost.ok:
            print("%-26s%.0f KiB a host of all its processes; %.1f KiB a session of the actor's" % ("rung holds", whole.peak_mib * 1024 / HOSTS, (held.peak_mib - base.peak_mib) * 1024 / (HOSTS - 1)))
            aim("hosts a second: 600 to that", 600 / (HOSTS / cost.wall), 1.0)
            aim("KiB a session that is kept", (held.peak_mib - base.peak_mib) * 1024 / (HOSTS - 1), 32)
    finally:
        rung.stop()
        one.stop()


def main():
    print("%s targets, %d at once, %d cores; load before: %.1f" % (" ".join(map(str, COUNTS)), AT_ONCE, CORES, os.getloadavg()[0]))
    for n in COUNTS:
        bench_count(n)
    if HOSTS:
        bench_nothing()


main()
