-- notify: a message to people.
local rung = ...
local raise = rung.raise
local error, type = error, type

--- notify(to, text)
-- Sends a message to a person, or to those whom a policy of `.rung/oncall.yaml` notifies first; each by their first channel that takes it. It is a message: there is
-- nothing to acknowledge, and nobody else is notified. Raises where it reached nobody; where nobody knows whether it did, the call is unknown.
-- @param to text: a person or a policy of oncall.yaml
-- @param text text: what it says; of 4 KiB the rest is cut
-- @return table: `delivered`, names of those who have it; `failed`, a list of `{person, why}`; `unknown` likewise
-- @row notify.notify
-- @example
--   notify("web-oncall", "the nightly restart begins; it takes about ten minutes")
return function(to, text)
	if type(to) ~= "string" or to == "" then raise('notify: a person or a policy of oncall.yaml was expected, such as notify("ana", "done")') end
	if type(text) ~= "string" or text == "" then raise('notify: a text was expected, such as notify("ana", "done")') end
	local call, done, value, why = rung.call("notify", "notify", {to = to, text = text}, {})
	if not done then error(rung.error{kind = "call", call = call, module = "notify", reason = value, why = "notify: " .. why}, 0) end
	return value
end
