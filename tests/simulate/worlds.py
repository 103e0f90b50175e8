"""Runs the simulation's program over its seeds: what test_simulate.py and test_escalation.py share."""
import os, subprocess, time

PROGRAM = os.path.join(os.environ.get("RUNG_BUILD", "build"), "simulate")
HERE = os.path.dirname(os.path.abspath(__file__))


def run(name, which, first, count):
    done = subprocess.run([PROGRAM, *which, str(first), count], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace")
    good = done.returncode == 0
    if count != "1" or not good:
        print("".join("# %s\n" % line.lstrip("# ") for line in done.stdout.splitlines()), end="")
    print("%s %s" % ("ok" if good else "not ok", name), flush=True)
    return good


def main(seeds_file, seconds, which=()):
    """which: the arguments of the program before the first seed."""
    if "SEEDS" in os.environ:
        return run("worlds keep what is promised", which, int(os.environ.get("SEED", "1")), os.environ["SEEDS"])
    good = True
    with open(os.path.join(HERE, seeds_file), encoding="utf-8") as f:
        seeds = [line.split(None, 1) for line in f if line[:1].isdigit()]
    for seed, what in seeds:
        good = run("seed %s: %s" % (seed, what.strip()), which, int(seed), "1") and good
    first = int(os.environ.get("SEED", int(time.time()) // 86400 * 10000000))
    return run("random worlds keep what is promised", which, first, "seconds=" + os.environ.get("SECONDS", seconds)) and good
