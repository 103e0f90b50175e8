#!/usr/bin/env python3
"""Alerts by HTTP over 32 kept connections, half of them new and half said before: how many a second, with what CPU each, beside Alertmanager, which keeps them in memory where rung has
them on the disk and decided; then 1,000 a second, and how long an answer takes. RUNG_BUILD names the build, ALERTS how many."""
import os, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
import rungclient as r
import storm

N = int(os.environ.get("ALERTS", "30000"))
BUILD = os.path.abspath(os.environ.get("RUNG_BUILD", "build"))
ALERT = '{"labels":{"alertname":"HostHighLoad","instance":"web-%N:9100","job":"node","severity":"warning"},"annotations":{"summary":"load is high on web-%N"},"startsAt":"2026-11-29T03:00:00Z",' \
        '"generatorURL":"http://prometheus.example:9090/graph?g0.expr=node_load1"}'


class Alertmanager:
    def __init__(self, folder):
        self.port = storm.Served.free_port()
        with open(os.path.join(folder, "alertmanager.yml"), "w") as f:
            f.write("route: {receiver: none}\nreceivers: [{name: none}]\n")
        self.process = subprocess.Popen(["prometheus-alertmanager", "--config.file=%s/alertmanager.yml" % folder, "--storage.path=%s/data" % folder, "--cluster.listen-address=",
                                         "--web.listen-address=127.0.0.1:%d" % self.port], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ready(self):
        return subprocess.run(["curl", "-sf", "-o", "/dev/null", "http://127.0.0.1:%d/-/ready" % self.port]).returncode == 0

    def end(self):
        self.process.terminate()
        self.process.wait()


def cpu(pid):
    with open("/proc/%d/stat" % pid) as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def measure(label, pid, port, path, body, rate, count, *headers):
    before = cpu(pid)
    p = subprocess.run([os.path.join(BUILD, "bench-post"), str(port), path, "32", str(count), str(rate), body, *headers], stdout=subprocess.PIPE, text=True, check=True)
    n, seconds, p50, p99, most, others = (float(w) for w in p.stdout.split())
    used = (cpu(pid) - before) / n
    print("  %-44s %8.0f a second  %6.0f us of CPU each   answers: p50 %.1f ms, p99 %.1f ms, longest %.0f ms%s" %
          (label, n / seconds, used * 1e6, p50 / 1e3, p99 / 1e3, most / 1e3, "   %d REFUSED" % others if others else ""), flush=True)
    return n / seconds, used


def main():
    with tempfile.TemporaryDirectory(prefix="rung-bench-") as folder:
        os.environ["RUNG"] = os.path.join(BUILD, "rung")
        served = storm.Served(b"a key that nothing is signed with").start()
        served.ready()
        header = "Authorization: Bearer " + storm.TOKEN
        print("%d alerts by POST, 32 connections:" % N)
        theirs = None
        if shutil.which("prometheus-alertmanager"):
            am = Alertmanager(folder)
            r.deadline(30, "Alertmanager is ready", am.ready, every=0.1)
            theirs = measure("Alertmanager (in memory)", am.process.pid, am.port, "/api/v2/alerts", "[%s]" % ALERT, 0, N)
            am.end()
        ours = measure("rung (on disk, decided)", served.process.pid, served.port, "/v1/alerts/token", ALERT, 0, N, header)
        if theirs:
            print("  rung takes %.2f times as many, with %.2f of the CPU each" % (ours[0] / theirs[0], ours[1] / theirs[1]))
        measure("rung, 1,000 a second", served.process.pid, served.port, "/v1/alerts/token", ALERT.replace("web-", "db-"), 1000, 10000, header)
        served.end()
        shutil.rmtree(served.folder, ignore_errors=True)


main()
