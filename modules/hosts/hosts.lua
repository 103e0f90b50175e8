-- hosts: the names of the inventory's hosts that a query names.
local rung = ...
local raise = rung.raise
local error, type = error, type

local known = {empty = true}

--- hosts(query, options)
-- The names of the inventory's hosts that a query names, in its order, none twice. Answered from `.rung/inventory.yaml`; nobody needs a right for it.
-- @param query text: such as `role=web and not zone=b` (the [language](hosts/README.md))
-- @option empty bool = false: with `true` no host at all is an answer; else it raises
-- @return list of names
-- @row hosts.query
-- @limit 256 KiB of names, about 10,000 hosts
-- @example
--   local web = hosts("role=web and not zone=b")
--   local spare = hosts("group=spare", {empty = true})
return function(query, options)
	if type(query) ~= "string" or query == "" then raise('hosts: a query was expected, such as hosts("role=web and not zone=b")') end
	options = options or {}
	if type(options) ~= "table" then raise("hosts: options are a table, such as {empty = true}") end
	rung.check_options("hosts", options, known)
	if options.empty ~= nil and type(options.empty) ~= "boolean" then raise("hosts: empty is true or false") end
	local call, done, value, why = rung.call("hosts", "query", {query = query, empty = options.empty}, {})
	if not done then error(rung.error{kind = "call", call = call, module = "hosts", reason = value, why = "hosts: " .. why}, 0) end
	return value
end
