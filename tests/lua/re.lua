local m = re.match("sda1 93% /var", "(?<device>\\w+) +(\\d+)% +(?<mount>/\\S*)")
expect(m and m[0] == "sda1 93% /var" and m[1] == "sda1" and m.device == "sda1" and m[2] == "93" and m.mount == "/var")
expect(re.match("x", "y") == nil and re.test("abc", "b.") and not re.test("abc", "^b"))
local from, to = re.find("one two", "t\\w+")
expect(from == 5 and to == 7)
expect(re.match("ab", "(x)?(b)")[1] == nil and re.match("ab", "(x)?(b)")[2] == "b")
expect(re.find("aXbX", "X", 3) == 4)

local words = {}
for w in re.gmatch("a bb  ccc", "\\w+") do words[#words + 1] = w[0] end
expect(table.concat(words, ",") == "a,bb,ccc" and #re.all("a bb", "\\w") == 3)
expect(#re.all("äöü", ".") == 3 and #re.all("äöü", "") == 4)
expect(#re.all("\xff\xfe", ".") == 2, "bytes where the text is not UTF-8")

expect(re.replace("2026-11-22", "(\\d+)-(\\d+)-(\\d+)", "$3.$2.${1}") == "22.11.2026")
expect(re.replace("a.b", "\\.", "$$1") == "a$1b")
expect(re.replace("x$1", "(\\$1)", "<$1>") == "x<$1>", "a capture is not read as a template")
expect(re.replace("abc", "b", function(m) return m[0]:upper() end) == "aBc")
local s, n = re.replace("aaa", "a", "")
expect(s == "" and n == 3)
expect(re.replace("abc", "x*", "-") == "-a-b-c-")
expect(table.concat(re.split("a, b;c", "[,;]\\s*"), "|") == "a|b|c")
expect(re.match("a+b", "^" .. re.escape("a+b") .. "$"))
expect(re.test("GRÖSSE", "(?i)größe") == false and re.test("STRASSE", "(?i)strasse"))

local function raises(what, ...)
	local ok, why = pcall(...)
	expect(not ok and tostring(why):find(what, 1, true), what .. " was expected, not " .. tostring(why))
end
raises("wrong at character", re.match, "x", "(")
raises("too many steps", re.match, string.rep("a", 40) .. "!", "^(a+)+$")
raises("\\C", re.match, "x", "\\C")
for i = 1, 200 do expect(re.test("n" .. i, "n" .. i)) end -- more patterns than are kept
