local function same(value, text) expect(json.encode(value) == text, text .. " was expected, not " .. json.encode(value)) end
local function raises(value, what)
	local ok, why = pcall(json.encode, value)
	expect(not ok and tostring(why):find(what, 1, true), what .. " was expected, not " .. tostring(why))
end

same({}, "{}")
same(json.array(), "[]")
same(json.array{1, 2}, "[1,2]")
same({1, 1.0, 0.1, -3, 2.5e10}, "[1,1.0,0.10000000000000001,-3,25000000000.0]")
same({b = 1, a = {true, false}}, '{"a":[true,false],"b":1}')
same({json.null, "x"}, '[null,"x"]')
same("a\"\n\27", '"a\\"\\n\\u001B"')
same(nil, "null")
expect(json.encode({a = 1}, {indent = 2}) == '{\n  "a": 1\n}')

raises({a = {b = {[3] = print}}}, "json.encode: the value.a.b has keys that JSON cannot hold")
raises({a = {b = {print}}}, "json.encode: the value.a.b[1] is a function")
raises({0 / 0}, "not a number")
raises({1 / 0}, "infinite")
raises({"\xff"}, "not UTF-8")
raises({[1] = 1, [3] = 3}, "with no gap")
raises({[1] = 1, a = 3}, "with no gap")
local loop = {}
loop.loop = {loop}
raises(loop, "json.encode: the value.loop[1] holds itself")
local deep = {}
for i = 1, 200 do deep = {deep} end
raises(deep, "too deep")

local v = json.decode('{"a": [1, 1.0, null, {"b": "x\\u0000y"}], "n": null, "e": [], "o": {}}')
expect(math.type(v.a[1]) == "integer" and math.type(v.a[2]) == "float" and v.a[3] == json.null and v.a[4].b == "x\0y")
expect(v.n == nil and json.encode(v.e) == "[]" and json.encode(v.o) == "{}")
expect(tostring(json.null) == "null")
table.insert(v.e, 5)
same(v.e, "[5]")
for _, bad in ipairs{"", "{", "[1,]", '{"a":1,"a":2}', "nul", '"\xff"', "[1] x", string.rep("[", 101) .. string.rep("]", 101)} do
	expect(not pcall(json.decode, bad), "taken: " .. bad)
end
expect(json.decode("3") == 3 and json.decode("null") == nil)
