"""A storm of alerts over HTTP, as a source that does not give up sends them: each delivery again until it is answered with 2xx or refused for good; and what was answered."""
import asyncio, hashlib, hmac, json, random, time


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


def draw(count, seed, kinds=(("run", 1), ("rails", 4), ("nothing", 95))):
    """count deliveries: half of them duplicates of earlier ones, 2 % forged, some resolved later."""
    r = random.Random(seed)
    names, weights = zip(*kinds)
    out, firing, number = [], [], 0
    for _ in range(count):
        p = r.random()
        if p < 0.02:
            out.append(Delivery(r.randrange(1000000), "run", is_forged=True))
        elif p < 0.52 and out:
            old = firing[r.randrange(max(0, len(firing) - 200), len(firing))] if firing else None
            if old:
                out.append(Delivery(old.number, old.kind, old.state, old.starts))
        elif p < 0.57 and firing:
            old = firing.pop(r.randrange(len(firing)))
            out.append(Delivery(old.number, old.kind, "resolved", old.starts))
        else:
            number += 1
            firing.append(Delivery(number, r.choices(names, weights)[0]))
            out.append(firing[-1])
    return out
