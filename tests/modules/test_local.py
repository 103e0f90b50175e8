#!/usr/bin/env python3
"""The modules disk, process, tls and on, against this host.

limit: 180"""
import os, socket, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from certificates import Certificates
from step import Steps, fails
from world import run_tests, same

tests = []


def test(f):
    tests.append(f)
    return f


DISK = ("read: sh df --block-size=1 **",)
CERTIFICATE = "read: sh openssl x509 -noout -subject -issuer -dates -serial -fingerprint -sha256 -ext subjectAltName -nameopt RFC2253"


@test
def disk_of_a_path_is_what_statvfs_says(w):
    fs = w.lua_result('return disk.of("%s")' % w.folder, "sh df --block-size=1 --output=* -- *")
    stat = os.statvfs(w.folder)
    same(fs["size_bytes"], stat.f_blocks * stat.f_frsize)
    assert os.path.ismount(fs["mount"]), fs
    assert 0 <= fs["percent"] <= 100 and fs["type"] and fs["device"], fs
    all_of = w.lua_result("return disk.usage()", "sh df --block-size=1 --local **")
    assert [f["percent"] for f in all_of] == sorted((f["percent"] for f in all_of), reverse=True), all_of
    fails(lambda: w.lua_result('return disk.of("/no/such/path")', "sh df --block-size=1 --output=* -- *"), "No such file")
    fails(lambda: w.lua_result('return disk.of("var")', "sh df --block-size=1 --output=* -- *"), "no absolute path")


@test
def disk_finds_what_is_big(w):
    place = os.path.join(w.folder, "big place")
    for name, mib in (("a/one", 3), ("a/b/two", 2), ("c/three", 4)):
        os.makedirs(os.path.dirname(os.path.join(place, name)), exist_ok=True)
        with open(os.path.join(place, name), "wb") as f:
            f.write(b"\1" * (mib << 20))
    folders = w.lua_result('return disk.folders("%s", {min = "1M"})' % place, "sh du --one-file-system --block-size=1 --threshold=* --max-depth=* -- *")
    same([os.path.relpath(f["path"], place) for f in folders][:3], ["c", "a", "a/b"])
    assert folders[1]["bytes"] < 4 << 20, "a counts without b: %r" % folders
    files = w.lua_result('return disk.files("%s", {min = "2M", count = 2})' % place, r"sh find * -xdev -type f -size * -printf '%s %p\n'")
    same([(os.path.relpath(f["path"], place), f["bytes"]) for f in files], [("c/three", 4 << 20), ("a/one", 3 << 20)])


@test
def disk_reads_names_with_line_ends_and_bytes_that_are_no_text(w):
    place = os.path.join(w.folder, "odd")
    for name in ("a\n99999999999 b", "c\n88888888888\td/e", b"f\xff".decode("utf-8", "surrogateescape")):
        os.makedirs(os.path.dirname(os.path.join(place, name)), exist_ok=True)
        with open(os.path.join(place, name), "wb") as f:
            f.write(b"\1" * (2 << 20))
    files = w.lua_result('local found = disk.files("%s", {min = "1M"}) evidence("files", found) return found' % place,
                         r"sh find * -xdev -type f -size * -printf '%s %p\n'")
    same([f["bytes"] for f in files], [2 << 20] * 3)
    same([os.path.relpath(f["path"], place) for f in files[:2]], ["a\n99999999999 b", "c\n88888888888\td/e"])
    folders = w.lua_result('return disk.folders("%s", {min = "1M"})' % place, "sh du --one-file-system --block-size=1 --threshold=* --max-depth=* -- *")
    same(sorted(os.path.relpath(f["path"], place) for f in folders), [".", "c\n88888888888\td"])


@test
def process_reads_names_with_spaces(w):
    code = "import sys\nopen('/proc/self/comm', 'w').write('tmux: server x')\nprint(flush=True)\nsys.stdin.read()"
    p = subprocess.Popen([sys.executable, "-c", code, "of a test 4321"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        p.stdout.readline()
        found = w.lua_result('return process.find("of a test 4321$")', "sh ps -eww -o *")
        same([(f["pid"], f["name"], f["command"].startswith(sys.executable + " -c import")) for f in found], [(p.pid, "tmux: server x", True)])
    finally:
        p.kill()
        p.communicate()


@test
def disk_finds_deleted_files_that_are_held_open(w):
    with tempfile.NamedTemporaryFile(dir=w.folder, delete=False) as f:
        f.write(b"\1" * (11 << 20))
        f.flush()
        os.unlink(f.name)
        rights = (r"sh find /proc -mindepth 3 -maxdepth 3 -path '/proc/[0-9]*/fd/*' -lname '/* (deleted)' -printf '%p\n'",
                  "sh stat --dereference **")
        held = w.lua_result('return disk.held_open{min = "11M", count = 100}', *rights)
        same([(h["bytes"], h["pid"]) for h in held if h["pid"] == os.getpid()], [(11 << 20, os.getpid())])
        # Of that file system, and of another one.
        for path, count in ((w.folder, 1), ("/proc", 0)):
            held = w.lua_result('return disk.held_open{min = "11M", count = 100, path = "%s"}' % path, *rights)
            same(len([h for h in held if h["pid"] == os.getpid()]), count)


@test
def process_finds_signals_and_sees_who_listens(w):
    p = subprocess.Popen(["sleep", "1234.5"])
    server = socket.create_server(("127.0.0.1", 0))
    try:
        port = server.getsockname()[1]
        found = w.lua_result('return process.find([[^sleep 1234\\.5$]])', "sh ps -eww -o *")
        same([(f["pid"], f["name"], f["parent"]) for f in found], [(p.pid, "sleep", os.getpid())])
        listed = w.lua_result('return process.list{sort = "memory", count = 3}', "sh ps -eww -o *")
        assert len(listed) == 3 and listed[0]["memory_bytes"] >= listed[1]["memory_bytes"] >= listed[2]["memory_bytes"], listed
        who = w.lua_result("return process.listeners{port = %d}" % port, "sh ss --no-header --listening --tcp --udp --numeric --processes")
        same([(l["address"], l["port"], l["pid"]) for l in who], [("127.0.0.1", port, os.getpid())])
        assert w.lua_result("return {is = process.is_running(%d)}" % p.pid, "sh test -d /proc/*")["is"] is True
        w.lua_result('process.signal(%d, "TERM") return {}' % p.pid, "sh kill -s TERM -- *", attributes="risk=change")
        same(p.wait(10), -15)
        r.deadline(10, "it to be gone", lambda: not os.path.exists("/proc/%d" % p.pid))
        assert w.lua_result("return {is = process.is_running(%d)}" % p.pid, "sh test -d /proc/*")["is"] is False
        load = w.lua_result("return process.load()", "sh cat /proc/loadavg", "sh nproc")
        assert load["cpus"] >= 1 and load["one"] >= 0, load
    finally:
        p.kill()
        p.wait()
        server.close()
    fails(lambda: w.lua_result('process.signal(1.5, "TERM")', "sh kill -s TERM -- *"), "number of a process")
    fails(lambda: w.lua_result('process.signal(1, "TERM -9")', "sh kill -s TERM -- *"), "was expected")


@test
def what_is_not_declared_is_denied_inside_a_module_too(w):
    path = w.lua('return disk.of("/")', permissions=("sh true",))
    x = w.run(path, declared=True)
    view = w.over(x)
    assert view["steps"][0]["state"] == "denied" and "not allowed" in view["steps"][0]["why"], view["steps"][0]


class OpenSsl:
    """A real TLS server on a free port."""

    def __init__(self, certificate, key):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.process = subprocess.Popen(["openssl", "s_server", "-accept", "127.0.0.1:%d" % self.port, "-cert", certificate, "-key", key, "-quiet"],
                                        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        r.deadline(15, "s_server to listen", self.listens)

    def listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


@test
def tls_sees_what_a_server_serves(w):
    rights = ("sh openssl s_client -connect 127.0.0.1:* -servername * -showcerts -CAfile *", "sh openssl s_client -connect 127.0.0.1:* -servername * -showcerts", CERTIFICATE[6:])
    with Certificates() as c:
        with OpenSsl(*c.server("shop.example", "*.shop.example")) as s:
            ask = 'local c = tls.server("127.0.0.1:%d", {name = "%s", ca = "%s"}) return c'
            got = w.lua_result(ask % (s.port, "shop.example", c.ca), *rights)
            assert got["is_trusted"] and got["name_fits"], got
            same(got["names"], ["shop.example", "*.shop.example"])
            assert got["days_left"] == 1 and got["subject"] == "CN=shop.example" and got["issuer"] == "CN=Test CA" and got["protocol"] == "TLSv1.3", got
            assert w.lua_result(ask % (s.port, "a.shop.example", c.ca), *rights)["name_fits"] is True
            assert w.lua_result(ask % (s.port, "a.b.shop.example", c.ca), *rights)["name_fits"] is False
            untrusted = w.lua_result('return tls.server("127.0.0.1:%d", {name = "shop.example"})' % s.port, *rights)
            assert untrusted["is_trusted"] is False and "unable" in untrusted["trust"], untrusted
        with OpenSsl(*c.server("old.example", expired=True)) as s:
            got = w.lua_result(ask % (s.port, "old.example", c.ca), *rights)
            assert got["days_left"] == -11 and got["is_trusted"] is False and "expired" in got["trust"], got
            fails(lambda: w.lua_result('return tls.server("127.0.0.1:1")', *rights), "127.0.0.1:1")
        certificate = c.server("file.example")[0]
        same(w.lua_result('return tls.file("%s")' % certificate, "sh cat -- *", CERTIFICATE[6:])["names"], ["file.example"])


@test
def the_shipped_book_finds_certificates_that_need_somebody(w):
    def verdict(*addresses, **more):
        view = w.over(w.run(os.path.abspath("runbooks/certificate-expiry.md"), params=dict({"addresses": list(addresses), "ca": c.ca}, **more)))
        return next(s for s in view["steps"] if s["id"] == "verdict")
    with Certificates() as c:
        with OpenSsl(*c.server("127.0.0.1")) as good, OpenSsl(*c.server("127.0.0.1", expired=True)) as old, OpenSsl(*c.server("other.example")) as other:
            good, old, other = ("127.0.0.1:%d" % s.port for s in (good, old, other))
            same((verdict(good, days=1)["state"], verdict(good, days=1)["result"]), ("succeeded", {"certificates": 1, "next_ends_in_days": 1}))
            same(verdict(good)["state"], "failed")
            why = verdict(good, old, other, "127.0.0.1:1", days=0)["why"]
            assert "3 of 4 need somebody" in why and old + ": it ended on" in why and other + ": it is for other.example" in why and "127.0.0.1:1: " in why, why


if __name__ == "__main__":
    sys.exit(run_tests(tests, world=Steps))
