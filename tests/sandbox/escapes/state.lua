-- What would make two runs of the same attempt differ, what tells where things lie, and what one attempt could leave for the next.

--- address of a table
-- tries: address
return tostring({})

--- address of a function of C
-- tries: address
return tostring(print)

--- address of a closure
-- tries: address
return tostring(function() end)

--- address of a coroutine
-- tries: address
return tostring(coroutine.create(print))

--- address by %p
-- tries: address
return ("%p"):format({})

--- address by %p with a width
-- tries: address
return ("%-40p"):format("a text that is long enough not to be kept with the short ones")

--- address by %p behind a zero byte
-- tries: address
return ("\0%p"):format({})

--- address by %s behind a zero byte
-- tries: address
return ("\0%s"):format({})

--- address by %s
-- tries: address
return ("%s"):format(coroutine.running())

--- address by %p behind a literal percent sign
-- tries: address
return ("%%%p"):format(print)

--- address of a table with a name
-- tries: address
return tostring(setmetatable({}, {__name = "disk"}))

--- address in a log line
-- tries: address
print({}, tostring({}))
log.info(print, tostring(print))

--- address as light userdata
-- tries: address
local x = 1
return tostring(debug.upvalueid(function() return x end, 1))

--- address in the message of a failed conversion
-- tries: address
return tostring(io.stdout)

--- addresses of the process's memory
-- tries: address
return "0x" .. io.open("/proc/self/maps"):read("l")

--- address of a key that pairs gives
-- tries: address
for k in pairs({[{}] = 1}) do return tostring(k) end

--- address in an error that is a function
-- tries: address
local ok, e = pcall(error, print)
return tostring(e)

--- order of names
-- tries: differs
local t, out = {}, {}
for i = 1, 300 do t["name" .. i] = i end
for k in pairs(t) do out[#out + 1] = k end
return table.concat(out, " ")

--- order of names by next
-- tries: differs
local t, out = {}, {}
for i = 1, 300 do t["name" .. i] = i end
local k = next(t)
while k do
	out[#out + 1] = k
	k = next(t, k)
end
return table.concat(out, " ")

--- order of tables as keys
-- tries: differs
local t, out = {}, {}
for i = 1, 100 do t[{}] = i end
for _, v in pairs(t) do out[#out + 1] = v end
return table.concat(out, " ")

--- order of functions as keys, by next
-- tries: differs
local t, out = {}, {}
for i = 1, 100 do t[function() return i end] = i end
local k, v = next(t)
while k do
	out[#out + 1] = v
	k, v = next(t, k)
end
return table.concat(out, " ")

--- order of the library's names
-- tries: differs
local out = {}
for _, t in ipairs{string, table, math, utf8, _G} do for k in pairs(t) do if type(k) == "string" then out[#out + 1] = k end end end
return table.concat(out, " ")

--- order of names in a text made by hand
-- tries: differs
local s = ""
for k, v in pairs{alpha = 1, beta = 2, gamma = 3, delta = 4, epsilon = 5, zeta = 6, eta = 7, theta = 8, iota = 9, kappa = 10, lambda = 11, mu = 12} do s = k .. s end
return s

--- random number
-- tries: differs
return math.random(0)

--- random numbers after a new seed
-- tries: differs
math.randomseed()
return {math.random(1 << 40), math.random(1 << 40)}

--- the seed itself
-- tries: differs
return {math.randomseed()}

--- random sort
-- tries: differs
local t = {}
for i = 1, 30 do t[i] = {i, math.random()} end
table.sort(t, function(a, b) return a[2] < b[2] end)
for i = 1, 30 do t[i] = t[i][1] end
return t

--- sort by where things lie
-- tries: differs
local t, n = {}, {}
for i = 1, 50 do t[i] = {} n[t[i]] = i end
local function place(x) return tonumber(("%p"):format(x)) % 97 end
table.sort(t, function(a, b) return place(a) < place(b) end)
for i = 1, 50 do t[i] = n[t[i]] end
return table.concat(t, " ")

--- clock of the processor
-- tries: differs
local n = 0
for i = 1, 100000 do n = n + i end
return os.clock()

--- clock of the wall, by a command
-- tries: differs
return io.popen("date +%N"):read("a")

--- name of a temporary file
-- tries: differs
local name = os.tmpname()
os.remove(name)
return name

--- number of the process
-- tries: differs
return io.open("/proc/self/stat"):read("n")

--- when a weak entry goes, by a mode that is set beforehand
-- tries: differs
local weak, n = setmetatable({}, {__mode = "v"}), 0
for i = 1, 3000 do weak[i] = {} local s = ("x"):rep(math.random(2000)) end
for i = 1, 3000 do if weak[i] then n = n + i end end
return n

--- when a finalizer is called
-- tries: differs
local n, at = 0, {}
for i = 1, 3000 do
	setmetatable({}, {__gc = function() if #at < 50 then at[#at + 1] = i .. ":" .. n end end})
	n = n + 1
	local s = ("x"):rep(math.random(500))
end
return table.concat(at, " ")

--- a hash seed, by the collisions that it makes
-- tries: differs
local t, out = {}, {}
for i = 1, 64 do t[("k"):rep(i % 8 + 1) .. i] = i end
for i = 1, 64, 2 do t[("k"):rep(i % 8 + 1) .. i] = nil end
for _, v in next, t do out[#out + 1] = v end
return table.concat(out, ",")

--- left in a global
-- tries: leftover
left = params.token
--- next attempt
return left

--- left in the globals' table
-- tries: leftover
_G[1] = params.token
--- next attempt
return _G[1]

--- left in the string library
-- tries: leftover
string.left = params.token
--- next attempt
return ("x").left

--- left in the table library
-- tries: leftover
local token = params.token
table.concat = function() return token end
--- next attempt
return table.concat({"a"})

--- left in the math library
-- tries: leftover
math.pi = params.token
--- next attempt
return math.pi

--- left in the utf8 library
-- tries: leftover
utf8.charpattern = params.token
--- next attempt
return utf8.charpattern

--- left in the coroutine library
-- tries: leftover
coroutine.left = coroutine.wrap(function(x) coroutine.yield() return x end)
coroutine.left(params.token)
--- next attempt
return coroutine.left()

--- left in a module of rung
-- tries: leftover
json.left = params.token
--- next attempt
return json.left

--- left in a function of a module of rung
-- tries: leftover
local token = params.token
re.escape = function() return token end
--- next attempt
return re.escape("x")

--- left in what require keeps
-- tries: leftover
local function module() return package and text or require("text") end
module().left = params.token
--- next attempt
return (package and text or require("text")).left

--- left in package.loaded
-- tries: leftover
package.loaded.left = params.token
--- next attempt
return require "left"

--- left in package.preload
-- tries: leftover
local token = params.token
package.preload.left = function() return token end
--- next attempt
return require "left"

--- left in the metatable of strings
-- tries: leftover
getmetatable("").__call = function(s) return s end
getmetatable("").left = params.token
--- next attempt
return getmetatable("").left

--- left in a metamethod of strings
-- tries: leftover
local token = params.token
getmetatable("").__unm = function() return token end
--- next attempt
return -"x"

--- left in a metatable of numbers
-- tries: leftover
debug.setmetatable(0, {__index = {left = params.token}})
--- next attempt
return (0).left

--- left in a metatable of nil
-- tries: leftover
local token = params.token
debug.setmetatable(nil, {__index = function() return token end})
--- next attempt
return nothing.left

--- left in a metatable of functions
-- tries: leftover
debug.setmetatable(print, {__index = {left = params.token}})
--- next attempt
return print.left

--- left in the metatable of the globals
-- tries: leftover
local token = params.token
debug.setmetatable(_G, {__index = function() return token end})
--- next attempt
return nothing

--- left in the registry
-- tries: leftover
debug.getregistry().left = params.token
--- next attempt
return debug.getregistry().left

--- left in an upvalue of a function of rung
-- tries: leftover
debug.setupvalue(require, 1, function() return params.token end)
keep = params.token
--- next attempt
return keep or require("x")

--- left in a debug hook
-- tries: leftover
local token = params.token
debug.sethook(function() seen = token end, "c")
--- next attempt
tostring(1)
return seen

--- left in a user value
-- tries: leftover
debug.setuservalue(io.stdout, {params.token})
saved = debug.getuservalue(io.stdout) or params.token
--- next attempt
return saved

--- left in a coroutine that waits
-- tries: leftover
local token = params.token
waiting = coroutine.create(function() coroutine.yield() return token end)
coroutine.resume(waiting)
--- next attempt
return select(2, coroutine.resume(waiting))

--- left in a variable of a coroutine, found by the debug library
-- tries: leftover
do
	local secret = params.token
	parked = coroutine.create(function() local mine = secret coroutine.yield() return mine end)
end
coroutine.resume(parked)
--- next attempt
return select(2, debug.getlocal(parked, 1, 1))

--- left in an upvalue of another step's function
-- tries: leftover
local secret = params.token
helper = function() return secret ~= nil end
--- next attempt
return select(2, debug.getupvalue(helper, 1))

--- left in the place of print
-- tries: leftover
local token = params.token
print = function() return token end
--- next attempt
return print()

--- left in the place of pairs
-- tries: leftover
local token = params.token
pairs = function() return function(_, k) if not k then return token end end end
--- next attempt
for k in pairs(params) do return k end

--- left in the place of error
-- tries: leftover
local token, raise = params.token, error
error = function() raise(token, 0) end
--- next attempt
return select(2, pcall(error, "x"))

--- left in the random numbers
-- tries: leftover
math.randomseed(42)
want = {math.random(1 << 40), params.token}
math.randomseed(42)
--- next attempt
if want and math.random(1 << 40) == want[1] then return want[2] end

--- left in the collector
-- tries: leftover
if collectgarbage then collectgarbage("stop") end
kind = params.token
--- next attempt
if collectgarbage and not collectgarbage("isrunning") then return kind end

--- left in the standard input
-- tries: leftover
io.input(params.folder .. "/secret")
--- next attempt
return io.read("a")

--- left in a variable of the environment of the code
-- tries: leftover
_ENV.deep = {params = params}
--- next attempt
return deep.params.token

--- left in the parameters of the attempt before
-- tries: leftover
old = {params, steps, run}
--- next attempt
return old[1].token

--- left in the answer of a call
-- tries: leftover
answer = sh("true")
answer.token = params.token
--- next attempt
return answer.token

--- left in a value that a finalizer keeps
-- tries: leftover
setmetatable({params.token}, {__gc = function(t) finalized = t[1] end})
--- next attempt
if collectgarbage then collectgarbage() end
return finalized

--- left in a table that is shared by its name
-- tries: leftover
local mt = debug and debug.getregistry()["FILE*"] or {}
mt.token = params.token
--- next attempt
return debug.getregistry()["FILE*"].token
