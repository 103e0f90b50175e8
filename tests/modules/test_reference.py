#!/usr/bin/env python3
"""The reference of modules says what is there: every call of every module and every option of it, no other; its examples compile; modules/README.md is what
the program prints. limit: 180"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from step import Steps, fails  # noqa: E402
from world import run_tests  # noqa: E402

RUNG = os.environ.get("RUNG", os.path.join(ROOT, "build/rung"))

# A value of each argument that comes as far as the look at the options.
VALUES = {"unit": '"nginx"', "url": '"https://x.example/"', "hosts": '{"h"}', "kind": '"deployments"', "address": '"x.example:1"', "argv": '{"true"}', "signal": '"TERM"',
          "path": '"/x"', "params": "{}", "pid": "1", "replicas": "1", "value": "1", "list": "{}", "f": "print", "method": '"PUT"'}
OBJECTS = {"k": 'kubernetes{server = "https://x.example"}', "p": 'prometheus("https://x.example")'}
REQUIRED = {"approve": 'prompt = "x", ', "ask": 'prompt = "x", ', "kubernetes": 'server = "https://x.example", '}
# What they are given is written in C, which looks at no other member.
UNCHECKED = {"json.encode"}


def reference():
    return json.loads(subprocess.run([RUNG, "help", "modules", "--json"], capture_output=True, check=True).stdout)


def name_of(call):
    return call.split("(")[0]


def expression(call):
    owner, sep, method = name_of(call).partition(":")
    return OBJECTS[owner] + sep + method if sep else owner


def with_wrong_option(call, entry):
    words = re.search(r"\((.*)\)", call).group(1).split(", ")
    params = {v["name"] for v in entry["values"] if v["kind"] == "param"}
    given = []
    for word in words:
        given.append(VALUES.get(word, '"x"') if word in params else "{%sno_such = 1}" % REQUIRED.get(name_of(call), ""))
    return "%s(%s)" % (expression(call), ", ".join(given))


def readme_is_what_the_program_prints(w):
    with open(os.path.join(ROOT, "modules/introduction.md")) as f:
        text = f.read()
    text += subprocess.run([RUNG, "help", "modules", "--markdown"], capture_output=True, check=True, text=True).stdout
    with open(os.path.join(ROOT, "modules/README.md")) as f:
        assert f.read() == text, "modules/README.md is stale: make docs writes it anew"


def every_option_is_documented_and_no_other(w):
    entries = reference()
    shared = {e["module"]: {v["name"] for v in e["values"]} for e in entries if not e["calls"]}
    wanted, tries = {}, []
    for e in entries:
        own = {v["name"] for v in e["values"] if v["kind"] == "option"}
        for call in e["calls"]:
            if own and name_of(call) not in UNCHECKED:
                wanted[name_of(call)] = own | shared.get(e["module"], set())
                tries.append("try(%s, function() %s end)" % (json.dumps(name_of(call)), with_wrong_option(call, e)))
    assert len(wanted) > 35, len(wanted)
    source = """local out = {}
local function try(name, f)
  local ok, why = pcall(f)
  out[name] = ok and "nothing was wrong" or tostring(why)
end
%s
return out""" % "\n".join(tries)
    got = w.lua_result(source, "read: `sh **`")
    faults = []
    for name, options in sorted(wanted.items()):
        m = re.search(r"there is no option no_such \(there are (.*)\)", got[name])
        if not m:
            faults.append("%s: %s" % (name, got[name]))
        elif set(m.group(1).split(", ")) != options:
            there = set(m.group(1).split(", "))
            faults.append("%s: not documented %s; not there %s" % (name, sorted(there - options), sorted(options - there)))
    assert not faults, "\n".join(faults)


def every_call_is_documented_and_no_other(w):
    entries = reference()
    names = sorted({name_of(c) for e in entries for c in e["calls"]})
    # What steps cannot call, such as the channels of notifications, has no Lua.
    folders = sorted(d for d in os.listdir(os.path.join(ROOT, "modules")) if os.path.exists(os.path.join(ROOT, "modules", d, d + ".lua")))
    missing = [d for d in folders if d not in {e["module"] for e in entries}]
    assert not missing, "modules without a documented call: %s" % missing
    source = """local there, found = {}, {}
for _, name in ipairs(json.decode([==[%s]==])) do
  local owner, method = name:match("^(%%a+)[.](.+)$")
  if not name:find(":", 1, true) then there[name] = owner and _G[owner][method] ~= nil or not owner and _G[name] ~= nil end
end
for _, name in ipairs(json.decode([==[%s]==])) do
  local m = _G[name]
  if type(m) == "table" then
    for key, value in pairs(m) do
      if type(value) == "function" then found[#found + 1] = name .. "." .. key end
    end
  end
end
local k, p = %s, %s
for _, name in ipairs(json.decode([==[%s]==])) do
  local owner, method = name:match("^(%%a):(.+)$")
  if owner then there[name] = type((owner == "k" and k or p)[method]) == "function" end
end
return {there = there, found = found}""" % (json.dumps(names), json.dumps(folders), OBJECTS["k"], OBJECTS["p"], json.dumps(names))
    got = w.lua_result(source)
    assert all(got["there"].values()), [n for n, is_there in got["there"].items() if not is_there]
    undocumented = [n for n in got["found"] if n not in names]
    assert len(got["found"]) > 60 and not undocumented, undocumented


def every_row_in_c_is_named(w):
    rows = {row for e in reference() for row in e.get("rows", [])}
    with open(os.path.join(ROOT, "modules/README.md")) as f:
        recorded = set(re.findall(r"^\| `(\w+\.\w+)` \| (?:actor|person|engine) ", f.read(), re.M))
    assert len(recorded) >= 8 and recorded == rows, (recorded, rows)


def every_call_has_an_example_that_compiles(w):
    entries = [e for e in reference() if e["calls"]]
    bare = [e["calls"] for e in entries if not e.get("example") or not e.get("text")]
    assert not bare, bare
    # Each as a function that nobody calls: the worker compiles them.
    w.lua_result("\n".join("do local function example()\n%s\nend end" % e["example"] for e in entries))
    fails(lambda: w.lua_result("do local function example()\nlocal = 1\nend end"), "expected near")


def examples_that_need_nothing_outside_run(w):
    runs = [e for e in reference() if e["module"] in ("text", "re", "time", "json") and "example" in e and not re.search(r"sh\{|fail\(", e["example"])]
    assert len(runs) > 15, len(runs)
    w.lua_result("\n".join("do\n%s\nend" % re.sub(r"(?m)^return .*$", "", e["example"]) for e in runs))


tests = [readme_is_what_the_program_prints, every_option_is_documented_and_no_other, every_call_is_documented_and_no_other, every_row_in_c_is_named,
         every_call_has_an_example_that_compiles, examples_that_need_nothing_outside_run]
if __name__ == "__main__":
    sys.exit(run_tests(tests, world=Steps))
