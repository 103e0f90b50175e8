-- kubernetes: objects of a cluster, by its HTTP API.

--- module kubernetes
-- Objects of a cluster, by its HTTP API. Kinds are written as in `kubectl`, `deployment` or `deployments`.
-- @limit pods, services, configmaps, events, persistentvolumeclaims, nodes, namespaces, persistentvolumes, deployments, statefulsets, daemonsets, replicasets, jobs, cronjobs, ingresses, poddisruptionbudgets, horizontalpodautoscalers

local rung = ...
local raise, open = rung.raise, rung.open
local type, tostring, ipairs, pairs, setmetatable, error, pcall, math_type, concat = type, tostring, ipairs, pairs, setmetatable, error, pcall, math.type, table.concat

local cluster = {}
cluster.__index = cluster
cluster.__metatable = false

-- kind -> where its API is, and whether it stands in a namespace.
local KINDS = {
	pods = {"api/v1", true}, services = {"api/v1", true}, configmaps = {"api/v1", true}, events = {"api/v1", true}, persistentvolumeclaims = {"api/v1", true},
	nodes = {"api/v1", false}, namespaces = {"api/v1", false}, persistentvolumes = {"api/v1", false},
	deployments = {"apis/apps/v1", true}, statefulsets = {"apis/apps/v1", true}, daemonsets = {"apis/apps/v1", true}, replicasets = {"apis/apps/v1", true},
	jobs = {"apis/batch/v1", true}, cronjobs = {"apis/batch/v1", true}, ingresses = {"apis/networking.k8s.io/v1", true},
	poddisruptionbudgets = {"apis/policy/v1", true}, horizontalpodautoscalers = {"apis/autoscaling/v2", true},
}

local SINGULAR = {}
for kind in pairs(KINDS) do SINGULAR[kind:gsub("ies$", "y"):gsub("sses$", "ss"):gsub("s$", "")] = kind end
SINGULAR.ingress = "ingresses"

local function kind_of(what, kind)
	local k = KINDS[kind] and kind or SINGULAR[kind]
	if not k then raise("kubernetes." .. what .. ": " .. rung.visible(tostring(kind)) .. " is no kind that it knows, such as pods, nodes or deployments") end
	return k
end

local function check_name(what, name)
	if type(name) ~= "string" or #name > 253 or not name:find("^%w[%w.%-]*$") then raise("kubernetes." .. what .. ": " .. rung.visible(tostring(name)) .. " is no name of an object") end
	return name
end

local function options_of(what, options, known)
	return rung.options("kubernetes." .. what, options, known)
end

-- namespace false: of all.
local function url(self, what, kind, name, options)
	local place = KINDS[kind]
	local namespace = options.namespace
	if namespace == nil then namespace = self.namespace end
	local u = self.server .. "/" .. place[1]
	if place[2] and namespace then u = u .. "/namespaces/" .. check_name(what, namespace) end
	if place[2] and not namespace and name then raise("kubernetes." .. what .. ": the namespace of " .. kind .. " " .. name .. " was expected") end
	return u .. "/" .. kind .. (name and "/" .. check_name(what, name) or "")
end

local function fail(what, method, address, r)
	local ok, status = pcall(open("json").decode, r.body)
	local why = ok and type(status) == "table" and status.message or "status " .. r.status
	error(rung.error{kind = "call", module = "kubernetes", reason = "failed", status = r.status, body = r.body,
		why = "kubernetes." .. what .. ": " .. method .. " " .. address .. ": " .. rung.shorten(rung.visible(why), 300)}, 0)
end

local function send(self, what, method, address, more)
	more = more or {}
	local r = open("http").request(method, address, {
		auth = self.auth, ca = self.ca, certificate = self.certificate, key = self.key, timeout = self.timeout, check = false, query = more.query, body = more.body, json = more.json,
		headers = more.headers, effect = more.effect, max_bytes = more.max_bytes,
	})
	if r.status >= 400 and not (more.ok and more.ok[r.status]) then fail(what, method, address, r) end
	return r
end

-- Objects come without what only managers of the cluster read.
local function object(o)
	if o.metadata then o.metadata.managedFields = nil end
	return o
end

--- k:get(kind, name, options)
-- One object, without `managedFields`.
-- @param kind text: a kind
-- @param name text: its name
-- @option namespace text?: without it that of the cluster's table
-- @return the object; nil where there is none
-- @needs http GET https://CLUSTER/API/namespaces/NAMESPACE/KIND/NAME
-- @effect read
-- @example
--   local k = kubernetes{server = "https://cluster.example:6443", auth = secret "cluster"}
--   local web = k:get("deployment", "web", {namespace = "shop"})
local function get(self, kind, name, options)
	kind = kind_of("get", kind)
	options = options_of("get", options, {namespace = true})
	local r = send(self, "get", "GET", url(self, "get", kind, name or raise("kubernetes.get: a name was expected"), options), {ok = {[404] = true}})
	if r.status == 404 then return nil end
	return object(open("json").decode(r.body))
end

local PAGE = 250

local function list_of(self, what, kind, options)
	local out, continue = open("json").array{}, nil
	repeat
		local page = open("json").decode(send(self, what, "GET", url(self, what, kind, nil, options),
			{query = {limit = PAGE, continue = continue, labelSelector = options.labels, fieldSelector = options.fields}}).body)
		for _, o in ipairs(page.items or {}) do out[#out + 1] = object(o) end
		continue = page.metadata and page.metadata.continue
		if continue == "" then continue = nil end
	until not continue
	return out
end

--- k:list(kind, options)
-- Objects, all pages.
-- @param kind text: a kind
-- @option namespace text or false?: `false`: of all namespaces
-- @option labels text?: a label selector, such as `app=web`
-- @option fields text?: a field selector, such as `status.phase=Failed`
-- @return list of objects
-- @needs http GET https://CLUSTER/API/namespaces/NAMESPACE/KIND?**
-- @effect read
-- @example
--   local k = kubernetes{server = "https://cluster.example:6443", auth = secret "cluster"}
--   log.info(#k:list("jobs", {namespace = false, labels = "app=web"}))
local function list(self, kind, options)
	return list_of(self, "list", kind_of("list", kind), options_of("list", options, {namespace = true, labels = true, fields = true}))
end

-- RFC 7386; a change that is the same when it is made twice.
local function patch(self, what, kind, name, value, options)
	local r = send(self, what, "PATCH", url(self, what, kind, name, options), {
		body = open("json").encode(value), headers = {["Content-Type"] = "application/merge-patch+json"}, effect = options.effect or "idempotent",
	})
	return object(open("json").decode(r.body))
end

local SCALES = {deployments = true, statefulsets = true, replicasets = true}

--- k:scale(kind, name, replicas, options)
-- Sets how many.
-- @param kind text: deployments, statefulsets or replicasets
-- @param name text: its name
-- @param replicas int: how many
-- @option namespace text?: without it that of the cluster's table
-- @option effect word = "idempotent": what an interrupted call means
-- @return the object
-- @needs http PATCH https://CLUSTER/API/namespaces/NAMESPACE/KIND/NAME
-- @effect idempotent
-- @example
--   local k = kubernetes{server = "https://cluster.example:6443", auth = secret "cluster"}
--   k:scale("deployment", "web", 6)
local function scale(self, kind, name, replicas, options)
	kind = kind_of("scale", kind)
	options = options_of("scale", options, {namespace = true, effect = true})
	if not SCALES[kind] then raise("kubernetes.scale: deployments, statefulsets or replicasets were expected") end
	if math_type(replicas) ~= "integer" or replicas < 0 then raise("kubernetes.scale: a whole number of replicas was expected") end
	return patch(self, "scale", kind, name, {spec = {replicas = replicas}}, options)
end

--- k:restart(kind, name, options)
-- New pods, one by one, as `kubectl rollout restart` does.
-- @param kind text: deployments, statefulsets or daemonsets
-- @param name text: its name
-- @option namespace text?: without it that of the cluster's table
-- @option effect word = "idempotent": what an interrupted call means
-- @return the object
-- @needs http PATCH https://CLUSTER/API/namespaces/NAMESPACE/KIND/NAME
-- @effect idempotent
-- @example
--   local k = kubernetes{server = "https://cluster.example:6443", auth = secret "cluster"}
--   k:restart("deployment", "web")
--   k:wait("deployment", "web", {["for"] = "10m"})
local function restart(self, kind, name, options)
	kind = kind_of("restart", kind)
	options = options_of("restart", options, {namespace = true, effect = true})
	if kind ~= "deployments" and kind ~= "statefulsets" and kind ~= "daemonsets" then raise("kubernetes.restart: deployments, statefulsets or daemonsets were expected") end
	local note = {["rung/restarted-by"] = run.id .. "." .. tostring(run.step) .. "." .. tostring(run.attempt)}
	return patch(self, "restart", kind, name, {spec = {template = {metadata = {annotations = note}}}}, options)
end

-- Have all replicas the newest template, and are they ready? With why not, in words.
local function is_rolled_out(o)
	local spec, status = o.spec or {}, o.status or {}
	local wanted = spec.replicas or status.desiredNumberScheduled or 1
	local updated = status.updatedReplicas or status.updatedNumberScheduled or 0
	local ready = status.readyReplicas or status.numberReady or 0
	if (status.observedGeneration or 0) < ((o.metadata or {}).generation or 0) then return false, "the controller has not seen the change yet" end
	if updated < wanted then return false, updated .. " of " .. wanted .. " have the new template" end
	if (status.replicas or wanted) > updated then return false, (status.replicas - updated) .. " old ones are still there" end
	if ready < wanted then return false, ready .. " of " .. wanted .. " are ready" end
	return true
end

local function sleeper(what, options)
	local most = rung.microseconds(what .. ": for", options["for"] or "5m") / 1000000
	local every = rung.microseconds(what .. ": every", options.every or "5s") // 1000000
	if every < 1 then raise(what .. ": every must be a second or more") end
	local began = open("time").now()
	return function(why)
		if open("time").now() - began + every > most then
			error(rung.error{kind = "call", module = "kubernetes", reason = "timeout", why = what .. ": after " .. open("time").words(most) .. ": " .. why}, 0)
		end
		open("sh")({"sleep", every}, {effect = "read"})
	end
end

--- k:wait(kind, name, options)
-- Until all replicas have the newest template and are ready; raises when the time is over.
-- @param kind text: a kind
-- @param name text: its name
-- @option namespace text?: without it that of the cluster's table
-- @option for duration = "5m": how long
-- @option every duration = "5s": how often it asks
-- @return the object
-- @needs http GET https://CLUSTER/API/namespaces/NAMESPACE/KIND/NAME
-- @needs sh sleep *
-- @effect read
-- @example
--   local k = kubernetes{server = "https://cluster.example:6443", auth = secret "cluster"}
--   k:wait("statefulset", "db", {["for"] = "10m"})
local function wait(self, kind, name, options)
	kind = kind_of("wait", kind)
	options = options_of("wait", options, {namespace = true, ["for"] = true, every = true})
	local sleep = sleeper("kubernetes.wait", options)
	while true do
		local o = get(self, kind, name, {namespace = options.namespace})
		local done, why = false, "it is not there"
		if o then done, why = is_rolled_out(o) end
		if done then return o end
		sleep(kind .. " " .. name .. ": " .. why)
	end
end

local function cordon(self, node, options)
	return patch(self, "cordon", "nodes", node, {spec = {unschedulable = true}}, options_of("cordon", options, {effect = true}))
end

local function uncordon(self, node, options)
	return patch(self, "uncordon", "nodes", node, {spec = {unschedulable = open("json").null}}, options_of("uncordon", options, {effect = true}))
end

-- Why a pod stays where it is when its node is drained; nil where it goes.
local function stays(pod)
	for _, owner in ipairs(pod.metadata.ownerReferences or {}) do
		if owner.kind == "DaemonSet" and owner.controller then return "daemon set" end
	end
	if (pod.metadata.annotations or {})["kubernetes.io/config.mirror"] then return "static pod" end
	local phase = (pod.status or {}).phase
	if phase == "Succeeded" or phase == "Failed" then return "over" end
end

-- Why somebody should say so before it goes; nil where nothing is lost.
local function objection(pod, options)
	if #(pod.metadata.ownerReferences or {}) == 0 and not options.unmanaged then return "nothing would start it again (unmanaged = true)" end
	for _, volume in ipairs((pod.spec or {}).volumes or {}) do
		if volume.emptyDir and not options.local_data then return "it has data in an emptyDir that would be lost (local_data = true)" end
	end
end

local function name_of(pod) return pod.metadata.namespace .. "/" .. pod.metadata.name end

-- Evicts; false with the reason where a disruption budget says: not now. A pod that has gone meanwhile is fine.
local function evict(self, pod, options)
	local m = pod.metadata
	local eviction = {apiVersion = "policy/v1", kind = "Eviction", metadata = {name = m.name, namespace = m.namespace}, deleteOptions = {gracePeriodSeconds = options.grace, preconditions = {uid = m.uid}}}
	local r = send(self, "drain", "POST", url(self, "drain", "pods", m.name, {namespace = m.namespace}) .. "/eviction",
		{json = eviction, effect = "idempotent", ok = {[404] = true, [409] = true, [429] = true}})
	if r.status ~= 429 then return true end
	local ok, status = pcall(open("json").decode, r.body)
	return false, ok and type(status) == "table" and status.message or "a disruption budget does not allow it now"
end

--- k:cordon(node, options)
--- k:uncordon(node, options)
-- No new pods there; or again.
-- @param node text: its name
-- @option effect word = "idempotent": what an interrupted call means
-- @return the node
-- @needs http PATCH https://CLUSTER/api/v1/nodes/NODE
-- @effect idempotent
-- @example
--   kubernetes{server = "https://cluster.example:6443", auth = secret "cluster"}:uncordon("node-3")

--- k:drain(node, options)
-- Cordons, evicts what a controller starts elsewhere, and waits until it has gone. Disruption budgets are respected: it asks again until its time is over, and then says which pod stays and why.
-- @param node text: its name
-- @option grace int?: seconds that a pod has to end
-- @option for duration = "5m": how long
-- @option every duration = "5s": how often it asks
-- @option unmanaged bool = false: also pods that nothing would start again
-- @option local_data bool = false: also pods with data in an `emptyDir`
-- @return `{node, evicted}`
-- @needs http PATCH https://CLUSTER/api/v1/nodes/NODE
-- @needs http GET https://CLUSTER/api/v1/pods?**
-- @needs http POST https://CLUSTER/api/v1/namespaces/*/pods/*/eviction
-- @needs sh sleep *
-- @effect idempotent
-- @example
--   kubernetes{server = "https://cluster.example:6443", auth = secret "cluster"}:drain("node-3", {["for"] = "10m"})
local function drain(self, node, options)
	options = options_of("drain", options, {grace = true, ["for"] = true, every = true, unmanaged = true, local_data = true})
	local sleep = sleeper("kubernetes.drain", options)
	cordon(self, node)
	local gone, seen, asked = open("json").array{}, {}, {}
	while true do
		local left, why = {}, nil
		for _, pod in ipairs(list_of(self, "drain", "pods", {namespace = false, fields = "spec.nodeName=" .. check_name("drain", node)})) do
			local against = not stays(pod) and not seen[name_of(pod)] and objection(pod, options)
			if against then
				error(rung.error{kind = "fail", why = "kubernetes.drain: " .. name_of(pod) .. ": " .. against .. "; the node is cordoned, and nothing more is evicted"}, 0)
			end
			if not stays(pod) then left[#left + 1] = pod end
		end
		if #left == 0 then return {node = node, evicted = gone} end
		for _, pod in ipairs(left) do
			local key = name_of(pod) .. "/" .. pod.metadata.uid
			if not asked[key] then
				local ok, refused = evict(self, pod, options)
				asked[key] = ok
				if ok then gone[#gone + 1] = name_of(pod) else why = name_of(pod) .. ": " .. refused end
			end
			seen[name_of(pod)] = true
		end
		sleep(why or #left .. " pods are still on " .. node .. ", the first " .. name_of(left[1]))
	end
end

--- k:logs(pod, options)
-- The last lines of a pod.
-- @param pod text: its name
-- @option namespace text?: without it that of the cluster's table
-- @option container text?: of a pod with more than one
-- @option lines int = 100: how many
-- @option previous bool = false: of the container before it restarted
-- @option since duration?: not older
-- @return list of lines
-- @needs http GET https://CLUSTER/api/v1/namespaces/NAMESPACE/pods/POD/log?**
-- @effect read
-- @example
--   local k = kubernetes{server = "https://cluster.example:6443", auth = secret "cluster"}
--   for _, line in ipairs(k:logs("web-7d9", {lines = 20, previous = true})) do print(line) end
local function logs(self, pod, options)
	options = options_of("logs", options, {namespace = true, container = true, lines = true, previous = true, since = true})
	local query = {tailLines = options.lines or 100, container = options.container, previous = options.previous and "true" or nil,
		sinceSeconds = options.since and rung.microseconds("kubernetes.logs: since", options.since) // 1000000 or nil}
	return open("text").lines(send(self, "logs", "GET", url(self, "logs", "pods", pod, options) .. "/log", {query = query}).body)
end

-- Of a pod, for people: {name, namespace, phase, ready, restarts, node, why}
local function summary(pod)
	local ready, restarts, why = true, 0, nil
	for _, c in ipairs((pod.status or {}).containerStatuses or {}) do
		ready = ready and c.ready == true
		restarts = restarts + (c.restartCount or 0)
		local state = c.state and (c.state.waiting or c.state.terminated)
		why = why or state and state.reason
	end
	return {name = pod.metadata.name, namespace = pod.metadata.namespace, phase = (pod.status or {}).phase, ready = ready, restarts = restarts, node = (pod.spec or {}).nodeName, why = why}
end

--- k:pods(options)
-- Pods for people.
-- @option namespace text or false?: `false`: of all namespaces
-- @option labels text?: a label selector
-- @option node text?: those on it
-- @return list of `{name, namespace, phase, ready, restarts, node, why}`
-- @needs http GET https://CLUSTER/api/v1/namespaces/NAMESPACE/pods?**
-- @effect read
-- @example
--   local k = kubernetes{server = "https://cluster.example:6443", auth = secret "cluster"}
--   for _, p in ipairs(k:pods{labels = "app=web"}) do
--     if not p.ready then log.warn(p.name .. ": " .. (p.why or p.phase)) end
--   end
local function pods(self, options)
	options = options_of("pods", options, {namespace = true, labels = true, node = true})
	local out = open("json").array{}
	local fields = options.node and "spec.nodeName=" .. check_name("pods", options.node) or nil
	for i, pod in ipairs(list_of(self, "pods", "pods", {namespace = options.namespace, labels = options.labels, fields = fields})) do out[i] = summary(pod) end
	return out
end

local METHODS = {get = get, list = list, pods = pods, scale = scale, restart = restart, wait = wait, cordon = cordon, uncordon = uncordon, drain = drain, logs = logs}
for name, f in pairs(METHODS) do cluster[name] = rung.export(f) end

--- kubernetes(cluster)
-- A cluster, for the calls that follow. It asks nothing yet.
-- @option server text: `https://cluster.example:6443`
-- @option auth secret or table?: as of `http`
-- @option ca text or secret?: as of `http`
-- @option certificate text or secret?: as of `http`
-- @option key secret?: as of `http`
-- @option namespace text = "default": where no call says it
-- @option timeout duration = "30s": of each request
-- @return a table with the calls above
-- @example
--   local k = kubernetes{server = "https://cluster.example:6443", auth = secret "cluster", namespace = "shop"}
--   for _, node in ipairs(k:list("nodes")) do print(node.metadata.name) end
return function(options)
	if type(options) ~= "table" or type(options.server) ~= "string" or not options.server:find("^https?://[^/]") then
		raise('kubernetes: {server = "https://cluster.example:6443", auth = secret "cluster"} was expected')
	end
	rung.check_options("kubernetes", options, {server = true, auth = true, ca = true, certificate = true, key = true, namespace = true, timeout = true})
	return setmetatable({server = (options.server:gsub("/+$", "")), auth = options.auth, ca = options.ca, certificate = options.certificate, key = options.key,
		namespace = options.namespace or "default", timeout = options.timeout or "30s"}, cluster)
end
