-- Functions of the library that take long by themselves: between two instructions of Lua no hook is reached.

--- gsub whose callback loops
-- tries: cpu
("x"):gsub("x", function() while true do end end)

--- gsub whose callback calls gsub, as deep as it goes
-- tries: cpu
local function f() return (("x"):gsub("x", f)) end
while true do pcall(f) end

--- gsub whose table answers by __index, without an end
-- tries: cpu
("x"):gsub("x", setmetatable({}, {__index = function() while true do end end}))

--- gsub whose callback is a coroutine that goes on
-- tries: cpu
local f = coroutine.wrap(function() while true do coroutine.yield("y") end end)
while true do ("xxxxxxxxxx"):gsub("x", f) end

--- gsub of each character of a long text
-- tries: cpu
local s = ("x"):rep(200000)
while true do s:gsub("x", "y") end

--- gsub with every position of a text
-- tries: cpu
local s = ("x"):rep(50000)
while true do s:gsub("()", "%1") end

--- find that backtracks over stars
-- tries: cpu
(("a"):rep(100000)):find(("a*"):rep(20) .. "b")

--- find that backtracks over lazy repetitions
-- tries: cpu
(("a"):rep(30000)):find(".-.-.-.-b")

--- find of captures that refer back
-- tries: cpu
(("ab"):rep(20000)):find("(a.-)(b.-)%1%2%1c")

--- find of balanced brackets that never close
-- tries: cpu
(("("):rep(300000)):find("%b()x")

--- match anchored at the end only
-- tries: cpu
((" "):rep(200000) .. "x"):match("%s+$")

--- match with optional characters
-- tries: cpu
(("a"):rep(28)):match(("a?"):rep(28) .. ("a"):rep(28) .. "b")

--- match of a frontier between sets
-- tries: cpu
(("ab "):rep(30000)):match(".-.-%f[%d].-x")

--- gmatch that backtracks from each place
-- tries: cpu
for x in (("a"):rep(100000)):gmatch("a-a-a-b") do local y = x end

--- trim of a text of blanks
-- tries: cpu
text.trim((" "):rep(3000) .. "x" .. (" "):rep(300000) .. "x")

--- split at each character
-- tries: cpu
local s = (","):rep(20000)
while true do text.split(s, ",") end

--- lines of an endless text
-- tries: cpu
local s = ("\n"):rep(20000)
while true do text.lines(s) end

--- find of a plain text that is nearly there everywhere
-- tries: cpu
local s, what = ("a"):rep(200000), ("a"):rep(2000) .. "b"
while true do s:find(what, 1, true) end

--- rep of nothing, 2^60 times
-- tries: cpu
local s = (""):rep(1 << 60)
while s do s = (""):rep(1 << 40) end

--- upper and lower of a long text
-- tries: cpu
local s = ("x"):rep(1000000)
while true do s = s:upper():lower() end

--- reverse of a long text
-- tries: cpu
local s = ("xy"):rep(500000)
while true do s = s:reverse() end

--- comparison of two long texts
-- tries: cpu
local a, b = ("a\0"):rep(400000) .. "1", ("a\0"):rep(400000) .. "2"
while a < b do end

--- bytes of a text as values
-- tries: cpu
local s = ("x"):rep(5000)
while true do local t = {s:byte(1, -1)} end

--- characters from values
-- tries: cpu
local t = {}
for i = 1, 5000 do t[i] = 65 end
while true do local s = string.char(table.unpack(t)) end

--- quoting of a text of control characters
-- tries: cpu
local s = ("\1\n\0"):rep(50000)
while true do local q = ("%q"):format(s) end

--- packing of many values
-- tries: cpu
local f, t = ("i8"):rep(200), {}
for i = 1, 200 do t[i] = i end
while true do f:pack(table.unpack(t)) end

--- unpacking with alignment
-- tries: cpu
local s = ("\0"):rep(10000)
while true do for at = 1, 9000, 16 do string.unpack("!16 i1 Xi16", s, at) end end

--- size of a long format
-- tries: cpu
local f = ("i1 "):rep(5000)
while true do string.packsize(f) end

--- utf8.len of a long text
-- tries: cpu
local s = ("\u{10FFFF}"):rep(100000)
while utf8.len(s) do end

--- utf8.offset over continuation bytes
-- tries: cpu
local s = "a" .. ("\x80"):rep(500000)
while true do pcall(utf8.offset, s, -1, #s + 1) end

--- utf8.codes of a long text
-- tries: cpu
local s = ("ä"):rep(10000)
while true do for p, c in utf8.codes(s) do local x = c end end

--- utf8.char back and forth
-- tries: cpu
local s = ("ß"):rep(1000)
while true do s = utf8.char(utf8.codepoint(s, 1, -1)) end

--- move of 2^40 elements
-- tries: cpu
table.move({}, 1, 1 << 40, 2)

--- move downwards onto itself
-- tries: cpu
local t = {}
table.move(t, 2, math.maxinteger, 1)

--- concat of an endless range of numbers
-- tries: cpu
local t = {}
for i = 1, 1000 do t[i] = i end
while true do table.concat(t, ",") end

--- sort whose comparison loops
-- tries: cpu
table.sort({3, 2, 1}, function() while true do end end)

--- sort whose comparison fails, caught
-- tries: cpu
local t = {}
for i = 1, 100 do t[i] = i end
while true do pcall(table.sort, t, function() error("x") end) end

--- sort whose comparison contradicts itself
-- tries: cpu
local t = {}
for i = 1, 2000 do t[i] = i end
while true do pcall(table.sort, t, function() return true end) end

--- sort whose comparison changes the list
-- tries: cpu
local t = {}
for i = 1, 200 do t[i] = i end
while true do pcall(table.sort, t, function(a, b) t[#t] = a return a < b end) end

--- sort whose comparison sorts
-- tries: cpu
local function less(a, b) pcall(table.sort, {b, a}, less) return a < b end
while true do pcall(table.sort, {3, 1, 2}, less) end

--- sort of a list that is worst for quicksort
-- tries: cpu
while true do
	local t = {}
	for i = 1, 2000 do t[i] = i % 2 == 0 and i or -i end
	table.sort(t)
end

--- insert at the front of a long list
-- tries: cpu
local t = {}
while true do
	table.insert(t, 1, true)
	if #t > 20000 then t = {} end
end

--- remove from the front of a long list
-- tries: cpu
while true do
	local t = table.pack(("x"):rep(2000):byte(1, -1))
	while #t > 0 do table.remove(t, 1) end
end

--- regular expression with nested repetitions
-- tries: cpu
while true do pcall(re.test, ("a"):rep(40) .. "!", "^(a+)+$") end

--- regular expression that calls itself
-- tries: cpu
while true do pcall(re.test, ("("):rep(2000), "(\\((?:[^()]|(?1))*\\))x") end

--- regular expression with alternatives that overlap
-- tries: cpu
while true do pcall(re.match, ("ab"):rep(30) .. "c", "^(a|b|ab|ba)*$") end

--- regular expression that looks behind at each place
-- tries: cpu
local s = ("a"):rep(20000)
while true do pcall(re.match, s, "(?<=(?:aaaa|aaab))b.*(?<!a)c") end

--- regular expression with back references
-- tries: cpu
while true do pcall(re.test, ("x"):rep(100), "^(x+)(x+)(x+)\\1\\2\\3y") end

--- regular expressions compiled one after another
-- tries: cpu
local i = 0
while true do
	i = i + 1
	pcall(re.test, "x", "(" .. i .. "[a-z]{1,50}){1,50}")
end

--- regular expression whose replacement loops
-- tries: cpu
re.replace("aaa", "a", function() while true do end end)

--- regular expression whose replacement replaces
-- tries: cpu
local function f() return (re.replace("a", "a", f)) end
while true do pcall(f) end

--- regular expression that matches nothing, everywhere
-- tries: cpu
local s = ("é"):rep(3000)
while true do for m in re.gmatch(s, "") do local x = m end end

--- JSON text read again and again
-- tries: cpu
local s = "[" .. ("[1,2,3],"):rep(2000) .. "0]"
while true do json.decode(s) end

--- JSON text nested too deep
-- tries: cpu
local s = ("["):rep(100000)
while true do pcall(json.decode, s) end

--- JSON of a table in which one is mentioned many times
-- tries: cpu
local t = {}
for i = 1, 40 do t = {t, t} end
while true do pcall(json.encode, t) end

--- YAML with brackets that never close
-- tries: cpu
local s = ("["):rep(60)
while true do pcall(yaml.decode, s) end

--- YAML whose aliases double nine times nine, walked
-- tries: cpu
local lines = {"a0: &a0 [x, x, x, x, x, x, x, x, x]"}
for i = 1, 9 do lines[#lines + 1] = ("a%d: &a%d [%s]"):format(i, i, ("*a" .. i - 1 .. ", "):rep(9)) end
local function walk(x) if type(x) == "table" then for _, v in ipairs(x) do walk(v) end end end
walk(yaml.decode(table.concat(lines, "\n")).a9)

--- YAML with one long key
-- tries: cpu
local s = ("k"):rep(60000) .. ": 1\n"
while true do pcall(yaml.decode, s) end

--- YAML of many documents
-- tries: cpu
local s = ("--- a\n"):rep(2000)
while true do yaml.decode_all(s) end

--- YAML indented step by step
-- tries: cpu
local t = {}
for i = 0, 60 do t[#t + 1] = (" "):rep(i) .. "a:" end
local s = table.concat(t, "\n")
while true do pcall(yaml.decode, s) end

--- durations and dates in words
-- tries: cpu
while true do
	time.words(123456)
	time.parse("2026-11-22T10:00:00Z")
end

--- a table with many names as columns
-- tries: cpu
local s = ("a b c d e f\n"):rep(500)
while true do text.columns(s, {"a", "b", "c"}) end
