-- remedy: what the last step of a playbook does: leads from the cause that was found to its runbook.
local rung = ...
local error, type, pairs, tostring = error, type, pairs, tostring
local concat = table.concat

-- With names in order, so that a person reads the same each time.
local function shown(values)
	local out = {}
	for name, value in pairs(values) do out[#out + 1] = name .. "=" .. (type(value) == "table" and "..." or tostring(value)) end
	return concat(out, ", ")
end

local function question(lead)
	local lines = {"The cause is " .. lead.cause .. ". Run " .. lead.title .. " (" .. lead.runbook .. ")?"}
	local params = shown(lead.parameters)
	if params ~= "" then lines[#lines + 1] = "Parameters: " .. params end
	if #lead.capabilities > 0 then lines[#lines + 1] = "It may: " .. concat(lead.capabilities, "; ") end
	return concat(lines, "\n")
end

local function fields(lead, more)
	more.cause, more.runbook = lead.cause, lead.runbook
	return more
end

-- Why a playbook that was led to mended nothing: in the words of its own last step, where it has them.
local function why_not(lead, value)
	if value.outcome == "no_cause" then return "the playbook " .. lead.runbook .. " (execution " .. value.execution .. ") found no cause" end
	for _, result in pairs(value.outputs) do
		if type(result) == "table" and result.outcome == "proposed" and result.cause and type(result.why) == "string" then return result.why end
	end
	return "the playbook " .. lead.runbook .. " (execution " .. value.execution .. ") found a cause that it has no runbook for"
end

--- remedy()
-- What the step does that stands behind the last one of a playbook with root causes: leads from the cause that was found to its runbook. Books need not call it.
-- @return table: `cause`, `runbook`, `outcome` ("mended" or "proposed"), `execution`, `why`
-- @row remedy.lead
-- @example
--   remedy()
return function()
	local _, done, lead, why = rung.call("remedy", "lead", {}, {})
	if not done then error(rung.error{kind = "fail", why = "remedy: " .. why}, 0) end
	if not lead.cause then error(rung.error{kind = "skip", ends = true, why = "no root cause was found"}, 0) end
	if not lead.runbook then return fields(lead, {outcome = "proposed", why = lead.why}) end
	if lead.mode == "ask" and not rung.open("ask"){prompt = question(lead), type = "bool", default = true} then
		return fields(lead, {outcome = "proposed", why = "a person said no"})
	end
	local params = {}
	for name, value in pairs(lead.parameters) do params[name] = value end
	local secrets
	for name, of in pairs(lead.secrets) do
		secrets = secrets or {}
		secrets[name] = rung.secret(of)
	end
	local _, started, value, reason = rung.call("runbook", "run", {name = lead.runbook, params = params, secrets = secrets}, {})
	if not started then
		if value == "denied" then return fields(lead, {outcome = "proposed", why = reason}) end
		error(rung.error{kind = "fail", why = "the cause is " .. lead.cause .. ", and its runbook " .. lead.runbook .. " was not run: " .. reason}, 0)
	end
	if value.state ~= "succeeded" then
		error(rung.error{kind = "fail", why = "the cause is " .. lead.cause .. ", and its runbook " .. lead.runbook .. " (execution " .. value.execution .. ") ended as " .. value.state}, 0)
	end
	if value.outcome and value.outcome ~= "mended" then return fields(lead, {outcome = "proposed", execution = value.execution, why = why_not(lead, value)}) end
	return fields(lead, {outcome = "mended", execution = value.execution})
end
