-- What modules that run commands have in common: the words of one, which ends are fine, how one is shown. rung.command, for modules only.
local rung = ...
local raise = rung.raise
local error, type, tostring, ipairs, pairs, math_type, concat = error, type, tostring, ipairs, pairs, math.type, table.concat

local effects = {once = true, read = true, idempotent = true, keyed = true, receipt = true}
local command = {}

function command.word(module, value, what)
	if math_type(value) == "integer" then value = tostring(value) end
	if type(value) ~= "string" then raise(module .. ": " .. what .. " is a " .. type(value) .. ", a string was expected") end
	if value:find("\0", 1, true) then raise(module .. ": " .. what .. " has a zero byte, which no argument of a command can have") end
	return value
end
local word = command.word

function command.words(module, list)
	if type(list) == "string" then return {"sh", "-c", word(module, list, "the text")} end
	if type(list) ~= "table" then raise(module .. ': a list such as {"systemctl", "restart", "nginx"} or a text for the shell was expected') end
	local argv = {}
	for i, value in ipairs(list) do
		if rung.is_secret(value) then
			raise(module .. ": argument " .. i .. " is a secret, which everybody on the host would see in the process list: give it in stdin")
		end
		argv[i] = word(module, value, "argument " .. i)
	end
	if #argv == 0 or argv[1] == "" then raise(module .. ": the command is empty") end
	for key in pairs(list) do
		if not argv[key] then raise(module .. ": the command is a list; it has a key " .. tostring(key) .. " (options go into the argument behind it)") end
	end
	return argv
end

-- The exit statuses that are fine; nil: all are.
function command.accepted(module, options)
	if options.check == false then return nil end
	if options.ok == nil then return {[0] = true} end
	local ok = {}
	for _, code in ipairs(type(options.ok) == "table" and options.ok or {options.ok}) do
		if math_type(code) ~= "integer" then raise(module .. ": ok must be a list of exit statuses, such as {0, 3}") end
		ok[code] = true
	end
	return ok
end

-- What every command may be told: its input, its time, what it means when it is interrupted.
function command.check(module, options, known)
	if type(options) ~= "table" then raise(module .. ": the options must be a table") end
	rung.check_options(module, options, known)
	if options.effect ~= nil and not effects[options.effect] then raise(module .. ": effect must be once, read, idempotent, keyed or receipt") end
	if options.stdin ~= nil and type(options.stdin) ~= "string" and not rung.is_secret(options.stdin) then
		raise(module .. ": stdin must be a string or a secret")
	end
	return {effect = options.effect, timeout_us = options.timeout and rung.microseconds(module .. ": timeout", options.timeout)}
end

function command.shown(argv)
	if #argv == 3 and argv[1] == "sh" and argv[2] == "-c" then return rung.shorten(argv[3], 80) end
	local quoted = {}
	for i, w in ipairs(argv) do quoted[i] = w:find("^[%w%-%./_=:,@+%%]+$") and w or "'" .. w:gsub("'", "'\\''") .. "'" end
	return rung.shorten(concat(quoted, " "), 80)
end

function command.last_line(s)
	return s and s:match("([^\n]*)%s*$") or ""
end

function command.is_fine(result, ok)
	return not ok or (result.code and ok[result.code] and not result.timed_out) or false
end

function command.ending(result)
	if result.timed_out then return "ran out of time and was ended" end
	if result.signal or result.signal_name then return "was ended by signal " .. tostring(result.signal or result.signal_name) end
	return "ended with exit status " .. tostring(result.code)
end

-- Raises for how it ended.
function command.raise(fields, result, text)
	local said = command.last_line(result.stderr)
	if said ~= "" then text = text .. ": " .. rung.shorten(said, 200) end
	fields.kind, fields.reason, fields.why = "call", "failed", text
	fields.code, fields.signal, fields.stdout, fields.stderr = result.code, result.signal, result.stdout, result.stderr
	error(rung.error(fields), 0)
end

rung.command = command
