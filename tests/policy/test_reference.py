#!/usr/bin/env python3
"""The engine's decisions beside those of a second evaluator, on random policies and requests; and what must hold of any policy: without an allow, or with
one more deny, nothing becomes wider; the order of rules changes nothing.

limit: 300
SEED and PAIRS choose what is compared; without them SECONDS seconds (20) from seed 1. RUNG_BUILD names the build."""
import json, os, subprocess, sys, time

import generate, reference

PROGRAM = os.path.join(os.environ.get("RUNG_BUILD", "build"), "policy-decide")
REQUESTS_EACH, POLICIES_AT_ONCE = 20, 50
WIDTH = {"deny": 0, "wait": 1, "allow": 2}


def engine(lines):
    """One answer of the engine for each line."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([PROGRAM], input=text, stdout=subprocess.PIPE, encoding="utf-8", check=True, timeout=250)
    answers = done.stdout.split("\n")[:-1]
    assert len(answers) == len(lines), "%d answers for %d lines" % (len(answers), len(lines))
    return answers


def expected(policy, requests):
    return ["%s %s" % (outcome, rule or "-") for outcome, rule in map(reference.Policy(policy).decide, requests)]


class Failure(Exception):
    pass


def shown(policy, request, **answers):
    lines = ["%s: %s" % pair for pair in answers.items()]
    return "\n".join([generate.block(policy), json.dumps(request, ensure_ascii=False)] + lines)


def smaller(policy, request):
    """The policy with the rules that the disagreement does not need taken away."""
    rules = policy["rules"]
    for rule in list(rules):
        fewer = dict(policy, rules=[other for other in rules if other is not rule])
        text, answer = engine([{"policy": json.dumps(fewer)}, request])
        if text == "read" and answer != expected(fewer, [request])[0]:
            rules = fewer["rules"]
    return dict(policy, rules=rules)


class Round:
    """Some policies, each with its requests, asked at once."""

    def __init__(self, seed):
        self.generator = generate.Generator(seed)
        self.lines, self.cases = [], []

    def add(self):
        g = self.generator
        policy = g.policy()
        requests = [g.request(policy["rules"]) for _ in range(REQUESTS_EACH)]
        change = g.r.choice(["shuffled", "without_an_allow", "with_a_deny"])
        changed = getattr(g, change)(policy)
        at = self.ask(policy, requests)
        self.cases.append((policy, requests, at, changed, change, self.ask(changed, requests) if changed else None))

    def ask(self, policy, requests):
        self.lines += [{"policy": self.generator.text(policy)}] + requests
        return len(self.lines) - len(requests)

    def run(self, count):
        answers = engine(self.lines)
        for policy, requests, at, changed, change, at_changed in self.cases:
            before = self.judge(policy, requests, answers, at, count)
            if changed:
                after = self.judge(changed, requests, answers, at_changed, None)
                self.compare(change, policy, changed, requests, before, after)
                count[change] = count.get(change, 0) + len(requests)

    def judge(self, policy, requests, answers, at, count):
        if answers[at - 1] != "read":
            raise Failure("%s\n%s" % (generate.block(policy), answers[at - 1]))
        got, want = answers[at : at + len(requests)], expected(policy, requests)
        for request, g, w in zip(requests, got, want):
            if g != w:
                raise Failure(shown(smaller(policy, request), request, engine=g, reference=w))
            if count is not None:
                word = w.split(" ")[0] if w != "deny -" else "nothing"
                count[word] = count.get(word, 0) + 1
        return got

    def compare(self, change, policy, changed, requests, before, after):
        for request, b, a in zip(requests, before, after):
            wider = WIDTH[a.split(" ")[0]] > WIDTH[b.split(" ")[0]]
            if wider or (change == "shuffled" and a != b):
                raise Failure(shown(policy, request, before=b) + "\n\n" + shown(changed, request, **{change: a}))


def main():
    seed = int(os.environ.get("SEED", "1"))
    pairs = int(os.environ.get("PAIRS", "0"))
    until = time.monotonic() + float(os.environ.get("SECONDS", "20"))
    count, done, number = {}, 0, 0
    try:
        while done < pairs if pairs else time.monotonic() < until:
            r = Round("%d:%d" % (seed, number))
            for _ in range(POLICIES_AT_ONCE):
                r.add()
            r.run(count)
            done += POLICIES_AT_ONCE * REQUESTS_EACH
            number += 1
    except Failure as f:
        print("not ok 1 the engine and the evaluator written from the text agree")
        print("# seed %d, round %d\n%s" % (seed, number, f))
        sys.exit(1)
    shares = ", ".join("%s %d" % (word, count.get(word, 0)) for word in ("allow", "wait", "deny", "nothing"))
    print("# seed %d: %d pairs (%s); again after a change: %s" % (seed, done, shares, ", ".join("%s %d" % (c, count[c]) for c in sorted(set(count) - set(WIDTH) - {"nothing"}))))
    hit = all(count.get(word, 0) * 50 > done for word in ("allow", "wait", "deny", "nothing"))
    print("ok 1 the engine and the evaluator written from the text agree")
    print("%s 2 each outcome is at least one in fifty" % ("ok" if hit else "not ok"))
    print("1..2")
    sys.exit(0 if hit else 1)


main()
