"""Real OpenSSH servers on loopback, for tests and measurements of what speaks SSH: temporary keys, addresses 127.0.x.y, one free port, several sshd as one fleet.

    with Sshd(3) as fleet:                   three targets: fleet.targets[0].address, .port, .user, .key (its host key as "ssh-ed25519 AAAA...")
        fleet.ssh(fleet.targets[0], "true")  what OpenSSH's client says of it, with fleet.keys.user and fleet.known_hosts
        fleet.restart(new_keys=True)         the same addresses and port with other host keys
        fleet.drop()                         ends every session where it stands
    Sshd(1, users={"plainc": "/bin/tcsh"})   users that exist for this sshd alone, with a home of their own and that login shell (root only: a mount namespace)
    Sshd(2, behind=True)                     targets in a network namespace of their own, which only fleet.jump reaches (root only)
    with Agent(fleet.keys.user) as agent     an ssh-agent that holds a key: agent.socket

Nothing of this host's own SSH is read or changed, except that /run/sshd is made where it is not there; with root, homes are folders of the test. tests/ssh/test_peers.py shows all of it."""
import collections, ctypes, getpass, os, shutil, signal, socket, subprocess, tempfile, threading

from rungclient import deadline

PROGRAM = "/usr/sbin/sshd"
ROOT = os.geteuid() == 0
ADDRESSES_EACH = 16  # MAX_LISTEN_SOCKS of sshd
FIRST_UID = 31000  # of the users that a test makes
Target = collections.namedtuple("Target", "name address port user key")


def die_with_parent():
    """In a child before exec: a test that is killed leaves no server behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def adopt_and_die_with_parent():
    die_with_parent()
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER, which exec keeps


def address(n):
    """The nth target's: 127.0.0.2 ... 127.0.0.251, 127.0.1.2 ..."""
    return "127.0.%d.%d" % (n // 250, n % 250 + 2)


def free_port(addresses):
    """A port that is free on all of them now."""
    for _ in range(50):
        with socket.socket() as s:
            s.bind((addresses[0], 0))
            port = s.getsockname()[1]
        held = []
        try:
            for a in addresses:
                held.append(socket.socket())
                held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                held[-1].bind((a, port))
            return port
        except OSError:
            pass
        finally:
            for s in held:
                s.close()
    raise AssertionError("no port is free on %d addresses" % len(addresses))


def can_mount():
    """Whether a process of this test may have mounts of its own."""
    return ROOT and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


def listens(address, port, table="/proc/net/tcp"):
    """Whether somebody does, found without a connection; table: of the network namespace."""
    wanted = "%s:%04X" % (socket.inet_aton(address)[::-1].hex().upper(), port)
    return any(line.split()[1] == wanted and line.split()[3] == "0A" for line in read(table).splitlines()[1:])


def keygen(*arguments):
    subprocess.run(["ssh-keygen", "-q"] + list(arguments), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def read(path):
    with open(path) as f:
        return f.read()


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


class Keys:
    """A user's key that every target accepts (.user), another that none does (.stranger), and .certified, which none does but for its certificate: signed by .ca."""

    def __init__(self, folder, principals):
        self.user, self.stranger, self.certified, self.ca = (os.path.join(folder, n) for n in ("id_user", "id_stranger", "id_certified", "ca"))
        for path in (self.user, self.stranger, self.certified, self.ca):
            keygen("-t", "ed25519", "-N", "", "-C", os.path.basename(path), "-f", path)
        self.certificate = self.sign(self.certified, principals)

    def sign(self, key, principals, validity="+1h", *more):
        """Certifies a key for these users (ssh-keygen's -V validity); gives the path of the certificate, which stands beside the key."""
        keygen("-s", self.ca, "-I", "test", "-n", ",".join(principals), "-V", validity, *more, key + ".pub")
        return key + "-cert.pub"


class Agent:
    """An ssh-agent of its own that holds these keys."""

    def __init__(self, *keys):
        self.folder = tempfile.mkdtemp(prefix="agent-")
        self.socket = os.path.join(self.folder, "socket")
        # It ends itself soon after the command that it was started for, which ends when this test does.
        self.process = subprocess.Popen(["ssh-agent", "-a", self.socket, "sh", "-c", "echo $SSH_AGENT_PID; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = int(self.process.stdout.readline())
        deadline(10, "ssh-agent listens", lambda: os.path.exists(self.socket))
        if keys:
            self.add(*keys)

    def add(self, *keys):
        if keys:  # without one, ssh-add takes this user's own
            subprocess.run(["ssh-add", "-q"] + list(keys), check=True, env=dict(os.environ, SSH_AUTH_SOCK=self.socket), stdin=subprocess.DEVNULL)

    def stop(self):
        kill_all([self.pid])
        self.process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Sshd:
    """A fleet of targets.

    count          targets, one address each, all on one port
    first          the number of the first one's address
    kex            KexAlgorithms, as sshd_config has them
    users          {name: login shell}: made for this fleet, beside those of the host
    sudo           lines of its sudoers, where sudo is there
    force_command  runs in place of what was asked for
    behind         targets that are reached through .jump only
    config         further lines of sshd_config
    user           of the targets; the one that runs this
    log_level      of sshd; logged() looks for what it says
    adopts         what a session leaves behind becomes the server's child, which waits for it: it counts among sessions(), and as CPU of the server"""

    def __init__(self, count=1, first=0, kex=None, users=None, sudo=None, force_command=None, behind=False, config="", user=None, log_level="DEBUG1", adopts=False):
        self.folder = tempfile.mkdtemp(prefix="sshd-")
        # Other users come in to their homes.
        for path in (self.folder, os.environ.get("TMPDIR", "")):
            if path == self.folder or "/rung-suite-" in path:
                os.chmod(path, 0o755)
        self.user, self.users, self.sudo, self.log_level = user or getpass.getuser(), users or {}, sudo, log_level
        self.before_exec = adopt_and_die_with_parent if adopts else die_with_parent
        self.own_mounts = can_mount()
        if (self.users or sudo or behind) and not self.own_mounts:
            raise RuntimeError("users, sudo and behind take root and a mount namespace")
        self.addresses = [address(first + i) for i in range(count)]
        self.keys = Keys(self.folder, [self.user, "root"] + list(self.users))
        self.kex, self.force_command, self.config = kex, force_command, config
        self.prefix = self.mounts()
        self.log, self.known_hosts = self.path("sshd.log"), self.path("known_hosts")
        self.processes, self.host_keys, self.jump, self.network = [], [], None, None
        if ROOT:
            os.makedirs("/run/sshd", 0o755, exist_ok=True)
        if behind:
            self.network = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, preexec_fn=die_with_parent)
            if self.network.stdout.readline() != b"up\n":
                raise RuntimeError("no network namespace")
            self.prefix = ["nsenter", "--net=/proc/%d/ns/net" % self.network.pid] + self.prefix
        self.start_new()
        if behind:
            self.jump = Jump(self)

    # What a test asks for

    @property
    def targets(self):
        return [Target("t%d" % i, a, self.port, self.user, self.host_keys[i // ADDRESSES_EACH]) for i, a in enumerate(self.addresses)]

    def ssh(self, target, *command, key=None, options=(), user=None):
        """OpenSSH's client, for what a test itself needs to know: (status, stdout, stderr)."""
        argv = ["ssh", "-F", "none", "-i", key or self.keys.user, "-p", str(target.port)]
        # The first of an option counts.
        for o in list(options) + ["IdentitiesOnly=yes", "IdentityAgent=none", "BatchMode=yes", "StrictHostKeyChecking=yes", "UserKnownHostsFile=" + self.known_hosts, "GlobalKnownHostsFile=none"]:
            argv += ["-o", o]
        done = subprocess.run(argv + [(user or target.user) + "@" + target.address] + list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def restart(self, new_keys=False):
        """Stops and starts on the same addresses and port; known_hosts stays what it was."""
        self.end_processes()
        if new_keys:
            self.make_host_keys()
        self.launch()

    def sessions(self):
        """pids below the servers: those of sessions, and what runs in them."""
        return [p for server in self.processes for p in descendants(server.pid)]

    def drop(self):
        """Ends every session where it stands; gives how many processes that were. The servers go on."""
        return kill_all(self.sessions())

    def logged(self, text):
        """How often the servers' logs say so."""
        return sum(read(self.log + str(i)).count(text) for i in range(len(self.processes)))

    def stop(self):
        self.end_processes()
        if self.jump:
            self.jump.stop()
        if self.network:
            self.network.kill()
            self.network.wait()
            self.network.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # How it is made

    def path(self, name):
        return os.path.join(self.folder, name)

    def mounts(self):
        """What goes before sshd so that it sees users and sudoers of its own; nothing where there are no mounts to be had."""
        if not self.own_mounts:
            return []
        passwd, group, me = [l.split(":") for l in read("/etc/passwd").splitlines()], read("/etc/group"), getpass.getuser()
        for fields in passwd:
            if fields[0] == me:
                # Not this user's own home: shells would read its start-up files, and commands leave things there.
                fields[5] = self.path("home-" + me)
                os.mkdir(fields[5], 0o700)
        passwd = "".join(":".join(fields) + "\n" for fields in passwd)
        for i, (name, shell) in enumerate(self.users.items()):
            home = self.path("home-" + name)
            os.mkdir(home, 0o755)
            os.chown(home, FIRST_UID + i, FIRST_UID + i)
            passwd += "%s:x:%d:%d::%s:%s\n" % (name, FIRST_UID + i, FIRST_UID + i, home, shell)
            group += "%s:x:%d:\n" % (name, FIRST_UID + i)
        # Nobody has a password here, and nobody is locked.
        shadow = "".join("%s:*:19000:0:99999:7:::\n" % l.split(":")[0] for l in passwd.splitlines())
        over = {"/etc/passwd": write(self.path("passwd"), passwd), "/etc/group": write(self.path("group"), group), "/etc/shadow": write(self.path("shadow"), shadow, 0o600)}
        if self.sudo:
            over["/etc/sudoers"] = write(self.path("sudoers"), self.sudo + "\n", 0o440)
        script = "".join("mount --bind %s %s && " % (ours, theirs) for theirs, ours in over.items())
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", script + 'exec "$@"', "-"]

    def groups(self):
        return [self.addresses[i:i + ADDRESSES_EACH] for i in range(0, len(self.addresses), ADDRESSES_EACH)]

    def make_host_keys(self):
        self.host_keys = []
        for i in range(len(self.groups())):
            path = self.path("host_key%d" % i)
            for old in (path, path + ".pub"):
                if os.path.exists(old):
                    os.unlink(old)
            keygen("-t", "ed25519", "-N", "", "-C", "", "-f", path)
            self.host_keys.append(read(path + ".pub").strip())

    def start_new(self):
        self.make_host_keys()
        for attempt in range(5):
            self.port = free_port(self.addresses)
            try:
                self.launch()
                break
            except AssertionError:
                self.end_processes()  # somebody else took the port in between
                if attempt == 4:
                    raise
        write(self.known_hosts, "".join("[%s]:%d %s\n" % (t.address, t.port, t.key) for t in self.targets))

    def settings(self, i, addresses):
        lines = ["ListenAddress %s:%d" % (a, self.port) for a in addresses]
        lines += ["HostKey " + self.path("host_key%d" % i), "PidFile none", "AuthorizedKeysFile " + self.keys.user + ".pub", "TrustedUserCAKeys " + self.keys.ca + ".pub"]
        lines += ["StrictModes no", "UsePAM no", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin yes", "PermitUserRC no", "PrintMotd no"]
        lines += ["PrintLastLog no", "MaxStartups 2000", "MaxSessions 200", "Subsystem sftp internal-sftp", "LogLevel " + self.log_level]
        if self.kex:
            lines.append("KexAlgorithms " + self.kex)
        if self.force_command:
            lines.append("ForceCommand " + self.force_command)
        return write(self.path("sshd_config%d" % i), "\n".join(lines) + "\n" + self.config + "\n")

    def launch(self):
        for i, addresses in enumerate(self.groups()):
            argv = self.prefix + [PROGRAM, "-D", "-f", self.settings(i, addresses), "-E", self.log + str(i)]
            self.processes.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=self.before_exec))
        for i, addresses in enumerate(self.groups()):
            deadline(20, "sshd listens on %s" % addresses[-1], lambda: self.ready(i, addresses[-1]))

    def ready(self, i, last):
        if self.processes[i].poll() is not None:
            raise AssertionError("sshd ended: " + read(self.log + str(i))[-500:])
        return listens(last, self.port, "/proc/%d/net/tcp" % self.processes[i].pid)

    def end_processes(self):
        # Their sessions first, which the servers then wait for: nothing is left over for whoever reaps orphans here.
        deadline(20, "the sessions end", lambda: not kill_all(self.sessions()))
        for p in self.processes:
            p.kill()
            p.wait()
        for i in range(len(self.processes)):
            if os.path.exists(self.log + str(i)):
                os.rename(self.log + str(i), self.log + str(i) + ".old")
        self.processes = []


class Jump:
    """A target whose own connections go out of its fleet's network: what comes in on its address is handed to an sshd there. Made by Sshd(behind=True)."""

    def __init__(self, fleet):
        self.fleet = fleet
        host_key = fleet.path("jump_key")
        keygen("-t", "ed25519", "-N", "", "-C", "", "-f", host_key)
        settings = ["HostKey " + host_key, "AuthorizedKeysFile " + fleet.keys.user + ".pub", "StrictModes no", "UsePAM no", "PermitRootLogin yes", "LogLevel DEBUG1"]
        self.argv = fleet.prefix + [PROGRAM, "-i", "-f", write(fleet.path("jump_config"), "\n".join(settings) + "\n"), "-E", fleet.path("jump.log")]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.target = Target("jump", "127.0.0.1", self.listener.getsockname()[1], fleet.user, read(host_key + ".pub").strip())
        with open(fleet.known_hosts, "a") as f:
            f.write("[%s]:%d %s\n" % (self.target.address, self.target.port, self.target.key))
        self.processes = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            with connection:
                self.processes.append(subprocess.Popen(self.argv, stdin=connection, stdout=connection, stderr=subprocess.DEVNULL))

    def logged(self, text):
        path = self.fleet.path("jump.log")
        return read(path).count(text) if os.path.exists(path) else 0

    def drop(self):
        """Ends every connection through it."""
        below = [q for p in self.processes if p.poll() is None for q in [p.pid] + descendants(p.pid)]
        killed = kill_all(below)
        for p in self.processes:
            p.wait()
        self.processes = []
        return killed

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()


def descendants(pid):
    out, left = [], [pid]
    while left:
        try:
            with open("/proc/%d/task/%d/children" % ((left[-1],) * 2)) as f:
                kids = [int(k) for k in f.read().split()]
        except OSError:
            kids = []
        left.pop()
        out += kids
        left += kids
    return out


def kill_all(pids):
    killed = 0
    for p in pids:
        try:
            os.kill(p, signal.SIGKILL)
            killed += 1
        except OSError:
            pass
    return killed
