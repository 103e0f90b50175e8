-- Metamethods that do not return: each is called from another place of Lua's own C.

--- __index that loops
-- tries: cpu
local x = setmetatable({}, {__index = function() while true do end end}).x

--- __index that asks for itself, caught
-- tries: cpu
local t = setmetatable({}, {})
getmetatable(t).__index = function(_, k) return t[k .. "x"] end
while true do pcall(function() return t.x end) end

--- __index chained in a ring
-- tries: cpu
local a, b = {}, {}
setmetatable(a, {__index = b})
setmetatable(b, {__index = a})
while true do pcall(function() return a.x end) end

--- __index chain of two thousand tables
-- tries: cpu
local t = {}
for i = 1, 1900 do t = setmetatable({}, {__index = t}) end
while not t.x do end

--- __newindex that loops
-- tries: cpu
local t = setmetatable({}, {__newindex = function() while true do end end})
t.x = 1

--- __newindex that assigns to itself, caught
-- tries: cpu
local t = setmetatable({}, {__newindex = function(t, k, v) t[k .. k:sub(1, 1)] = v end})
while true do pcall(function() t.x = 1 end) end

--- __eq that loops
-- tries: cpu
local mt = {__eq = function() while true do end end}
local same = setmetatable({}, mt) == setmetatable({}, mt)

--- __eq asked for by a search in a list
-- tries: cpu
local mt = {__eq = function() return false end}
local needle, t = setmetatable({}, mt), {}
for i = 1, 100 do t[i] = setmetatable({}, mt) end
local i = 0
repeat i = i % 100 + 1 until t[i] == needle

--- __lt that loops
-- tries: cpu
local mt = {__lt = function() while true do end end}
local less = setmetatable({}, mt) < setmetatable({}, mt)

--- __le that loops
-- tries: cpu
local mt = {__le = function() repeat until false end}
local less = setmetatable({}, mt) <= 1

--- __concat that loops
-- tries: cpu
local s = "a" .. setmetatable({}, {__concat = function() while true do end end}) .. "b"

--- __concat that concatenates itself
-- tries: cpu
local mt = {}
mt.__concat = function(a, b) return setmetatable({}, mt) end
local x = setmetatable({}, mt)
while true do x = x .. "a" .. 1 .. x end

--- __len that loops
-- tries: cpu
local n = #setmetatable({}, {__len = function() while true do end end})

--- __unm that loops
-- tries: cpu
local n = -setmetatable({}, {__unm = function(x) while x do end end})

--- __add between a string and a table
-- tries: cpu
local n = "1" + setmetatable({}, {__add = function() while true do end end})

--- __idiv by a number
-- tries: cpu
local n = 7 // setmetatable({}, {__idiv = function() ::a:: goto a end})

--- __band after a failed coercion of a string
-- tries: cpu
local n = "not a number" & setmetatable({}, {__band = function() while true do end end})

--- __bnot of its own result
-- tries: cpu
local mt = {}
mt.__bnot = function() return setmetatable({}, mt) end
local x = setmetatable({}, mt)
while x do x = ~x end

--- __call that loops
-- tries: cpu
setmetatable({}, {__call = function() while true do end end})()

--- __call that is a table that is called
-- tries: cpu
local t = setmetatable({}, {__call = function() return true end})
for i = 1, 100 do t = setmetatable({}, {__call = t}) end
while true do pcall(t) end

--- __call that is itself
-- tries: cpu
local t = setmetatable({}, {})
getmetatable(t).__call = t
while true do pcall(t) end

--- __tostring that loops, of print
-- tries: cpu
print(setmetatable({}, {__tostring = function() while true do end end}))
log.info(setmetatable({}, {__tostring = function() while true do end end}))

--- __tostring that loops, of string.format
-- tries: cpu
local s = ("%10s"):format(setmetatable({}, {__tostring = function() while true do end end}))

--- __tostring that loops, of an error that nobody catches
-- tries: cpu
error(setmetatable({}, {__tostring = function() while true do end end}))

--- __tostring that loops, of the error of a branch
-- tries: cpu
parallel{function() error(setmetatable({}, {__tostring = function() while true do end end})) end}

--- __name that is a long text, in many errors
-- tries: cpu
local t = setmetatable({}, {__name = ("n"):rep(60000)})
while true do
	pcall(ipairs)
	pcall(string.rep, t)
end

--- __pairs with an iterator that never ends
-- tries: cpu
for k in pairs(setmetatable({}, {__pairs = function() return function() return 1 end end})) do local x = k end

--- __index under ipairs, without an end
-- tries: cpu
for i, v in ipairs(setmetatable({}, {__index = function(_, i) return i end})) do local x = v end

--- __index under table.concat
-- tries: cpu
local s = table.concat(setmetatable({}, {__index = function() return "" end}), "", 1, 1 << 60)

--- __index under table.unpack
-- tries: cpu
local t = setmetatable({}, {__index = function(_, i) return i end})
while true do pcall(table.unpack, t, 1, 100000) end

--- __len of 2^60 under table.insert
-- tries: cpu
table.insert(setmetatable({}, {__len = function() return 1 << 60 end}), 1, "x")

--- __len of 2^60 under table.remove
-- tries: cpu
table.remove(setmetatable({}, {__len = function() return 1 << 60 end}), 1)

--- __len of 2^60 under each
-- tries: cpu
each(setmetatable({}, {__len = function() return 1 << 60 end}), function() end)

--- __index and __newindex under table.move
-- tries: cpu
table.move(setmetatable({}, {__index = function() return 1 end}), 1, 1 << 50, 2, setmetatable({}, {__newindex = function() end}))

--- __lt under table.sort
-- tries: cpu
local mt = {__lt = function() while true do end end}
table.sort{setmetatable({}, mt), setmetatable({}, mt), setmetatable({}, mt)}

--- __index that makes coroutines
-- tries: cpu
local t = setmetatable({}, {__index = function() return coroutine.wrap(function() coroutine.yield() end) end})
while true do t.x() end

--- __metatable and setmetatable in turn
-- tries: cpu
local mt = {__metatable = "locked"}
while true do
	local t = setmetatable({}, mt)
	pcall(setmetatable, t, {})
end

--- __close that is taken away before it is called
-- tries: cpu
local mt = {__close = function() end}
while true do
	pcall(function()
		local x <close> = setmetatable({}, mt)
		mt.__close = nil
	end)
	mt.__close = function() end
end
