-- log: lines for whoever watches the run, and print as log.info.
local rung = ...
local tostring, select, concat, setmetatable = tostring, select, table.concat, setmetatable

local function text(...)
	local parts = {...}
	for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
	return concat(parts, "\t")
end

--- log.debug(...)
--- log.info(...)
--- log.warn(...)
--- log.error(...)
--- log(...)
--- print(...)
-- A line for whoever watches the run: `print` and `log` are `log.info`. Values are separated by tabs; control characters are made visible. Lines decide nothing.
-- @param ... value: what `tostring` makes of each
-- @limit 64 KiB a line
-- @example
--   log.warn("found", 3, "folders")
local log = {}
for _, level in pairs{"debug", "info", "warn", "error"} do
	log[level] = function(...) rung.log(level, text(...)) end
end

rung.print = rung.export(function(...) rung.log("info", text(...)) end)

return setmetatable(log, {__call = rung.export(function(_, ...) rung.log("info", text(...)) end), __metatable = false})
