-- secret: the handle of a secret, which a call takes; its value is in the actor only, while that call lasts.
local rung = ...
local raise = rung.raise
local type = type

--- secret(name)
-- The handle of a secret, which a call takes; a step never has the value. `sh` takes it in `env` and `stdin`, `ssh` in `stdin` and `key`, `http` in `auth`, headers, body and `key`.
-- @param name text: of `.rung/secrets.yaml`
-- @return the handle; joined to a text, in a result, in a URL or an argument it is refused
-- @needs secret NAME
-- @limit a value has 8 bytes at least, 64 KiB at most
-- @example
--   sh({"psql", "-c", "vacuum"}, {env = {PGPASSWORD = secret "db-admin"}})
return function(name)
	if type(name) ~= "string" then raise('secret: a name of .rung/secrets.yaml was expected, as secret "db-admin"') end
	if #name > 64 or not name:find("^[%w_][%w_.%-]*$") then
		raise("secret: " .. rung.shorten(name, 80) .. ' cannot be a name: letters, digits, "-", "_" and ".", at most 64, were expected')
	end
	return rung.secret(name)
end
