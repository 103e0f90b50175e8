#!/usr/bin/env python3
"""Operations by HTTP over 32 kept connections (tests/bench/post.c): one that only looks, and one whose answer waits until its record is durable; and what readers of live events cost
it. RUNG_BUILD names the build, REQUESTS how many."""
import os, subprocess, sys, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[0] = os.path.join(HERE, "..", "tools")  # not this folder, whose http.py is a measurement
from service import Served

N = int(os.environ.get("REQUESTS", "20000"))
BUILD = os.path.abspath(os.environ.get("RUNG_BUILD", "build"))


def cpu(pid):
    with open("/proc/%d/stat" % pid) as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def measure(w, label, path, body, token, count):
    pid = w.engine.process.pid
    before = cpu(pid)
    p = subprocess.run([os.path.join(BUILD, "bench-post"), str(w.port), path, "32", str(count), "0", body, "Authorization: Bearer " + token], stdout=subprocess.PIPE, text=True, check=True)
    n, seconds, p50, p99, most, others = (float(v) for v in p.stdout.split())
    print("  %-44s %8.0f a second  %6.0f us of CPU each   answers: p50 %.1f ms, p99 %.1f ms, longest %.0f ms%s" %
          (label, n / seconds, (cpu(pid) - before) / n * 1e6, p50 / 1e3, p99 / 1e3, most / 1e3, "   %d REFUSED" % others if others else ""), flush=True)


def main():
    print("%d requests of operations, 32 connections:" % N)
    with Served(config="version: 1\nhttp: {rate: 1000000}\n", build=BUILD) as w:
        token = w.token()
        x = w.run(w.lua("ask{prompt = 'well?'}"))
        w.waits(x, "s0", "answer")
        note = '{"execution":"%s","text":"number %%N"}' % x
        measure(w, "hello", "/v1/hello", "{}", token, N)
        measure(w, "note, answered when it is durable", "/v1/note", note, token, N // 4)
        readers = []
        for _ in range(20):
            s = w.connect(60)
            s.sendall(("GET /v1/executions/%s/events HTTP/1.1\r\nHost: rung\r\nAuthorization: Bearer %s\r\n\r\n" % (x, token)).encode())
            readers.append(s)
        got = [0]

        def read(s):
            try:
                while True:
                    part = s.recv(1 << 16)
                    if not part:
                        return
                    got[0] += part.count(b"event: record")
            except OSError:
                pass
        threads = [threading.Thread(target=read, args=(s,), daemon=True) for s in readers]
        for t in threads:
            t.start()
        time.sleep(0.5)
        measure(w, "note, with 20 readers of its events", "/v1/note", note, token, N // 20)
        w.client.ask("answer", execution=x, step="s0", call=1, value="yes")
        for t in threads:
            t.join(20)
        print("  each reader got %.0f records" % (got[0] / len(readers)))
        for s in readers:
            s.close()


if __name__ == "__main__":
    main()
