-- re: regular expressions as Perl and most tools write them (PCRE2), with limits. The engine of it is engine/sandbox/worker/lua_re.c.
local rung = ...
local raise = rung.raise
local exec = rung.open_re().exec -- exec(pattern, subject, from): first, last, {whole, captures by number and by name}; or nil
local type, tonumber, tostring, concat = type, tonumber, tostring, table.concat

local re = {}

function re.match(s, pattern, from)
	local first, _, m = exec(pattern, s, from or 1)
	return first and m or nil
end

function re.test(s, pattern) return exec(pattern, s, 1) ~= nil end

function re.find(s, pattern, from)
	local first, last = exec(pattern, s, from or 1)
	return first, last
end

-- An iterator over the matches; an empty match moves on by one character.
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

-- with: a text in which $1 and ${name} stand for captures and $$ for a dollar, or a function of the match.
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

-- Every character that means something in a pattern, with a backslash before it.
function re.escape(s) return (s:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?{}|\\/#%s]", "\\%0")) end

return re
