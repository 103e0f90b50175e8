-- runbook: another book as an execution of its own; comes back when that is over.
local rung = ...
local raise = rung.raise
local error, type, pairs = error, type, pairs

local known = {check = true}

--- runbook(name, params, options)
-- Runs another book of the workspace as an execution of its own, and comes back when that is over. The plan holds its bytes: name it as a text in the step, in
-- Permissions, or in Root Causes. It runs by itself, with the rights of its own Permissions, and its driver is this one's; where it waits for a person, this step
-- waits. Raises where it did not succeed.
-- @param name text: its id, its path from the workspace's folder (with `#anchor`), the name of its file, or its title
-- @param params table?: its parameters; secrets as handles
-- @option check bool = true: with `false` a runbook that did not succeed does not raise
-- @return table: `state`, `execution` (its id), `outputs` (what its steps returned, by their ids), `truncated` (more was returned than fits), `outcome` (of a playbook: mended, proposed, failed or no_cause)
-- @row runbook.run
-- @limit 192 KiB of outputs; 8 deep; no book is its own ancestor; 64 books and 4 MiB below one; 1,000 runbooks of an execution
-- @example
--   local r = runbook("RUN002", {unit = "nginx"})
--   expect(r.outputs.prove.up, "the unit does not stay up")
return function(name, params, options)
	if type(name) ~= "string" or name == "" then raise('runbook: an id or a path was expected, such as runbook("RUN002", {path = "/var"})') end
	params, options = params or {}, options or {}
	if type(params) ~= "table" then raise("runbook: parameters are a table, such as {path = \"/var\"}") end
	if type(options) ~= "table" then raise("runbook: options are a table, such as {check = false}") end
	rung.check_options("runbook", options, known)
	if options.check ~= nil and type(options.check) ~= "boolean" then raise("runbook: check is true or false") end
	local plain, secrets = {}, nil
	for key, value in pairs(params) do
		if type(key) ~= "string" then raise("runbook: parameters are given by their names, such as {path = \"/var\"}") end
		if rung.is_secret(value) then
			secrets = secrets or {}
			secrets[key] = value
		else
			plain[key] = value
		end
	end
	local call, done, value, why = rung.call("runbook", "run", {name = name, params = plain, secrets = secrets}, {})
	if not done then error(rung.error{kind = "call", call = call, module = "runbook", reason = value, why = "runbook: " .. why}, 0) end
	if options.check ~= false and value.state ~= "succeeded" then
		error(rung.error{kind = "call", call = call, module = "runbook", why = "runbook " .. name .. " (execution " .. value.execution .. ") ended as " .. value.state,
			state = value.state, execution = value.execution, outputs = value.outputs}, 0)
	end
	return value
end
