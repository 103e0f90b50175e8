local v = yaml.decode([[
name: web
ports: [80, 0x1bb, 0o10]
yes: yes
ratio: 1.5
on: ~
nested: {a: [1, {b: "2"}], c: 'x'}
base: &base {x: 1}
copy: *base
text: |
  two
  lines
empty: []
]])
expect(v.name == "web" and v.ports[1] == 80 and v.ports[2] == 443 and v.ports[3] == 8 and v.yes == "yes" and v.ratio == 1.5 and v.on == nil)
expect(v.nested.a[2].b == "2" and v.nested.c == "x" and v.copy.x == 1 and v.text == "two\nlines\n" and json.encode(v.empty) == "[]")
expect(yaml.decode("") == nil and yaml.decode("- 1\n- ~\n")[2] == json.null)
expect(#yaml.decode_all("--- 1\n--- 2\n") == 2)
expect(yaml.decode(".inf") == 1 / 0 and yaml.decode("-7") == -7 and yaml.decode("1e3") == 1000.0 and yaml.decode("1.2.3") == "1.2.3" and yaml.decode("-") ~= nil)
local function raises(text, what)
	local ok, why = pcall(yaml.decode, text)
	expect(not ok and tostring(why):find(what, 1, true), what .. " was expected, not " .. tostring(why))
end
raises("a: 1\na: 2", "there twice")
raises("a: [1", "line")
raises("? [a]\n: 1", "a key must be")
raises("*x", "")
raises("--- 1\n--- 2\n", "yaml.decode_all")
raises(string.rep("[", 40000), "nested deeper")
raises(string.rep("- ", 200) .. "x", "nested too deep")
raises("\xff\xfe\xff", "")

-- Aliases of aliases: nothing is copied, and what it would be as JSON is bounded.
local bomb = {"a: &a [x, x, x, x, x, x, x, x, x]"}
for i = 1, 12 do
	local name, before = string.char(97 + i), string.char(96 + i)
	bomb[#bomb + 1] = name .. ": &" .. name .. " [" .. string.rep("*" .. before, 9, ", ") .. "]"
end
local ok, why = pcall(json.encode, yaml.decode(table.concat(bomb, "\n")))
expect(not ok and why:find("as JSON"))
