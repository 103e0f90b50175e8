#!/usr/bin/env python3
"""HTTP requests a second of a step, each with its right and its records on disk, beside `curl` in a shell loop, one curl for all, and a client of Python's that does nothing else; one nginx for all.
RUNG_BUILD names the build, REQUESTS how many."""
import os, resource, shlex, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tools"), os.path.join(HERE, "..", "http")]
import rungclient as r
from bench import cpu, ended, reaped_cpu
from certificates import Certificates
from test_nginx import Nginx

N = int(os.environ.get("REQUESTS", "500"))
PLAIN = """import http.client, sys
c = http.client.HTTPConnection(sys.argv[1])
for i in range(int(sys.argv[2])):
    c.request("GET", "/hello")
    c.getresponse().read()
"""


def book(folder, name, source, origin):
    path = os.path.join(folder, name + ".md")
    with open(path, "w") as f:
        f.write("# %s\n\n## Permissions\n\n- `http GET %s/**`\n\n## Steps\n\n1. Ask\n\n   ```lua {id=ask effect=read}\n   %s\n   ```\n" % (name, origin, source.replace("\n", "\n   ")))
    return path


def others(label, argv):
    before, t = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - t, resource.getrusage(resource.RUSAGE_CHILDREN)
    show(label, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def show(label, wall, used):
    print("  %-44s %8.0f a second  %6.0f us of CPU each" % (label, N / wall, used / N * 1e6), flush=True)


def all_cpu(engine):
    """Of the engine, and of workers and actors that have ended."""
    return cpu(engine.process.pid) + reaped_cpu(engine)


def main():
    with Certificates() as c, Nginx(c) as n, tempfile.TemporaryDirectory(prefix="rung-bench-") as folder:
        origin = "http://127.0.0.1:%d" % n.plain
        url = origin + "/hello"
        print("%d GETs of one small file from one nginx on loopback:" % N)
        others("curl, a process for each, in a shell loop", ["sh", "-c", "i=0; while [ $i -lt %d ]; do curl -s %s; i=$((i+1)); done" % (N, shlex.quote(url))])
        others("curl, one for all, its connection kept", ["curl", "-s", url + "?[1-%d]" % N])
        others("http.client of Python, connection kept", [sys.executable, "-c", PLAIN, "127.0.0.1:%d" % n.plain, str(N)])
        engine = r.Engine(folder).start()
        client = engine.client()
        for label, source in (("rung, one after the other", 'for i = 1, %d do http.get("%s") end' % (N, url)),
                              ("rung, 20 at once", 'local l = {} for i = 1, %d do l[i] = i end\neach(l, function() http.get("%s") end, {max_concurrency = 20})' % (N, url))):
            path = book(folder, "one" if source.startswith("for") else "many", source, origin)
            before = all_cpu(engine)
            t = time.monotonic()
            x = client.ask("run", book=path, mode="auto", declared=True, attach=True)["execution"]
            ended(client, {x})
            wall = time.monotonic() - t
            time.sleep(1)  # its worker and actor end
            show(label, wall, all_cpu(engine) - before)
        client.close()
        engine.stop()


if __name__ == "__main__":
    main()
