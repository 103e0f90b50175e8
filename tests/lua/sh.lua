local r = sh{"printf", "%d", 5}
expect(r.code == 0 and r.stdout == "out\n" and r.stderr == "")
local function raises(what, ...)
	local ok, why = pcall(sh, ...)
	expect(not ok and tostring(why):find(what, 1, true), what .. " was expected, not " .. tostring(why))
	return why
end
raises("was expected", 5)
raises("is empty", {})
raises("argument 2 is a table", {"a", {}})
raises("zero byte", {"a", "b\0"})
raises("options go into the argument behind it", {"a", check = false})
raises("no option stdn", {"a"}, {stdn = "x"})
raises("effect must be", {"a"}, {effect = "twice"})
raises("no duration", {"a"}, {timeout = "soon"})
raises("env has a name", {"a"}, {env = {["A=B"] = "x"}})
local why = raises("sh: a 'b c' ended with exit status 0", {"a", "b c"}, {ok = {1}})
expect(why.kind == "call" and why.code == 0 and why.stdout == "out\n" and why.reason == "failed")
expect(sh({"a"}, {ok = {0, 3}}).code == 0 and sh({"a"}, {check = false}).code == 0)
sh("cat", {stdin = "\xff\0x", env = {A = "1"}, cwd = "/", timeout = "30s", effect = "read"})

expect(not pcall(sh, {"cat"}, {stdin = string.rep("x", 800000)}))
