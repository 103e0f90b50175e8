-- systemd: units, by systemctl and journalctl, here or on a host.

--- module systemd
-- Units, by `systemctl` and `journalctl`. With a host the rights are those of `ssh HOST --` in place of `sh`.
-- @option host text?: where; without it here
-- @option timeout duration?: of each command; without it what is left of the step's

local rung = ...
local raise, open = rung.raise, rung.open
local type, tostring, tonumber, ipairs, math_type, error = type, tostring, tonumber, ipairs, math.type, error

local PROPERTIES = "Id,Description,LoadState,ActiveState,SubState,Result,UnitFileState,InvocationID,NRestarts,MainPID,MemoryCurrent,ActiveEnterTimestamp,FragmentPath"
local READ = {effect = "read"}

local function check_unit(what, unit)
	if type(unit) ~= "string" or not unit:find("^[%w:_.@\\%-]+$") or unit:find("^%-") then
		raise("systemd." .. what .. ": " .. rung.visible(tostring(unit)) .. " is no name of a unit, such as nginx or nginx.service")
	end
	return unit
end

local function options_of(what, options, known)
	return rung.options("systemd." .. what, options, known)
end

local HOST = {host = true, timeout = true}

local function show(unit, options)
	local out = open("on")(options.host)({"systemctl", "show", "--no-pager", "--property=" .. PROPERTIES, "--", unit}, {effect = "read", timeout = options.timeout}).stdout
	local p = {}
	for name, value in out:gmatch("(%w+)=([^\n]*)") do p[name] = value end
	return {
		name = p.Id, description = p.Description, load = p.LoadState, active = p.ActiveState, sub = p.SubState, result = p.Result, enabled = p.UnitFileState,
		start = p.InvocationID ~= "" and p.InvocationID or nil, restarts = tonumber(p.NRestarts), pid = tonumber(p.MainPID) ~= 0 and tonumber(p.MainPID) or nil,
		memory_bytes = math_type(tonumber(p.MemoryCurrent)) == "integer" and tonumber(p.MemoryCurrent) or nil,
		since = p.ActiveEnterTimestamp ~= "" and p.ActiveEnterTimestamp or nil, file = p.FragmentPath ~= "" and p.FragmentPath or nil,
	}
end

local function loaded(what, unit, options)
	local u = show(check_unit(what, unit), options)
	if u.load == "not-found" then
		error(rung.error{kind = "fail", why = "systemd." .. what .. ": there is no unit " .. unit .. (options.host and " on " .. options.host or " here")}, 0)
	end
	return u
end

local systemd = {}

--- systemd.unit(unit, options)
-- A unit. `start` is the id of this start of it; `load` is `not-found` where there is none.
-- @param unit text: its name, with or without `.service`
-- @return `{name, description, load, active, sub, result, enabled, start, restarts, pid, memory_bytes, since, file}`
-- @needs sh systemctl show --no-pager --property=* -- UNIT
-- @effect read
-- @example
--   local u = systemd.unit("nginx", {host = item})
--   expect(u.active == "active", u.name .. " is " .. u.active .. " (" .. u.result .. ")")
function systemd.unit(unit, options)
	return show(check_unit("unit", unit), options_of("unit", options, HOST))
end

--- systemd.is_active(unit, options)
-- Is it active?
-- @param unit text: its name
-- @return true or false
-- @needs sh systemctl show --no-pager --property=* -- UNIT
-- @effect read
-- @example
--   if systemd.is_active("nginx") then skip("it runs") end
function systemd.is_active(unit, options)
	return show(check_unit("is_active", unit), options_of("is_active", options, HOST)).active == "active"
end

--- systemd.failed(options)
-- The failed units.
-- @return list of `{name, load, active, sub, description}`
-- @needs sh systemctl list-units --state=failed --plain --no-legend --no-pager --full
-- @effect read
-- @example
--   for _, u in ipairs(systemd.failed()) do log.warn(u.name .. ": " .. u.description) end
function systemd.failed(options)
	options = options_of("failed", options, HOST)
	local r = open("on")(options.host)({"systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager", "--full"}, {effect = "read", timeout = options.timeout})
	local units = open("json").array{}
	for _, row in ipairs(open("text").columns(r.stdout, {"name", "load", "active", "sub", "description"})) do units[#units + 1] = row end
	return units
end

--- systemd.journal(unit, options)
-- The last lines of a unit's journal.
-- @param unit text: its name
-- @option lines int = 100: how many
-- @option priority text?: as `err`: this and worse
-- @option since number or text?: seconds since 1970, or as `journalctl` takes it
-- @return list of lines
-- @needs sh journalctl --unit=UNIT --no-pager --quiet --output=cat --lines=* **
-- @effect read
-- @example
--   for _, line in ipairs(systemd.journal("nginx", {lines = 20, priority = "err"})) do print(line) end
function systemd.journal(unit, options)
	options = options_of("journal", options, {host = true, timeout = true, lines = true, priority = true, since = true})
	local argv = {"journalctl", "--unit=" .. check_unit("journal", unit), "--no-pager", "--quiet", "--output=cat", "--lines=" .. (options.lines or 100)}
	if options.priority then argv[#argv + 1] = "--priority=" .. options.priority end
	if options.since then argv[#argv + 1] = "--since=" .. (type(options.since) == "number" and "@" .. options.since // 1 or options.since) end
	return open("text").lines(open("on")(options.host)(argv, {effect = "read", timeout = options.timeout}).stdout)
end

--- systemd.start(unit, options)
--- systemd.stop(unit, options)
--- systemd.restart(unit, options)
--- systemd.reload(unit, options)
--- systemd.enable(unit, options)
--- systemd.disable(unit, options)
-- Does that; raises where there is no such unit.
-- @param unit text: its name
-- @option as text?: with a host: the user there
-- @option effect word?: what an interrupted call means; without it the step's
-- @return the unit behind it, as of `systemd.unit`
-- @needs sh systemctl show --no-pager --property=* -- UNIT
-- @needs sh systemctl restart -- UNIT
-- @effect once
-- @example
--   systemd.restart("nginx", {host = item, as = "root"})
for _, verb in ipairs{"start", "stop", "restart", "reload", "enable", "disable"} do
	systemd[verb] = function(unit, options)
		options = options_of(verb, options, {host = true, timeout = true, effect = true, as = true})
		loaded(verb, unit, options)
		open("on")(options.host)({"systemctl", verb, "--", unit}, {effect = options.effect, timeout = options.timeout, as = options.as})
		return show(unit, options)
	end
end

--- systemd.stays_up(unit, options)
-- Is it active, and the same start, after a while? A service that starts and falls over is not back.
-- @param unit text: its name
-- @option settle int = 10: after so many seconds
-- @return true or false, then the unit
-- @needs sh systemctl show --no-pager --property=* -- UNIT
-- @needs sh sleep *
-- @effect read
-- @example
--   expect(systemd.stays_up("nginx", {settle = 5}), "it starts and falls over")
function systemd.stays_up(unit, options)
	options = options_of("stays_up", options, {host = true, timeout = true, settle = true})
	local seconds = options.settle or 10
	if math_type(seconds) ~= "integer" or seconds < 1 then raise("systemd.stays_up: settle must be whole seconds, 1 or more") end
	local before = loaded("stays_up", unit, options)
	open("sh")({"sleep", seconds}, READ)
	local after = show(unit, options)
	local up = before.active == "active" and after.active == "active" and after.start == before.start and after.restarts == before.restarts
	return up, after
end

return systemd
