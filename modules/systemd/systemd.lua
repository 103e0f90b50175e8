-- systemd: units, by systemctl and journalctl, here or on a host.
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

function systemd.unit(unit, options)
	return show(check_unit("unit", unit), options_of("unit", options, HOST))
end

function systemd.is_active(unit, options)
	return show(check_unit("is_active", unit), options_of("is_active", options, HOST)).active == "active"
end

function systemd.failed(options)
	options = options_of("failed", options, HOST)
	local r = open("on")(options.host)({"systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager", "--full"}, {effect = "read", timeout = options.timeout})
	local units = open("json").array{}
	for _, row in ipairs(open("text").columns(r.stdout, {"name", "load", "active", "sub", "description"})) do units[#units + 1] = row end
	return units
end

function systemd.journal(unit, options)
	options = options_of("journal", options, {host = true, timeout = true, lines = true, priority = true, since = true})
	local argv = {"journalctl", "--unit=" .. check_unit("journal", unit), "--no-pager", "--quiet", "--output=cat", "--lines=" .. (options.lines or 100)}
	if options.priority then argv[#argv + 1] = "--priority=" .. options.priority end
	if options.since then argv[#argv + 1] = "--since=" .. (type(options.since) == "number" and "@" .. options.since // 1 or options.since) end
	return open("text").lines(open("on")(options.host)(argv, {effect = "read", timeout = options.timeout}).stdout)
end

-- A change, and what the unit is behind it.
for _, verb in ipairs{"start", "stop", "restart", "reload", "enable", "disable"} do
	systemd[verb] = function(unit, options)
		options = options_of(verb, options, {host = true, timeout = true, effect = true, as = true})
		loaded(verb, unit, options)
		open("on")(options.host)({"systemctl", verb, "--", unit}, {effect = options.effect, timeout = options.timeout, as = options.as})
		return show(unit, options)
	end
end

-- Is it the same start after a while? A service that starts and falls over is not back.
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
