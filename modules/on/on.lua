-- on: a command here or on another host, so that what is built on it need not care.
local rung = ...
local raise, open = rung.raise, rung.open
local type, pairs = type, pairs

-- Options of both; of a command here also cwd, of one there also login, as and key.
return function(host)
	if host ~= nil and (type(host) ~= "string" or host == "") then raise("on: the name of a host was expected, or nil for this one") end
	return function(argv, options)
		if host == nil then return open("sh")(argv, options) end
		return open("ssh")(host, argv, options)
	end
end
