-- Memory beyond the attempt's, and attempts to survive its limit.

--- text that doubles
-- tries: memory
local s = "x"
while true do s = s .. s end

--- text repeated
-- tries: memory
local s = ("x"):rep(1 << 28)

--- text repeated with a separator
-- tries: memory
local s = (""):rep(1 << 20, ("y"):rep(100))

--- text formatted into itself
-- tries: memory
local s = "x"
while true do s = ("%s%s%s"):format(s, s, s) end

--- text padded, kept
-- tries: memory
local t = {}
while true do t[#t + 1] = ("%99d%99d%99d%99d"):format(#t, #t, #t, #t) end

--- text from a list of itself
-- tries: memory
local s = "x"
while true do s = table.concat({s, s, s, s, s, s, s, s}, s) end

--- text expanded by gsub
-- tries: memory
local s = ("x"):rep(1000)
while true do s = s:gsub(".", "%0%0%0%0") end

--- text expanded by a callback of gsub
-- tries: memory
local big = ("y"):rep(100000)
local s = ("x"):rep(10000):gsub("x", function() return big end)

--- text expanded by the table of a gsub
-- tries: memory
local s = ("abc"):rep(5000):gsub("%a", {a = ("1"):rep(9000), b = ("2"):rep(9000), c = ""})

--- text packed
-- tries: memory
local s = "x"
while true do s = ("s4s4s4"):pack(s, s, s) end

--- padding packed
-- tries: memory
local t, f = {}, ("!16 i1 Xi16"):rep(500)
local zeros = {}
for i = 1, 500 do zeros[i] = 0 end
while true do t[#t + 1] = f:pack(table.unpack(zeros)) .. #t end

--- characters of the largest code
-- tries: memory
local t, s = {}, ""
for i = 1, 1000 do t[i] = 0x7FFFFFFF end
while true do s = s .. utf8.char(table.unpack(t)) .. s end

--- texts turned around, each kept
-- tries: memory
local t, s = {}, ("ab"):rep(100000)
while true do
	s = s:reverse() .. "c"
	t[#t + 1] = s
end

--- texts in upper case, each kept
-- tries: memory
local t, s = {}, ("ab"):rep(100000)
while true do t[#t + 1] = (s .. #t):upper() end

--- texts quoted
-- tries: memory
local s = "\0"
while true do s = ("%q"):format(s .. s) end

--- pieces of a text, each kept
-- tries: memory
local s, t = ("x"):rep(100000), {}
for i = 1, #s do t[i] = s:sub(i) end

--- list that grows
-- tries: memory
local t = {}
for i = 1, math.maxinteger do t[i] = i end

--- table of names that grows
-- tries: memory
local t = {}
for i = 1, math.maxinteger do t["k" .. i] = true end

--- table of floats as keys
-- tries: memory
local t = {}
for i = 1, math.maxinteger do t[i + 0.5] = true end

--- tables in tables
-- tries: memory
local t = {}
while true do t = {t, {}} end

--- list that is moved behind itself
-- tries: memory
local t = {1}
while true do table.move(t, 1, #t, #t + 1) end

--- list that is packed from itself twice
-- tries: memory
local kept, t = {}, {}
for i = 1, 2000 do t[i] = i end
while true do kept[#kept + 1] = table.pack(table.unpack(t)) end

--- insert without an end
-- tries: memory
local t = {}
while true do table.insert(t, {}) end

--- values of all bytes, kept
-- tries: memory
local s, t = ("x"):rep(20000), {}
while true do t[#t + 1] = {s:byte(1, -1)} end

--- code points, kept
-- tries: memory
local s, t = ("ä"):rep(20000), {}
while true do t[#t + 1] = {utf8.codepoint(s, 1, -1)} end

--- recursion with many locals, in many coroutines
-- tries: memory
local kept = {}
local function deep(n, ...)
	local a, b, c, d, e, f, g, h = n, n, n, n, n, n, n, n
	if n == 0 then coroutine.yield() end
	return deep(n - 1, ...) + a + b + c + d + e + f + g + h
end
while true do
	local co = coroutine.create(deep)
	coroutine.resume(co, 10000)
	kept[#kept + 1] = co
end

--- recursion that passes many values on, in coroutines that wait
-- tries: memory
local kept, values = {}, {}
for i = 1, 1000 do values[i] = i end
local function pass(n, ...)
	if n == 0 then coroutine.yield() end
	return 1, pass(n - 1, ...)
end
while true do
	kept[#kept + 1] = coroutine.create(pass)
	coroutine.resume(kept[#kept], 100, table.unpack(values))
end

--- coroutines, never resumed
-- tries: memory
local t = {}
while true do t[#t + 1] = coroutine.create(print) end

--- coroutines, waiting
-- tries: memory
local t = {}
while true do
	local co = coroutine.wrap(function(...) coroutine.yield(...) end)
	co()
	t[#t + 1] = co
end

--- closures
-- tries: memory
local t = {}
for i = 1, math.maxinteger do t[i] = function() return i, t end end

--- closures in a chain
-- tries: memory
local f = function() end
while true do
	local g = f
	f = function() return g end
end

--- errors that hold the errors before
-- tries: memory
local e
while true do
	local before = e
	_, e = pcall(error, {before, ("x"):rep(100)})
end

--- memo behind __index
-- tries: memory
local memo = setmetatable({}, {__index = function(t, k) local v = {k} t[k] = v return v end})
local i = 0
while true do
	i = i + 1
	local x = memo[i]
end

--- __concat that doubles
-- tries: memory
local mt = {}
mt.__concat = function(a, b) return setmetatable({s = a.s .. b.s}, mt) end
local x = setmetatable({s = "x"}, mt)
while true do x = x .. x end

--- weak tables made weak afterwards
-- tries: memory
local mt, t = {}, {}
while true do
	local w = setmetatable({}, mt)
	mt.__mode = "k"
	w[t] = ("x"):rep(100) .. #t
	t[#t + 1] = w
end

--- results of branches
-- tries: memory
local list = {}
for i = 1, 1000 do list[i] = i end
each(list, function(i) return ("x"):rep(100000) .. i end)

--- branches without number
-- tries: memory
local list = {}
for i = 1, 10000 do list[i] = function() sh("true") end end
local function again(n) parallel{function() parallel(list) end, function() again(n + 1) end} end
again(0)

--- output of calls, kept
-- tries: memory
local t = {}
while true do t[#t + 1] = sh("true").stdout .. ("x"):rep(100000) .. #t end

--- JSON text of lists, read and kept
-- tries: memory
local s, t = "[" .. ("[],"):rep(10000) .. "0]", {}
while true do t[#t + 1] = json.decode(s) end

--- JSON text written, kept
-- tries: memory
local list, t = {}, {}
for i = 1, 5000 do list[i] = "\1\2\3" end
while true do t[#t + 1] = json.encode(list) .. #t end

--- YAML text read, kept
-- tries: memory
local s, t = ("- [a, b, c]\n"):rep(1000), {}
while true do t[#t + 1] = yaml.decode(s) end

--- YAML text of one long scalar, kept
-- tries: memory
local s, t = "a: " .. ("x"):rep(100000), {}
while true do t[#t + 1] = yaml.decode(s .. #t) end

--- matches of a regular expression, all of them
-- tries: memory
local s = ("abcdefgh"):rep(20000)
local t = {}
while true do t[#t + 1] = re.all(s, "(?<a>.)(?<b>.)(?<c>.)(?<d>.)") end

--- text replaced by a regular expression, much longer
-- tries: memory
local s = re.replace(("x"):rep(2000), "x", ("y"):rep(50000))

--- lines of a text, kept
-- tries: memory
local s, t = ("line\n"):rep(10000), {}
while true do t[#t + 1] = text.lines(s) end

--- text made visible
-- tries: memory
local s = ("\1"):rep(1000)
while true do s = text.visible(s) .. s .. "\1" end

--- text quoted for a shell
-- tries: memory
local s = "'"
while true do s = text.quote(s) .. s end

--- result that is too large
-- tries: memory
return {("x"):rep(100 << 20)}

--- error that is too large
-- tries: memory
error(("x"):rep(100 << 20))

--- source that is compiled and kept
-- tries: memory
local t, source = {}, "local a = {" .. ("1,"):rep(5000) .. "} return a"
while true do t[#t + 1] = load(source) end

--- code that is dumped and kept
-- tries: memory
local t, f = {}, load("return {" .. ("'a',"):rep(5000) .. "}")
while true do t[#t + 1] = string.dump(f) .. #t end

--- garbage with the collector stopped
-- tries: memory
collectgarbage("stop")
while true do local t = {{}, {}, {}} end

--- garbage that its finalizer keeps
-- tries: memory
local kept = {}
while true do setmetatable({}, {__gc = function(x) kept[#kept + 1] = {x, ("x"):rep(1000) .. #kept} end}) end

--- a file that never ends, read at once
-- tries: memory
local s = io.open("/dev/zero"):read(200 << 20)

--- JSON text of 15 MiB of empty lists
-- tries: other-memory
local s = "[" .. ("[],"):rep(5 << 20) .. "0]"
json.decode(s)

--- JSON text of objects with names
-- tries: other-memory
local s = "[" .. ('{"a":{}},'):rep(1700000) .. "0]"
json.decode(s)

--- JSON of a table in which one is mentioned a million times
-- tries: other-memory
local t = {}
for i = 1, 22 do t = {t, t} end
json.encode(t)

--- JSON of objects in which one is mentioned many times
-- tries: other-memory
local t = {a = {}}
for i = 1, 20 do t = {b = t, c = t} end
json.encode(t)

--- no memory, caught by pcall
-- tries: caught
pcall(string.rep, "x", 30 << 20)
return "caught"

--- no memory for a table, caught by pcall
-- tries: caught
pcall(function() local t = {} for i = 1, 2000000 do t[i] = i end end)
return "caught"

--- no memory, handled by xpcall
-- tries: caught
xpcall(function() return ("x"):rep(30 << 20) end, function() return "handled" end)
return "caught"

--- no memory, within a coroutine
-- tries: caught
coroutine.resume(coroutine.create(function() return ("x"):rep(30 << 20) end))
return "caught"

--- no memory, within a wrapped coroutine in pcall
-- tries: caught
pcall(coroutine.wrap(function() local s = ("x"):rep(1 << 20) return s .. s .. s .. s .. s .. s .. s .. s .. s .. s end))
return "caught"

--- no memory, within a coroutine that is closed
-- tries: caught
local co = coroutine.create(function()
	local x <close> = setmetatable({}, {__close = function() return ("x"):rep(30 << 20) end})
	coroutine.yield()
end)
coroutine.resume(co)
coroutine.close(co)
return "caught"

--- no memory, within a branch
-- tries: caught
pcall(parallel, {function() return ("x"):rep(30 << 20) end, function() return 1 end})
return "caught"

--- no memory, within a callback of gsub
-- tries: caught
pcall(string.gsub, "abc", ".", function() return ("x"):rep(30 << 20) end)
return "caught"

--- no memory, within a comparison of sort
-- tries: caught
pcall(table.sort, {2, 1}, function() return ("x"):rep(30 << 20) end)
return "caught"

--- no memory for the buffer of a concat
-- tries: caught
local s = ("x"):rep(2 << 20)
pcall(table.concat, {s, s, s, s, s, s, s, s})
return "caught"

--- no memory for the buffer of a format
-- tries: caught
local s = ("x"):rep(2 << 20)
pcall(string.format, "%s%s%s%s%s%s%s", s, s, s, s, s, s, s)
return "caught"

--- no memory for the buffer of a pack
-- tries: caught
local s = ("x"):rep(2 << 20)
pcall(string.pack, "sssssss", s, s, s, s, s, s, s)
return "caught"

--- no memory while a value is closed
-- tries: caught
pcall(function()
	local x <close> = setmetatable({}, {__close = function() local t = {} for i = 1, 2000000 do t[i] = {} end end})
	error("on")
end)
return "caught"

--- no memory while an error is made into text
-- tries: caught
pcall(tostring, setmetatable({}, {__tostring = function() return ("x"):rep(30 << 20) end}))
return "caught"

--- no memory in a replacement of a regular expression
-- tries: caught
pcall(re.replace, "aaa", "a", function() return ("x"):rep(30 << 20) end)
return "caught"

--- no memory for what JSON becomes
-- tries: caught
pcall(json.decode, "[" .. ("[],"):rep(200000) .. "0]")
return "caught"

--- no memory, after an error handler took the last of it
-- tries: caught
xpcall(function() error("x") end, function() local ok = pcall(string.rep, "x", 30 << 20) return ok end)
return "caught"
