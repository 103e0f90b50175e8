-- sh: a local command, made by the engine's actor.
local rung = ...
local raise = rung.raise
local error, type, tostring, ipairs, pairs, math_type, concat = error, type, tostring, ipairs, pairs, math.type, table.concat

local known = {check = true, ok = true, stdin = true, env = true, cwd = true, timeout = true, effect = true}
local effects = {once = true, read = true, idempotent = true, keyed = true, receipt = true}

local function word(value, what)
	if math_type(value) == "integer" then value = tostring(value) end
	if type(value) ~= "string" then raise("sh: " .. what .. " is a " .. type(value) .. ", a string was expected") end
	if value:find("\0", 1, true) then raise("sh: " .. what .. " has a zero byte, which no argument of a command can have") end
	return value
end

local function words(command)
	if type(command) == "string" then return {"sh", "-c", word(command, "the text")} end
	if type(command) ~= "table" then raise('sh: a list such as {"systemctl", "restart", "nginx"} or a text for the shell was expected') end
	local argv = {}
	for i, value in ipairs(command) do
		if rung.is_secret(value) then
			raise("sh: argument " .. i .. " is a secret, which everybody on the host would see in the process list: give it in env or stdin")
		end
		argv[i] = word(value, "argument " .. i)
	end
	if #argv == 0 or argv[1] == "" then raise("sh: the command is empty") end
	for key in pairs(command) do
		if not argv[key] then raise("sh: the command is a list; it has a key " .. tostring(key) .. " (options go into the second argument)") end
	end
	return argv
end

local function environment(env)
	if env == nil then return nil end
	if type(env) ~= "table" then raise("sh: env must be a table of names and values") end
	local out = {}
	for name, value in pairs(env) do
		if type(name) ~= "string" or name == "" or name:find("[=%z]") then raise("sh: env has a name that cannot be one: " .. tostring(name)) end
		out[name] = rung.is_secret(value) and value or word(value, "env." .. name)
	end
	return out
end

local function accepted(options)
	if options.check == false then return nil end
	if options.ok == nil then return {[0] = true} end
	local ok = {}
	for _, code in ipairs(type(options.ok) == "table" and options.ok or {options.ok}) do
		if math_type(code) ~= "integer" then raise("sh: ok must be a list of exit statuses, such as {0, 3}") end
		ok[code] = true
	end
	return ok
end

local function shown(argv)
	if #argv == 3 and argv[1] == "sh" and argv[2] == "-c" then return rung.shorten(argv[3], 80) end
	local quoted = {}
	for i, w in ipairs(argv) do quoted[i] = w:find("^[%w%-%./_=:,@+%%]+$") and w or "'" .. w:gsub("'", "'\\''") .. "'" end
	return rung.shorten(concat(quoted, " "), 80)
end

local function last_line(s)
	return s and s:match("([^\n]*)%s*$") or ""
end

local function ending(result)
	if result.timed_out then return "ran out of time and was ended" end
	if result.signal then return "was ended by signal " .. tostring(result.signal) end
	return "ended with exit status " .. tostring(result.code)
end

return function(command, options)
	options = options or {}
	if type(options) ~= "table" then raise("sh: the options must be a table") end
	rung.check_options("sh", options, known)
	local argv, ok = words(command), accepted(options)
	if options.effect ~= nil and not effects[options.effect] then raise("sh: effect must be once, read, idempotent, keyed or receipt") end
	if options.stdin ~= nil and type(options.stdin) ~= "string" and not rung.is_secret(options.stdin) then raise("sh: stdin must be a string or a secret") end
	if rung.is_secret(options.cwd) then raise("sh: cwd is a secret handle, which only env and stdin take") end
	if options.cwd ~= nil then word(options.cwd, "cwd") end
	local timeout = options.timeout and rung.microseconds("sh: timeout", options.timeout)
	local call, done, result, why = rung.call("sh", "run",
		{argv = argv, stdin = options.stdin, env = environment(options.env), cwd = options.cwd},
		{effect = options.effect, timeout_us = timeout})
	if not done then
		error(rung.error{kind = "call", call = call, module = "sh", reason = result, why = "sh: " .. shown(argv) .. ": " .. why}, 0)
	end
	if ok and not (result.code and ok[result.code] and not result.timed_out) then
		local text = "sh: " .. shown(argv) .. " " .. ending(result)
		local said = last_line(result.stderr)
		if said ~= "" then text = text .. ": " .. rung.shorten(said, 200) end
		error(rung.error{kind = "call", call = call, module = "sh", reason = "failed", why = text, code = result.code, signal = result.signal, stdout = result.stdout,
			stderr = result.stderr}, 0)
	end
	return result
end
