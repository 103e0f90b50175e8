-- re: regular expressions as Perl and most tools write them (PCRE2), with limits. The engine of it is engine/sandbox/worker/lua_re.c.

--- module re
-- Regular expressions as Perl has them (PCRE2). In Lua strings a backslash is written twice, or use `[[...]]`. Text that is UTF-8 is matched by characters, any other by bytes. A pattern that takes too many steps is an error.

local rung = ...
local raise = rung.raise
local exec = rung.open_re().exec -- exec(pattern, subject, from): first, last, {whole, captures by number and by name}; or nil
local type, tonumber, tostring, concat = type, tonumber, tostring, table.concat

local re = {}

--- re.match(s, pattern, from)
-- The first match.
-- @param s text: where to look
-- @param pattern pattern: what for
-- @param from int = 1: the position to begin at
-- @return a table: the whole at 0, groups by number and by name; nil where nothing matches
-- @example
--   local m = re.match("sda1 93% /var", [[(?<device>\w+) +(\d+)%]])
--   expect(m.device == "sda1" and m[2] == "93")
function re.match(s, pattern, from)
	local first, _, m = exec(pattern, s, from or 1)
	return first and m or nil
end

--- re.test(s, pattern)
-- Does it match?
-- @param s text: where to look
-- @param pattern pattern: what for
-- @return true or false
-- @example
--   expect(re.test("web-01", "^web-\\d+$"))
function re.test(s, pattern) return exec(pattern, s, 1) ~= nil end

--- re.find(s, pattern, from)
-- Where the first match is.
-- @param s text: where to look
-- @param pattern pattern: what for
-- @param from int = 1: the position to begin at
-- @return its first and last position; nothing where nothing matches
-- @example
--   local first, last = re.find("load 3.5", "[\\d.]+")
function re.find(s, pattern, from)
	local first, last = exec(pattern, s, from or 1)
	return first, last
end

--- re.gmatch(s, pattern)
--- re.all(s, pattern)
-- All matches: an iterator, or a list.
-- @param s text: where to look
-- @param pattern pattern: what for
-- @return matches as of `re.match`
-- @example
--   for m in re.gmatch("a=1 b=2", "(\\w)=(\\d)") do print(m[1], m[2]) end
function re.gmatch(s, pattern)
	local at = 1
	return function()
		if at > #s + 1 then return nil end
		local first, last, m, after = exec(pattern, s, at)
		if not first then
			at = #s + 2
			return nil
		end
		at = after
		return m
	end
end

function re.all(s, pattern)
	local out = {}
	for m in re.gmatch(s, pattern) do out[#out + 1] = m end
	return out
end

-- One pass, so that what a capture holds is never read as a template.
local function filled(template, m)
	local out, at = {}, 1
	while true do
		local from = template:find("$", at, true)
		if not from then break end
		out[#out + 1] = template:sub(at, from - 1)
		local digit, name = template:match("^%d", from + 1), template:match("^{([%w_]+)}", from + 1)
		if name or digit then
			out[#out + 1] = m[tonumber(name or digit) or name] or ""
			at = from + (name and #name + 3 or 2)
		else
			out[#out + 1] = "$"
			at = from + (template:sub(from + 1, from + 1) == "$" and 2 or 1)
		end
	end
	out[#out + 1] = template:sub(at)
	return concat(out)
end

--- re.replace(s, pattern, with)
-- Every match replaced.
-- @param s text: where to look
-- @param pattern pattern: what for
-- @param with text or function: a text in which `$1`, `${name}` and `$$` stand for groups and a dollar; or a function of the match
-- @return the text, and how often
-- @example
--   local s = re.replace("port=80", "\\d+", "8080")
function re.replace(s, pattern, with)
	if type(with) ~= "string" and type(with) ~= "function" then raise("re.replace: a string or a function was expected as third argument") end
	local out, at, kept, count = {}, 1, 1, 0
	while at <= #s + 1 do
		local first, last, m, after = exec(pattern, s, at)
		if not first then break end
		local by = type(with) == "string" and filled(with, m) or type(with) == "function" and with(m) or m[0]
		out[#out + 1] = s:sub(kept, first - 1)
		out[#out + 1] = tostring(by)
		kept, at, count = last + 1, after, count + 1
	end
	out[#out + 1] = s:sub(kept)
	return concat(out), count
end

--- re.split(s, pattern)
-- The pieces between matches.
-- @param s text: what to split
-- @param pattern pattern: what stands between
-- @return list of texts
-- @example
--   for _, word in ipairs(re.split("a, b;c", "[,;]\\s*")) do print(word) end
function re.split(s, pattern)
	local out, kept, at = {}, 1, 1
	while at <= #s do
		local first, last, _, after = exec(pattern, s, at)
		if not first then break end
		if last >= first then
			out[#out + 1] = s:sub(kept, first - 1)
			kept = last + 1
		end
		at = after
	end
	out[#out + 1] = s:sub(kept)
	return out
end

--- re.escape(s)
-- A text as a pattern that matches it literally.
-- @param s text: the text
-- @return the pattern
-- @example
--   expect(re.test("a.b", "^" .. re.escape("a.b") .. "$"))
function re.escape(s) return (s:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?{}|\\/#%s]", "\\%0")) end

return re
