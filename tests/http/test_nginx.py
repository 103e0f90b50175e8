#!/usr/bin/env python3
"""HTTP requests of steps to a real nginx: HTTP/2 over TLS, kept connections, compression, a request body, basic authentication, an upstream that is down."""
# limit: 120
import os, shutil, socket, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from certificates import Certificates
from test_http import result, secrets
from world import run_tests, same

tests = []
CONFIG = """
daemon off; worker_processes 1; pid nginx.pid; error_log error.log info;
{user}
events {{ worker_connections 1024; }}
http {{
  access_log access.log combined; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  log_format lines '$request_method $uri $status $connection $connection_requests $request_length $http2'; access_log lines.log lines;
  gzip on; gzip_min_length 1; gzip_types text/plain;
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl http2; server_name 127.0.0.1;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    root files; default_type text/plain;
    location /secure {{ return 301 https://127.0.0.1:{tls}/hello; }}
    location /private {{ auth_basic here; auth_basic_user_file users; try_files /hello =404; }}
    location /down {{ proxy_pass http://127.0.0.1:1; }}
    location /take {{ client_max_body_size 1m; proxy_pass http://127.0.0.1:{plain}/sink; }}
    location /sink {{ return 200 "taken"; }}
  }}
}}
"""


def test(f):
    tests.append(f)
    return f


def free_ports(n):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class Nginx:
    def __init__(self, certificates):
        self.folder = tempfile.mkdtemp(prefix="nginx-")
        os.chmod(self.folder, 0o755)
        self.plain, self.tls = free_ports(2)
        pair = certificates.server("127.0.0.1")
        os.mkdir(self.path("files"))
        self.write("files/hello", "hello from nginx\n")
        self.write("files/large", "0123456789abcdef" * 250000)
        self.write("users", "ana:{PLAIN}correct-horse-battery\n")
        user = "user root;" if os.geteuid() == 0 else ""
        self.write("nginx.conf", CONFIG.format(plain=self.plain, tls=self.tls, certificate=pair[0], key=pair[1], user=user))
        self.process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-p", self.folder, "-e", "error.log", "-c", "nginx.conf"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        r.deadline(30, "nginx", lambda: self.process.poll() is not None or not socket.socket().connect_ex(("127.0.0.1", self.tls)))
        assert self.process.poll() is None, open(self.path("error.log")).read()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def lines(self):
        with open(self.path("lines.log")) as f:
            return [l.split() for l in f]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


@test
def a_real_server(w):
    given = secrets(w, password="correct-horse-battery")
    with Certificates() as c, Nginx(c) as n:
        plain, tls = "http://127.0.0.1:%d" % n.plain, "https://127.0.0.1:%d" % n.tls
        v = w.over(w.run(w.lua("""local o = {ca = [[%s]]}
            local out = {}
            local function add(r) out[#out + 1] = {r.status, r.version, #r.body} end
            add(http.get("{plain}/hello"))
            add(http.get("{plain}/secure", o))
            add(http.get("{tls}/large", o))
            add(http.head("{tls}/large", o))
            each({1, 2, 3, 4, 5, 6}, function() add(http.get("{tls}/hello", o)) end, {max_concurrency = 6})
            add(http.get("{plain}/private", {check = false}))
            add(http.get("{plain}/private", {auth = {user = "ana", password = secret "password"}}))
            add(http.get("{plain}/down", {check = false}))
            add(http.post("{plain}/take", {body = ("x"):rep(700000)}))
            add(http.post("{tls}/take", {body = ("x"):rep(700000), ca = o.ca}))
            add(http.put("{tls}/hello", {body = "x", ca = o.ca, check = false}))
            return out""".replace("{plain}", plain).replace("{tls}", tls) % open(c.ca).read(),
                            permissions=["http {GET|HEAD|POST|PUT} %s/**" % plain, "http {GET|HEAD|POST|PUT} %s/**" % tls] + given)))
        got = result(v)
        same(got[0], [200, "1.1", 17])
        same(got[1:4], [[200, "2", 17], [200, "2", 4000000], [200, "2", 0]])
        same(got[4:10], [[200, "2", 17]] * 6)
        same([x[0] for x in got[10:]], [401, 200, 502, 200, 200, 405])
        seen = [l for l in n.lines() if l[-1] == "h2"]
        same(len({l[3] for l in seen}), 1)  # one connection for all that went over TLS
        assert len({l[3] for l in n.lines() if l[-1] != "h2" and l[1] != "/sink"}) == 1


if __name__ == "__main__":
    sys.exit(run_tests(tests))
