"""The SSH server that misbehaves as it is told (tests/ssh/peer_*.c): a port for each fault.

    with Peer("none", "hang:kex", "drop:output@2") as peer:     peer.target("hang:kex") is what sshd.Sshd's targets are; "@2": from a connection's second session on
    Peer("none", instant=True, addresses=1000)                  costs nothing: any key, any command, status 0, no process; peer.targets("none") are a thousand
    Peer("none", answers={"uname": "Linux\\n"})                  this command is not run, and has answered that; "*": every other one
    every_fault()                                               all that there are, {name: what it does}

peer.known_hosts holds its key, for every port."""
import os, subprocess, tempfile, shutil

from sshd import Target, die_with_parent, write

PROGRAM = os.path.join(os.environ.get("RUNG_BUILD", "build"), "ssh-peer")


def every_fault():
    out, actions = {}, {}
    for line in subprocess.run([PROGRAM, "-l"], check=True, capture_output=True, text=True).stdout.splitlines():
        name, what = line.split("\t")
        if name.endswith(":STAGE"):
            actions[name[:-len("STAGE")]] = what
        elif name.startswith("  :"):
            out.update({action + name[3:]: "%s when %s" % (does, what) for action, does in actions.items()})
        else:
            out[name] = what
    return out


class Peer:
    def __init__(self, *faults, instant=False, addresses=1, processes=1, answers=None, program=None):
        self.folder, self.ports, self.addresses = tempfile.mkdtemp(prefix="peer-"), {}, addresses
        argv = [program or PROGRAM, "-n", str(addresses), "-p", str(processes)] + (["-i"] if instant else [])
        for command, answer in (answers or {}).items():
            argv += ["-a", "%s=%s" % (command, answer.replace("\n", "\\n"))]
        self.log = open(os.path.join(self.folder, "log"), "w+")
        self.process = subprocess.Popen(argv + list(faults), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, preexec_fn=die_with_parent)
        self.key = self.process.stdout.readline().strip().split(" ", 1)[-1]
        for line in self.process.stdout:
            if line == "ready\n":
                break
            name, port = line.split()
            self.ports[name] = int(port)
        else:
            raise AssertionError("ssh-peer ended: " + self.said())
        lines = ("[%s]:%d %s\n" % (t.address, t.port, t.key) for name in self.ports for t in self.targets(name))
        self.known_hosts = write(os.path.join(self.folder, "known_hosts"), "".join(lines))

    def targets(self, fault):
        at = ["127.0.0.1"] if self.addresses == 1 else ["127.1.%d.%d" % divmod(i + 2, 256) for i in range(self.addresses)]
        return [Target("p%d" % i, a, self.ports[fault], "ana", self.key) for i, a in enumerate(at)]

    def target(self, fault):
        return self.targets(fault)[0]

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def stop(self):
        """Gives its exit status: 0, where no sanitizer found something."""
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        said = self.said()
        status = self.stop()
        assert kind or status == 0, said
