-- disk: file systems, and what fills them, by df, du, find and stat, here or on a host.

--- module disk
-- File systems, and what fills them, by `df`, `du`, `find` and `stat`. With a host the rights are those of `ssh HOST --` in place of `sh`.
-- @option host text?: where; without it here
-- @option timeout duration?: of each command; without it what is left of the step's

local rung = ...
local raise, open = rung.raise, rung.open
local type, tostring, tonumber, ipairs, table_sort, concat = type, tostring, tonumber, ipairs, table.sort, table.concat

local function options_of(what, options, known)
	known.host, known.timeout = true, true
	return rung.options("disk." .. what, options, known)
end

local function check_path(what, path)
	if type(path) ~= "string" or path:sub(1, 1) ~= "/" then raise("disk." .. what .. ": " .. rung.visible(tostring(path)) .. " is no absolute path") end
	return path
end

local function look(options, argv, ok)
	return open("on")(options.host)(argv, {effect = "read", timeout = options.timeout, ok = ok})
end

local COLUMNS = "source,fstype,size,used,avail,pcent,iused,iavail,target"

local function percent(used, free)
	local whole = used + free
	return whole > 0 and (100 * used + whole - 1) // whole or 0
end

local function rows(out)
	local list = open("json").array{}
	for i, line in ipairs(open("text").lines(out)) do
		local device, kind, size, used, free, iused, ifree, mount = line:match("^(.-)%s+(%S+)%s+(%d+)%s+(%d+)%s+(%d+)%s+%S+%s+(%S+)%s+(%S+)%s+(/.*)$")
		if i > 1 and device then
			size, used, free, iused, ifree = tonumber(size), tonumber(used), tonumber(free), tonumber(iused), tonumber(ifree)
			list[#list + 1] = {
				mount = mount, device = device, type = kind, size_bytes = size, used_bytes = used, free_bytes = free, percent = percent(used, free),
				inodes_percent = iused and ifree and percent(iused, ifree) or nil,
			}
		end
	end
	return list
end

local disk = {}

--- disk.usage(options)
-- The file systems with a device of their own, the fullest first.
-- @return list of `{mount, device, type, size_bytes, used_bytes, free_bytes, percent, inodes_percent}`; `percent` is rounded up, as `df` does, of what ordinary users may use
-- @needs sh df --block-size=1 --local **
-- @effect read
-- @example
--   for _, fs in ipairs(disk.usage{host = item}) do log.info(fs.mount, fs.percent) end
function disk.usage(options)
	options = options_of("usage", options, {})
	local list = rows(look(options, {"df", "--block-size=1", "--local", "--exclude-type=tmpfs", "--exclude-type=devtmpfs", "--exclude-type=squashfs", "--exclude-type=overlay",
		"--output=" .. COLUMNS}, {0, 1}).stdout)
	table_sort(list, function(a, b) return a.percent > b.percent end)
	return list
end

--- disk.of(path, options)
-- The file system that a path is on.
-- @param path path: absolute
-- @return one row as of `disk.usage`
-- @needs sh df --block-size=1 --output=* -- PATH
-- @effect read
-- @example
--   local fs = disk.of("/var")
--   if fs.percent < 90 then skip(fs.mount .. " is at " .. fs.percent .. " %") end
function disk.of(path, options)
	options = options_of("of", options, {})
	local list = rows(look(options, {"df", "--block-size=1", "--output=" .. COLUMNS, "--", check_path("of", path)}).stdout)
	if not list[1] then raise("disk.of: df said nothing of " .. rung.visible(path) .. " that could be read") end
	return list[1]
end

-- Lines `SIZE PATH` of what lies at or below a path. A name may have a line's end in it: what stands behind that is no size, whatever it looks like.
local function sized(out, path)
	local list = {}
	for _, line in ipairs(open("text").lines(out)) do
		local bytes, found = line:match("^(%d+)[ \t](/.*)$")
		if found and found:sub(1, #path) == path then
			list[#list + 1] = {path = found, bytes = tonumber(bytes)}
		elseif #list > 0 then
			list[#list].path = list[#list].path .. "\n" .. line
		end
	end
	return list
end

local function biggest(list, count)
	table_sort(list, function(a, b)
		if a.bytes ~= b.bytes then return a.bytes > b.bytes end
		return a.path < b.path
	end)
	local out = open("json").array{}
	for i = 1, #list < count and #list or count do out[i] = list[i] end
	return out
end

--- disk.folders(path, options)
-- The biggest folders of its file system, each without those below it that are listed too.
-- @param path path: absolute
-- @option count int = 5: how many
-- @option depth int = 4: how deep below path
-- @option min size = "10M": smaller ones are not listed
-- @return list of `{path, bytes}`, the biggest first
-- @needs sh du --one-file-system --block-size=1 --threshold=* --max-depth=* -- PATH
-- @effect read
-- @example
--   for _, f in ipairs(disk.folders("/var", {count = 3})) do log.info(text.size(f.bytes), f.path) end
function disk.folders(path, options)
	options = options_of("folders", options, {count = true, depth = true, min = true})
	check_path("folders", path)
	local r = look(options, {"du", "--one-file-system", "--block-size=1", "--threshold=" .. open("text").bytes(options.min or "10M"), "--max-depth=" .. (options.depth or 4), "--", path}, {0, 1})
	local list, children = sized(r.stdout, path), {}
	for _, f in ipairs(list) do
		local parent = f.path:match("^(.*)/[^/]+$")
		if parent == "" then parent = "/" end
		if parent and f.path ~= "/" then children[parent] = (children[parent] or 0) + f.bytes end
	end
	for _, f in ipairs(list) do f.bytes = f.bytes - (children[f.path] or 0) end
	return biggest(list, options.count or 5)
end

--- disk.files(path, options)
-- The biggest files of its file system.
-- @param path path: absolute
-- @option count int = 5: how many
-- @option min size = "100M": smaller ones are not listed
-- @return list of `{path, bytes}`, the biggest first
-- @needs sh find PATH -xdev -type f -size * -printf '%s %p\n'
-- @effect read
-- @example
--   return {files = disk.files("/var/log", {min = "50M"})}
function disk.files(path, options)
	options = options_of("files", options, {count = true, min = true})
	local min = open("text").bytes(options.min or "100M") - 1
	local r = look(options, {"find", check_path("files", path), "-xdev", "-type", "f", "-size", "+" .. min .. "c", "-printf", "%s %p\\n"}, {0, 1})
	return biggest(sized(r.stdout, path), options.count or 5)
end

--- disk.held_open(options)
-- Deleted files whose space a process still holds: it comes back when that one closes them or ends.
-- @option count int = 5: how many
-- @option min size = "10M": smaller ones are not listed
-- @option path path?: only those of the file system that this is on
-- @return list of `{path, bytes, pid}`, the biggest first
-- @needs sh find /proc -mindepth 3 -maxdepth 3 -path '/proc/[0-9]*/fd/*' -lname '/* (deleted)' -printf '%p\n'
-- @needs sh stat --dereference **
-- @effect read
-- @limit the first 500 descriptors
-- @example
--   for _, f in ipairs(disk.held_open()) do log.warn("process " .. f.pid .. " holds " .. text.size(f.bytes)) end
function disk.held_open(options)
	options = options_of("held_open", options, {count = true, min = true, path = true})
	if options.path ~= nil then check_path("held_open", options.path) end
	local links = look(options, {"find", "/proc", "-mindepth", "3", "-maxdepth", "3", "-path", "/proc/[0-9]*/fd/*", "-lname", "/* (deleted)", "-printf", "%p\\n"}, {0, 1})
	local paths = open("text").lines(links.stdout)
	if #paths == 0 then return open("json").array{} end
	local argv = {"stat", "--dereference", "--format=%s %d:%i %n", "--", options.path}
	for i, p in ipairs(paths) do
		if i <= 500 then argv[#argv + 1] = p end
	end
	local list, seen, min = {}, {}, open("text").bytes(options.min or "10M")
	local lines = open("text").lines(look(options, argv, {0, 1}).stdout)
	local device = options.path and (lines[1] or ""):match("^%d+ (%d+):")
	for _, line in ipairs(lines) do
		local bytes, file, link, pid = line:match("^(%d+) (%S+) (/proc/(%d+)/.*)$")
		if pid and tonumber(bytes) >= min and not seen[file] and (not options.path or file:match("^%d+") == device) then
			seen[file] = true
			list[#list + 1] = {path = link, bytes = tonumber(bytes), pid = tonumber(pid)}
		end
	end
	return biggest(list, options.count or 5)
end

return disk
