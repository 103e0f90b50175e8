-- escalate: a person is called; the step goes on once that is recorded, not once somebody has answered.
local rung = ...
local raise = rung.raise
local error, type = error, type

--- escalate(why)
-- Calls a person: the escalation of the execution's incident is raised. Where it climbs already this joins it; where somebody
-- has acknowledged it begins anew. An execution without an incident gets one. The step goes on; it does not wait until somebody has acknowledged. Nobody needs a right for it.
-- @param why text: what whoever is woken shall know
-- @return table: `incident`, its id
-- @row escalate.raise
-- @example
--   if #steps.look.down == #params.hosts then escalate("every web server is down") end
return function(why)
	if type(why) ~= "string" or why == "" then raise('escalate: why was expected, such as escalate("every web server is down")') end
	local call, done, value, reason = rung.call("escalate", "raise", {why = why}, {})
	if not done then error(rung.error{kind = "call", call = call, module = "escalate", reason = value, why = "escalate: " .. reason}, 0) end
	return value
end
