-- What a step finds, and what it does not.
local function raises(f, what)
	local ok, why = pcall(f)
	expect(not ok, "an error was expected: " .. what)
	expect(tostring(why):find(what, 1, true), "\"" .. what .. "\" was expected, not: " .. tostring(why))
end

for _, name in ipairs{"io", "os", "debug", "package", "load", "loadfile", "dofile", "loadstring", "collectgarbage", "rawset", "rawget", "warn"} do
	expect(_G[name] == nil, name .. " is there")
end
expect(string.dump == nil, "string.dump is there")
for name in pairs{select = 1, type = 1, tonumber = 1, ipairs = 1, pairs = 1, next = 1, error = 1, assert = 1, pcall = 1, xpcall = 1, rawequal = 1, rawlen = 1} do
	expect(type(_G[name]) == "function", name .. " is not there")
end

-- The metatable of strings stays out of sight.
expect(getmetatable("") == false)

-- Nothing that depends on when memory is collected.
raises(function() setmetatable({}, {__gc = function() end}) end, "__gc is refused")
raises(function() setmetatable({}, {__mode = "k"}) end, "__mode is refused")
local t = setmetatable({}, {__index = {a = 1}})
expect(t.a == 1)

-- Nothing that says where a thing lies.
expect(tostring({}) == "table" and tostring(print) == "function" and tostring(coroutine.create(print)) == "thread")
expect(tostring(setmetatable({}, {__name = "disk"})) == "disk")
expect(tostring(setmetatable({}, {__tostring = function() return "mine" end})) == "mine")
expect(string.format("%s|%5s|%s|%d%%", {}, nil, "x", 3) == "table|  nil|x|3%")
raises(function() return ("%p"):format({}) end, "%p is not there")
raises(function() return ("\0%p"):format({}) end, "%p is not there")
expect(string.format("\0%s|%s\0%s", {}, print, coroutine.create(print)) == "\0table|function\0thread")
expect(string.format("%-5s|%q", "ab", "c") == "ab   |\"c\"")

-- Random numbers that are the same when the attempt is run again (the seed comes with it).
raises(function() math.randomseed() end, "needs a number")
math.randomseed(1, 2)
local first = math.random(1000000)
math.randomseed(1, 2)
expect(first == math.random(1000000))

-- The C locale, whatever the engine's is.
expect(tostring(1.5) == "1.5")

-- What later versions have says so; it is not a nil value.
raises(function() update{text = "x"} end, "update: messages to stakeholders are not in this version of rung")
raises(function() return poll "x" end, "poll: durable waits are not in this version")
raises(function() wait("5m") end, "wait: ")

-- skip and go end the step: no pcall keeps them. Everything else can be caught, with its fields.
local ok, why = pcall(fail, "no space")
expect(not ok and why.kind == "fail" and why.why == "no space")
expect(tostring(why):find("x.md:%d+: no space"))
ok, why = pcall(expect, 1 == 2)
expect(not ok and why.kind == "expect")
expect(select("#", expect(1, nil, 3)) == 3)

-- require: rung's own, and a sentence for the rest.
expect(require "json" == json and require "re" == re)
raises(function() require "socket" end, "there is no module socket")

-- Deep recursion ends with an error, not with the worker.
local function deep(n) return 1 + deep(n + 1) end
raises(function() deep(1) end, "stack overflow")
raises(function() return string.rep("x", 1 << 40) end, "too large")
raises(function() return ("x"):rep(50):find(("(x"):rep(40)) end, "too many captures")

-- A metatable that is protected stays: of the globals, of an error, of what a step is given.
raises(function() json.array(_G) end, "protected")
ok, why = pcall(fail, "x")
raises(function() json.array(why) end, "protected")
expect(json.encode(json.array(json.array{1})) == "[1]")

-- Strings have what a step adds to string.
function string.twice(s) return s .. s end
expect(("ab"):twice() == "abab")
string.twice = nil
