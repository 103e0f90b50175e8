-- log: lines for whoever watches the run, and print as log.info.
local rung = ...
local tostring, select, concat, setmetatable = tostring, select, table.concat, setmetatable

local function text(...)
	local parts = {...}
	for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
	return concat(parts, "\t")
end

local log = {}
for _, level in pairs{"debug", "info", "warn", "error"} do
	log[level] = function(...) rung.log(level, text(...)) end
end

rung.print = rung.export(function(...) rung.log("info", text(...)) end)

print = rung.print

return setmetatable(log, {__call = rung.export(function(_, ...) rung.log("info", text(...)) end), __metatable = false})
