"""What an Httpd (httpd.py) can be told to do: a behaviour a path, named by the path's first word. Each gets the connection and the request."""
import gzip, json, select, socket, struct, urllib.parse, zlib


class Gone(Exception):
    """The connection is over."""


BEHAVIOURS, WITHOUT_BODY = {}, {}


def behaviour(name, before_body=False):
    """A function (connection, request) that answers /name...; before_body: it is called when the head is there, and reads what it wants of the body itself."""
    def register(function):
        (WITHOUT_BODY if before_body else BEHAVIOURS)[name] = function
        return function
    return register


# Plain answers

def unknown(c, request):
    c.answer(request, "there is no behaviour /%s\n" % request.word(0), 404)


@behaviour("echo")
def echo(c, request):
    """What came, as JSON; the body as latin-1 text."""
    c.answer_json(request, {"method": request.method, "target": request.target, "headers": request.headers, "body": request.body.decode("latin-1"), "connection": c.number,
                            "number": request.number, "client": c.client})


@behaviour("status")
def status(c, request):
    """/status/503?header=Retry-After:+2&body=text"""
    header = request.query.get("header")
    c.answer(request, request.query.get("body", ""), int(request.word(1)), [tuple(x.strip() for x in header.split(":", 1))] if header else [])


@behaviour("bytes")
def some_bytes(c, request):
    """/bytes/N: N bytes with a length; ?chunk=M: in chunks of M."""
    n, chunk = int(request.word(1)), request.number_of("chunk", 0)
    body = (b"0123456789abcdef" * (n // 16 + 1))[:n]
    if not chunk:
        return c.answer(request, body)
    c.send(c.status(200, [("Transfer-Encoding", "chunked")]))
    for i in range(0, n, chunk):
        c.send(b"%x\r\n%s\r\n" % (len(body[i:i + chunk]), body[i:i + chunk]))
    c.send(b"0\r\n\r\n")


@behaviour("until-close")
def until_close(c, request):
    """/until-close/N: a body that ends with the connection."""
    c.send(c.status(200, [("Connection", "close")]) + b"x" * int(request.word(1)))
    raise Gone()


@behaviour("flaky")
def flaky(c, request):
    """/flaky/KEY?fails=2&code=503: fails that often, then answers with how often it was asked. code=0: closes instead."""
    n = c.server.counted(request.word(1))
    if n > request.number_of("fails", 1):
        return c.answer(request, str(n))
    if request.number_of("code", 503) == 0:
        raise Gone()
    c.answer(request, "not yet", request.number_of("code", 503))


@behaviour("effect")
def effect(c, request):
    """/effect/NAME?lose=1: does something once for each Idempotency-Key (each request, where there is none) and says how often it was done; loses the first answers."""
    key, name = request.header("idempotency-key"), request.word(1)
    with c.server.lock:
        done = c.server.effects.setdefault(name, [])
        if key is None or key not in done:
            done.append(key)
        count = len(done)
    if c.server.counted("effect " + name) <= request.number_of("lose", 0):
        raise Gone()
    c.answer(request, str(count))


# Redirects

@behaviour("redirect")
def redirect(c, request):
    """/redirect?to=ADDRESS&code=302: ADDRESS is sent as it is."""
    c.answer(request, "elsewhere", request.number_of("code", 302), [("Location", request.query["to"].replace("\r", "").replace("\n", ""))])


@behaviour("chain")
def chain(c, request):
    """/chain/N?to=ADDRESS: N redirects, then to ADDRESS (/echo)."""
    n, to = int(request.word(1)), request.query.get("to", "/echo")
    where = "/chain/%d?to=%s" % (n - 1, urllib.parse.quote(to, safe="")) if n > 1 else to
    c.answer(request, "", request.number_of("code", 302), [("Location", where)])


@behaviour("loop")
def loop(c, request):
    c.answer(request, "", 302, [("Location", request.target)])


@behaviour("nowhere")
def nowhere(c, request):
    """A redirect that does not say where to."""
    c.answer(request, "", 302)


# Slow, endless, too much

@behaviour("hang")
def hang(c, request):
    """Never answers. /hang/status, /hang/headers, /hang/body: in the middle of these."""
    whole = c.status(200, [("Content-Length", 100)]) + b"x" * 100
    c.send(whole[:{"status": 10, "headers": 30, "body": len(whole) - 50}.get(request.word(1), 0)])
    c.until_closed()


@behaviour("slow-headers")
def slow_headers(c, request):
    """One byte at a time, ?rate= a second (1); ends after a hundred headers."""
    c.send(b"HTTP/1.1 200 OK\r\n")
    c.drip(b"X-Slow: yes\r\n" * 100 + b"Content-Length: 0\r\n\r\n", float(request.query.get("rate", 1)))


@behaviour("slow-body")
def slow_body(c, request):
    """/slow-body/N: N bytes, ?rate= a second (1)."""
    n = int(request.word(1, "100"))
    c.send(c.status(200, [("Content-Length", n)]))
    c.drip(b"x" * n, float(request.query.get("rate", 1)))


@behaviour("endless")
def endless(c, request):
    """A body as fast as it is read: ?length=10000000000 says how long and sends that much; without, chunked and without an end."""
    left, chunked = request.number_of("length", 0), "length" not in request.query
    c.send(c.status(200, [("Transfer-Encoding", "chunked")] if chunked else [("Content-Length", left)]))
    piece = bytes(1 << 20)
    while chunked or left > 0:
        part = piece if chunked else piece[:min(left, len(piece))]
        c.send(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        left -= len(part)


@behaviour("endless-headers")
def endless_headers(c, request):
    c.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        c.send(b"X-Endless: " + b"x" * 1000 + b"\r\n")


@behaviour("headers")
def headers(c, request):
    """/headers/N/BYTES: N headers of BYTES bytes each."""
    c.answer(request, "", 200, [("X-Header-%d" % i, "x" * int(request.word(2, "10"))) for i in range(int(request.word(1)))])


@behaviour("many-continues")
def many_continues(c, request):
    """1xx answers without an end."""
    while True:
        c.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


# Encodings

@behaviour("gzip")
def in_gzip(c, request):
    """/gzip/N: N bytes. ?break=truncated|crc|garbage: not quite; ?twice=1: gzip within gzip."""
    body, fault = gzip.compress(b"0123456789abcdef" * (int(request.word(1)) // 16)), request.query.get("break")
    if fault == "truncated":
        body = body[:len(body) // 2]
    elif fault == "crc":
        body = body[:-8] + b"\0\0\0\0" + body[-4:]
    elif fault == "garbage":
        body = b"this is no gzip at all"
    twice = "twice" in request.query
    c.answer(request, gzip.compress(body) if twice else body, 200, [("Content-Encoding", "gzip, gzip" if twice else "gzip")])


@behaviour("deflate")
def in_deflate(c, request):
    """/deflate/N, ?raw=1: without zlib's head, as some servers do."""
    body = zlib.compress(b"0123456789abcdef" * (int(request.word(1)) // 16))
    c.answer(request, body[2:-4] if "raw" in request.query else body, 200, [("Content-Encoding", "deflate")])


@behaviour("bomb")
def bomb(c, request):
    """/bomb/N: N MiB of zeros, a thousandth of that on the wire; ?as=deflate."""
    kind = request.query.get("as", "gzip")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    c.send(c.status(200, [("Content-Encoding", kind), ("Connection", "close")]) + (b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" if kind == "gzip" else b"\x78\x9c"))
    for _ in range(int(request.word(1, "10240"))):
        c.send(block)
    c.send(b"\x03\x00")
    raise Gone()


@behaviour("encoding")
def unknown_encoding(c, request):
    """/encoding/NAME: a body that says it is encoded so, and is not."""
    c.answer(request, "plain text", 200, [("Content-Encoding", request.word(1))])


# Broken off, and lies

@behaviour("close")
def close(c, request):
    """/close: before the status. /close/status, /close/headers, /close/body, /close/chunk: in the middle of these; ?reset=1: with a reset."""
    chunked = request.word(1) == "chunk"
    whole = c.status(200, [("Transfer-Encoding", "chunked") if chunked else ("Content-Length", 100)]) + (b"64\r\n" if chunked else b"") + b"x" * 100
    c.send(whole[:{"status": 10, "headers": 30, "body": len(whole) - 50, "chunk": len(whole) - 50}.get(request.word(1), 0)])
    if "reset" in request.query:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Gone()


LIES = {
    "no-number": b"HTTP/1.1 OK\r\n\r\n",
    "big-status": b"HTTP/1.1 99999 What\r\nContent-Length: 0\r\n\r\n",
    "not-http": b"220 mail.test ESMTP\r\n",
    "http-0.9": b"<html>no head at all</html>",
    "length-text": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhello",
    "length-negative": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    "length-huge": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nhello",
    "length-more": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello",
    "length-less": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello",
    "length-twice": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 2\r\n\r\nhello",
    "chunk-text": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\nhello\r\n0\r\n\r\n",
    "chunk-huge": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "chunk-negative": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "chunk-no-end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "chunk-long": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    "chunk-and-length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "header-nul": b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n",
    "header-no-colon": b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 0\r\n\r\n",
    "header-folded": b"HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "header-bytes": b"HTTP/1.1 200 OK\r\nX-A: \xff\xfe\x80\r\nContent-Length: 0\r\n\r\n",
    "header-escape": b"HTTP/1.1 200 OK\r\nX-A: \x1b[2J\x1b]0;owned\x07\r\nContent-Length: 0\r\n\r\n",
    "lines-lf": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "two-answers": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbehind",
    "switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "body-in-204": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
    "body-in-304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
}


@behaviour("lie")
def lie(c, request):
    """/lie/NAME: what LIES has, then the end of the connection."""
    c.send(LIES[request.word(1)])
    raise Gone()


# Before the body of the request is read

@behaviour("refuse-body", before_body=True)
def refuse_body(c, request):
    """417 to who asks with Expect, 403 and the end to others, without reading."""
    c.answer(request, "no", 417 if request.header("expect") else 403, [("Connection", "close")])
    raise Gone()


@behaviour("no-continue", before_body=True)
def no_continue(c, request):
    """Says no 100 Continue and waits for the body: a client must not wait for ever."""
    request.body = c.body(request)
    echo(c, request)


@behaviour("never-reads", before_body=True)
def never_reads(c, request):
    """Reads nothing of the body and says nothing, until the other side has closed."""
    closed = select.poll()
    closed.register(c.sock, select.POLLRDHUP)
    closed.poll()
    raise Gone()
