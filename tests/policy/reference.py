#!/usr/bin/env python3
"""A second evaluator of policies, written from the text alone (engine/policy/README.md), to judge the engine's. Clear before fast; shares nothing with it.

    reference.py < LINES      a line {"policy": {...}} is the policy from there on, as plain data; every other line is a request; prints one decision a line

A decision is `allow RULE`, `deny RULE`, `deny -` (no rule allows it) or `wait RULE`."""
import datetime, functools, json, re, sys

import patterns

YES, UNKNOWN, NO = "yes", "unknown", "no"


# ---- conditions: three values ----


def all_of(values):
    """`no` wins over `unknown`, that over `yes`."""
    values = list(values)
    return NO if NO in values else UNKNOWN if UNKNOWN in values else YES


def turned_round(value):
    return {YES: NO, NO: YES, UNKNOWN: UNKNOWN}[value]


def known(truth):
    return YES if truth else NO


def as_list(value):
    return value if isinstance(value, list) else [value]


# ---- time ----


def moment(text, is_end):
    """Microseconds of a day's or an instant's end of a window: a day counts whole, so as an end it is the beginning of the next."""
    if len(text) == 10:
        day = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)
        at = day + datetime.timedelta(days=1) if is_end else day
    else:
        at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (at - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)


# ---- books ----


@functools.lru_cache(maxsize=100000)
def name_pattern(glob):
    """`*` stands for any characters of one name, also none."""
    return re.compile("".join(".*" if c == "*" else re.escape(c) for c in glob), re.DOTALL)


def names_match(globs, names):
    """`**` stands for whole names, any number of them, also none."""
    if not globs:
        return not names
    if globs[0] == "**":
        return any(names_match(globs[1:], names[i:]) for i in range(len(names) + 1))
    return bool(names) and bool(name_pattern(globs[0]).fullmatch(names[0])) and names_match(globs[1:], names[1:])


def book_matches(glob, book):
    path, _, anchor = book.partition("#")
    if path.startswith("external/"):
        return glob == "**"
    glob_path, has_anchor, glob_anchor = glob.partition("#")
    if has_anchor and not ("#" in book and name_pattern(glob_anchor).fullmatch(anchor)):
        return False
    return names_match(glob_path.split("/"), path.split("/"))


# ---- the policy ----


class Policy:
    def __init__(self, data):
        self.groups = {
            name: {member if member.startswith("service:") else "user:" + member for member in as_list(members)} for name, members in data.get("groups", {}).items()
        }
        self.windows = {
            name: [(moment(span["from"], False), moment(span["to"], True)) for span in spans] for name, spans in data.get("windows", {}).items()
        }
        self.rules = data.get("rules", [])

    def is_among(self, who, listed):
        for entry in as_list(listed):
            if entry in (who, "*") or (entry in ("user:*", "service:*") and who.startswith(entry[:-1])):
                return True
            if entry.startswith("group:") and who in self.groups[entry[len("group:") :]]:
                return True
        return False

    def condition(self, key, value, request):
        """Does one condition hold: yes, no, or not to be known?"""
        if key == "risk":
            return known(request["risk"] in as_list(value))
        if key == "trigger":
            return known(request["trigger"] in as_list(value))
        if key == "window":
            return known(any(start <= request["now"] < end for name in as_list(value) for start, end in self.windows[name]))
        if key == "grant":
            return known(any(name in request["elevated"] for name in as_list(value)))
        assert key == "targets", key
        targets = request["targets"]
        if targets == "unknown":
            return UNKNOWN
        return known(targets is not None and targets > value["above"])

    def conditions(self, rule, request):
        holds = all_of(self.condition(key, value, request) for key, value in rule.get("when", {}).items())
        if "unless" in rule:
            excepted = all_of(self.condition(key, value, request) for key, value in rule["unless"].items())
            holds = all_of([holds, turned_round(excepted)])
        return holds

    def calls_match(self, rule, effect, request):
        if effect == "require":
            return True
        kind = request.get("kind")
        if kind is None:
            return effect == "allow" or "calls" not in rule
        if effect == "deny" and "calls" not in rule:
            return True
        listed = as_list(rule.get("grants", []) if effect == "allow" else rule["calls"])
        return any(patterns.allows(pattern, kind, request["words"], request.get("params") or {}) for pattern in listed)

    def matches(self, rule, effect, request):
        verbs = ["run"] if effect == "require" else as_list(rule[effect])
        if request["verb"] not in verbs:
            return False
        if "who" in rule and not self.is_among(request["who"], rule["who"]):
            return False
        if "books" in rule and not any(book_matches(glob, request["book"]) for glob in as_list(rule["books"])):
            return False
        held = self.conditions(rule, request)
        if held == NO or (held == UNKNOWN and effect == "allow"):
            return False
        return self.calls_match(rule, effect, request)

    def decide(self, request):
        """The outcome and the id of the rule that decided, or None."""
        matching = {"allow": [], "deny": [], "require": []}
        for rule in self.rules:
            effect = next(e for e in matching if e in rule)
            if self.matches(rule, effect, request):
                matching[effect].append(rule["id"])
        unmet = [rule for rule in matching["require"] if rule not in request["met"]]
        if matching["deny"]:
            return "deny", first(matching["deny"])
        if not matching["allow"]:
            return "deny", None
        if unmet:
            return "wait", first(unmet)
        return "allow", first(matching["allow"])


def first(ids):
    return min(ids, key=lambda name: name.encode())


def main():
    policy = None
    for line in sys.stdin:
        data = json.loads(line)
        if "policy" in data:
            policy = Policy(data["policy"])
        else:
            outcome, rule = policy.decide(data)
            print(outcome, rule or "-")


if __name__ == "__main__":
    main()
