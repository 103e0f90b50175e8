-- ask: a question to the person at the run; the answer comes when it comes.
local rung = ...
local raise = rung.raise
local error, type, ipairs = error, type, ipairs

local known = {prompt = true, type = true, choices = true, default = true}
local types = {string = true, int = true, number = true, bool = true, enum = true, duration = true}

--- ask(question)
-- A question to the person at the run; a text alone is its prompt. The wait is durable. With nobody at the run the execution waits.
-- @option prompt text: the question
-- @option type word?: `string`, `int`, `number`, `bool`, `enum`, `duration`; `enum` where there are choices, else `string`
-- @option choices list?: for `enum`: texts
-- @option default value?: what an empty answer means
-- @return the answer, with the type asked for
-- @row ask.ask
-- @example
--   local volume = ask{prompt = "Which volume may be cleaned?", choices = {"/var", "/srv"}}
--   local days = ask{prompt = "Keep how many days?", type = "int", default = 7}
return function(question)
	if type(question) == "string" then question = {prompt = question} end
	if type(question) ~= "table" or type(question.prompt) ~= "string" then raise('ask: a question was expected, such as ask{prompt = "Which volume?"}') end
	rung.check_options("ask", question, known)
	local kind = question.type or (question.choices and "enum" or "string")
	if not types[kind] then raise("ask: type must be string, int, number, bool, enum or duration") end
	local choices
	if kind == "enum" then
		choices = {}
		if type(question.choices) ~= "table" or #question.choices == 0 then raise("ask: choices must be a list of strings") end
		for i, choice in ipairs(question.choices) do
			if type(choice) ~= "string" then raise("ask: choices must be a list of strings") end
			choices[i] = choice
		end
	end
	local call, done, value, why = rung.call("ask", "ask", {prompt = question.prompt, type = kind, choices = choices, default = question.default}, {})
	if not done then error(rung.error{kind = "call", call = call, module = "ask", reason = value, why = "ask: " .. why}, 0) end
	return value
end
