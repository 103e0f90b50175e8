-- What a step makes of Lua's functions, and of modules, reaches no module, whenever it is opened.
local keep_pairs, keep_expect, keep_find, keep_error = pairs, expect, string.find, error
for _, library in ipairs{string, table, math, utf8} do
	for name in pairs(library) do library[name] = nil end
end
for _, name in ipairs{"type", "tostring", "tonumber", "ipairs", "pairs", "next", "select", "error", "pcall", "setmetatable", "math", "table", "string"} do _G[name] = nil end
run = nil

-- Opened now, for the first time.
keep_expect(text.columns("a b\n1 2 3\n")[1].b == "2 3")
keep_expect(re.replace("a1b22", "\\d+", "<$0>") == "a<1>b<22>")
keep_expect(time.iso(time.parse("2026-11-22")) == "2026-11-22T00:00:00Z")
keep_expect(json.encode({b = {1, 2}, a = "x"}) == '{"a":"x","b":[1,2]}')
keep_expect(yaml.decode("a: [1, 2]").a[2] == 2)
log.info("still", 1, true)
print("still")

-- Methods of strings are Lua's own; what a step adds is there too.
keep_expect(("abc"):find("b", 1, true) == 2 and ("abc"):upper() == "ABC")
string = nil

-- A module that is changed is changed for the step alone: disk reads lines with text, whatever text.lines is.
text.lines = function() keep_error("the step's own text.lines") end
json.array = nil
keep_expect(prometheus("https://prometheus.example").url == "https://prometheus.example")
local ok = parallel{function() return text.columns("x\n1\n")[1].x end}
keep_expect(ok[1] == "1")
