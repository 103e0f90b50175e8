-- Branches inside one step: parallel and each, the coroutines that go with them, and rung.call, by which every module asks the engine for something.
-- A branch is a coroutine. It runs until it waits for an answer; one answer is read only when no branch can go on, and goes to the branch that asked:
-- so the same answers in the same order make the same things happen again.
local rung = ...
local raise = rung.raise

local raw_create, raw_resume, raw_yield, raw_status = rung.create, rung.resume, rung.yield, rung.status
local raw_close, raw_running, can_yield = rung.close, rung.running, rung.can_yield
local error, tostring, type, pairs, math_type, pcall, xpcall, concat = error, tostring, type, pairs, math.type, pcall, xpcall, table.concat

local WAIT = {} -- what a branch yields when it waits; no step ever holds it
local branch -- the branch that runs now; nil in the step itself
local blocked = false -- is there a function of C between the branch and its scheduler?
local ready, first_ready, last_ready = {}, 1, 0 -- branches that can go on, in the order in which they became so
local asked = {} -- call number -> the branch that waits for its answer

local function set_ready(b)
	last_ready = last_ready + 1
	ready[last_ready] = b
end

local function take_ready()
	if first_ready > last_ready then return nil end
	local b = ready[first_ready]
	ready[first_ready] = nil
	first_ready = first_ready + 1
	return b
end

-- A group is one parallel or each: at most `most` of its branches run at once, up to number `last`. What runs in it may change both, and set `stopped`.
local function start_more(group)
	while not group.failed and not group.stopped and group.running < group.most and group.started < group.last do
		local i = group.started + 1
		group.started, group.running = i, group.running + 1
		set_ready({group = group, index = i, co = raw_create(group.start)})
	end
end

local function finish(b, ok, value)
	local group = b.group
	group.running = group.running - 1
	if ok then
		group.values[b.index] = value
	elseif not group.failed or b.index < group.failed then
		-- Of several errors the first branch's is the group's.
		group.failed, group.error = b.index, value
		rung.keep_trace(b.co, value)
	end
	start_more(group)
	if group.running == 0 and group.waiter then set_ready(group.waiter) end
end

local function run(b)
	local outer = branch
	branch = b
	local ok, what, call = raw_resume(b.co, b.index, b.group)
	branch = outer
	if not ok or raw_status(b.co) == "dead" then
		finish(b, ok, what)
	elseif what ~= WAIT then
		raw_close(b.co)
		finish(b, false, "coroutine.yield outside of a coroutine")
	elseif call then
		asked[call] = b
	end
end

-- The step itself drives all branches; a branch that starts branches of its own only waits for them.
local function drive(group)
	while group.running > 0 do
		local b = take_ready()
		if not b then
			local call = rung.answer()
			b, asked[call] = asked[call], nil
		end
		run(b)
	end
end

local function check_can_wait(what)
	if blocked or not can_yield() then
		raise(what .. ": not inside a callback of string.gsub, table.sort and the like, nor in __close, while in parallel or each: collect first, then call")
	end
end

local function run_group(count, most, start, last)
	local group = {last = last or count, most = most, started = 0, running = 0, values = {}, start = start}
	if branch then check_can_wait("parallel") end
	start_more(group)
	if branch and group.running > 0 then
		group.waiter = branch
		raw_yield(WAIT)
	else
		drive(group)
	end
	if group.failed then error(group.error, 0) end
	return group.values
end
rung.run_group = run_group

-- rung.call(module, function, arguments, options): ok, value | ok, kind, why; then the call's number comes last.
function rung.call(module, name, arguments, options)
	if not branch then
		local call = rung.send(module, name, arguments, options)
		rung.answer()
		return call, rung.take()
	end
	check_can_wait(module)
	local call = rung.send(module, name, arguments, options)
	raw_yield(WAIT, call)
	return call, rung.take()
end

--- module parallel
-- Branches that wait at the same time: one runs until it waits for an answer. Inside a branch no call can be made from a callback of `string.gsub`, `table.sort` and the like.
local function check_options(what, options, known)
	for key in pairs(options or {}) do
		if not known[key] then
			local names = {}
			for name in pairs(known) do names[#names + 1] = name end
			raise(what .. ": there is no option " .. rung.shorten(rung.visible(tostring(key)), 60) .. " (there are " .. concat(names, ", ") .. ")")
		end
	end
end
rung.check_options = check_options

-- The options of a call, none where none are given.
function rung.options(what, options, known)
	options = options or {}
	if type(options) ~= "table" then raise(what .. ": the options must be a table, such as {timeout = \"30s\"}") end
	check_options(what, options, known)
	return options
end

--- parallel(functions)
-- Starts every function of the table at once.
-- @param functions map: functions without arguments
-- @return their values under the same keys; the error of the first branch (in order) that failed is raised when all have ended
-- @example
--   local r = parallel{load = function() return process.load() end, disks = function() return disk.usage() end}
parallel = rung.export(function(functions)
	if type(functions) ~= "table" then raise("parallel: a table of functions was expected, such as parallel{function() ... end, function() ... end}") end
	local keys = {}
	for key, f in pairs(functions) do
		if type(f) ~= "function" then raise("parallel: entry " .. tostring(key) .. " is a " .. type(f) .. ", a function was expected") end
		keys[#keys + 1] = key
	end
	local values = run_group(#keys, #keys, function(i) return functions[keys[i]]() end)
	local by_key = {}
	for i, key in pairs(keys) do by_key[key] = values[i] end
	return by_key
end)

local EACH_AT_ONCE = 10

--- each(list, f, options)
-- Calls a function for every item. When one fails, no other is started, and the rest run to their end.
-- @param list list: of anything
-- @param f function: gets the item and its position
-- @option max_concurrency int = 10: how many at once
-- @return list of values, in the list's order
-- @example
--   local sizes = each({"/var", "/srv"}, function(folder) return disk.of(folder).percent end, {max_concurrency = 2})
each = rung.export(function(list, f, options)
	if type(list) ~= "table" then raise("each: a list was expected, this is a " .. type(list)) end
	if type(f) ~= "function" then raise("each: a function was expected as second argument") end
	check_options("each", options, {max_concurrency = true})
	local most = options and options.max_concurrency or EACH_AT_ONCE
	if math_type(most) ~= "integer" or most < 1 then raise("each: max_concurrency must be a whole number from 1") end
	return run_group(#list, most, function(i) return f(list[i], i) end)
end)

-- Lua's coroutines for the step's own use. Where one waits for an answer inside a branch, whoever resumed it waits with it.
local busy = {}

local resume
local function resumed(co, was, ok, what, ...)
	blocked = was
	if ok and what == WAIT then
		busy[co] = true
		raw_yield(WAIT, ...)
		busy[co] = nil
		return resume(co)
	end
	if not ok and rung.ends(what) then error(what, 0) end
	return ok, what, ...
end

resume = function(co, ...)
	if busy[co] then return false, "cannot resume a coroutine that waits for an answer" end
	local was = blocked
	if branch and not can_yield() then blocked = true end
	return resumed(co, was, raw_resume(co, ...))
end

local function wrapped(ok, what, ...)
	if not ok then error(what, 0) end
	return what, ...
end

-- What skip and go raise goes on through it, as through resume.
local function closed(ok, what)
	if not ok and rung.ends(what) then error(what, 0) end
	if ok then return true end
	return false, what
end

coroutine = {
	create = raw_create,
	status = raw_status,
	running = raw_running,
	isyieldable = can_yield,
	yield = raw_yield,
	close = rung.export(function(co) return closed(raw_close(co)) end),
	resume = rung.export(resume),
	wrap = function(f)
		local co = raw_create(f)
		return rung.export(function(...) return wrapped(resume(co, ...)) end)
	end,
}

-- skip and go end the attempt: no pcall keeps them.
local function kept(ok, what, ...)
	if not ok and rung.ends(what) then error(what, 0) end
	return ok, what, ...
end

_G.pcall = rung.export(function(f, ...) return kept(pcall(f, ...)) end)
_G.xpcall = rung.export(function(f, handler, ...)
	return kept(xpcall(f, function(why)
		if rung.ends(why) then return why end
		return handler(why)
	end, ...))
end)

-- A global that is not there may be a module that no one has used yet.
setmetatable(_G, {
	__metatable = false,
	__index = function(_, name)
		if name == "print" then
			rung.open("log")
			return rung.print
		end
		return rung.absent(name) or rung.open_for_step(name)
	end,
})

-- require: modules of rung, and those of the workspace that came with the attempt.
local loading = {}
rung.loaded = rung.loaded or {}

--- require(name)
-- A module of rung, or a Lua file of the workspace's `modules/`.
-- @param name text: without `.lua`
-- @return what it returns; the same each time in an attempt
-- @example
--   local disks = require "disk"
require = rung.export(function(name)
	if type(name) ~= "string" then raise("require: the name of a module was expected") end
	local value = rung.loaded[name]
	if value ~= nil then return value end
	if loading[name] then raise("require: module " .. name .. " requires itself") end
	value = rung.open_for_step(name)
	if value ~= nil then return value end
	local f = rung.load(name)
	if not f then raise("require: there is no module " .. name .. ", neither of rung nor in this workspace's modules/") end
	loading[name] = true
	value = f(name)
	loading[name] = nil
	if value == nil then value = true end
	rung.loaded[name] = value
	return value
end)
