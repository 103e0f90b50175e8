-- Everything that a step can get hold of, one line each; then what stands behind it, which no step reaches: hidden metatables and upvalues.
-- Runs in rung-forkd-walk, which has the debug library beside the real environment. A thing is named by the first way to it.
local debug_getmetatable, getupvalue, getinfo = debug.getmetatable, debug.getupvalue, debug.getinfo
debug = nil
local lines, things, way = {}, {}, {}

local function value(x)
	if type(x) == "string" then return (("%q"):format(x):gsub("[\x80-\xff]", function(c) return ("\\x%02x"):format(c:byte()) end)) end
	if type(x) == "number" or type(x) == "boolean" then return tostring(x) end
	if type(x) == "function" and getinfo(x, "S").what == "C" then return "function of C" end
	return x == json.null and "null" or type(x)
end

local function is_thing(x) return type(x) == "table" or type(x) == "function" or type(x) == "thread" end

local function meet(path, x)
	if is_thing(x) and way[x] then
		if way[x] ~= path then lines[#lines + 1] = path .. " = " .. way[x] end
		return
	end
	lines[#lines + 1] = path .. ": " .. value(x)
	if is_thing(x) then
		way[x] = path
		things[#things + 1] = x
	end
end

local function key_name(k) return type(k) == "string" and k:find("^[%a_][%w_]*$") and "." .. k or "[" .. value(k) .. "]" end

local function fields(x, path)
	if type(x) ~= "table" then return end
	for k, v in pairs(x) do
		if is_thing(k) then meet(path .. " key", k) end
		meet(path .. key_name(k), v)
	end
end

-- What a step does.
local function look(x, path)
	fields(x, path)
	local mt = getmetatable(x)
	if mt ~= nil then meet(path .. " metatable", mt) end
end

-- What the debug library can besides.
local function look_behind(x, path)
	fields(x, path)
	local mt = debug_getmetatable(x)
	if mt then meet(path .. " hidden metatable", mt) end
	for i = 1, type(x) == "function" and 255 or 0 do
		local name, up = getupvalue(x, i)
		if not name then break end
		if is_thing(up) and not way[up] then meet(path .. " upvalue " .. i, up) end
	end
end

local at = 0
local function walk(with)
	while things[at + 1] do
		at = at + 1
		with(things[at], way[things[at]])
	end
end

-- Modules open when they are first named; so do the names that say that they are not there.
for name in ("ask json log re sh text time yaml approve cause escalate evidence hosts http notify poll runbook secret ssh update wait"):gmatch("%a+") do
	local opened = _G[name]
	if opened ~= nil and rawequal(opened, _G[name]) then meet(name, opened) end
end
meet("_ENV", _ENV)
for _, x in ipairs{{"nil", nil}, {"boolean", true}, {"number", 0}, {"string", ""}, {"function", print}, {"thread", coroutine.create(print)}, {"null", json.null}} do
	meet("metatable of each " .. x[1], getmetatable(x[2]))
end
for name in ("params steps item run alert incident result"):gmatch("%a+") do meet(name, _G[name]) end
meet("an error of fail", select(2, pcall(fail, "x")))
meet("an array", json.array())
meet("what a call gave", sh("true"))
meet("the iterator of pairs", (pairs({})))
meet("the iterator of ipairs", (ipairs({})))
meet("the iterator of re.gmatch", (re.gmatch("a", "a")))
meet("a wrapped coroutine", coroutine.wrap(print))
walk(look)

local reached = #lines
at = 0
walk(look_behind)
return {reached = reached, lines = lines}
