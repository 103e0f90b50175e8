-- Files, commands, connections, signals, secrets of the process, the wire. params.folder, params.port and params.pid name what is there to be reached.

--- io.open reads
-- tries: file
return io.open(params.folder .. "/secret"):read("a")

--- io.open writes
-- tries: file
io.open(params.folder .. "/made", "w"):close()

--- io.open appends
-- tries: file
local f = io.open(params.folder .. "/target", "a")
f:write("more")
f:close()

--- io.open updates in place
-- tries: file
local f = io.open(params.folder .. "/target", "r+")
f:seek("set", 2)
f:write("X")
f:close()

--- io.lines reads
-- tries: file
for line in io.lines(params.folder .. "/secret") do return line end

--- io.input becomes a file
-- tries: file
io.input(params.folder .. "/secret")
return io.read("l")

--- io.output becomes a file
-- tries: file
io.output(params.folder .. "/made")
io.write("x")
io.output():close()

--- files by the registry of the debug library
-- tries: file
local registry = debug.getregistry()
for k, v in pairs(registry) do if k == "_LOADED" then return v.io.open(params.folder .. "/secret"):read("a") end end

--- files by package.loaded
-- tries: file
return package.loaded.io.open(params.folder .. "/secret"):read("a")

--- files by require
-- tries: file
return require("io").open(params.folder .. "/secret"):read("L")

--- files by the methods of a standard stream
-- tries: file
local f = getmetatable(io.stdout).__index.close and io.open(params.folder .. "/made", "wb")
f:write("x"):close()

--- buffered writing that ends with the process
-- tries: file
local f = io.open(params.folder .. "/made", "w")
f:setvbuf("full", 1 << 16)
f:write(("x"):rep(100000))

--- os.remove
-- tries: file
os.remove(params.folder .. "/target")

--- os.remove of a folder
-- tries: file
os.remove(params.folder .. "/keep")

--- os.rename
-- tries: file
os.rename(params.folder .. "/target", params.folder .. "/taken")

--- os.rename over another file
-- tries: file
os.rename(params.folder .. "/secret", params.folder .. "/target")

--- loadfile tells what it cannot compile
-- tries: file
return select(2, loadfile(params.folder .. "/secret"))

--- dofile runs a file
-- tries: file
return dofile(params.folder .. "/module.lua")

--- require with a path of one's own
-- tries: file
package.path = params.folder .. "/?.lua"
return require "module"

--- a searcher of package, called by hand
-- tries: file
package.path = params.folder .. "/?.lua"
return package.searchers[2]("module")("module")

--- package.searchpath, then load with a reader
-- tries: file
local path = package.searchpath("module", params.folder .. "/?.lua")
return load(io.lines(path, 1))()

--- a file read by a command
-- tries: file
return io.popen("cat '" .. params.folder .. "/secret'"):read("a")

--- a C function of the package library that a closure hides
-- tries: file
local hidden
for _, name in ipairs{"loadfile", "dofile"} do hidden = hidden or _ENV[name] or _G[name] end
return tostring(select(2, hidden(params.folder .. "/secret")))

--- a file through the environment of another function
-- tries: file
local name, env = debug.getupvalue(load("return io"), 1)
return env.io.open(params.folder .. "/secret"):read("a")

--- a file through a module's own upvalues
-- tries: file
local i = 1
while true do
	local name, value = debug.getupvalue(require, i)
	if not name then break end
	i = i + 1
end
return debug.getregistry()._LOADED.io.open(params.folder .. "/secret"):read("a")

--- a file by a function of code that was dumped
-- tries: file
local f = load(string.dump(function(path) return io.open(path):read("a") end), "f", "b")
return f(params.folder .. "/secret")

--- a file by the protected __index of the globals
-- tries: file
local mt = debug.getmetatable(_G)
return (mt and io or io).open(params.folder .. "/secret"):read("a")

--- a file when memory is collected
-- tries: file
setmetatable({}, {__gc = function() io.open(params.folder .. "/made", "w"):close() end})
collectgarbage()

--- a file when a coroutine is closed
-- tries: file
local co = coroutine.create(function()
	local x <close> = setmetatable({}, {__close = function() os.remove(params.folder .. "/target") end})
	coroutine.yield()
end)
coroutine.resume(co)
coroutine.close(co)

--- a file of a debug hook
-- tries: file
debug.sethook(function() debug.sethook() os.remove(params.folder .. "/target") end, "l")
local x = 1
local y = 2

--- a file while an error is made into text
-- tries: file
error(setmetatable({}, {__tostring = function() return io.open(params.folder .. "/secret"):read("a") end}))

--- os.execute
-- tries: process
os.execute("touch '" .. params.folder .. "/made'")

--- os.execute, in the background and in a session of its own
-- tries: process
os.execute("setsid sh -c 'sleep 0.05; touch " .. params.folder .. "/made' >/dev/null 2>&1 &")

--- io.popen to read
-- tries: process
return io.popen("cat " .. params.folder .. "/secret"):read("a")

--- io.popen to write
-- tries: process
local p = io.popen("cat > '" .. params.folder .. "/made'", "w")
p:write("x")
p:close()

--- a command at the end of the process
-- tries: process
local kept = io.popen("read x; touch '" .. params.folder .. "/made'", "w")
kept:write("\n")
os.exit(0, true)

--- a command out of a branch
-- tries: process
parallel{function() os.execute("rm '" .. params.folder .. "/target'") end, function() sh("true") end}

--- a command by a shell that was asked for
-- tries: process
if os.execute() then os.execute("mkdir '" .. params.folder .. "/made'") end

--- a connection by a shell
-- tries: socket
os.execute("bash -c 'echo x > /dev/tcp/127.0.0.1/" .. params.port .. "'")

--- a connection by a pipe to a shell
-- tries: socket
local p = io.popen("bash", "w")
p:write("exec 5<>/dev/tcp/127.0.0.1/", params.port, "\n")
p:close()

--- a connection by perl
-- tries: socket
os.execute("perl -MSocket -e 'socket(S,PF_INET,SOCK_STREAM,0); connect(S,sockaddr_in(" .. params.port .. ",INADDR_LOOPBACK))'")

--- a signal to another process
-- tries: signal
os.execute("kill -KILL " .. params.pid)

--- a process that is stopped
-- tries: signal
io.popen("kill -STOP " .. params.pid):close()

--- a signal by a background command
-- tries: signal
io.popen("sh", "w"):write("(kill -TERM ", params.pid, ") &\n"):close()

--- os.getenv
-- tries: environment
return os.getenv("RUNG_SECRET")

--- the environment of a command
-- tries: environment
return io.popen("env"):read("a")

--- the environment in /proc
-- tries: environment
return (io.open("/proc/self/environ"):read("a"):gsub("%z", "\n"))

--- the environment of the fork server
-- tries: environment
return (io.popen("cat /proc/$(cut -d' ' -f4 /proc/$PPID/stat)/environ"):read("a"):gsub("%z", "\n"))

--- a frame on the worker's socket
-- tries: frame
os.execute([[printf '\000\000\000\014\000\000\000\000{"t":"fake"}' >&3]])

--- a frame by a pipe to a shell
-- tries: frame
local p = io.popen("cat >&3", "w")
p:write("\0\0\0\13\0\0\0\0", '{"t":"forge"}')
p:close()

--- bytes that are no frame
-- tries: frame
os.execute([[printf '\000\000\000\016\000\000\000\000{"t":"broken"}' >&3]])

--- os.exit
-- tries: crash
os.exit(0)

--- os.exit that closes the state
-- tries: crash
os.exit(true, true)

--- binary code with another instruction
-- tries: crash
local code = string.dump(function(a) local b = a.x.y.z return b, a, {}, a.x end, true)
for i = #code, 40, -1 do pcall(function() load(code:sub(1, i - 1) .. "\255" .. code:sub(i + 1), "x", "b")({}) end) end

--- binary code that takes constants which are not there
-- tries: crash
local f = load(string.dump(function() return "a", "b", "c" end, true):gsub("\3\128", "\3\255"), "x", "b")
local code = string.dump(function(a) return a[1], a.b, a.c, a.d end, true)
for i = 35, #code do for _, c in ipairs{"\0", "\127", "\128", "\254"} do pcall(function() load(code:sub(1, i - 1) .. c .. code:sub(i + 1), "x", "b")({{}, {}}) end) end end

--- a stack that the debug library writes into
-- tries: crash
local function f()
	for i = 1, 10 do debug.setlocal(2, i, nil) end
	debug.setmetatable(nil, {__index = function() return nil end})
	debug.getregistry()[1] = nil
	debug.getregistry()[2] = nil
end
f()
coroutine.wrap(function() return x end)()

--- a library that ends the process
-- tries: crash
package.loadlib("libc.so.6", "abort")()
