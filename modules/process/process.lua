-- process: what runs, by ps, ss and /proc, here or on a host.

--- module process
-- What runs, by `ps`, `ss` and `/proc`. With a host the rights are those of `ssh HOST --` in place of `sh`.
-- @option host text?: where; without it here
-- @option timeout duration?: of each command; without it what is left of the step's

local rung = ...
local raise, open = rung.raise, rung.open
local type, tostring, tonumber, ipairs, math_type, table_sort = type, tostring, tonumber, ipairs, math.type, table.sort

local function options_of(what, options, known)
	known.host, known.timeout = true, true
	return rung.options("process." .. what, options, known)
end

local function look(options, argv, more)
	more = more or {}
	more.effect, more.timeout = "read", options.timeout
	return open("on")(options.host)(argv, more)
end

local function check_pid(what, pid)
	if math_type(pid) ~= "integer" or pid < 1 then raise("process." .. what .. ": the number of a process was expected, not " .. rung.visible(tostring(pid))) end
	return pid
end

local FORMAT = "pid=,ppid=,user:32=,stat=,pcpu=,rss=,etimes=,comm:32=,args="

-- The name is 32 characters wide, and may have spaces in it: tmux: server.
local NAME = ("[^\128-\191][\128-\191]*"):rep(32)
local LINE = "^%s*(%d+)%s+(%d+)%s+(%S+)%s+(%S+)%s+([%d.]+)%s+(%d+)%s+(%d+) (" .. NAME .. ")%s?(.*)$"

local function all(options)
	local list = open("json").array{}
	for _, line in ipairs(open("text").lines(look(options, {"ps", "-eww", "-o", FORMAT}).stdout)) do
		local pid, parent, user, state, cpu, rss, age, name, command = line:match(LINE)
		if pid and command ~= "ps -eww -o " .. FORMAT then
			list[#list + 1] = {
				pid = tonumber(pid), parent = tonumber(parent), user = user, state = state:sub(1, 1), cpu_percent = tonumber(cpu), memory_bytes = tonumber(rss) * 1024,
				age_s = tonumber(age), name = name:match("^(.-) *$"), command = command,
			}
		end
	end
	return list
end

local SORTS = {cpu = "cpu_percent", memory = "memory_bytes", age = "age_s"}
local process = {}

--- process.list(options)
-- Processes.
-- @option sort word = "cpu": `cpu`, `memory` or `age`, the most first
-- @option count int?: so many; without it all
-- @return list of `{pid, parent, user, state, cpu_percent, memory_bytes, age_s, name, command}`
-- @needs sh ps -eww -o *
-- @effect read
-- @example
--   for _, p in ipairs(process.list{sort = "memory", count = 5}) do log.info(text.size(p.memory_bytes), p.command) end
function process.list(options)
	options = options_of("list", options, {sort = true, count = true})
	local key = SORTS[options.sort or "cpu"]
	if not key then raise("process.list: sort must be cpu, memory or age") end
	local list = all(options)
	table_sort(list, function(a, b)
		if a[key] ~= b[key] then return a[key] > b[key] end
		return a.pid < b.pid
	end)
	for i = #list, (options.count or #list) + 1, -1 do list[i] = nil end
	return list
end

--- process.find(pattern, options)
-- Those whose command line matches.
-- @param pattern pattern: PCRE2
-- @return list as of `process.list`
-- @needs sh ps -eww -o *
-- @effect read
-- @example
--   expect(#process.find("^nginx: master") == 1, "no nginx runs here")
function process.find(pattern, options)
	options = options_of("find", options, {})
	local found = open("json").array{}
	for _, p in ipairs(all(options)) do
		if open("re").test(p.command, pattern) then found[#found + 1] = p end
	end
	return found
end

--- process.is_running(pid, options)
-- Is there a process of that number?
-- @param pid int: its number
-- @return true or false
-- @needs sh test -d /proc/*
-- @effect read
-- @example
--   expect(not process.is_running(4711), "it is still there")
function process.is_running(pid, options)
	options = options_of("is_running", options, {})
	return look(options, {"test", "-d", "/proc/" .. check_pid("is_running", pid)}, {ok = {0, 1}}).code == 0
end

--- process.listeners(options)
-- Who listens where.
-- @option port int?: only there
-- @return list of `{protocol, address, port, name, pid}`; name and pid only of one's own processes without root
-- @needs sh ss --no-header --listening --tcp --udp --numeric --processes
-- @effect read
-- @example
--   expect(#process.listeners{port = 5432} > 0, "nobody listens on 5432")
function process.listeners(options)
	options = options_of("listeners", options, {port = true})
	local list = open("json").array{}
	for _, line in ipairs(open("text").lines(look(options, {"ss", "--no-header", "--listening", "--tcp", "--udp", "--numeric", "--processes"}).stdout)) do
		local protocol, address, port, rest = line:match("^(%S+)%s+%S+%s+%d+%s+%d+%s+(%S+):(%d+)%s+%S+%s*(.*)$")
		if protocol and (not options.port or tonumber(port) == options.port) then
			local name, pid = rest:match('%(%("(.-)",pid=(%d+)')
			list[#list + 1] = {protocol = protocol, address = address, port = tonumber(port), name = name, pid = tonumber(pid)}
		end
	end
	return list
end

--- process.load(options)
-- The load, and that of each processor.
-- @return `{one, five, fifteen, cpus, per_cpu}`
-- @needs sh cat /proc/loadavg
-- @needs sh nproc
-- @effect read
-- @example
--   if process.load().per_cpu < 1 then skip("it is not busy") end
function process.load(options)
	options = options_of("load", options, {})
	local one, five, fifteen = look(options, {"cat", "/proc/loadavg"}).stdout:match("^([%d.]+) ([%d.]+) ([%d.]+)")
	local cpus = tonumber(look(options, {"nproc"}).stdout:match("%d+"))
	return {one = tonumber(one), five = tonumber(five), fifteen = tonumber(fifteen), cpus = cpus, per_cpu = tonumber(one) / cpus}
end

--- process.signal(pid, signal, options)
-- Sends a signal. The number of a process may be another's a moment later: signal what the service manager does not start by itself.
-- @param pid int: its number
-- @param signal word: TERM, KILL, HUP, INT, QUIT, USR1, USR2, STOP or CONT
-- @option as text?: with a host: the user there
-- @option effect word?: what an interrupted call means; without it the step's
-- @needs sh kill -s TERM -- *
-- @effect once
-- @example
--   for _, p in ipairs(process.find("^/srv/batch/export ")) do process.signal(p.pid, "TERM") end
local SIGNALS = {TERM = true, KILL = true, HUP = true, INT = true, QUIT = true, USR1 = true, USR2 = true, STOP = true, CONT = true}

function process.signal(pid, signal, options)
	options = options_of("signal", options, {effect = true, as = true})
	if not SIGNALS[signal] then raise("process.signal: TERM, KILL, HUP, INT, QUIT, USR1, USR2, STOP or CONT was expected") end
	open("on")(options.host)({"kill", "-s", signal, "--", tostring(check_pid("signal", pid))}, {effect = options.effect, timeout = options.timeout, as = options.as})
end

return process
