-- on: a command here or on another host, so that what is built on it need not care.
local rung = ...
local raise, open = rung.raise, rung.open
local type, pairs = type, pairs

--- on(host)
-- `sh` here, or `ssh` on that host: what is written once works on both. `disk`, `process`, `systemd`, `postgres` and `tls` are built on it.
-- @param host text?: a name of the inventory, perhaps with a login before it, `deploy@web-1`; nil: this host
-- @return a function that takes what `sh` takes
-- @needs sh COMMAND
-- @needs ssh HOST -- COMMAND
-- @example
--   local run_it = on(params.host)
--   local r = run_it({"df", "-P", "/var"}, {effect = "read"})
return function(host)
	if host == nil then return open("sh") end
	if type(host) ~= "string" or host == "" then raise("on: the name of a host was expected, or nil for this one") end
	local login, name = host:match("^([^@]+)@(.+)$")
	return function(argv, options)
		local all = {}
		for key, value in pairs(options or {}) do all[key] = value end
		all.login = all.login or login
		return open("ssh")(name or host, argv, all)
	end
end
