-- How a step ends other than by returning: expect, fail, skip, go. And print, and the names of what this version does not have.
local rung = ...
local raise = rung.raise
local error, type, tostring, setmetatable = error, type, tostring, setmetatable

local function sentence(what, why, otherwise)
	if why == nil then return otherwise end
	if type(why) ~= "string" then raise(what .. ": the reason must be a string") end
	return why
end

--- module outcome
-- How a step ends other than by returning. In a branch of `parallel` or `each` the other branches end first.

--- fail(why)
-- Fails the step; an error that `pcall` can catch.
-- @param why text?: the reason
-- @example
--   fail("no space left on /var")
fail = rung.export(function(why)
	error(rung.error{kind = "fail", why = sentence("fail", why, "the step says that it failed")}, 0)
end)

--- expect(condition, why)
-- Fails the step unless the condition holds.
-- @param condition value: anything but nil and false holds
-- @param why text?: the reason
-- @return its arguments
-- @example
--   expect(sh({"systemctl", "is-active", "nginx"}, {check = false}).code == 0, "nginx is down")
expect = rung.export(function(condition, why, ...)
	if not condition then error(rung.error{kind = "expect", why = sentence("expect", why, "what the step expects does not hold")}, 0) end
	return condition, why, ...
end)

--- skip(why)
-- Nothing to do: the step is skipped, whatever is around the call.
-- @param why text?: the reason
-- @example
--   if disk.of("/var").percent < 80 then skip("there is space") end
skip = rung.export(function(why)
	error(rung.error{kind = "skip", ends = true, why = sentence("skip", why, "the step says that there is nothing to do")}, 0)
end)

--- go(id)
-- On to the step with that id, whatever is around the call.
-- @param id text: of a step of this book
-- @example
--   if steps.look.full then go("clean") end
go = rung.export(function(id)
	if type(id) ~= "string" or id == "" then raise("go: the id of a step was expected") end
	error(rung.error{kind = "go", ends = true, to = id, why = "go to " .. id}, 0)
end)

local absent = {
	update = "messages to stakeholders",
	wait = "durable waits", poll = "durable waits",
}

-- In the place of such a name: whatever is done with it says what it is.
function rung.absent(name)
	local what = absent[name]
	if not what then return nil end
	local refuse = rung.export(function() raise(name .. ": " .. what .. " are not in this version of rung (modules/README.md lists what is)") end)
	return setmetatable({}, {__call = refuse, __index = refuse, __newindex = refuse, __name = name, __metatable = false})
end
