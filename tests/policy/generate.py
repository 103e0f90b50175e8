"""Random policies and requests that hit: few names, so that things collide, and requests drawn from what the policy says, a little changed."""
import datetime, json, random, re

NOW = 1_800_000_000_000_000  # 2027-01-15T08:00:00Z
DAY, HOUR = 86_400_000_000, 3_600_000_000
PEOPLE = ["ana", "bo", "cy", "dee"]
SERVICES = ["bot", "cron"]
PRINCIPALS = ["user:" + p for p in PEOPLE] + ["service:" + s for s in SERVICES] + ["user:bot", "service:ana", "system:engine"]
GROUPS, WINDOWS, ELEVATIONS = ["sre", "dba"], ["freeze", "night"], ["glass", "fire"]
VERBS = ["run", "read", "cancel", "resolve", "approve-book", "respond"]
RISKS = ["read", "change", "destructive"]
TRIGGERS = ["person", "alert", "schedule", "parent"]
NAMES = ["web", "db", "a.md", "b.md", "ab.md", "x"]
ANCHORS = ["disk", "disk-2", "cpu"]
NAME_GLOBS = ["*", "*.md", "a*", "*b*", "a*.md", "*d*b", "d*", "**", "**", "**"]
PARAMS = [
    {},
    {"unit": "nginx", "n": 5, "on": True, "list": ["a", "-f", "b"], "dash": "-f", "none": None},
    {"unit": "a b", "n": -5, "on": False, "list": [], "dash": "--x=*", "map": {"a": 1}},
]
WORDS = ["systemctl", "restart", "nginx", "a", "b", "ab", "a.b", "-f", "-", "--x=1", "--x=-1", "a b", "*", "5", "-5", "true", "", "é", "a\nb", "..", "../a", "a/..", "a/b", "--x=..", "{a|b}", "'"]
PIECES = [
    *["*", "*", "a", "b", "-", "--x=", "-f", "ngin", ".", "{a|b}", "{a|-f|ab}", "{5|true}", "'*'", '"a b"', "\\*", "'{a|b}'", "'-'*", "/", "..", "="],
    *["{param:unit}", "{param:n}", "{param:list}", "{param:dash}", "{param:on}"],
]
FIXED_PIECES = [piece for piece in PIECES if "param" not in piece]  # a deny names values


HOST_GLOBS = ["web-1", "web-*", "*", "db-2", "{web|db}-1", "web-*.example.net", "*.example.net", "*-1", "Web-1"]
HOSTS = ["web-1", "web-2", "db-1", "db-2", "WEB-1", "web-1.example.net", "a.b.example.net", "web-", "web-1.", "wéb-1", "web-1..x", ""]
LOGINS = ["", "", "deploy@", "root@", "{deploy|root}@", "*@"]
URL_PATHS = ["", "/", "/v1/**", "/v1/*", "/*/x", "/v1/a*", "/{v1|v2}/x", "/**", "/v1/*/x", "/v1/{param:unit}"]
FILE_GLOBS = ["/srv/a", "/srv/*", "/srv/**", "/**", "/*/a", "/srv/a*", "/srv/*b", "/srv/{a|b}/*", "/srv/.*", "'/srv/a b'", "/srv/*/a/**", "/srv/a=*", "/srv/{param:unit}"]
FILES = ["/srv/a", "/srv/b", "/srv/ab", "/srv/a/b", "/srv/b/a/x", "/srv", "/srv/", "/", "", "srv/a", "/srv/../a", "/srv/./a", "/srv//a", "/srv/-f", "/srv/.a", "/srv/..a", "/srv/a=-f", "/srv/a b", "/srv/nginx", "/srv/é", "/srv/a\\b", "/srv/a\nb"]
PATHS = ["", "/", "/v1/", "/v1/x", "/v1/a", "/v1/ab", "/v2/x", "/v1/x/y", "/v1/a/x", "/v1/../v2/x", "/v1/%2e%2e/x", "/v1/x%2fy", "/v1/x%20y", "/v1//x", "/v1/nginx", "/v1/..", "/v1/-x", "/./x"]


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def some(self, population, least=1, most=3):
        return self.r.sample(population, self.r.randint(least, min(most, len(population))))

    def often(self, chance):
        return self.r.random() < chance

    def one_or_list(self, values):
        """A list of one may be written without the list."""
        return values[0] if len(values) == 1 and self.often(0.3) else values

    # ---- policies ----

    def principal(self):
        r = self.r
        forms = ["user:" + r.choice(PEOPLE + SERVICES), "service:" + r.choice(SERVICES), "group:" + r.choice(GROUPS), "group:" + r.choice(GROUPS), "user:*", "service:*", "*"]
        return r.choice(forms)

    def glob(self):
        r = self.r
        if self.often(0.15):
            return r.choice(["**", "**/a.md", "*/a.md", "**/*", "**#disk"])
        glob = "/".join(r.choice(NAMES) if self.often(0.35) else r.choice(NAME_GLOBS) for _ in range(r.randint(1, 3)))
        return glob + "#" + r.choice(ANCHORS + ["*", "d*"]) if self.often(0.2) else glob

    def day(self, at):
        return "%04d-%02d-%02d" % date_of(at)

    def instant(self, at):
        zone = self.r.choice([0, 0, 60, -90, 330])
        local = at + zone * 60_000_000
        seconds = local % DAY // 1_000_000
        text = "%sT%02d:%02d:%02d" % (self.day(local), seconds // 3600, seconds // 60 % 60, seconds % 60)
        return text + ("Z" if zone == 0 else "%s%02d:%02d" % ("-" if zone < 0 else "+", abs(zone) // 60, abs(zone) % 60))

    def span(self):
        start = NOW + self.r.randint(-3 * 24, 2 * 24) * HOUR
        end = start + self.r.randint(1, 72) * HOUR
        write_start, write_end = self.r.choice([self.day, self.instant]), self.r.choice([self.day, self.instant])
        if write_start == self.day or write_end == self.day:
            end = start + (end - start) + DAY
        return {"from": write_start(start), "to": write_end(end)}

    def conditions(self):
        r, out = self.r, {}
        for key in self.some(["risk", "trigger", "window", "grant", "targets"], 1, 2):
            if key == "risk":
                out[key] = self.one_or_list(self.some(RISKS, 1, 2))
            elif key == "trigger":
                out[key] = self.one_or_list(self.some(TRIGGERS, 1, 3))
            elif key == "window":
                out[key] = r.choice(WINDOWS)
            elif key == "grant":
                out[key] = r.choice(ELEVATIONS)
            else:
                out[key] = {"above": r.randint(0, 6)}
        return out

    def word(self, effect):
        r = self.r
        pieces = PIECES if effect == "allow" else FIXED_PIECES
        return re.sub(r"\*\*+", "*", "".join(r.choice(pieces) for _ in range(r.randint(1, 3)))) if self.often(0.7) else r.choice(["nginx", "restart", "-f", "--x=1", "''", "'a b'"])

    def pattern(self, effect):
        r = self.r
        kind = r.choice(["sh", "sh", "sh", "ssh", "http", "secret", "notify", "runbook"])
        if kind == "ssh":
            if self.often(0.4):
                return "ssh %s%s %s %s" % (r.choice(LOGINS), r.choice(HOST_GLOBS), r.choice(["put", "put", "get"]), r.choice(FILE_GLOBS if effect == "allow" else FILE_GLOBS[:-1]))
            user = r.choice(["", "", " as root", " as *"])
            return "ssh %s%s%s -- %s" % (r.choice(LOGINS), r.choice(HOST_GLOBS), user, r.choice(["uptime", "systemctl restart *", "df **", "{a|b} *"]))
        if kind == "http":
            path = r.choice(URL_PATHS if effect == "allow" else URL_PATHS[:-1])
            url = r.choice(["http", "https", "https"]) + "://" + r.choice(HOST_GLOBS).lower() + r.choice(["", "", ":443", ":80", ":8443"]) + path
            return "http %s %s" % (r.choice(["GET", "{GET|HEAD}", "POST"]), url)
        if kind != "sh":
            return kind + " " + r.choice(["a", "b", "ab", "a*", "*", "{a|b}", "{param:list}" if effect == "allow" else "b*"])
        words = [r.choice(["systemctl", "systemctl", "a", "{a|b}", "/bin/*", "a*"])] + [self.word(effect) for _ in range(r.randint(0, 2))]
        return " ".join(["sh"] + words + (["**"] if self.often(0.25) else []))

    def patterns(self, effect):
        return self.one_or_list([self.pattern(effect) for _ in range(self.r.randint(1, 3))])

    def rule(self, name, effect):
        r, rule = self.r, {"id": name}
        if effect == "require":
            rule["require"] = {"approvals": r.randint(1, 3), "from": self.principal(), "within": r.choice(["15m", "1h"])}
            if self.often(0.5):
                rule["require"]["not"] = ["starter", "author"]
        else:
            rule[effect] = self.one_or_list(["run"] if self.often(0.6) else self.some(VERBS, 1, 3))
        if effect == "allow" or self.often(0.4):
            rule["who"] = self.one_or_list([self.principal() for _ in range(r.randint(1, 3))])
        if effect == "allow" or self.often(0.5):
            rule["books"] = self.one_or_list([self.glob() for _ in range(r.randint(1, 3))])
        if effect == "allow" and "run" in rule[effect] and self.often(0.8):
            rule["grants"] = self.patterns(effect)
        if effect == "deny" and rule[effect] in ("run", ["run"]) and self.often(0.5):
            rule["calls"] = self.patterns(effect)
        if self.often(0.4 if effect == "allow" else 0.7):
            rule["when"] = self.conditions()
        if self.often(0.25):
            rule["unless"] = self.conditions()
        if self.often(0.1):
            rule["why"] = "because"
        return rule

    def rules(self):
        r = self.r
        effects = ["allow"] * r.randint(0, 5) + ["deny"] * r.randint(0, 2) + ["require"] * r.randint(0, 3)
        names = r.sample(["a", "b", "c", "d", "A", "B", "a-b", "a1", "z", "zz", "0"], len(effects))
        rules = [self.rule(name, effect) for name, effect in zip(names, effects)]
        r.shuffle(rules)
        return rules

    def policy(self):
        r = self.r
        groups = {g: self.some(PEOPLE + ["service:" + s for s in SERVICES]) for g in GROUPS}
        self.groups = {g: [m if ":" in m else "user:" + m for m in members] for g, members in groups.items()}
        return {
            "version": 1,
            "groups": groups,
            "services": {s: {} if self.often(0.5) else {"max_running": 2} for s in SERVICES},
            "windows": {w: [self.span() for _ in range(r.randint(1, 2))] for w in WINDOWS},
            "elevations": {e: {"who": [self.principal()], "for": "1h"} for e in ELEVATIONS},
            "rules": self.rules(),
        }

    # ---- requests ----

    def aim(self, rules):
        """The rule that a request is meant to meet, often one that allows; or none."""
        allows = [rule for rule in rules if "allow" in rule]
        pool = allows if allows and self.often(0.7) else rules
        return self.r.choice(pool) if pool and self.often(0.95) else {}

    def who(self, rule):
        entry = self.r.choice(listed(rule.get("who"))) if "who" in rule and self.often(0.9) else self.r.choice(PRINCIPALS)
        kind, _, name = entry.partition(":")
        if name == "*":
            return kind + ":" + self.r.choice(PEOPLE if kind == "user" else SERVICES)
        return self.r.choice(self.groups[name] if kind == "group" else PRINCIPALS) if kind in ("group", "*") else entry

    def book(self, rule):
        r = self.r
        if "books" not in rule or self.often(0.1):
            return r.choice(["external/", "", "", ""]) + "/".join(r.choice(NAMES) for _ in range(r.randint(1, 4))) + r.choice(["", "", "#" + r.choice(ANCHORS)])
        path, _, anchor = r.choice(listed(rule["books"])).partition("#")
        names = []
        for glob in path.split("/"):
            if glob == "**":
                names += [r.choice(NAMES) for _ in range(r.randint(0, 2))]
            elif "*" in glob:
                names.append("".join(r.choice(["", "a", "b", "d"]) if c == "*" else c for c in glob) or "x")
            else:
                names.append(glob if self.often(0.95) else r.choice(NAMES))
        book = "/".join(names or ["a.md"])
        if self.often(0.9 if anchor else 0.2):
            book += "#" + (anchor if anchor and "*" not in anchor and self.often(0.8) else r.choice(ANCHORS))
        return book

    def argument(self, word, params):
        """What the word of a pattern may stand for, sometimes not quite."""
        r = self.r
        out, i = "", 0
        while i < len(word):
            c = word[i]
            if c == "*":
                out += r.choice(["a", "b", "ab", "-f", "", "nginx", "a b", "-", "..", "a/../b"])
            elif c == "{" and "}" in word[i:]:
                inner = word[i + 1 : word.index("}", i)]
                i += len(inner) + 1
                value = params.get(inner[6:]) if inner.startswith("param:") else r.choice(inner.split("|"))
                value = (r.choice(value) if value else "") if isinstance(value, list) else value
                out += "true" if value is True else "false" if value is False else "x" if value is None or isinstance(value, dict) else str(value)
            elif c in "'\"\\":
                pass
            else:
                out += c
            i += 1
        return out

    def target(self, pattern):
        """A call of ssh or http: often the pattern's own words with what its stars may stand for, else any."""
        r = self.r
        kind, *words = pattern.replace("a b", "a\0b").split(" ")
        words = [word.replace("\0", " ") for word in words]
        is_file = kind == "ssh" and words[1] in ("put", "get")
        if self.often(0.7):
            out = [self.argument(word, {"unit": "nginx"}) if word != "**" else "x" for word in words]
            if kind == "ssh" and self.often(0.7):
                out[0] = out[0].rpartition("@")[0] + ("@" if "@" in out[0] else "") + r.choice(HOSTS[:6])
            if kind == "http" and self.often(0.7):
                scheme, _, rest = words[1].partition("://")
                out[1] = scheme + "://" + r.choice(HOSTS[:7]) + r.choice(["", ":" + rest.partition(":")[2].partition("/")[0] if ":" in rest.partition("/")[0] else ""]) + r.choice(PATHS)
            if is_file:
                out[1] = out[1] if self.often(0.9) else r.choice(["put", "get", "--"])
                out[2] = r.choice(FILES) if self.often(0.4) else self.argument(words[2].replace("**", r.choice(["a", "a/*", "-f/.", "a/b/c"])), {"unit": "nginx"})
            return kind, out
        if is_file and self.often(0.5):
            return kind, [r.choice(["", "deploy@", "@"]) + r.choice(HOSTS)] + r.choice([["put"], ["get"], ["put", "--"], ["as", "root", "put"], []]) + [r.choice(FILES)]
        if kind == "ssh":
            return kind, [r.choice(["", "deploy@", "root@", "a@b@", "@"]) + r.choice(HOSTS)] + r.choice([[], ["as", "root"], ["as", "-u"]]) + ["--"] + r.choice([["uptime"], ["systemctl", "restart", "a"], [], ["df"]])
        host = r.choice(["", "u@", "web-1@"]) + r.choice(HOSTS) + r.choice(["", ":443", ":80", ":8443"])
        return kind, [r.choice(["GET", "HEAD", "POST", "get"]), r.choice(["http", "https", "HTTPS", "ftp"]) + "://" + host + r.choice(PATHS) + r.choice(["", "", "#x"])]

    def call(self, rules, rule, params):
        r = self.r
        written = listed(rule.get("grants")) if self.often(0.8) else []
        written = written or [pattern for other in rules for pattern in listed(other.get("grants")) + listed(other.get("calls"))]
        if not written or self.often(0.1):
            return r.choice(["sh", "sh", "secret", "notify", "http", "nothing"]), [r.choice(WORDS) for _ in range(r.randint(0, 4))]
        pattern = r.choice(written)
        if pattern.startswith(("ssh ", "http ")):
            return self.target(pattern)
        kind, *words = pattern.replace("'a b'", "'a\0b'").replace('"a b"', "'a\0b'").split(" ")
        words = [word.replace("\0", " ") for word in words]
        out = []
        for word in words:
            if word == "**":
                out += [r.choice(WORDS) for _ in range(r.randint(0, 2))]
            elif self.often(0.93):
                out.append(self.argument(word, params))
            else:
                out.append(r.choice(WORDS))
        if self.often(0.05):
            out = out[:-1] if self.often(0.5) else out + [r.choice(WORDS)]
        return kind, out

    def moment(self):
        """Around now, and on the edges of hours and days, where windows begin and end."""
        return self.r.choice([NOW, NOW + self.r.randint(-100, 100) * HOUR, NOW // DAY * DAY + self.r.randint(-3, 4) * DAY - self.r.randint(0, 1)])

    def circumstances(self, when):
        """Risk, trigger, targets and elevations that often meet the conditions."""
        r = self.r
        risk = r.choice(listed(when["risk"])) if "risk" in when and self.often(0.8) else r.choice([None] + RISKS)
        trigger = r.choice(listed(when["trigger"])) if "trigger" in when and self.often(0.8) else r.choice(TRIGGERS)
        elevated = [when["grant"]] if "grant" in when and self.often(0.7) else self.some(ELEVATIONS, 0, 2) if self.often(0.3) else []
        return {"risk": risk, "trigger": trigger, "elevated": elevated, "targets": r.choice([None, "unknown", 0, 1, 2, 3, 4, 5, 6, 7, 1000])}

    def request(self, rules):
        r, rule = self.r, self.aim(rules)
        verbs = listed(rule.get("allow") or rule.get("deny") or "run")
        out = {
            "who": self.who(rule),
            "verb": r.choice(verbs) if self.often(0.9) else r.choice(VERBS),
            "book": self.book(rule),
            "now": self.moment(),
            "met": [rule["id"] for rule in rules if "require" in rule and self.often(0.3)],
        }
        out.update(self.circumstances(rule.get("when", {})))
        if self.often(0.5):
            out["params"] = r.choice(PARAMS)
            out["kind"], out["words"] = self.call(rules, rule, out["params"])
        return out

    # ---- the same policy, changed ----

    def shuffled(self, policy):
        """The same rules in another order, and so their keys, lists and conditions."""
        r = self.r

        def mix(value):
            if isinstance(value, dict):
                return {key: mix(value[key]) for key in r.sample(list(value), len(value))}
            return r.sample([mix(item) for item in value], len(value)) if isinstance(value, list) else value

        return dict(policy, rules=mix(policy["rules"]))

    def without_an_allow(self, policy):
        allows = [rule for rule in policy["rules"] if "allow" in rule]
        if not allows:
            return None
        gone = self.r.choice(allows)
        return dict(policy, rules=[rule for rule in policy["rules"] if rule is not gone])

    def with_a_deny(self, policy):
        rules = list(policy["rules"])
        rules.insert(self.r.randint(0, len(rules)), self.rule(self.r.choice(["new", "00", "zzz"]), "deny"))
        return dict(policy, rules=rules)

    # ---- as text ----

    def text(self, policy):
        """As a person may write it: blocks, or in brackets."""
        return json.dumps(policy, ensure_ascii=self.often(0.5)) if self.often(0.3) else block(policy)


def listed(value):
    return value if isinstance(value, list) else [] if value is None else [value]


def date_of(at):
    """The day in UTC of a moment."""
    day = datetime.date(1970, 1, 1) + datetime.timedelta(days=at // DAY)
    return day.year, day.month, day.day


def is_flat(value):
    return not isinstance(value, (dict, list)) or all(not isinstance(v, (dict, list)) for v in (value.values() if isinstance(value, dict) else value))


def block(value, indent=""):
    """A map or a list in YAML's block style; what is flat within stays in brackets."""
    out = ""
    for key, item in value.items() if isinstance(value, dict) else ((None, item) for item in value):
        head = indent + (key + ":" if key is not None else "-")
        if is_flat(item):
            out += head + " " + json.dumps(item, ensure_ascii=False) + "\n"
        elif key is None:
            out += indent + "- " + block(item, indent + "  ")[len(indent) + 2 :]
        else:
            out += head + "\n" + block(item, indent + "  ")
    return out
