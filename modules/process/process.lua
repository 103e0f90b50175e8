-- process: what runs, by ps, ss and /proc, here or on a host.
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

local function all(options)
	local list = open("json").array{}
	for _, line in ipairs(open("text").lines(look(options, {"ps", "-eww", "-o", FORMAT}).stdout)) do
		local pid, parent, user, state, cpu, rss, age, name, command = line:match("^%s*(%d+)%s+(%d+)%s+(%S+)%s+(%S+)%s+([%d.]+)%s+(%d+)%s+(%d+)%s+(%S+)%s*(.*)$")
		if pid and command ~= "ps -eww -o " .. FORMAT then
			list[#list + 1] = {
				pid = tonumber(pid), parent = tonumber(parent), user = user, state = state:sub(1, 1), cpu_percent = tonumber(cpu), memory_bytes = tonumber(rss) * 1024,
				age_s = tonumber(age), name = name, command = command,
			}
		end
	end
	return list
end

local SORTS = {cpu = "cpu_percent", memory = "memory_bytes", age = "age_s"}
local process = {}

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

-- pattern: PCRE2, against the command line, or against the name where exact is asked for.
function process.find(pattern, options)
	options = options_of("find", options, {})
	local found = open("json").array{}
	for _, p in ipairs(all(options)) do
		if open("re").test(p.command, pattern) then found[#found + 1] = p end
	end
	return found
end

function process.is_running(pid, options)
	options = options_of("is_running", options, {})
	return look(options, {"test", "-d", "/proc/" .. check_pid("is_running", pid)}, {ok = {0, 1}}).code == 0
end

-- Who listens where.
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

function process.load(options)
	options = options_of("load", options, {})
	local one, five, fifteen = look(options, {"cat", "/proc/loadavg"}).stdout:match("^([%d.]+) ([%d.]+) ([%d.]+)")
	local cpus = tonumber(look(options, {"nproc"}).stdout:match("%d+"))
	return {one = tonumber(one), five = tonumber(five), fifteen = tonumber(fifteen), cpus = cpus, per_cpu = tonumber(one) / cpus}
end

local SIGNALS = {TERM = true, KILL = true, HUP = true, INT = true, QUIT = true, USR1 = true, USR2 = true, STOP = true, CONT = true}

function process.signal(pid, signal, options)
	options = options_of("signal", options, {effect = true, as = true})
	if not SIGNALS[signal] then raise("process.signal: TERM, KILL, HUP, INT, QUIT, USR1, USR2, STOP or CONT was expected") end
	open("on")(options.host)({"kill", "-s", signal, "--", tostring(check_pid("signal", pid))}, {effect = options.effect, timeout = options.timeout, as = options.as})
end

return process
