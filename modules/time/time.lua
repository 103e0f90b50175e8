-- time: the clock as the step may see it, and durations. Seconds throughout.

--- module time
-- Seconds throughout, as numbers.

local rung = ...
local raise = rung.raise
local type = type

local time = {}

local function microseconds(what, seconds)
	if type(seconds) ~= "number" or seconds ~= seconds or seconds < -1e11 or seconds > 1e12 then raise(what .. ": a number of seconds was expected") end
	return seconds * 1000000 // 1 | 0
end

--- time.now()
-- The time recorded with the answer that came last, at first that of the attempt's start: it is the same when the attempt is run again.
-- @return seconds since 1970
-- @example
--   if time.now() - time.parse("2026-11-22T23:00:00Z") > time.duration("2h") then fail("too old") end
function time.now() return rung.now_us() / 1000000 end

--- time.iso(seconds)
-- A time as RFC 3339 has it.
-- @param seconds number?: without it now
-- @return text, such as `2026-11-22T23:00:01Z`
-- @example
--   print(time.iso())
function time.iso(seconds)
	return (rung.rfc3339(microseconds("time.iso", seconds == nil and time.now() or seconds)):gsub("%.0+Z$", "Z"))
end

--- time.parse(text)
-- A date, or a time in UTC.
-- @param text text: `2026-11-22` or `2026-11-22T23:00:01Z`
-- @return seconds since 1970
-- @example
--   local since = time.parse("2026-11-22")
function time.parse(text)
	if type(text) ~= "string" then raise("time.parse: a string was expected") end
	local head, fraction = text:match("^(%d%d%d%d%-%d%d%-%d%d[T ]%d%d:%d%d:%d%d)(%.?%d*)Z$")
	if head then text = head:gsub(" ", "T") .. "." .. (fraction:sub(2) .. "000000"):sub(1, 6) .. "Z" end
	local us = rung.parse_time(text)
	if not us then raise("time.parse: a date (2026-11-22) or a time in UTC (2026-11-22T23:00:01Z) was expected, not " .. rung.shorten(text, 40)) end
	return us / 1000000
end

--- time.duration(text)
-- A duration in seconds.
-- @param text duration: such as `1h30m`
-- @return seconds
-- @example
--   expect(time.duration("1h30m") == 5400)
function time.duration(text)
	return rung.microseconds("time.duration", text) / 1000000
end

--- time.words(seconds)
-- A duration for people.
-- @param seconds number: how many
-- @return text, such as `3 min 20 s`
-- @example
--   print(time.words(200))
function time.words(seconds) return rung.duration_words(microseconds("time.words", seconds)) end

return time
