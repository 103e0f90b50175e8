"""Drives a fork server and its workers directly (engine/sandbox/forkd.h, wire.h), as the engine would: for tests of the sandbox."""
import array, json, os, select, signal, socket, struct, subprocess, time

RELEASE = os.environ.get("RUNG_FORKD_RELEASE", "build/rung-forkd")
WORKER, ACTOR = 0, 1
PAGE = os.sysconf("SC_PAGE_SIZE")


def variant(name):
    """The release build of a variant of the fork server: tests/sandbox/forkd_NAME.c."""
    return RELEASE + "-" + name


class Worker:
    """One worker: its socket, its pidfd, and what was read of it."""

    def __init__(self, pid, sock, pidfd):
        self.pid, self.sock, self.pidfd = pid, sock, pidfd
        self.buffer, self.at = b"", 0
        self.cpu_seen, self.closed = 0.0, False

    def send(self, head, payload=b""):
        text = json.dumps(head).encode()
        self.sock.settimeout(30)
        try:
            self.sock.sendall(struct.pack(">II", len(text), len(payload)) + text + payload)
            return True
        except OSError:
            return False

    def _take(self):
        if len(self.buffer) < self.at + 8:
            return None
        head, payload = struct.unpack_from(">II", self.buffer, self.at)
        start, end = self.at + 8, self.at + 8 + head + payload
        if len(self.buffer) < end:
            return None
        self.at = end
        return json.loads(self.buffer[start:start + head]), self.buffer[start + head:end]

    def frame(self, seconds):
        """The next (header, payload); None where none came in time; raises EOFError where the worker closed, ValueError where it is no frame."""
        until = time.monotonic() + seconds
        while True:
            got = self._take()
            if got:
                return got
            left = until - time.monotonic()
            if not select.select([self.sock], [], [], max(0, left))[0]:
                return None
            try:
                data = self.sock.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                self.closed = True
                raise EOFError
            self.buffer, self.at = self.buffer[self.at:] + data, 0

    def expect(self, kind, seconds=30):
        got = self.frame(seconds)
        if not got or got[0].get("t") != kind:
            raise AssertionError("%s was expected from the worker, this came: %r" % (kind, got))
        return got[0]

    def cpu(self):
        """Seconds of CPU so far; after its end what was seen last."""
        try:
            with open("/proc/%d/schedstat" % self.pid) as f:
                self.cpu_seen = max(self.cpu_seen, int(f.read().split()[0]) / 1e9)
        except (OSError, IndexError):
            pass
        return self.cpu_seen

    def resident(self):
        """Bytes of memory that it has now; 0 after its end."""
        try:
            with open("/proc/%d/statm" % self.pid) as f:
                return int(f.read().split()[1]) * PAGE
        except (OSError, IndexError):
            return 0

    def ended(self, seconds=0):
        return bool(select.select([self.pidfd], [], [], seconds)[0])

    def kill(self):
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def close(self):
        """Ends it and waits until it has ended."""
        self.sock.close()
        self.kill()
        if not self.ended(30):
            raise AssertionError("the worker %d did not end" % self.pid)
        os.close(self.pidfd)


class Forkd:
    """A fork server of its own. environment: what it is given beside what steers sanitizers; log: a file for what it and its workers print."""

    def __init__(self, path=RELEASE, environment=None, log=subprocess.DEVNULL):
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = os.open("/bin/true", os.O_RDONLY)
        kept = {k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LSAN_"))}

        def place():
            high = [os.dup2(theirs.fileno(), 100), os.dup2(program, 101)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)
            os.closerange(5, 200)

        self.process = subprocess.Popen([path], executable=path, preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=log, env=dict(kept, **(environment or {})), start_new_session=True)
        theirs.close()
        os.close(program)
        self.sock, self.number = mine, 0

    def worker(self):
        """A new worker that has said ready."""
        self.number += 1
        self.sock.settimeout(30)
        self.sock.send(struct.pack("=IIII", self.number, WORKER, 0, 0))
        fds = array.array("i")
        data, control, _, _ = self.sock.recvmsg(64, socket.CMSG_SPACE(8))
        number, error, pid = struct.unpack("=Iii", data)
        if number != self.number or error != 0:
            raise AssertionError("the fork server answered %d with error %d" % (number, error))
        for level, kind, more in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(more[:8])
        w = Worker(pid, socket.socket(fileno=fds[0]), fds[1])
        w.ready = w.expect("ready")
        return w

    def stop(self):
        self.sock.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def attempt(source, chunk="runbooks/escape.md", **given):
    """The header and payload of an attempt with one action part."""
    code = source.encode() if isinstance(source, str) else source
    head = {"t": "attempt", "parts": [{"role": "action", "chunk": chunk, "line": 1, "bytes": len(code)}], "now_us": 1700000000000000, "seed": [1, 2],
            "cpu_ms": 10000, "memory_bytes": 64 << 20}
    head.update(given)
    return head, code
