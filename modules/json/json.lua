-- json: in C (engine/sandbox/worker/lua_json.c).

--- json.decode(text)
-- Objects and arrays become tables. `null` is absent in an object, and `json.null` in an array, so that positions stay.
-- @param text text: JSON
-- @return the value
-- @limit 16 MiB, 100 levels; a key that is there twice is an error
-- @example
--   local disks = json.decode(sh{"lsblk", "--json"}.stdout).blockdevices

--- json.encode(value, options)
-- Keys sorted; a list is a table with the keys 1..n; `1.0` stays `1.0`.
-- @param value value: plain data; texts are UTF-8
-- @option indent int?: spaces a level; without it one line
-- @return text
-- @example
--   log.info(json.encode({b = 1, a = json.array()}))

--- json.array(t)
-- Marks a table as a list, so that an empty one is `[]`. What `decode` made of `[]` is marked.
-- @param t table?: without it a new one
-- @return that table
-- @example
--   return {down = json.array()}

--- json.null
-- What stands for `null` in a list.
-- @example
--   expect(json.decode("[null]")[1] == json.null)

local rung = ...
return rung.open_json()
