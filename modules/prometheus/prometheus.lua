-- prometheus: queries and alerts of a Prometheus server, by its HTTP API.
local rung = ...
local raise, open = rung.raise, rung.open
local type, tostring, tonumber, ipairs, pairs, setmetatable, error, pcall = type, tostring, tonumber, ipairs, pairs, setmetatable, error, pcall

local server = {}
server.__index = server
server.__metatable = false

local function fail(self, what, why)
	error(rung.error{kind = "call", module = "prometheus", reason = "failed", why = "prometheus." .. what .. ": " .. self.url .. ": " .. rung.shorten(rung.visible(why), 300)}, 0)
end

local function ask(self, what, path, query)
	local r = open("http").get(self.url .. "/api/v1/" .. path, {query = query, auth = self.auth, ca = self.ca, timeout = self.timeout, check = false})
	local ok, answer = pcall(open("json").decode, r.body)
	if not ok or type(answer) ~= "table" then fail(self, what, "status " .. r.status .. ", and no JSON: is this a Prometheus?") end
	if answer.status ~= "success" then fail(self, what, (answer.errorType or "error") .. ": " .. (answer.error or "status " .. r.status)) end
	return answer.data
end

local function expression(what, text)
	if type(text) ~= "string" or not text:find("%S") then raise("prometheus." .. what .. ": a query was expected, such as up == 0") end
	return text
end

-- As the API writes numbers; "NaN" and "+Inf" stay texts, which no comparison takes for a number.
local function number(text)
	local n = tonumber(text)
	return n and n == n and n - n == 0 and n or text
end

local function time_text(value)
	return value ~= nil and tostring(value) or nil
end

-- {labels, value, time} of each series.
local function query(self, text, options)
	options = options or {}
	rung.check_options("prometheus.query", options, {time = true})
	local data = ask(self, "query", "query", {query = expression("query", text), time = time_text(options.time)})
	local out = open("json").array{}
	if data.resultType == "scalar" or data.resultType == "string" then
		out[1] = {labels = {}, value = number(data.result[2]), time = data.result[1]}
		return out
	end
	if data.resultType ~= "vector" then fail(self, "query", "the answer is a " .. tostring(data.resultType) .. ": ask for it with range") end
	for i, series in ipairs(data.result) do out[i] = {labels = series.metric, value = number(series.value[2]), time = series.value[1]} end
	return out
end

local function value(self, text, options)
	local all = query(self, text, options)
	if #all > 1 then fail(self, "value", "the query gives " .. #all .. " series, one was expected: " .. text) end
	return all[1] and all[1].value
end

local function range(self, text, options)
	options = options or {}
	rung.check_options("prometheus.range", options, {last = true, step = true, to = true})
	local to = options.to or open("time").now()
	local last = rung.microseconds("prometheus.range: last", options.last or "1h") / 1000000
	local step = options.step and rung.microseconds("prometheus.range: step", options.step) / 1000000 or (last / 60 > 1 and last / 60 or 1)
	local data = ask(self, "range", "query_range", {query = expression("range", text), start = ("%.3f"):format(to - last), ["end"] = ("%.3f"):format(to), step = ("%.3f"):format(step)})
	local out = open("json").array{}
	for i, series in ipairs(data.result) do
		local points = open("json").array{}
		for k, p in ipairs(series.values) do points[k] = {time = p[1], value = number(p[2])} end
		out[i] = {labels = series.metric, points = points}
	end
	return out
end

-- Alerts that are pending or firing; labels: those that they must have.
local function alerts(self, labels)
	local out = open("json").array{}
	for _, a in ipairs(ask(self, "alerts", "alerts").alerts) do
		local fits = true
		for name, wanted in pairs(labels or {}) do fits = fits and a.labels[name] == wanted end
		if fits then out[#out + 1] = {name = a.labels.alertname, state = a.state, labels = a.labels, annotations = a.annotations, since = a.activeAt, value = number(a.value)} end
	end
	return out
end

local function targets(self)
	local out = open("json").array{}
	for i, t in ipairs(ask(self, "targets", "targets", {state = "active"}).activeTargets) do
		out[i] = {job = t.labels.job, instance = t.labels.instance, health = t.health, why = t.lastError ~= "" and t.lastError or nil, url = t.scrapeUrl, last = t.lastScrape}
	end
	return out
end

-- Asks until the query gives something (a comparison that holds), or with gone until it gives nothing. What it gave, and how long it took in seconds.
local function wait(self, text, options)
	options = options or {}
	rung.check_options("prometheus.wait", options, {["for"] = true, every = true, gone = true})
	local began = open("time").now()
	local most = rung.microseconds("prometheus.wait: for", options["for"] or "5m") / 1000000
	local every = rung.microseconds("prometheus.wait: every", options.every or "15s") // 1000000
	if every < 1 then raise("prometheus.wait: every must be a second or more") end
	while true do
		local found = query(self, text)
		if (#found == 0) == (options.gone == true) then return found, open("time").now() - began end
		if open("time").now() - began + every > most then
			error(rung.error{kind = "call", module = "prometheus", reason = "timeout", why = "prometheus.wait: after " .. open("time").words(most) .. " " .. text ..
				(options.gone and " still gives " .. #found .. " series" or " gives nothing yet")}, 0)
		end
		open("sh")({"sleep", every}, {effect = "read"})
	end
end

for name, f in pairs{query = query, value = value, range = range, alerts = alerts, targets = targets, wait = wait} do server[name] = rung.export(f) end

return function(url, options)
	options = options or {}
	if type(url) ~= "string" or not url:find("^https?://[^/]") then raise("prometheus: an address was expected, such as https://prometheus.example:9090") end
	rung.check_options("prometheus", options, {auth = true, ca = true, timeout = true})
	return setmetatable({url = (url:gsub("/+$", "")), auth = options.auth, ca = options.ca, timeout = options.timeout or "30s"}, server)
end
