"""The book of 20 steps that the kill test runs: each kind of step that an engine may die in. A command appends its key, `step:label:attempt`, to a file outside."""
import os, re

LINE = """local function line(label, more)
  local key = run.step .. ":" .. label .. ":" .. run.attempt
  return sh({"sh", "-c", "echo " .. key .. " >> " .. params.oracle .. "; sleep 0.0" .. (#label + %d) %% 4 .. (more or "")})
end
local order = {}
local function branch(label)
  return function()
    local ok = pcall(line, label)
    order[#order + 1] = label .. (ok and "" or "!")
  end
end"""
HELD = """local held = true
for _, label in ipairs{%s} do
  held = held and sh({"sh", "-c", "grep -qxF " .. run.step .. ":" .. label .. ":" .. run.attempt .. " " .. params.oracle}, {check = false}).code == 0
end
return held"""
LOOK = 'return sh({"sh", "-c", "sleep 0.02; exit %d"}, {check = false}).code == 0'
BIG = 200000

# (attributes, action, {role: source}); no action: manual.
STEPS = [
    ("", 'line("a")', {}),
    ("", 'parallel{branch("a"), branch("b"), branch("c")} return {order = order}', {}),
    ("", 'local one = line("a", "; echo one").stdout local two = line("b", "; echo two; echo aside >&2").stdout return {out = one .. two}', {}),
    ("", "return {n = 3}", {}),
    ("effect=idempotent retry=9", 'line("a")', {}),
    ("", 'line("a")', {"verify": HELD % '"a"'}),
    ('if="steps.s3.n == 3"', 'line("a")', {}),
    ('if="steps.s3.n == 4"', 'line("a")', {}),
    ("", 'line("a")', {"if": LOOK % 0}),
    ("retry=1 delay=10ms", 'line("a") if run.attempt == 1 then fail("the first time") end', {}),
    ("", """parallel{
  branch("a"),
  function() each({"b", "c", "d"}, function(label) branch(label)() branch(label .. label)() end, {max_concurrency = 2}) end,
  function() parallel{branch("e"), function() branch("f")() branch("g")() end} end,
}
return {order = order}""", {}),
    ("", 'local value parallel{function() value = ask{prompt = "Which?"} order[#order + 1] = "?" end, branch("a"), branch("b")} return {order = order, value = value}', {}),
    None,
    ("", 'local r = line("a", "; head -c %d /dev/zero | tr \'\\\\\\\\0\' x") return {n = #r.stdout}' % BIG, {}),
    ("", 'parallel{function() line("a") end, function() line("b") end}', {"verify": HELD % '"a", "b"'}),
    ("", 'line("a")', {"if": LOOK % 1}),
    ("effect=idempotent retry=9", 'each({"a", "b", "c", "d"}, function(label) branch(label)() end) return {order = order}', {}),
    ("", 'local one = ask{prompt = "One?"} line("a") local two = ask{prompt = "Two?"} line("b") return {value = two}', {}),
    ("needs=s16", 'parallel{branch("a"), branch("b"), branch("c"), branch("d")} return {order = order}', {}),
    ("needs=s17,s18", 'line("a") return {n = steps.s3.n}', {}),
]
SKIPPED = ("s7", "s15")
OUT = {"s2": ("out", "one\ntwo\n"), "s3": ("n", 3), "s13": ("n", BIG), "s19": ("n", 3)}


def key_of(script):
    """The key that a command appends, or None: it appends none."""
    got = re.match(r"echo (\S+) >> ", script)
    return got.group(1) if got else None


def write(folder):
    out = ["# Kill book", "", "## Parameters", "", "| Name | Type | Default | Description |", "|---|---|---|---|", "| oracle | string | | the file |", "",
           "## Permissions", "", "- `sh sh -c *`", "- read: `sh sh -c *`", "", "## Steps", ""]
    for i, step in enumerate(STEPS):
        out += ["%d. Step %d" % (i + 1, i), ""]
        if step is None:
            out += ["   <!-- step: id=s%d -->" % i, ""]
            continue
        attributes, action, more = step
        fences = [("id=s%d %s" % (i, attributes), LINE % i + "\n" + action)] + list(more.items())
        for info, source in fences:
            out += ["   ```lua {%s}" % info] + ["   " + l for l in source.split("\n")] + ["   ```", ""]
    path = os.path.join(folder, "kill.md")
    with open(path, "w") as f:
        f.write("\n".join(out))
    return path
