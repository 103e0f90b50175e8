-- yaml: in C (engine/sandbox/worker/lua_yaml.c).

--- yaml.decode(text)
--- yaml.decode_all(text)
-- YAML 1.2's core schema: one document, or a list of all. `yes` and `on` are texts, `true` is not; `null` is as in `json`; aliases give the same table.
-- @param text text: YAML
-- @return the value, or a list of values
-- @limit 1 MiB, 64 levels; a key that is there twice is an error
-- @example
--   local config = yaml.decode(sh{"cat", "/etc/netplan/01.yaml"}.stdout)

local rung = ...
return rung.open_yaml()
