-- approve: others agree in the middle of a step; the answer comes when enough of them have.
local rung = ...
local raise = rung.raise
local error, type, math_type = error, type, math.type

local known = {prompt = true, from = true, needed = true, within = true}

--- approve(request)
-- Others agree in the middle of a step. The wait is durable; a refusal is an error that says who refused and why.
-- @option prompt text: exactly what they agree to, shown to them beside the step
-- @option from text?: a group of the policy; without it anybody but who drove the execution or wrote the book
-- @option needed int = 1: how many different people
-- @option within duration = "1h": how long an approval counts
-- @return `{by = {"user:bo"}}`
-- @row approve.ask
-- @example
--   approve{prompt = "Drop the databases " .. table.concat(steps.look.stale, ", ") .. "?", from = "dba", needed = 2}
return function(request)
	if type(request) ~= "table" or type(request.prompt) ~= "string" or request.prompt == "" then
		raise('approve: what others agree to was expected, such as approve{prompt = "Drop db1?", from = "dba"}')
	end
	rung.check_options("approve", request, known)
	local needed = request.needed or 1
	if request.from ~= nil and (type(request.from) ~= "string" or request.from == "") then raise('approve: from is a group of the policy, such as "dba"') end
	if math_type(needed) ~= "integer" or needed < 1 or needed > 9 then raise("approve: needed is a whole number from 1 to 9") end
	local within = request.within and rung.microseconds("approve: within", request.within)
	local call, done, value, why = rung.call("approve", "ask", {prompt = request.prompt, from = request.from, needed = needed, within_us = within}, {})
	if not done then error(rung.error{kind = "call", call = call, module = "approve", reason = value, why = "approve: " .. why}, 0) end
	return value
end
