"""Books whose steps pass every place. A command appends its key, `step:label:attempt`, to a file outside, and syncs it."""
import os, re

LINE = """local function line(label, more)
  local key = run.step .. ":" .. label .. ":" .. run.attempt
  return sh({"sh", "-c", "echo " .. key .. " >> " .. params.oracle .. "; sync " .. params.oracle .. (more or "")})
end
"""
HELD = """return sh({"sh", "-c", "grep -qxF " .. run.step .. ":a:" .. run.attempt .. " " .. params.oracle}, {check = false}).code == 0"""
# Under way until the file beside the oracle says go, for 60 s at most.
SLOW = 'line("a", "; echo out; for i in $(seq 3000); do [ -e " .. params.oracle .. ".go ] && break; sleep 0.02; done")'


def key_of(script):
    """The key that a command appends, or None: it appends none."""
    got = re.match(r"echo (\S+) >> ", script)
    return got.group(1) if got else None


# name: (attributes, action, {role: source}) for each step; no action: manual.
BOOKS = {
    # Everything that a run passes when nothing is in its way.
    "whole": [
        ("", 'log.info("begins") line("a", "; echo out; echo aside >&2")', {"if": 'return sh({"sh", "-c", "true"}).code == 0'}),
        ("effect=idempotent retry=9", 'parallel{function() line("a") end, function() line("b") end}', {}),
        ("retry=1 delay=100ms", 'line("a") if run.attempt == 1 then fail("the first time") end', {}),
        ("", 'local value = ask{prompt = "Which?"} line("a") return {value = value}', {}),
        ("", 'line("a")', {"verify": HELD}),
        ("", 'line("a") if run.attempt == 1 then go("s4") end', {}),
        ("", 'line("a") go("s8")', {}),
        ("", 'line("a")', {}),
        ("", 'local ok = pcall(sh, {"/nonexistent/program"}) line(ok and "a" or "b")', {}),
        None,
        ("", 'sh({"sh", "-c", "cat >/dev/null; echo done"}, {stdin = secret "token"}) line("a")', {}),
    ],
    # Commands that are under way for a while: settled by a person, by their proof, by their class.
    "slow": [
        ("", 'line("a")', {}),
        ("needs=s0", SLOW, {}),
        ("needs=s0", SLOW, {"verify": HELD}),
        ("needs=s0 effect=idempotent retry=9", SLOW, {}),
    ],
    "quick": [("", 'line("a", "; echo out")', {})],
    # Agreed to by two, each for two hosts.
    "agreed": [("", 'line("a")', {}), ('risk=destructive targets="{\'a\', \'b\'}"', 'line("a")', {})],
}
SKIPPED = {"whole": ("s7",)}


def write(folder):
    paths = {}
    for name, steps in BOOKS.items():
        out = ["# Book %s" % name, "", "## Parameters", "", "| Name | Type | Default | Description |", "|---|---|---|---|", "| oracle | string | | the file |", "",
               "## Permissions", "", "- `sh sh -c *`", "- `sh /nonexistent/program`", "- `secret token`", "- read: `sh sh -c *`", "", "## Steps", ""]
        for i, step in enumerate(steps):
            out += ["%d. Step %d" % (i + 1, i), ""]
            if step is None:
                out += ["   <!-- step: id=s%d -->" % i, ""]
                continue
            attributes, action, more = step
            for info, source in [("id=s%d %s" % (i, attributes), LINE + action)] + list(more.items()):
                out += ["   ```lua {%s}" % info] + ["   " + l for l in source.split("\n")] + ["   ```", ""]
        paths[name] = os.path.join(folder, name + ".md")
        with open(paths[name], "w") as f:
            f.write("\n".join(out))
    paths.update(write_family(folder))
    return paths


def write_family(folder):
    """A playbook that finds a cause, and the runbook to which that leads: it asks a person, and appends its line to a file of its own."""
    pages = {
        "family": "# Family\n\n## Playbook Info\n\n| Playbook ID |\n|---|\n| PLAY001 |\n\n## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n| oracle | string | | the file |\n\n"
                  "## Permissions\n\n- read: `sh sh -c *`\n\n## Diagnosis\n\n1. Look\n\n   ```lua {id=s0 effect=idempotent retry=9}\n   %s\n   ```\n\n"
                  "## Root Causes\n\n| Cause | Runbook | Mode | Parameters |\n|---|---|---|---|\n| `full` | mend.md | automatic | oracle={evidence:file} |\n"
                  % "\n   ".join((LINE + 'line("a") evidence("load", {one = 1}) cause("full", {evidence = {file = params.oracle .. ".child"}})').split("\n")),
        "mend": "# Mend\n\n## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n| oracle | string | | the file |\n\n## Permissions\n\n- `sh sh -c *`\n\n"
                "## Steps\n\n1. Mend\n\n   ```lua {id=m0 effect=idempotent retry=9}\n   local said = ask{prompt = \"Which?\"}\n   sh({\"sh\", \"-c\", \"echo \" .. run.id .. \" >> \" .. params.oracle})\n   return {said = said}\n   ```\n"}
    for name, text in pages.items():
        with open(os.path.join(folder, name + ".md"), "w") as f:
            f.write(text)
    return {name: os.path.join(folder, name + ".md") for name in pages}
