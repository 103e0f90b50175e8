"""An HTTP server for tests that says, asks and breaks off what it is told to: one behaviour a path (httpd_answers.py), a thread a connection, nothing but the standard library.

    with Httpd() as server:                      server.url("/echo"), .origin, .port
        server.requests                          what came: method, target, headers, body, connection, number on it, client's certificate
        server.raw["/x"] = b"HTTP/1.1 ..."       a path that answers these bytes and closes; a list: one for each request, the last for all further
    with Certificates() as c, Httpd(tls=c.server("localhost")) as server:      https (certificates.py); c.ca is what a client trusts
        c.server("other.test"), c.server("localhost", expired=True), c.client("ana")
    Httpd(tls=..., client_ca=c.ca)               demands a client's certificate
    Httpd(tls="hang"), Httpd(tls="garbage")      accepts, and never says a word of TLS; says something else

tests/http/test_httpd.py shows all of it."""
import json, select, socket, ssl, threading, urllib.parse

from httpd_answers import BEHAVIOURS, WITHOUT_BODY, Gone, unknown

HEAD_MAX, PIECE = 1 << 20, 1 << 16
REASONS = {100: "Continue", 200: "OK", 201: "Created", 204: "No Content", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 307: "Temporary Redirect",
           308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 417: "Expectation Failed", 429: "Too Many Requests",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


class Request:
    def __init__(self, method, target, headers, connection, number):
        self.method, self.target, self.headers, self.connection, self.number, self.body, self.client = method, target, headers, connection, number, b"", None
        parts = urllib.parse.urlsplit(target)
        self.path, self.query = parts.path, dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.words = [urllib.parse.unquote(w) for w in parts.path.split("/")[1:]]

    def header(self, name, default=None):
        return next((v for k, v in self.headers if k.lower() == name.lower()), default)

    def number_of(self, name, default):
        return int(self.query.get(name, default))

    def word(self, i, default=""):
        return self.words[i] if len(self.words) > i else default


class Connection:
    """One accepted connection: reads requests, lets a behaviour answer each, until one closes it."""

    def __init__(self, server, sock, number):
        self.server, self.sock, self.number, self.buffer, self.count, self.client = server, sock, number, b"", 0, None

    def run(self):
        try:
            self.secure()
            while True:
                self.one()
        except (Gone, OSError, ValueError):
            pass
        finally:
            self.sock.close()
            self.server.forget(self)

    def secure(self):
        tls = self.server.tls
        if tls == "hang":
            self.until_closed()
        elif tls == "garbage":
            self.send(b"220 mail.test ESMTP\r\n" * 50)
            raise Gone()
        elif tls:
            self.sock = tls.wrap_socket(self.sock, server_side=True)
            subject = (self.sock.getpeercert() or {}).get("subject", ())
            self.client = dict(x[0] for x in subject).get("commonName")

    def one(self):
        request = self.head()
        request.client = self.client
        with self.server.lock:
            self.server.requests.append(request)
        early = WITHOUT_BODY.get(request.word(0))
        if early:
            return early(self, request)
        if request.header("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.body = self.body(request)
        said = self.server.next_raw(request.path)
        if said is not None:
            self.send(said)
            raise Gone()
        BEHAVIOURS.get(request.word(0), unknown)(self, request)
        if (request.header("connection") or "").lower() == "close":
            raise Gone()

    # What comes in

    def more(self):
        got = self.sock.recv(PIECE)
        if not got:
            raise Gone()
        self.buffer += got

    def line(self):
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > HEAD_MAX:
                raise Gone()
            self.more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode("latin-1")

    def exactly(self, n):
        while len(self.buffer) < n:
            self.more()
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def head(self):
        method, target, _ = self.line().split(" ", 2)
        headers = []
        while True:
            line = self.line()
            if not line:
                break
            name, value = line.split(":", 1)
            headers.append((name, value.strip()))
        self.count += 1
        return Request(method, target, headers, self.number, self.count)

    def body(self, request):
        if (request.header("transfer-encoding") or "").lower() != "chunked":
            return self.exactly(int(request.header("content-length", "0")))
        out = b""
        while True:
            size = int(self.line().split(";")[0], 16)
            out += self.exactly(size)
            self.line()
            if size == 0:
                return out

    def until_closed(self):
        """Says nothing more, until the other side has closed."""
        while self.sock.recv(PIECE):
            pass
        raise Gone()

    # What goes out

    def send(self, data):
        self.sock.sendall(data)

    def drip(self, data, rate):
        """rate bytes a second, one at a time."""
        for i in range(len(data)):
            self.send(data[i:i + 1])
            if select.select([self.sock], [], [], 1 / rate)[0] and not self.sock.recv(PIECE):
                raise Gone()

    def status(self, code, headers=()):
        lines = ["HTTP/1.1 %d %s" % (code, REASONS.get(code, "Status")), "X-Connection: %d" % self.number]
        return ("\r\n".join(lines + ["%s: %s" % h for h in headers]) + "\r\n\r\n").encode("latin-1")

    def answer(self, request, body=b"", code=200, headers=(), kind="text/plain"):
        if isinstance(body, str):
            body = body.encode()
        has_body = code != 204 and code != 304 and code >= 200
        more = [("Content-Type", kind), ("Content-Length", len(body))] if has_body else []
        self.send(self.status(code, list(headers) + more) + (body if has_body and request.method != "HEAD" else b""))

    def answer_json(self, request, value, code=200):
        self.answer(request, json.dumps(value), code, kind="application/json")


class Httpd:
    """The server. names: addresses it listens on beside the first, on the same port. server.counts and .effects: see /flaky and /effect."""

    def __init__(self, address="127.0.0.1", port=0, tls=None, client_ca=None, tls_max=None):
        self.address, self.raw, self.requests, self.counts, self.effects = address, {}, [], {}, {}
        self.lock, self.open, self.connections = threading.Lock(), {}, 0
        self.tls = tls if tls in (None, "hang", "garbage") else context(tls, client_ca, tls_max)
        self.listener = socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def origin(self):
        return self.origin_of(self.address)

    def origin_of(self, name):
        """The same server, under another name."""
        return "%s://%s:%d" % ("https" if self.tls else "http", "[%s]" % name if ":" in name else name, self.port)

    def url(self, path, name=None):
        return self.origin_of(name or self.address) + path

    def accept(self):
        while True:
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                c = Connection(self, sock, self.connections)
                self.open[c] = sock
            threading.Thread(target=c.run, daemon=True).start()

    def forget(self, connection):
        with self.lock:
            self.open.pop(connection, None)

    def next_raw(self, path):
        with self.lock:
            said = self.raw.get(path)
            if isinstance(said, list):
                return said.pop(0) if len(said) > 1 else said[0]
            return said

    def counted(self, key):
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            left = list(self.open.values())
        for sock in left:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def context(files, client_ca, tls_max):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*files)
    if tls_max:
        made.minimum_version, made.maximum_version = tls_max, tls_max
    if client_ca:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(client_ca)
    return made
