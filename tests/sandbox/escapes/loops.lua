-- Loops that nothing in Lua ends. See README.md for how a script is written.

--- while that never ends
-- tries: cpu
while true do end

--- repeat that never ends
-- tries: cpu
local n = 0
repeat n = n + 1 until n < 0

--- for over every integer there is
-- tries: cpu
for i = math.mininteger, math.maxinteger do local x = i end

--- for over floats whose step is lost in rounding
-- tries: cpu
for x = 1e17, 1e18, 1e-3 do local y = x end

--- for up to infinity
-- tries: cpu
for x = 0.0, math.huge do local y = x end

--- goto that goes back
-- tries: cpu
::again::
goto again

--- goto continue in nested blocks
-- tries: cpu
for i = 1, math.maxinteger do
	for j = 1, math.maxinteger do
		if j % 2 == 0 then goto continue end
		do local z = i ~ j end
		::continue::
	end
end

--- tail call of itself
-- tries: cpu
local function f(n) return f(n + 1) end
f(0)

--- two functions that tail call each other
-- tries: cpu
local odd
local function even(n) return odd(n + 1) end
odd = function(n) return even(n - 1) end
even(0)

--- pcall around pcall around a loop
-- tries: cpu
while true do
	pcall(function()
		while true do pcall(function() while true do end end) end
	end)
end

--- pcall of pcall of pcall
-- tries: cpu
local function forever() while true do end end
pcall(pcall, pcall, pcall, pcall, forever)
pcall(pcall, forever)

--- xpcall whose handler loops
-- tries: cpu
xpcall(error, function() while true do end end, "x")

--- xpcall whose handler fails again and again
-- tries: cpu
while true do
	xpcall(error, function() error("handler") end, "x")
end

--- stack overflows, caught one after another
-- tries: cpu
local function deep(n) return 1 + deep(n + 1) end
while true do pcall(deep, 1) end

--- errors with long texts
-- tries: cpu
local long = ("x"):rep(100000)
while true do pcall(error, long .. "!") end

--- errors that are tables, thrown through many frames
-- tries: cpu
local function fall(n) if n == 0 then error({n}) end return (fall(n - 1)) end
while true do pcall(fall, 150) end

--- assert with its own message in a loop
-- tries: cpu
while true do pcall(assert, false, {}) end

--- comparison that is never true: not a number
-- tries: cpu
local nan = 0 / 0
repeat until nan == nan

--- sum that wraps around
-- tries: cpu
local i = math.maxinteger
while i ~= 0.5 do i = i + math.maxinteger end

--- strings as numbers
-- tries: cpu
local s = "1"
while s do s = ("%d"):format(s + "1") end

--- random numbers until one is negative
-- tries: cpu
while math.random() >= 0 do end

--- closures that call the one before
-- tries: cpu
local f = function() return 0 end
for i = 1, 100 do
	local g = f
	f = function() return g() + 1 end
end
while f() do end

--- varargs that are selected one by one
-- tries: cpu
local function last(...) return (select(-1, ...)) end
local t = {}
for i = 1, 200 do t[i] = i end
while last(table.unpack(t)) do end

--- varargs that are passed on and on
-- tries: cpu
local function pass(n, ...) if n == 0 then return pass(100, ...) end return pass(n - 1, ...) end
pass(100, 1, 2, 3)

--- names that are not there, asked of the globals
-- tries: cpu
local i = 0
while true do
	i = i + 1
	local nothing = _G["name" .. i % 1000]
end

--- modules that are not there, required
-- tries: cpu
while true do pcall(require, "no such module") end

--- an environment of one's own that never answers
-- tries: cpu
local forever = function() while true do end end
local _ENV = setmetatable({}, {__index = forever})
local x = anything

--- a module's function replaced by a loop before rung uses it
-- tries: cpu
tostring = function() while true do end end
print(1)
local s = tostring(1)

--- a string method replaced by a loop
-- tries: cpu
string.trim = function() while true do end end
local s = ("x"):trim()

--- numbers whose remainders all land in one chain of a table
-- tries: cpu
while true do
	local t = {}
	for i = 1, 3000 do t[i * 4095] = true end
end

--- the length of a list with holes, again and again
-- tries: cpu
local t = {}
for i = 1, 64 do t[i] = i end
while true do
	t[#t + 1] = 1
	t[#t] = nil
end

--- first key of a table from which keys are taken
-- tries: cpu
local t = {}
for i = 1, 100000 do t["k" .. i] = i end
local k = next(t)
while k do
	t[k] = nil
	k = next(t)
end
while true do t.x = next(t) end

--- keys walked with next, by hand
-- tries: cpu
local t = {}
for i = 1, 2000 do t["k" .. i] = i end
while true do
	local k
	repeat k = next(t, k) until not k
end

--- pairs over a table that is filled while it is walked
-- tries: cpu
local n = 0
while true do
	local t = {1, 2, 3}
	for k in pairs(t) do n = n + k end
end

--- iterator that never gives nil
-- tries: cpu
for x in function() return 1 end do local y = x end

--- iterator whose closing value loops
-- tries: cpu
local closing = setmetatable({}, {__close = function() while true do end end})
for x in function(_, c) if not c then return 1 end end, nil, nil, closing do local y = x end

--- to-be-closed variable that loops at the end of its block
-- tries: cpu
do
	local x <close> = setmetatable({}, {__close = function() while true do end end})
end

--- to-be-closed variable that loops after an error
-- tries: cpu
pcall(function()
	local x <close> = setmetatable({}, {__close = function() while true do end end})
	error("on")
end)

--- to-be-closed variable that loops at a break
-- tries: cpu
while true do
	local x <close> = setmetatable({}, {__close = function() for i = 1, math.maxinteger do end end})
	break
end

--- to-be-closed variable that loops at a return out of a tail position
-- tries: cpu
local function f()
	local x <close> = setmetatable({}, {__close = function() while true do end end})
	return select("#", 1, 2, 3)
end
f()

--- many to-be-closed variables, each of which fails
-- tries: cpu
local fails = setmetatable({}, {__close = function(_, e) error(e, 0) end})
while true do
	pcall(function()
		local a <close>, b = fails, 1
		local c <close> = fails
		error("x")
	end)
end

--- arithmetic on the largest numbers
-- tries: cpu
local x, y = math.mininteger, -1
while true do x = (x // y) % math.maxinteger ~ y end

--- numbers printed in full
-- tries: cpu
while true do local s = ("%99.99f%99.99f"):format(1e308, -1e308) end

--- numbers read back
-- tries: cpu
local digits = ("9"):rep(10000)
while true do local n = tonumber(digits) end

--- garbage made as fast as it is collected
-- tries: cpu
while true do local t = {{}, {}, {}, {}, {}, {}, {}, {}} end

--- strings made to be forgotten
-- tries: cpu
local i = 0
while true do
	i = i + 1
	local s = "key" .. i
end

--- a function compiled from a reader that never ends
-- tries: cpu
load(function() return " " end)

--- compiling the same source again and again
-- tries: cpu
while true do load("local a, b = 1, 2 return a + b") end

--- code dumped and loaded again and again
-- tries: cpu
local f = function(...) return ... end
while true do f = load(string.dump(f), "f", "b") end

--- a debug hook that is called for each instruction
-- tries: cpu
debug.sethook(function() while true do end end, "", 1)
local x = 1

--- a debug hook in the place of the limit's own
-- tries: cpu
while true do debug.sethook() end

--- full collections one after another
-- tries: cpu
local t = {}
for i = 1, 2000 do t[i] = {i} end
while true do collectgarbage() end

--- a finalizer that loops
-- tries: cpu
setmetatable({}, {__gc = function() while true do end end})
collectgarbage()

--- a finalizer that makes its like
-- tries: cpu
local function again() setmetatable({}, {__gc = again}) local n = 0 for i = 1, 1000 do n = n + i end end
again()
while true do collectgarbage() end

--- a coroutine's finalizer while memory is asked for
-- tries: cpu
local function loop() while true do end end
for i = 1, 100 do setmetatable({coroutine.create(loop)}, {__gc = function(t) coroutine.resume(t[1]) end}) end
collectgarbage()

--- dates written for ever
-- tries: cpu
while true do local s = os.date("%c", os.time()) end

--- a device that never ends
-- tries: cpu
for line in io.lines("/dev/zero", 4096) do local n = #line end

--- random bytes of the system
-- tries: cpu
local f = io.open("/dev/urandom", "rb")
while true do local s = f:read(65536) end
