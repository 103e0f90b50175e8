-- prometheus: queries and alerts of a Prometheus server, by its HTTP API.

--- module prometheus
-- A Prometheus server, or what speaks as one: Thanos, Mimir, VictoriaMetrics. Values are numbers; `NaN` and `+Inf` are texts.

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

--- p:query(text, options)
-- Every series now, or at a time.
-- @param text text: PromQL
-- @option time number?: seconds since 1970, or a time in RFC 3339
-- @return list of `{labels, value, time}`
-- @needs http GET https://PROMETHEUS/api/v1/query?**
-- @effect read
-- @example
--   for _, s in ipairs(prometheus("https://prometheus.example:9090"):query("up == 0")) do log.warn(s.labels.instance) end
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

--- p:value(text, options)
-- The one value; more than one series is an error.
-- @param text text: PromQL
-- @option time number?: as of `p:query`
-- @return the value; nil where there is no series
-- @needs http GET https://PROMETHEUS/api/v1/query?**
-- @effect read
-- @example
--   local p = prometheus("https://prometheus.example:9090", {auth = secret "prometheus"})
--   local rate = p:value('sum(rate(http_requests_total{code=~"5.."}[5m]))')
local function value(self, text, options)
	local all = query(self, text, options)
	if #all > 1 then fail(self, "value", "the query gives " .. #all .. " series, one was expected: " .. text) end
	return all[1] and all[1].value
end

--- p:range(text, options)
-- Series over a time.
-- @param text text: PromQL
-- @option last duration = "1h": how far back
-- @option step duration?: between two points; without it 60 points
-- @option to number?: the end; without it now
-- @return list of `{labels, points = {{time, value}, ...}}`
-- @needs http GET https://PROMETHEUS/api/v1/query_range?**
-- @effect read
-- @example
--   local p = prometheus("https://prometheus.example:9090")
--   return {load = p:range("node_load1", {last = "30m", step = "1m"})}
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

--- p:alerts(labels)
-- Alerts that are pending or firing.
-- @param labels map?: labels that they must have
-- @return list of `{name, state, labels, annotations, since, value}`
-- @needs http GET https://PROMETHEUS/api/v1/alerts
-- @effect read
-- @example
--   for _, a in ipairs(prometheus("https://prometheus.example:9090"):alerts{severity = "critical"}) do log.warn(a.name .. " since " .. a.since) end
local function alerts(self, labels)
	local out = open("json").array{}
	for _, a in ipairs(ask(self, "alerts", "alerts").alerts) do
		local fits = true
		for name, wanted in pairs(labels or {}) do fits = fits and a.labels[name] == wanted end
		if fits then out[#out + 1] = {name = a.labels.alertname, state = a.state, labels = a.labels, annotations = a.annotations, since = a.activeAt, value = number(a.value)} end
	end
	return out
end

--- p:targets()
-- What is scraped.
-- @return list of `{job, instance, health, why, url, last}`
-- @needs http GET https://PROMETHEUS/api/v1/targets?**
-- @effect read
-- @example
--   for _, t in ipairs(prometheus("https://prometheus.example:9090"):targets()) do
--     if t.health ~= "up" then log.warn(t.instance .. ": " .. (t.why or t.health)) end
--   end
local function targets(self)
	local out = open("json").array{}
	for i, t in ipairs(ask(self, "targets", "targets", {state = "active"}).activeTargets) do
		out[i] = {job = t.labels.job, instance = t.labels.instance, health = t.health, why = t.lastError ~= "" and t.lastError or nil, url = t.scrapeUrl, last = t.lastScrape}
	end
	return out
end

--- p:wait(text, options)
-- Asks until the query gives something (a comparison that holds), or with `gone` nothing; raises when the time is over.
-- @param text text: PromQL
-- @option for duration = "5m": how long
-- @option every duration = "15s": how often it asks
-- @option gone bool = false: until it gives nothing
-- @return what it gave, and the seconds it took
-- @needs http GET https://PROMETHEUS/api/v1/query?**
-- @needs sh sleep *
-- @effect read
-- @example
--   prometheus("https://prometheus.example:9090"):wait('up{job="shop"} == 0', {gone = true, ["for"] = "5m"})
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

--- prometheus(url, options)
-- A server, for the calls that follow. It asks nothing yet.
-- @param url text: where it is
-- @option auth secret or table?: as of `http`
-- @option ca text or secret?: as of `http`
-- @option timeout duration = "30s": of each request
-- @return a table with the calls above
-- @example
--   local p = prometheus("https://prometheus.example:9090", {auth = secret "prometheus"})
--   expect(p:value("up{job='shop'}") == 1, "the shop is down")
return function(url, options)
	options = options or {}
	if type(url) ~= "string" or not url:find("^https?://[^/]") then raise("prometheus: an address was expected, such as https://prometheus.example:9090") end
	rung.check_options("prometheus", options, {auth = true, ca = true, timeout = true})
	return setmetatable({url = (url:gsub("/+$", "")), auth = options.auth, ca = options.ca, timeout = options.timeout or "30s"}, server)
end
