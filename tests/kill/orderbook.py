"""The book that the test of the order of delivery runs, and a model of its steps. What a step asks next depends on which answers came before, and a command's time and exit
status are a matter of chance: so each key `step:label:answers:errors:first` that is asked tells the order in which the step got its answers."""
import os

# Appends its key to a file that is on the disk when it goes on; then takes up to 60 ms, and fails once in three times.
COMMAND = 'echo "$1" >> "$2"; sync "$2"; n=$(od -An -N1 -tu1 /dev/urandom); sleep 0.0$((n % 7)); exit $((n / 7 % 3 == 0))'

LUA = """local seen, errors, first, more = {}, 0, "-", {}
local function ask(label)
  local key = table.concat({run.step, label, #seen, errors, first}, ":")
  local ok = pcall(sh, {"sh", "-c", [[COMMAND]], "sh", key, params.oracle})
  seen[#seen + 1] = label .. (ok and "" or "!")
  if #seen == 1 then first = label end
  if not ok then errors = errors + 1 end
  return ok
end
STEP
return {seen = seen, errors = errors, first = first, more = more}"""


class Step:
    """What ask() of the book keeps. A model is a generator: it yields ("ask", key), and gets whether that succeeded; or ("group", generators, most), and gets the error
    of the group or None."""

    def __init__(self, id):
        self.id, self.seen, self.errors, self.first, self.more = id, [], 0, "-", []

    def ask(self, label):
        ok = yield "ask", "%s:%s:%d:%d:%s" % (self.id, label, len(self.seen), self.errors, self.first)
        self.seen.append(label + ("" if ok else "!"))
        if len(self.seen) == 1:
            self.first = label
        self.errors += not ok
        return ok

    def result(self):
        return {"seen": self.seen, "errors": self.errors, "first": self.first, "more": self.more or {}}


class Raised(Exception):
    pass


def parallel(*branches):
    return ("group", branches, len(branches))


def each(items, f, most=10):
    return ("group", [f(i) for i in items], most)


# --- steps: the Lua, and what it is to do

RACE = """local function branch(label)
  return function()
    ask(label)
    if first == label then ask(label .. "won") else ask(label .. "after" .. first) end
    ask(label .. #seen)
  end
end
parallel{branch("a"), branch("b"), branch("c")}"""


def race(s):
    def branch(label):
        yield from s.ask(label)
        yield from s.ask(label + ("won" if s.first == label else "after" + s.first))
        yield from s.ask("%s%d" % (label, len(s.seen)))
    yield parallel(branch("a"), branch("b"), branch("c"))


COUNT = """local function branch(label)
  return function()
    for i = 1, 3 do
      if errors > 2 then return end
      ask(label .. i)
    end
  end
end
parallel{branch("a"), branch("b"), branch("c"), branch("d")}
if errors % 2 == 0 then ask("even") else parallel{function() ask("odd") end, function() ask("odder" .. errors) end} end"""


def count(s):
    def branch(label):
        for i in (1, 2, 3):
            if s.errors > 2:
                return
            yield from s.ask("%s%d" % (label, i))

    def one(label):
        yield from s.ask(label)
    yield parallel(*[branch(l) for l in "abcd"])
    if s.errors % 2 == 0:
        yield from s.ask("even")
    else:
        yield parallel(one("odd"), one("odder%d" % s.errors))


# A branch that raises keeps what has not started from starting; of several errors the first branch's is raised.
EACH = """for round = 1, 2 do
  local ok, why = pcall(each, {"a", "b", "c", "d", "e", "f"}, function(label)
    if not ask(label .. round) and errors > 1 then error({label .. #seen}) end
    more[#more + 1] = label
  end, {max_concurrency = 2})
  more[#more + 1] = ok and "whole" or why[1]
end"""


def limited(s):
    def branch(label, round):
        ok = yield from s.ask("%s%d" % (label, round))
        if not ok and s.errors > 1:
            raise Raised("%s%d" % (label, len(s.seen)))
        s.more.append(label)
    for round in (1, 2):
        error = yield each("abcdef", lambda label: branch(label, round), 2)
        s.more.append(error or "whole")


NESTED = """local turn = 0
parallel{
  function()
    each({"a", "b", "c"}, function(label)
      turn = turn + 1
      local mine = turn
      parallel{function() ask(label .. mine) end, function() ask(label .. "x") more[#more + 1] = label .. mine .. turn end}
      turn = turn + 1
    end, {max_concurrency = 2})
    ask("inner" .. turn)
  end,
  function()
    local next_one = coroutine.wrap(function() for i = 1, 3 do ask("w" .. i .. turn) coroutine.yield(i) end end)
    while next_one() ~= 3 do more[#more + 1] = turn end
  end,
  function() repeat until not ask("r" .. turn) or errors > 3 or #seen > 8 end,
}
ask("end" .. turn)"""


def nested(s):
    turn = [0]

    def one(label):
        yield from s.ask(label)

    def other(label, mine):
        yield from s.ask(label + "x")
        s.more.append("%s%d%d" % (label, mine, turn[0]))

    def item(label):
        turn[0] += 1
        mine = turn[0]
        yield parallel(one("%s%d" % (label, mine)), other(label, mine))
        turn[0] += 1

    def outer():
        yield each("abc", item, 2)
        yield from s.ask("inner%d" % turn[0])

    def wrapped():
        for i in (1, 2, 3):
            yield from s.ask("w%d%d" % (i, turn[0]))
            if i != 3:
                s.more.append(turn[0])

    def repeated():
        while (yield from s.ask("r%d" % turn[0])) and s.errors <= 3 and len(s.seen) <= 8:
            pass
    yield parallel(outer(), wrapped(), repeated())
    yield from s.ask("end%d" % turn[0])


# (id, attributes, Lua, model)
STEPS = [
    ("race", "effect=idempotent", RACE, race),
    ("count", "effect=idempotent", COUNT, count),
    ("each", "effect=read", EACH, limited),
    ("nested", "effect=idempotent", NESTED, nested),
    ("once", "", RACE, race),
    ("receipt", "effect=receipt", COUNT, count),
]


def key_of(words):
    """The key that a command appends."""
    return words[4] if len(words) == 6 and words[2] == COMMAND else None


def write(folder):
    out = ["# Order", "", "## Parameters", "", "| Name | Type | Default | Description |", "|---|---|---|---|", "| oracle | string | | the file |", "",
           "## Permissions", "", "- `sh sh -c **`", "", "## Steps", ""]
    for i, (id, attributes, lua, _) in enumerate(STEPS):
        out += ["%d. Step %s" % (i + 1, id), "", '   ```lua {id=%s needs="" %s}' % (id, attributes)]
        out += ["   " + l for l in LUA.replace("COMMAND", COMMAND).replace("STEP", lua).split("\n")] + ["   ```", ""]
    path = os.path.join(folder, "order.md")
    with open(path, "w") as f:
        f.write("\n".join(out))
    return path


# --- the model's scheduler: branches go on in the order in which they became able to; one answer is handed over when none can

class Group:
    def __init__(self, branches, most, parent):
        self.waiting, self.most, self.parent = list(enumerate(branches)), most, parent
        self.running, self.failed, self.error = 0, None, None


class Replay:
    """A step's calls over the outcomes of a journal. asked: the key of each call, by its number from 1."""

    def __init__(self, id, model):
        self.step = Step(id)
        self.asked, self.waits, self.ready, self.is_over = {}, {}, [], False
        self.go(model(self.step), None, None)
        self.work()

    def deliver(self, call, ok):
        generator, group = self.waits.pop(call)
        self.go(generator, group, ok)
        self.work()

    def work(self):
        while self.ready:
            self.go(*self.ready.pop(0))

    def start(self, group):
        while group.failed is None and group.running < group.most and group.waiting:
            index, generator = group.waiting.pop(0)
            group.running += 1
            self.ready.append((generator, (group, index), None))

    def ended(self, group, index, error):
        group.running -= 1
        if error and (group.failed is None or index < group.failed):
            group.failed, group.error = index, error
        self.start(group)
        if group.running == 0:
            generator, above = group.parent
            self.ready.append((generator, above, group.error))

    def go(self, generator, place, value):
        try:
            what, *more = generator.send(value)
        except (StopIteration, Raised) as e:
            if place:
                self.ended(place[0], place[1], str(e) if isinstance(e, Raised) else None)
            else:
                self.is_over = True
            return
        if what == "ask":
            number = len(self.asked) + 1
            self.asked[number] = more[0]
            self.waits[number] = (generator, place)
            return
        self.start(Group(more[0], more[1], (generator, place)))
