-- evidence: something that was found, kept with the execution and shown in its report.
local rung = ...
local raise = rung.raise
local error, type = error, type

--- evidence(name, data)
-- Keeps something that was found with the execution: in its view, its report and its record. Shown in order; a name may come again. Nobody needs a right for it.
-- @param name text: what it is, at most 200 bytes
-- @param data any?: plain data
-- @row evidence.add
-- @limit 64 KiB of data; 200 findings and 512 KiB of an execution
-- @example
--   evidence("load", {one = 3.2, cores = 4})
return function(name, data)
	if type(name) ~= "string" or name == "" or #name > 200 then raise('evidence: a name of at most 200 bytes was expected, such as evidence("load", {one = 3.2})') end
	local call, done, value, why = rung.call("evidence", "add", {name = name, data = data}, {})
	if not done then error(rung.error{kind = "call", call = call, module = "evidence", reason = value, why = "evidence: " .. why}, 0) end
end
