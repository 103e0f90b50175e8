-- cause: a root cause was found. The playbook's table says which runbook mends it.
local rung = ...
local raise = rung.raise
local error, type = error, type
local floor = math.floor

local known = {evidence = true, parameters = true, certainty = true}

--- cause(id, options)
-- A root cause was found. When the playbook's steps are over, the row of `## Root Causes` with that id leads to its runbook ([how](../playbooks/README.md)). Of several
-- causes the most certain one counts, of those that are as certain the first.
-- @param id text: of a row of the table, at most 64 bytes
-- @option evidence any?: what it stands on; the table may give fields of it to the runbook, as `{evidence:path}`
-- @option parameters table?: of the runbook, over those that the table gives
-- @option certainty number = 1: from 0 to 1
-- @row cause.found
-- @limit 64 KiB of data; 200 findings and 512 KiB of an execution
-- @example
--   cause("disk-full", {evidence = {path = "/var", percent = 97}, certainty = 0.9})
return function(id, options)
	if type(id) ~= "string" or id == "" or #id > 64 then raise('cause: the id of a root cause was expected, such as cause("disk-full", {evidence = {path = "/var"}})') end
	options = options or {}
	if type(options) ~= "table" then raise("cause: options are a table, such as {evidence = {path = \"/var\"}, certainty = 0.8}") end
	rung.check_options("cause", options, known)
	local certainty, parameters = options.certainty, options.parameters
	if certainty == nil then certainty = 1 end
	if type(certainty) ~= "number" or not (certainty >= 0 and certainty <= 1) then raise("cause: certainty is a number from 0 to 1") end
	if parameters ~= nil and type(parameters) ~= "table" then raise("cause: parameters are a table of the runbook's parameters") end
	local call, done, value, why = rung.call("cause", "found", {id = id, evidence = options.evidence, parameters = parameters, certainty = floor(certainty * 100 + 0.5)}, {})
	if not done then error(rung.error{kind = "call", call = call, module = "cause", reason = value, why = "cause: " .. why}, 0) end
end
