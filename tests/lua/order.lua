-- pairs, next and table.sort do the same every time.
local function walked(t)
	local out = {}
	for k in pairs(t) do out[#out + 1] = tostring(k) end
	return table.concat(out, " ")
end

expect(walked{z = 1, a = 2, [10] = 3, [2] = 4, [2.5] = 5, [-1] = 6, [true] = 7, [false] = 8, Z = 9, [""] = 10} == "false true -1 2 2.5 10  Z a z")
expect(walked{"x", "y", "z", n = 3} == "1 2 3 n")
expect(walked{} == "")
expect(walked{[math.maxinteger] = 1, [2.0 ^ 63] = 2, [math.mininteger] = 3, [-math.huge] = 4} == "-inf -9223372036854775808 9223372036854775807 9.2233720368548e+18")

local big = {}
for i = 1000, 1, -1 do big["k" .. i] = i end
local last = ""
for k in pairs(big) do
	expect(k > last, "out of order at " .. k)
	last = k
end

-- next walks as pairs does, one key at a time.
local t, seen, k = {b = 2, a = 1, [3] = 3}, {}, nil
repeat
	k = next(t, k)
	seen[#seen + 1] = k
until k == nil
expect(table.concat(seen, " ") == "3 a b")
expect(next({}) == nil)

-- While a table is walked its values may be changed and taken away.
local taken = {a = 1, b = 2, c = 3}
for key in pairs(taken) do
	taken[key] = nil
	taken.b = nil
end
expect(next(taken) == nil)

-- A key with no order: one is fine, two are not.
local object = {}
local n = 0
for key, value in pairs{[object] = 1, a = 2} do n = n + value end
expect(n == 3)
local ok, why = pcall(pairs, {[{}] = 1, [{}] = 2})
expect(not ok and why:find("no order that is the same"))

-- __pairs is honoured.
local custom = setmetatable({}, {__pairs = function() return function(_, key) if not key then return 1, 2 end end, nil, nil end})
for key, value in pairs(custom) do expect(key == 1 and value == 2) end

-- table.sort keeps what is equal in its order.
local list = {}
for i = 1, 300 do list[i] = {i % 7, i} end
table.sort(list, function(a, b) return a[1] < b[1] end)
for i = 2, 300 do expect(list[i - 1][1] < list[i][1] or (list[i - 1][1] == list[i][1] and list[i - 1][2] < list[i][2]), "not stable") end
local words = {"pear", "apple", "fig", "apple"}
table.sort(words)
expect(table.concat(words, " ") == "apple apple fig pear")
expect(not pcall(table.sort, {1, "a"}))
table.sort(words, function() return true end) -- nonsense, which must end
