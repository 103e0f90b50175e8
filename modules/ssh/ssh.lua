-- ssh: a command on another host, and on many of them, made by the engine's actor.

--- module ssh
-- Commands and small files on other hosts. Hosts are names of the inventory.
-- @option login text?: whom to log in as; without it the inventory's
-- @option key secret?: the private key to log in with, alone
-- @option timeout duration?: of each host; without it what is left of the step's
-- @option effect word?: what an interrupted call means: `once`, `read`, `idempotent`, `keyed`, `receipt`; without it the step's

local rung = ...
rung.open("rung_command")
local raise, command = rung.raise, rung.command
local error, type, tostring, tonumber, ipairs, pairs, setmetatable, math_type, concat = error, type, tostring, tonumber, ipairs, pairs, setmetatable,
	math.type, table.concat
local random, floor, ceil, sort = math.random, math.floor, math.ceil, table.sort

local of_one = {check = true, ok = true, stdin = true, timeout = true, effect = true, login = true, as = true, key = true}
local of_each = {max_concurrency = true, max_errors = true, ramp_up = true, canary = true, order = true, on_result = true}
for name in pairs(of_one) do of_each[name] = true end

local AT_ONCE = 50

local function name(what, value, expected)
	if value ~= nil and (type(value) ~= "string" or value == "") then raise(what .. " must be " .. expected) end
	return value
end

-- What of the options goes with every call.
local function arguments(what, list, options)
	if options.key ~= nil and not rung.is_secret(options.key) then raise(what .. ": key must be a secret: key = secret \"name\"") end
	return {argv = command.words(what, list), stdin = options.stdin, login = name(what .. ": login", options.login, "the name of a user"),
		as = name(what .. ": as", options.as, "the name of a user"), key = options.key}
end

--- ssh(host, argv, options)
-- A command on a host. The words of a list are quoted for its login shell, so nothing in them is expanded; a text is given to `sh -c` there.
-- @param host text: a name of the inventory
-- @param argv list or text: as of `sh`
-- @option ok int or list = 0: exit statuses that are fine
-- @option check bool = true: `false` never raises for how it ended
-- @option stdin text or secret?: what it reads
-- @option as text?: the user whom `sudo -n` runs it as
-- @return `{code, stdout, stderr}`, `truncated`, `redacted`
-- @needs ssh LOGIN@HOST -- ARGV
-- @needs ssh LOGIN@HOST as USER -- ARGV
-- @row ssh.exec
-- @example
--   ssh("web-01", {"systemctl", "restart", "nginx"})
--   ssh("web-01", {"tee", "/etc/motd"}, {as = "root", stdin = "maintenance at 22:00\n"})
local function one(_, host, list, options)
	options = options or {}
	if type(host) ~= "string" or host == "" then raise("ssh: the name of a host was expected, this is a " .. type(host)) end
	local sent = command.check("ssh", options, of_one)
	local what, ok = arguments("ssh", list, options), command.accepted("ssh", options)
	what.host = host
	local call, done, result, why = rung.call("ssh", "exec", what, sent)
	local shown = "ssh: " .. host .. ": " .. command.shown(what.argv)
	if not done then error(rung.error{kind = "call", call = call, module = "ssh", host = host, reason = result, why = shown .. ": " .. why}, 0) end
	if not command.is_fine(result, ok) then
		command.raise({call = call, module = "ssh", host = host}, result, shown .. " " .. command.ending(result))
	end
	return result
end

-- A count, or a share of them such as "25%".
local function count_of(what, value, of, round)
	local share = type(value) == "string" and value:match("^(%d+)%%$")
	if share and #share <= 3 then return round(of * tonumber(share) / 100) end
	if math_type(value) ~= "integer" or value < 0 then raise("ssh.each: " .. what .. " must be a whole number, or a share such as \"25%\"") end
	return value
end

local orders = {
	given = function(list) return list end,
	sorted = function(list) sort(list) return list end,
	reverse = function(list)
		for i = 1, #list // 2 do list[i], list[#list + 1 - i] = list[#list + 1 - i], list[i] end
		return list
	end,
	shuffled = function(list)
		for i = #list, 2, -1 do
			local k = random(i)
			list[i], list[k] = list[k], list[i]
		end
		return list
	end,
}

local function hosts_of(value, order)
	if type(value) ~= "table" then raise("ssh.each: a list of hosts was expected, this is a " .. type(value)) end
	local arrange = orders[order or "given"]
	if not arrange then raise("ssh.each: order must be given, sorted, reverse or shuffled") end
	local list, seen = {}, {}
	for i, host in ipairs(value) do
		if type(host) ~= "string" or host == "" then raise("ssh.each: host " .. i .. " is a " .. type(host) .. ", a name was expected") end
		if not seen[host] then
			seen[host] = true
			list[#list + 1] = host
		end
	end
	return arrange(list)
end

-- "web-", "07", "": the last number of a name.
local function parts(host)
	return (host or ""):match("^(.-)(%d+)(%D*)$")
end

-- Is host the next one behind a numbered name? 09 comes before 10, and 9 too.
local function follows(host, front, number, width, back)
	local f, digits, b = parts(host)
	if f ~= front or b ~= back or tonumber(digits) ~= number + 1 then return false end
	return #digits == width or #digits == #tostring(number + 1) and width == #tostring(number)
end

-- web-[01:04], db-1: runs of numbered names are shown as one.
local function compact(hosts)
	local shown, i = {}, 1
	while i <= #hosts do
		local front, digits, back = parts(hosts[i])
		local first, last = digits, i
		while front and #digits < 10 and follows(hosts[last + 1], front, tonumber(digits), #digits, back) do
			last = last + 1
			front, digits = parts(hosts[last])
		end
		shown[#shown + 1] = last > i and front .. "[" .. first .. ":" .. digits .. "]" .. back or hosts[i]
		i = last + 1
	end
	return rung.shorten(concat(shown, ", "), 400)
end

local fleet = {}
fleet.__index = fleet
fleet.__metatable = false

local function in_state(state)
	return function(self)
		local list = {}
		for _, r in ipairs(self.all) do
			if r.state == state then list[#list + 1] = r.host end
		end
		return list
	end
end
fleet.ok_hosts, fleet.failed_hosts = rung.export(in_state("ok")), rung.export(in_state("failed"))
fleet.unreachable_hosts, fleet.not_started_hosts = rung.export(in_state("unreachable")), rung.export(in_state("not_started"))

-- Hosts whose outcome is the very same, each such outcome once, the most frequent first.
local function groups(self)
	local list, by_key = {}, {}
	for _, r in ipairs(self.all) do
		local key = concat({r.state, tostring(r.code), tostring(r.signal), r.stdout or "", r.stderr or "", r.why and r.why:gsub(r.host, "", 1) or ""}, "\0")
		local g = by_key[key]
		if not g then
			g = {hosts = {}, state = r.state, code = r.code, signal = r.signal, stdout = r.stdout, stderr = r.stderr, why = r.why}
			by_key[key] = g
			list[#list + 1] = g
		end
		g.hosts[#g.hosts + 1] = r.host
	end
	sort(list, function(a, b) return #a.hosts > #b.hosts end)
	return list
end
fleet.groups = rung.export(groups)

local words = {ok = "ok", failed = "failed", unreachable = "could not be reached", not_started = "not started"}

-- What people see of one group, in a line.
local function line(g, count)
	local said = g.why or command.last_line(g.state == "ok" and g.stdout or g.stderr)
	if said == "" and g.state == "failed" then said = command.last_line(g.stdout) end
	local how = words[g.state]
	if g.state == "failed" and not g.why then how = command.ending(g) end
	return #g.hosts .. (count == #g.hosts and "" or " of " .. count) .. " " .. how .. " (" .. compact(g.hosts) .. ")" ..
		(said ~= "" and ": " .. rung.shorten(said, 200) or "")
end

local LINES_MAX = 8

local function lines(self, only_bad)
	local out, more = {}, 0
	for _, g in ipairs(groups(self)) do
		local wanted = not only_bad or g.state ~= "ok"
		if wanted and #out < LINES_MAX then
			out[#out + 1] = line(g, #self.all)
		elseif wanted then
			more = more + #g.hosts
		end
	end
	if more > 0 then out[#out + 1] = more .. " more" end
	return out
end

-- The host's row, from what came back.
local function row(host, ok, call, done, result, why)
	if not done then
		return {host = host, state = result == "unreachable" and "unreachable" or "failed", reason = result, why = why, call = call}
	end
	local r = {host = host, state = command.is_fine(result, ok) and "ok" or "failed"}
	for key, value in pairs(result) do r[key] = value end
	return r
end

-- Which hosts were not started stands in the record, as which were does.
local function record_left(self, shared)
	local left = self:not_started_hosts()
	if #left == 0 then return end
	rung.call("ssh", "left", {hosts = left, argv = shared.argv, login = shared.login, as = shared.as}, {})
end

local function complain(self, shown, call, reason, limit)
	local why = "ssh.each: " .. shown .. ": " .. concat(lines(self, true), "; ")
	if limit then why = why .. "; " .. limit end
	error(rung.error{kind = "call", call = call, module = "ssh", reason = reason, why = why, hosts = self}, 0)
end

--- ssh.each(hosts, argv, options)
-- One call for each host, each allowed, recorded and settled by itself. Raises where more than `max_errors` failed; the error has the table as `hosts`.
-- @param hosts list: names of the inventory
-- @param argv list or text: as of `sh`
-- @option max_concurrency int or share = 50: hosts at once: a count, or `"25%"`
-- @option max_errors int or share = 0: how many may fail before no other is started; what has started finishes
-- @option canary int, share or true?: so many go first; unless all of them succeed, no other is started
-- @option ramp_up bool = false: begins with one at once, and with each that succeeds one more
-- @option order word = "given": `given`, `sorted`, `reverse`, `shuffled`
-- @option on_result function?: gets a host and its row as each comes
-- @option ok int or list = 0: exit statuses that are fine
-- @option check bool = true: `false` never stops and never raises for what fails
-- @option stdin text or secret?: what each reads
-- @option as text?: the user whom `sudo -n` runs it as
-- @return `all`, rows `{host, state, code, stdout, stderr, why}` in order; `hosts`, the same by name; `errors`; `stopped`; states are `ok`, `failed`, `unreachable`, `not_started`; `r:ok_hosts()`, `r:failed_hosts()`, `r:unreachable_hosts()`, `r:not_started_hosts()` are names, `r:groups()` hosts with the very same outcome
-- @needs ssh LOGIN@HOST -- ARGV
-- @row ssh.exec
-- @row ssh.left
-- @example
--   local r = ssh.each(hosts("role=web"), {"systemctl", "is-active", "nginx"}, {max_concurrency = 50, check = false})
--   return {down = r:failed_hosts()}
local function each(hosts, list, options)
	options = options or {}
	local sent = command.check("ssh.each", options, of_each)
	local names = hosts_of(hosts, options.order)
	local shared, ok = arguments("ssh.each", list, options), command.accepted("ssh.each", {ok = options.ok})
	local most = count_of("max_concurrency", options.max_concurrency or AT_ONCE, #names, ceil)
	local errors_max = count_of("max_errors", options.max_errors or 0, #names, floor)
	local canary = options.canary == true and 1 or options.canary and count_of("canary", options.canary, #names, ceil) or 0
	local watcher = options.on_result
	if watcher ~= nil and type(watcher) ~= "function" then raise("ssh.each: on_result must be a function") end
	if most < 1 then raise("ssh.each: max_concurrency must be at least 1") end
	local self = setmetatable({all = {}, hosts = {}}, fleet)
	for i, host in ipairs(names) do
		self.all[i] = {host = host, state = "not_started"}
		self.hosts[host] = self.all[i]
	end
	local errors, over, bad_call, reason, limit = 0, 0, nil, "failed", nil

	local function tell(group, r)
		over = over + 1
		if r.state == "ok" then
			if options.ramp_up and group.most < most then group.most = group.most + 1 end
		else
			errors = errors + 1
			if r.reason == "denied" then bad_call, reason = r.call, "denied" end
			bad_call = bad_call or r.call
			if options.check ~= false and (errors > errors_max or over <= canary) then
				group.stopped = true
				limit = over <= canary and "the first of them failed: no other was started" or "max_errors is " .. errors_max .. ": no other was started"
			end
		end
		if over == canary and not group.stopped then
			group.last = #names
			group.most = options.ramp_up and 1 or most
		end
	end

	local function start(i, group)
		local what = {host = names[i]}
		for key, value in pairs(shared) do what[key] = value end
		local r = row(names[i], ok, rung.call("ssh", "exec", what, sent))
		self.all[i], self.hosts[names[i]] = r, r
		tell(group, r)
		if watcher then watcher(names[i], r) end
	end

	if canary >= #names then canary = 0 end
	rung.run_group(#names, options.ramp_up and canary == 0 and 1 or most, start, canary > 0 and canary or nil)
	local shown = command.shown(shared.argv)
	if #names > 1 then
		for _, l in ipairs(lines(self)) do rung.log(errors > 0 and "warn" or "info", "ssh.each " .. shown .. ": " .. l) end
	end
	self.errors, self.stopped = errors, limit
	if limit then record_left(self, shared) end
	if options.check ~= false and (errors > errors_max or limit) then complain(self, shown, bad_call, reason, limit) end
	return self
end

local of_file = {login = true, key = true, timeout = true, effect = true, mode = true}

local function file(verb, host, path, content, options)
	local what = "ssh." .. verb
	options = options or {}
	local sent = command.check(what, options, of_file)
	if type(host) ~= "string" or host == "" then raise(what .. ": the name of a host was expected, this is a " .. type(host)) end
	if type(path) ~= "string" then raise(what .. ": the path of a file was expected, this is a " .. type(path)) end
	if options.key ~= nil and not rung.is_secret(options.key) then raise(what .. ": key must be a secret: key = secret \"name\"") end
	local call, done, result, why = rung.call("ssh", verb, {host = host, path = command.word(what, path, "the path"), stdin = content,
		login = name(what .. ": login", options.login, "the name of a user"), key = options.key, mode = name(what .. ": mode", options.mode, "octal digits, such as \"0640\"")}, sent)
	local shown = what .. ": " .. host .. ": " .. path
	if not done then error(rung.error{kind = "call", call = call, module = "ssh", host = host, reason = result, why = shown .. ": " .. why}, 0) end
	if result.code ~= 0 then command.raise({call = call, module = "ssh", host = host}, result, shown .. " was not " .. (verb == "put" and "put" or "got")) end
	return result
end

-- A text, a secret, or {template = "... {{name}} ...", values = {name = ...}}.
local function filled(content)
	if type(content) == "string" or rung.is_secret(content) then return content end
	if type(content) ~= "table" or type(content.template) ~= "string" then
		raise("ssh.put: the content must be a string, a secret, or {template = \"port {{port}}\", values = {port = 80}}")
	end
	local values = content.values or {}
	return (content.template:gsub("{{%s*([%w_]+)%s*}}", function(key)
		local value = values[key]
		if type(value) ~= "string" and type(value) ~= "number" then raise("ssh.put: the template names " .. key .. ", and values has no text or number of that name") end
		return tostring(value)
	end))
end

--- ssh.put(host, path, content, options)
-- A small file on a host, below the folder that `ssh: {files: ...}` of `.rung/config.yaml` names: whole, or what it was.
-- @param host text: a name of the inventory
-- @param path path: absolute
-- @param content text, secret or table: a text, a secret, or `{template = "port = {{port}}\n", values = {port = 8080}}`
-- @option mode text = "0644": octal digits
-- @needs ssh LOGIN@HOST put PATH
-- @row ssh.put
-- @limit 768 KiB
-- @example
--   ssh.put("web-01", "/srv/app/app.conf", {template = "port = {{port}}\n", values = {port = 8080}}, {mode = "0640"})
local function put(host, path, content, options)
	file("put", host, path, filled(content), options)
end

--- ssh.get(host, path, options)
-- A small file of a host, below the same folder; refused where it changes while it is read.
-- @param host text: a name of the inventory
-- @param path path: absolute
-- @return its content
-- @needs ssh LOGIN@HOST get PATH
-- @row ssh.get
-- @limit 8 MiB
-- @example
--   local conf = ssh.get("web-01", "/srv/app/app.conf")
local function get(host, path, options)
	if options and options.mode then raise("ssh.get: there is no option mode") end
	return file("get", host, path, nil, options).stdout
end

return setmetatable({each = each, put = put, get = get}, {__call = rung.export(one), __metatable = false})
