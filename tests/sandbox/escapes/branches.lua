-- Coroutines, branches of parallel and each, calls and log lines.

--- coroutine that loops
-- tries: cpu
coroutine.wrap(function() while true do end end)()

--- coroutine that is resumed for ever
-- tries: cpu
local co = coroutine.wrap(function() while true do coroutine.yield() end end)
while true do co() end

--- two coroutines that resume each other through their owner
-- tries: cpu
local a = coroutine.create(function() while true do coroutine.yield(1) end end)
local b = coroutine.create(function(x) while true do x = coroutine.yield(x) end end)
while true do
	local _, x = coroutine.resume(a)
	coroutine.resume(b, x)
end

--- coroutines as deep as they go
-- tries: cpu
local function deeper() return coroutine.wrap(deeper)() end
while true do pcall(deeper) end

--- coroutines made and left
-- tries: cpu
while true do coroutine.resume(coroutine.create(function() coroutine.yield() end)) end

--- coroutine that fails each time
-- tries: cpu
while true do coroutine.resume(coroutine.create(function() error({}) end)) end

--- coroutine as an iterator that never ends
-- tries: cpu
for x in coroutine.wrap(function() while true do coroutine.yield(1) end end) do local y = x end

--- coroutine with a to-be-closed variable that loops when it is closed
-- tries: cpu
local co = coroutine.create(function()
	local x <close> = setmetatable({}, {__close = function() while true do end end})
	coroutine.yield()
end)
coroutine.resume(co)
coroutine.close(co)

--- coroutine closed by the closing of another
-- tries: cpu
local function chain(n)
	local co = coroutine.create(function()
		local x <close> = setmetatable({}, {__close = function() if n > 0 then chain(n - 1) end end})
		coroutine.yield()
	end)
	coroutine.resume(co)
	coroutine.close(co)
end
while true do pcall(chain, 20) end

--- coroutine that catches all and loops
-- tries: cpu
coroutine.wrap(function() while true do pcall(function() while true do pcall(error) end end) end end)()

--- coroutine whose body is pcall itself
-- tries: cpu
coroutine.wrap(pcall)(function() while true do end end)

--- coroutine that yields across pcall
-- tries: cpu
local co = coroutine.wrap(function() while true do pcall(coroutine.yield, 1) end end)
while co() do end

--- coroutine that yields out of a metamethod
-- tries: cpu
local t = setmetatable({}, {__index = function(_, k) return coroutine.yield(k) end})
local co = coroutine.wrap(function() while true do local x = t.x end end)
while co(1) do end

--- coroutine that yields out of a sort, caught
-- tries: cpu
while true do
	coroutine.wrap(function() pcall(table.sort, {2, 1}, coroutine.yield) end)()
end

--- status asked of a coroutine for ever
-- tries: cpu
local co = coroutine.create(print)
while coroutine.status(co) == "suspended" do end

--- coroutine resumed that is running
-- tries: cpu
local co = coroutine.running()
while not coroutine.resume(co) do end

--- branch of parallel that loops
-- tries: cpu
parallel{function() while true do end end, function() sh("true") end}

--- branch of parallel that loops after another has failed
-- tries: cpu
parallel{function() error("first") end, function() while true do pcall(error) end end}

--- thousands of branches
-- tries: cpu
local list = {}
for i = 1, 2000 do list[i] = function() local n = 0 for j = 1, 2000 do n = n + j end end end
while true do parallel(list) end

--- branches that start branches
-- tries: cpu
local function spread(n) if n > 0 then parallel{function() spread(n - 1) end, function() spread(n - 1) end} end end
while true do spread(8) end

--- two branches that call by turns
-- tries: cpu
local function call() while true do sh("true") end end
parallel{call, call}

--- branch that waits within a gsub, caught
-- tries: cpu
parallel{function() while true do pcall(string.gsub, "x", "x", function() return sh("true").stdout end) end end}

--- branches of each without an end to their list
-- tries: cpu
local list = {1}
each(list, function(x) list[#list + 1] = x end)
while true do each(list, function() end, {max_concurrency = 1}) end

--- calls that are wrong, caught
-- tries: cpu
while true do pcall(sh, {}) end

--- calls one after another
-- tries: cpu
while true do pcall(sh, "true") end

--- calls of a hundred branches
-- tries: cpu
local list = {}
for i = 1, 100 do list[i] = function() for n = 1, 100 do pcall(sh, "true") end end end
while true do parallel(list) end

--- call with arguments that are too large, caught
-- tries: cpu
local long = ("x"):rep(900000)
while true do pcall(sh, {"echo", long}) end

--- call with arguments nested too deep, caught
-- tries: cpu
local t = "x"
for i = 1, 100 do t = {t} end
while true do pcall(sh, {"echo", t}) end

--- question whose choices are a ring
-- tries: cpu
local choices = {"a"}
choices[2] = choices
while true do pcall(ask, {prompt = "which?", choices = choices}) end

--- log lines for ever
-- tries: cpu
while true do log.info("x") end

--- print with many values for ever
-- tries: cpu
while true do print(1, nil, true, "x", {}) end

--- log lines of control characters
-- tries: cpu
local s = ("\27[2J"):rep(1000)
while true do log.warn(s) end

--- large log lines
-- tries: flood
local s = ("x"):rep(65536)
while true do log.info(s) end

--- large log lines of branches
-- tries: flood
local s = ("y"):rep(60000)
local function speak() while true do log.error(s) end end
parallel{speak, speak}

--- skip that is caught for ever
-- tries: cpu
while true do
	local co = coroutine.create(function()
		local x <close> = setmetatable({}, {__close = function() end})
		coroutine.yield()
	end)
	coroutine.resume(co)
	coroutine.close(co)
	pcall(expect, false)
end

--- fail that is caught for ever
-- tries: cpu
while true do pcall(fail, "no") end
