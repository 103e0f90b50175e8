-- secret: the handle of a secret, which a call takes; its value is in the actor only, while that call lasts.
local rung = ...
local raise = rung.raise
local type = type

return function(name)
	if type(name) ~= "string" then raise('secret: a name of .rung/secrets.yaml was expected, as secret "db-admin"') end
	if #name > 64 or not name:find("^[%w_][%w_.%-]*$") then
		raise("secret: " .. rung.shorten(name, 80) .. ' cannot be a name: letters, digits, "-", "_" and ".", at most 64, were expected')
	end
	return rung.secret(name)
end
