-- time: the clock as the step may see it, and durations. Seconds throughout.
local rung = ...
local raise = rung.raise
local type = type

local time = {}

local function microseconds(what, seconds)
	if type(seconds) ~= "number" or seconds ~= seconds or seconds < -1e11 or seconds > 1e12 then raise(what .. ": a number of seconds was expected") end
	return seconds * 1000000 // 1 | 0
end

-- The time recorded with the answer that came last; at first that of the attempt's start. So it is the same when the attempt is run again.
function time.now() return rung.now_us() / 1000000 end

function time.iso(seconds)
	return (rung.rfc3339(microseconds("time.iso", seconds == nil and time.now() or seconds)):gsub("%.0+Z$", "Z"))
end

function time.parse(text)
	if type(text) ~= "string" then raise("time.parse: a string was expected") end
	local head, fraction = text:match("^(%d%d%d%d%-%d%d%-%d%d[T ]%d%d:%d%d:%d%d)(%.?%d*)Z$")
	if head then text = head:gsub(" ", "T") .. "." .. (fraction:sub(2) .. "000000"):sub(1, 6) .. "Z" end
	local us = rung.parse_time(text)
	if not us then raise("time.parse: a date (2026-11-22) or a time in UTC (2026-11-22T23:00:01Z) was expected, not " .. rung.shorten(text, 40)) end
	return us / 1000000
end

function time.duration(text)
	return rung.microseconds("time.duration", text) / 1000000
end

function time.words(seconds) return rung.duration_words(microseconds("time.words", seconds)) end

return time
