"""An engine as a service (rung serve) in a workspace of its own, and requests to it: whole ones, and bytes as a test wants them."""
import http.client, json, os, re, shutil, signal, socket, subprocess, tempfile

import rungclient as r
from world import World


class Service(r.Engine):
    """`rung serve` in the foreground, with what it says on standard error in engine.log."""

    def __init__(self, folder, options=(), environment=None, build=r.BUILD):
        super().__init__(folder, build)
        self.state = os.path.join(folder, ".rung", "state")
        os.makedirs(os.path.dirname(self.state), exist_ok=True)
        self.options, self.more = list(options), environment or {}
        self.port = None

    def environment(self):
        return dict(super().environment(), **self.more)

    def said(self):
        with open(os.path.join(self.folder, "engine.log"), errors="replace") as f:
            return f.read()

    def launch(self):
        before = len(self.said())
        self.process = subprocess.Popen([self.program, "serve", "--listen", "127.0.0.1:0"] + self.options, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, start_new_session=True, env=self.environment())
        return before

    def start(self):
        before = self.launch()
        def look():
            if self.process.poll() is not None:
                raise AssertionError("the service did not start: " + self.said()[before:])
            found = re.search(r"listening on https?://\S+:(\d+)\n.* engine of ", self.said()[before:], re.S)
            return found and int(found.group(1))
        self.port = r.deadline(30, "the service listens", look)
        return self

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)


class Served(World):
    """A World whose engine is a service."""

    def __init__(self, options=(), config=None, policy=None, environment=None, build=r.BUILD):
        self.folder = tempfile.mkdtemp(prefix="rung-serve-")
        self.engine = Service(self.folder, options, environment, build)
        for name, text in (("config.yaml", config), ("policy.yaml", policy)):
            if text is not None:
                with open(os.path.join(self.folder, ".rung", name), "w") as f:
                    f.write(text)
        self.books = 0
        self.engine.start()
        self.client = self.engine.client()

    def restart(self):
        self.client.close()
        self.engine.kill()
        self.engine.start()
        self.client = self.engine.client()

    @property
    def port(self):
        return self.engine.port

    def token(self, name="t", **more):
        return self.client.ask("token.create", name=name, **more)["token"]

    def http(self, method, path, token=None, body=None, headers=(), timeout=30, source=None):
        """(status, headers, body) of one request on a connection of its own."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout, source_address=source and (source, 0))
        all = dict(headers)
        if token:
            all["Authorization"] = "Bearer " + token
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            all.setdefault("Content-Type", "application/json")
        try:
            c.request(method, path, body, all)
            answer = c.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            c.close()

    def ask(self, token, operation, status=200, **args):
        got, _, body = self.http("POST", "/v1/" + operation, token, args)
        assert got == status, (got, body)
        return json.loads(body)

    def connect(self, timeout=30, source=None):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=timeout, source_address=source and (source, 0))
        return s

    def raw(self, data, timeout=30):
        """All that comes back for these bytes until the other end closes, which the test's own closing of its half makes it do."""
        with self.connect(timeout) as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has refused already
            got = b""
            while True:
                try:
                    part = s.recv(65536)
                except ConnectionResetError:
                    part = b""
                if not part:
                    return got
                got += part

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.client.close()
        status = self.engine.stop()
        log = self.engine.said()
        if kind is None:
            assert "Sanitizer" not in log and "runtime error" not in log, log[-4000:]
            assert status == 0, (status, log[-2000:])
            verdict = self.engine.verify()
            assert verdict.returncode == 0, verdict.stdout + verdict.stderr
            shutil.rmtree(self.folder, ignore_errors=True)


def statuses(answer):
    """The status codes of all answers in these bytes."""
    return [int(s) for s in re.findall(rb"(?:^|\n|>)HTTP/1\.[01] (\d{3}) ", answer)]


def resident_kib(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))
