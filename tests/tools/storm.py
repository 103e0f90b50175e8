"""A storm of alerts over HTTP, as a source that does not give up sends them: each delivery again until it is answered with 2xx or refused for good; and what was answered."""
import asyncio, hashlib, hmac, json, os, pwd, random, socket, sqlite3, subprocess, tempfile, time

import rungclient as r


class Delivery:
    """One POST: an alert of a generic source, in a state."""

    def __init__(self, number, kind, state="firing", starts="2026-11-29T03:00:00Z", is_forged=False):
        self.number, self.kind, self.state, self.starts, self.is_forged = number, kind, state, starts, is_forged
        self.answers = []  # (status, decision) of each that was answered
        self.sent_s = self.done_s = None
        self.tries = 0

    @property
    def fingerprint(self):
        return "%s%06d" % ("forged" if self.is_forged else "alert", self.number)

    def body(self):
        return json.dumps({"id": self.fingerprint, "name": "Storm" + self.kind, "state": self.state, "starts": self.starts,
                           "labels": {"kind": self.kind, "instance": "web-%02d:9100" % (self.number % 40), "alertname": "Storm" + self.kind, "severity": "warning"}}).encode()


class Storm:
    def __init__(self, port, path, key, header="X-Signature", connections=32):
        self.port, self.path, self.key, self.header, self.connections = port, path, key, header, connections
        self.refused, self.errors = 0, 0

    def request(self, d):
        body = d.body()
        key = b"not the key at all" if d.is_forged else self.key
        return ("POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n%s: %s\r\nContent-Length: %d\r\n\r\n" %
                (self.path, self.header, hmac.new(key, body, hashlib.sha256).hexdigest(), len(body))).encode() + body

    @staticmethod
    async def answer(reader):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, v in (l.split(":", 1) for l in lines[1:] if ":" in l)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return int(lines[0].split()[1]), headers, body

    async def one(self, at, d):
        """Sends d on the connection `at` (a list of reader and writer, or empty) until it is answered for good."""
        while True:
            try:
                if not at:
                    at.extend(await asyncio.open_connection("127.0.0.1", self.port))
                d.tries += 1
                at[1].write(self.request(d))
                status, headers, body = await asyncio.wait_for(self.answer(at[0]), 60)
                if headers.get("connection", "").lower() == "close":
                    at[1].close()
                    at.clear()
                if status in (429, 503):  # not now
                    await asyncio.sleep(0.05)
                    continue
                value = json.loads(body) if body and status == 200 else {}
                d.answers.append((status, (value.get("decisions") or [None])[0]))
                d.done_s = time.monotonic()
                return
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, EOFError):
                self.errors += 1
                if at:
                    at[1].close()
                at.clear()
                await asyncio.sleep(0.02)

    async def run(self, deliveries, rate):
        """Delivers them, rate of them a second (0: as fast as it goes). Nothing is left out where the engine is slower; it gets later."""
        queue, began = asyncio.Queue(), time.monotonic()

        async def feed():
            for i, d in enumerate(deliveries):
                ahead = began + i / rate - time.monotonic() if rate else 0
                if ahead > 0:
                    await asyncio.sleep(ahead)
                d.sent_s = time.monotonic()
                queue.put_nowait(d)
            for _ in range(self.connections):
                queue.put_nowait(None)

        async def carry():
            at = []
            while True:
                d = await queue.get()
                if d is None:
                    break
                await self.one(at, d)
            if at:
                at[1].close()

        await asyncio.gather(feed(), *(carry() for _ in range(self.connections)))
        return time.monotonic() - began


def deliveries(count, seed, kinds=(("run", 1), ("rails", 4), ("nothing", 95))):
    """count deliveries: half of them duplicates of earlier ones, 2 % forged, some resolved later."""
    draw = random.Random(seed)
    names, weights = zip(*kinds)
    out, firing, number = [], [], 0
    for _ in range(count):
        p = draw.random()
        if p < 0.02:
            out.append(Delivery(draw.randrange(1000000), "run", is_forged=True))
        elif p < 0.52 and out:
            old = firing[draw.randrange(max(0, len(firing) - 200), len(firing))] if firing else None
            if old:
                out.append(Delivery(old.number, old.kind, old.state, old.starts))
        elif p < 0.57 and firing:
            old = firing.pop(draw.randrange(len(firing)))
            out.append(Delivery(old.number, old.kind, "resolved", old.starts))
        else:
            number += 1
            firing.append(Delivery(number, draw.choices(names, weights)[0]))
            out.append(firing[-1])
    return out


TOKEN = "a token of the storm, for whoever measures"

FILES = {
    ".rung/config.yaml": "version: 1\n",
    ".rung/secrets.yaml": "version: 1\nsecrets:\n  storm-key: {file: %(folder)s/key}\n",
    ".rung/alerts.yaml": """version: 1
sources:
  storm:
    kind: generic
    hmac: {secret: storm-key, header: X-Signature}
    name: /name
    state: /state
    fingerprint: /id
    labels: /labels
    starts: /starts
  token:
    kind: generic
    bearer: {sha256: %(token)s}
    name: /labels/alertname
    fingerprint: /labels/instance
    labels: /labels
    starts: /startsAt
defaults: {as: bot, priority: 3}
bindings:
  - {id: run, match: {kind: run}, playbook: playbooks/look.md, cooldown: 1s, runs: false, max_running: 1000, breaker: false}
  - {id: rails, match: {kind: rails}, playbook: playbooks/look.md, runs: {count: %(rail)d, within: 1h}, max_running: 2, breaker: false}
""",
    ".rung/policy.yaml": """version: 1
services: {bot: {rate: 100000/h, max_running: 5000}}
rules:
  - {id: bot, allow: [run, read], who: [service:bot], books: ["**"], grants: ["sh sh -c **"]}
  - {id: us, allow: [run, read, respond], who: ["user:%(user)s"], books: ["**"]}
""",
    "playbooks/look.md": """# Look

## Permissions

- read: `sh sh -c **`

## Diagnosis

1. Look

   ```lua {id=look risk=read effect=read}
   sh({"sh", "-c", 'echo "$1" >> "$2"', "sh", run.id, "%(folder)s/oracle"})
   ```
""",
}


class Served:
    """`rung serve` on a workspace of its own."""

    def __init__(self, key, rail_starts=5):
        self.folder = tempfile.mkdtemp(prefix="rung-storm-")
        self.state, self.process = os.path.join(self.folder, ".rung", "state"), None
        words = {"folder": self.folder, "rail": rail_starts, "user": pwd.getpwuid(os.getuid()).pw_name, "token": hashlib.sha256(TOKEN.encode()).hexdigest()}
        for name, text in FILES.items():
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text % words)
        with open(os.path.join(self.folder, "key"), "wb") as f:
            f.write(key)
        os.chmod(os.path.join(self.folder, "key"), 0o600)
        self.port = self.free_port()
        self.log = open(os.path.join(self.folder, "serve.log"), "ab")
        self.environment = dict(os.environ, XDG_STATE_HOME=os.path.join(self.folder, "xdg"))

    @staticmethod
    def free_port():
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def rung(self, *words):
        return subprocess.run([os.environ["RUNG"], *words], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def start(self):
        self.process = subprocess.Popen([os.environ["RUNG"], "serve", "--listen", "127.0.0.1:%d" % self.port], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, start_new_session=True)
        return self

    def ready(self):
        def look():
            assert self.process.poll() is None, "rung serve has ended: see %s/serve.log" % self.folder
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                return False
        r.deadline(60, "rung serve listens", look)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()

    def records(self):
        db = sqlite3.connect("file:%s/store.db?mode=ro" % self.state, uri=True)
        out = [json.loads(line) for (line,) in db.execute("SELECT line FROM record ORDER BY seq")]
        db.close()
        return out
