#!/usr/bin/env python3
"""Decisions and recovery of flow/ in random worlds on a fake clock, store and targets: what an execution promises, judged from outside.

limit: 120
SEED and SEEDS choose the worlds; without them those of seeds.txt, and then SECONDS seconds (25) from a seed of the day. RUNG_BUILD names the build."""
import os, subprocess, sys, time

PROGRAM = os.path.join(os.environ.get("RUNG_BUILD", "build"), "simulate")
HERE = os.path.dirname(os.path.abspath(__file__))


def run(name, first, count):
    done = subprocess.run([PROGRAM, str(first), count], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    good = done.returncode == 0
    if count != "1" or not good:
        print("".join("# %s\n" % line.lstrip("# ") for line in done.stdout.splitlines()), end="")
    print("%s %s" % ("ok" if good else "not ok", name), flush=True)
    return good


def main():
    if "SEEDS" in os.environ:
        return run("worlds keep what is promised", int(os.environ.get("SEED", "1")), os.environ["SEEDS"])
    good = True
    with open(os.path.join(HERE, "seeds.txt"), encoding="utf-8") as f:
        seeds = [line.split(None, 1) for line in f if line[:1].isdigit()]
    for seed, what in seeds:
        good = run("seed %s: %s" % (seed, what.strip()), int(seed), "1") and good
    first = int(os.environ.get("SEED", int(time.time()) // 86400 * 10000000))
    return run("random worlds keep what is promised", first, "seconds=" + os.environ.get("SECONDS", "25")) and good


sys.exit(0 if main() else 1)
