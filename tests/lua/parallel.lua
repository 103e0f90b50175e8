local r = parallel{a = function() return sh("a").stdout end, b = function() return "no call" end}
expect(r.a == "out\n" and r.b == "no call")
local list = each({10, 20, 30}, function(item, i) return item + i end)
expect(table.concat(list, " ") == "11 22 33")
expect(#parallel{} == 0 and #each({}, print) == 0)

-- A group in a branch of a group.
local nested = parallel{
	function() return parallel{function() return sh("1").code end, function() return sh("2").code end} end,
	function() return each({1, 2, 3}, function(x) return sh("x" .. x).code + x end, {max_concurrency = 1}) end,
}
expect(nested[1][2] == 0 and nested[2][3] == 3)

-- The first branch that failed is the group's error, and the others run to their end first.
local ran = 0
local ok, why = pcall(parallel, {
	function() sh("a") sh("b") ran = ran + 1 end,
	function() sh("c") error("second") end,
	function() error("third") end,
	function() sh("d") sh("e") sh("f") ran = ran + 1 end,
})
expect(not ok and tostring(why):find("second") and ran == 2, tostring(why))

-- After an error each starts nothing new.
local started = 0
ok = pcall(each, {1, 2, 3, 4, 5, 6}, function(x) started = started + 1 sh("x") if x == 2 then error("no") end end, {max_concurrency = 2})
expect(not ok and started == 3, started)

-- A call from a function that C calls cannot wait there, and says so; what it says comes before anything is asked.
ok, why = pcall(parallel, {function() return ("abc"):gsub("b", function() return sh("x").stdout end) end})
expect(not ok and tostring(why):find("not inside a callback"), tostring(why))
ok, why = pcall(parallel, {function() table.sort({3, 2, 1}, function(a, b) sh("x") return a < b end) end})
expect(not ok and tostring(why):find("not inside a callback"))
ok, why = pcall(parallel, {function() table.sort({3, 2, 1}, function(a, b) coroutine.wrap(function() sh("x") end)() return a < b end) end})
expect(not ok and tostring(why):find("not inside a callback"))
-- Outside of branches a call only waits.
expect((("abc"):gsub("b", function() return (sh("x").stdout:gsub("\n", "")) end)) == "aoutc")

-- Coroutines, in the step and in branches, with calls inside of them.
local function numbers()
	return coroutine.wrap(function()
		for i = 1, 3 do
			sh("n" .. i)
			coroutine.yield(i)
		end
	end)
end
local function sum()
	local total = 0
	for n in numbers() do total = total + n end
	return total
end
expect(sum() == 6)
local sums = parallel{sum, sum, function() local co = coroutine.create(sum) local _, n = coroutine.resume(co) return n end}
expect(sums[1] == 6 and sums[2] == 6 and sums[3] == 6)
expect(coroutine.status(coroutine.create(print)) == "suspended" and coroutine.isyieldable() == false)
ok, why = coroutine.resume(coroutine.create(function() error("x", 0) end))
expect(not ok and why == "x")
ok, why = pcall(parallel, {function() coroutine.yield(1) end})
expect(not ok and tostring(why):find("outside of a coroutine"))
local shared
ok, why = pcall(parallel, {
	function() shared = coroutine.create(function() return sh("a").code end) local _, code = coroutine.resume(shared) expect(code == 0) end,
	function() local done, say = coroutine.resume(shared) expect(not done and say:find("waits for an answer"), say) end,
})
expect(ok, tostring(why))

-- pcall in branches, over calls.
local caught = parallel{function() return select(2, pcall(function() sh("x") error("y", 0) end)) end}
expect(caught[1] == "y")
expect(not pcall(parallel, {1}) and not pcall(each, {1}, print, {max_concurency = 2}) and not pcall(each, {1}, print, {max_concurrency = 0}))
