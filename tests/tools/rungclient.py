"""Speaks the engine's frames (engine/service/protocol.h), for tests that drive an engine without a terminal."""
import json, os, signal, socket, struct, subprocess, tempfile, time

BUILD = os.environ.get("RUNG_BUILD", "build")


def deadline(seconds, what, condition, every=0.01):
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("not within %s s: %s" % (seconds, what))
        time.sleep(every)


class Closed(Exception):
    pass


class Refused(Exception):
    def __init__(self, error):
        super().__init__("%s: %s" % (error.get("kind"), error.get("text")))
        self.kind = error.get("kind")
        self.text = error.get("text")


class Client:
    def __init__(self, state, path=None):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.buffer = b""
        self.next = 0
        self.events = []
        if path:
            self.sock.connect(path)
            return
        here = os.getcwd()
        os.chdir(state)
        try:
            self.sock.connect("engine.sock")
        finally:
            os.chdir(here)

    def close(self):
        self.sock.close()

    def _read(self, n):
        while len(self.buffer) < n:
            try:
                got = self.sock.recv(1 << 16)
            except OSError:
                raise Closed()
            if not got:
                raise Closed()
            self.buffer += got
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def frame(self):
        head, payload = struct.unpack(">II", self._read(8))
        return json.loads(self._read(head)), self._read(payload)

    def send(self, head, payload=b""):
        text = json.dumps(head).encode()
        try:
            self.sock.sendall(struct.pack(">II", len(text), len(payload)) + text + payload)
        except OSError:
            raise Closed()

    def ask(self, op, payload=b"", timeout=60, **args):
        self.next += 1
        mine = self.next
        self.sock.settimeout(timeout)
        self.send({"id": mine, "op": op, "args": args}, payload)
        while True:
            head, data = self.frame()
            if head.get("re") == mine:
                if not head["ok"]:
                    raise Refused(head["error"])
                value = head["value"]
                if data:
                    value["payload"] = data
                return value
            self.events.append((head, data))

    def event(self, timeout=60):
        if self.events:
            return self.events.pop(0)
        self.sock.settimeout(timeout)
        return self.frame()


class Engine:
    """An engine of its own on a state directory of its own."""

    def __init__(self, folder, build=BUILD, idle="10m"):
        self.folder = folder
        self.state = os.path.join(folder, "state")
        self.guard = os.path.join(folder, "xdg")
        self.program = os.path.abspath(os.path.join(build, "rung"))
        self.idle = idle
        self.process = None
        self.log = open(os.path.join(folder, "engine.log"), "ab")

    def environment(self):
        return dict(os.environ, XDG_STATE_HOME=self.guard)

    def start(self):
        r, w = os.pipe()
        self.process = subprocess.Popen([self.program, "engine", "--state", self.state, "--idle", self.idle, "--ready-fd", str(w)], pass_fds=[w], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, start_new_session=True, env=self.environment())
        os.close(w)
        with os.fdopen(r) as f:
            said = f.read()
        if said != "ready\n":
            raise AssertionError("the engine did not start: %r" % said)
        return self

    def client(self):
        return Client(self.state)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode if self.process else None

    def verify(self):
        return subprocess.run([self.program, "verify", "--state", self.state], env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def children(self):
        """pids below the engine: (fork server, workers and actors)"""
        out = []
        def below(pid):
            try:
                with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
                    kids = [int(k) for k in f.read().split()]
            except OSError:
                return
            for k in kids:
                out.append(k)
                below(k)
        below(self.process.pid)
        return out


def wait_over(client, execution, timeout=60):
    """The view of an execution once it is over or waits for a person."""
    def look():
        v = client.ask("attach", execution=execution)
        return v if v["state"] not in ("pending", "running") else None
    return deadline(timeout, "execution over", look, 0.02)
