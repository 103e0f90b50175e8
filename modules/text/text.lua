-- text: what steps do with the output of commands.
local rung = ...
local raise = rung.raise
local type, tonumber, ipairs, format = type, tonumber, ipairs, string.format

--- module text
-- The output of commands.
local text = {}

local function check(what, s)
	if type(s) ~= "string" then raise("text." .. what .. ": a string was expected, this is a " .. type(s)) end
	return s
end

--- text.trim(s)
-- Without space at both ends.
-- @param s text: any
-- @return text
-- @example
--   local host = text.trim(sh{"hostname"}.stdout)
function text.trim(s) return (check("trim", s):match("^%s*(.-)%s*$")) end

--- text.lines(s)
-- The lines without their ends; behind the last end there is no line.
-- @param s text: any
-- @return list of texts
-- @example
--   for _, line in ipairs(text.lines(sh{"who"}.stdout)) do print(line) end
function text.lines(s)
	local out = {}
	if check("lines", s) == "" then return out end
	for line in s:gmatch("([^\n]*)\n?") do out[#out + 1] = line:gsub("\r$", "") end
	return out
end

--- text.split(s, separator)
-- The pieces between separators.
-- @param s text: any
-- @param separator text: taken as written
-- @return list of texts
-- @example
--   local folders = text.split("/usr/bin:/bin", ":")
function text.split(s, separator)
	check("split", s)
	if type(separator) ~= "string" or separator == "" then raise("text.split: a separator was expected") end
	local out, at = {}, 1
	while true do
		local from, to = s:find(separator, at, true)
		if not from then break end
		out[#out + 1] = s:sub(at, from - 1)
		at = to + 1
	end
	out[#out + 1] = s:sub(at)
	return out
end

--- text.fields(s)
-- The words between white space.
-- @param s text: any
-- @return list of texts
-- @example
--   local kib = tonumber(text.fields(sh{"du", "-sk", "/var/log"}.stdout)[1])
function text.fields(s)
	local out = {}
	for word in check("fields", s):gmatch("%S+") do out[#out + 1] = word end
	return out
end

--- text.columns(s, names)
-- A table as commands print it, row by row. The last column takes what is left of its line.
-- @param s text: lines
-- @param names list?: of the columns; without it the first line names them
-- @return list of tables by column
-- @example
--   for _, row in ipairs(text.columns(sh{"df", "-P"}.stdout, {"device", "blocks", "used", "free", "use", "mount"})) do print(row.mount, row.use) end
function text.columns(s, names)
	local rows, lines = {}, text.lines(check("columns", s))
	local first = 1
	if not names then names, first = text.fields(lines[1] or ""), 2 end
	for i = first, #lines do
		local row, at = {}, 1
		for n, name in ipairs(names) do
			local from, to = lines[i]:find(n == #names and "%S.*" or "%S+", at)
			if not from then break end
			row[name] = text.trim(lines[i]:sub(from, to))
			at = to + 1
		end
		if row[names[1]] then rows[#rows + 1] = row end
	end
	return rows
end

--- text.starts(s, with)
--- text.ends(s, with)
--- text.contains(s, with)
-- Does it begin with it, end with it, hold it?
-- @param s text: any
-- @param with text: taken as written
-- @return true or false
-- @example
--   if text.ends("app.log", ".log") then log.info("a log") end
function text.starts(s, with) return check("starts", s):sub(1, #check("starts", with)) == with end
function text.ends(s, with) return check("ends", with) == "" or check("ends", s):sub(-#with) == with end
function text.contains(s, what) return check("contains", s):find(check("contains", what), 1, true) ~= nil end

--- text.quote(s)
-- One word for a POSIX shell, whatever is in it.
-- @param s text: any
-- @return text
-- @example
--   log.info("run: rm " .. text.quote("it's here"))
function text.quote(s) return "'" .. check("quote", s):gsub("'", "'\\''") .. "'" end

--- text.visible(s)
-- Control characters made visible.
-- @param s text: any
-- @return text
-- @example
--   log.info(text.visible("a\tb\27[31m"))
function text.visible(s) return rung.visible(check("visible", s)) end

local units = {[""] = 1, b = 1, k = 1024, m = 1024 ^ 2, g = 1024 ^ 3, t = 1024 ^ 4, p = 1024 ^ 5}

--- text.bytes(s)
-- Bytes of a size such as `10M` or `1.5 GiB`; units are powers of 1024.
-- @param s size: any
-- @return whole number
-- @example
--   expect(text.bytes("1.5G") == 1610612736)
function text.bytes(s)
	local number, unit = check("bytes", s):match("^%s*(%d+%.?%d*)%s*([A-Za-z]*)%s*$")
	local factor = unit and units[(unit:lower():gsub("i?b$", ""))]
	if not factor then raise("text.bytes: a size such as 10M or 1.5 GiB was expected, not " .. rung.shorten(s, 40)) end
	return tonumber(number) * factor // 1 | 0
end

--- text.size(bytes)
-- A size for people.
-- @param bytes number: how many
-- @return text, such as `1.5 GiB`
-- @example
--   log.info(text.size(1610612736))
function text.size(bytes)
	if type(bytes) ~= "number" then raise("text.size: a number was expected") end
	local names, n, at = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"}, bytes, 1
	while n >= 1024 and at < #names do n, at = n / 1024, at + 1 end
	return at == 1 and format("%d B", n // 1 | 0) or format("%.1f %s", n, names[at])
end

return text
