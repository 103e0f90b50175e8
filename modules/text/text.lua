-- text: what steps do with the output of commands.
local rung = ...
local raise = rung.raise
local type, tonumber, ipairs, format = type, tonumber, ipairs, string.format

local text = {}

local function check(what, s)
	if type(s) ~= "string" then raise("text." .. what .. ": a string was expected, this is a " .. type(s)) end
	return s
end

function text.trim(s) return (check("trim", s):match("^%s*(.-)%s*$")) end

-- The lines of s without their ends; after the last end there is no line.
function text.lines(s)
	local out = {}
	if check("lines", s) == "" then return out end
	for line in s:gmatch("([^\n]*)\n?") do out[#out + 1] = line:gsub("\r$", "") end
	return out
end

-- The pieces between separators, which are taken as written.
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

-- The words of a line.
function text.fields(s)
	local out = {}
	for word in check("fields", s):gmatch("%S+") do out[#out + 1] = word end
	return out
end

-- A table as commands print it: the first line names the columns, each other line gives a row by these names. With `names`, all lines are rows. The last
-- column takes what is left of its line.
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

function text.starts(s, with) return check("starts", s):sub(1, #check("starts", with)) == with end
function text.ends(s, with) return check("ends", with) == "" or check("ends", s):sub(-#with) == with end
function text.contains(s, what) return check("contains", s):find(check("contains", what), 1, true) ~= nil end

-- One word for a POSIX shell, whatever is in it.
function text.quote(s) return "'" .. check("quote", s):gsub("'", "'\\''") .. "'" end

-- Control characters made visible.
function text.visible(s) return rung.visible(check("visible", s)) end

local units = {[""] = 1, b = 1, k = 1024, m = 1024 ^ 2, g = 1024 ^ 3, t = 1024 ^ 4, p = 1024 ^ 5}

-- "10M", "1.5 GiB", "512": bytes; units are powers of 1024, as df and du mean them.
function text.bytes(s)
	local number, unit = check("bytes", s):match("^%s*(%d+%.?%d*)%s*([A-Za-z]*)%s*$")
	local factor = unit and units[(unit:lower():gsub("i?b$", ""))]
	if not factor then raise("text.bytes: a size such as 10M or 1.5 GiB was expected, not " .. rung.shorten(s, 40)) end
	return tonumber(number) * factor // 1 | 0
end

-- 1610612736: "1.5 GiB".
function text.size(bytes)
	if type(bytes) ~= "number" then raise("text.size: a number was expected") end
	local names, n, at = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"}, bytes, 1
	while n >= 1024 and at < #names do n, at = n / 1024, at + 1 end
	return at == 1 and format("%d B", n // 1 | 0) or format("%.1f %s", n, names[at])
end

return text
