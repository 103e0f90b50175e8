#!/usr/bin/env python3
"""Requests of steps through the proxy that config.yaml names: which go there, which do not, what it sees of them."""
import os, select, socket, sys, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from certificates import Certificates
from httpd import Httpd
from test_http import result, run, write
from world import World, run_tests, same


class Proxy:
    """Leads every name to this host. seen: the first line of what it was asked."""

    def __init__(self, refuses=False):
        self.seen, self.refuses = [], refuses
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock = self.server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock:
            head = b""
            while b"\r\n\r\n" not in head:
                got = sock.recv(65536)
                if not got:
                    return
                head += got
            method, target = head.split(b" ")[:2]
            self.seen.append((method + b" " + target).decode())
            if self.refuses:
                sock.sendall(b"HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n")
                return
            port = int(target.rsplit(b":", 1)[1].split(b"/")[0])
            with socket.create_connection(("127.0.0.1", port)) as to:
                if method == b"CONNECT":
                    sock.sendall(b"HTTP/1.1 200 yes\r\nX-Of-The-Proxy: 1\r\n\r\n")
                else:
                    to.sendall(head)
                while True:
                    for s in select.select([sock, to], [], [], 30)[0] or [None]:
                        data = s.recv(65536) if s else b""
                        if not data:
                            return
                        (to if s is sock else sock).sendall(data)

    def close(self):
        self.server.close()


class Behind(World):
    """config.yaml has to be there before the engine starts."""
    proxy = None

    def prepare(self):
        self.proxy = Proxy()
        self.engine.state = self.path(".rung/state")
        write(self.path(".rung/config.yaml"), 'version: 1\nhttp: {proxy: "http://127.0.0.1:%d", direct: [localhost]}\n' % self.proxy.port, 0o644)


def requests_to_names_go_through_the_proxy(w):
    with Httpd() as server:
        plain = result(run(w, server, 'local r = http.get("http://shop.example:%d/echo")\nreturn {r.status, r.peer, r.json.target}' % server.port,
                           ["http GET http://shop.example:%d/**" % server.port]))
        same(plain[:2], [200, "127.0.0.1:%d" % w.proxy.port])
        same(w.proxy.seen, ["GET http://shop.example:%d/echo" % server.port])
        # No address is asked through it, nor what config.yaml says.
        for host in ("127.0.0.1", "localhost"):
            same(result(run(w, server, 'return http.get("http://%s:%d/echo").status' % (host, server.port), ["http GET http://%s:%d/**" % (host, server.port)])), 200)
        same(len(w.proxy.seen), 1)


def tls_is_with_the_server(w):
    with Certificates() as c, Httpd(tls=c.server("shop.example")) as server:
        with open(c.ca) as f:
            ca = f.read()
        got = result(run(w, server, "local r = http.get('https://shop.example:%d/echo', {ca = [[%s]], auth = {user = 'ana', password = 'geheimnis'}})\n"
                                    "return {r.status, r.headers['x-of-the-proxy'] == nil}" % (server.port, ca), ["http GET https://shop.example:%d/**" % server.port]))
        same(got, [200, True])
        same(w.proxy.seen, ["CONNECT shop.example:%d" % server.port])


def a_proxy_that_refuses_is_a_request_that_was_not_sent(w):
    w.proxy.refuses = True
    with Httpd() as server:
        v = run(w, server, 'return http.post("https://shop.example/x", {json = {}}).status', ["http POST https://shop.example/**"])
    same(v["state"], "failed")
    assert "403" in v["steps"][0]["why"] and "unknown" not in v["steps"][0]["why"], v["steps"][0]["why"]


tests = [requests_to_names_go_through_the_proxy, tls_is_with_the_server, a_proxy_that_refuses_is_a_request_that_was_not_sent]
if __name__ == "__main__":
    sys.exit(run_tests(tests, world=Behind))
