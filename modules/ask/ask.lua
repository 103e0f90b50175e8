-- ask: a question to the person at the run; the answer comes when it comes.
local rung = ...
local raise = rung.raise
local error, type, ipairs = error, type, ipairs

local known = {prompt = true, type = true, choices = true, default = true}
local types = {string = true, int = true, number = true, bool = true, enum = true, duration = true}

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
