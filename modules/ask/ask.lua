-- ask: a question to the person at the run; the answer comes when it comes.
local rung = ...
local error, type, tostring, ipairs = error, type, tostring, ipairs

local known = {prompt = true, type = true, choices = true, default = true}
local types = {string = true, int = true, number = true, bool = true, enum = true, duration = true}

return function(question)
	if type(question) == "string" then question = {prompt = question} end
	if type(question) ~= "table" or type(question.prompt) ~= "string" then error('ask: a question was expected, such as ask{prompt = "Which volume?"}', 2) end
	rung.check_options("ask", question, known)
	local kind = question.type or (question.choices and "enum" or "string")
	if not types[kind] then error("ask: type must be string, int, number, bool, enum or duration", 2) end
	local choices
	if kind == "enum" then
		choices = {}
		if type(question.choices) ~= "table" or #question.choices == 0 then error("ask: choices must be a list of strings", 2) end
		for i, choice in ipairs(question.choices) do
			if type(choice) ~= "string" then error("ask: choices must be a list of strings", 2) end
			choices[i] = choice
		end
	end
	local call, done, value, why = rung.call("ask", "ask", {prompt = question.prompt, type = kind, choices = choices, default = question.default}, {})
	if not done then error(rung.error{kind = "call", call = call, module = "ask", reason = value, why = "ask: " .. why}, 0) end
	return value
end
