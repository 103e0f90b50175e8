-- sh: a local command, made by the engine's actor.
local rung = ...
rung.open("rung_command")
local raise, command = rung.raise, rung.command
local error, type, tostring, pairs = error, type, tostring, pairs

local known = {check = true, ok = true, stdin = true, env = true, cwd = true, timeout = true, effect = true}

local function environment(env)
	if env == nil then return nil end
	if type(env) ~= "table" then raise("sh: env must be a table of names and values") end
	local out = {}
	for name, value in pairs(env) do
		if type(name) ~= "string" or name == "" or name:find("[=%z]") then raise("sh: env has a name that cannot be one: " .. tostring(name)) end
		out[name] = rung.is_secret(value) and value or command.word("sh", value, "env." .. name)
	end
	return out
end

--- sh(argv, options)
-- A command on this host. A list is run as it is, with no shell between; a text is given to `sh -c`, and needs a permission for exactly that. It raises where the exit status is not fine, a signal ended it, or its time ran out.
-- @param argv list or text: the first word is a bare name, looked for in the system's folders, or an absolute path
-- @option ok int or list = 0: exit statuses that are fine
-- @option check bool = true: `false` never raises for how it ended
-- @option stdin text or secret?: what it reads
-- @option env map?: more environment variables; a value may be a secret
-- @option cwd path?: folder to run in; without it the workspace's
-- @option timeout duration?: without it what is left of the step's
-- @option effect word?: what an interrupted call means: `once`, `read`, `idempotent`, `keyed`, `receipt`; without it the step's
-- @return `{code, stdout, stderr}`, `truncated`, `redacted`
-- @needs sh ARGV
-- @needs sh sh -c TEXT
-- @row sh.run
-- @limit 4,096 words; of the output the first 1 and the last 9 MiB are kept
-- @example
--   sh{"systemctl", "restart", "nginx"}
--   local active = sh({"systemctl", "is-active", "nginx"}, {ok = {0, 3}}).code == 0
return function(list, options)
	options = options or {}
	local sent = command.check("sh", options, known)
	local argv, ok = command.words("sh", list), command.accepted("sh", options)
	if rung.is_secret(options.cwd) then raise("sh: cwd is a secret handle, which only env and stdin take") end
	if options.cwd ~= nil then command.word("sh", options.cwd, "cwd") end
	local call, done, result, why = rung.call("sh", "run", {argv = argv, stdin = options.stdin, env = environment(options.env), cwd = options.cwd}, sent)
	local shown = "sh: " .. command.shown(argv)
	if not done then error(rung.error{kind = "call", call = call, module = "sh", reason = result, why = shown .. ": " .. why}, 0) end
	if not command.is_fine(result, ok) then command.raise({call = call, module = "sh"}, result, shown .. " " .. command.ending(result)) end
	return result
end
