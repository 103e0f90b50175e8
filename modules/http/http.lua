-- http: requests, made by the engine's actor. Each hop of a redirect is a call of its own: its right is checked, its intent recorded.

--- module http
-- Requests to other hosts. Each redirect is a call of its own, with its own right.
-- @option query map?: names and values, or lists of them, added to the URL and escaped
-- @option headers map?: names and values; a value may be a secret
-- @option auth secret or table?: `secret "token"`: a bearer token; `{user = "ana", password = secret "ldap"}`: Basic
-- @option json value?: the body, as JSON; secrets may stand in it
-- @option form map?: the body, as a form
-- @option body text or secret?: the body as it is
-- @option files map?: `{report = {name = "a.csv", content = text, type = "text/csv"}}`: multipart, with the fields of `form`
-- @option ok int or list?: statuses that are fine; without it those below 400
-- @option check bool = true: `false` never raises for a status or a broken body
-- @option timeout duration?: of the whole request; without it what is left of the step's
-- @option connect_timeout duration = "10s": for name, connection and TLS
-- @option answer_timeout duration = "60s": until the answer begins, and between two pieces of its body
-- @option max_bytes int = 8388608: of the body, decompressed; what is longer is an error
-- @option retries int = 0: how often to try again where nothing was sent, or, for an effect that may be repeated, where no answer or 429, 502, 503, 504 came
-- @option max_redirects int = 10: how many are followed; 0: the answer that redirects is the result
-- @option insecure_redirects bool = false: also from https to http
-- @option ca text or secret?: PEM: the authorities of the server's certificate, in place of the system's
-- @option certificate text or secret?: PEM: the client's own certificate
-- @option key secret?: PEM: its key
-- @option effect word?: what an interrupted call means: `once`, `read`, `idempotent`, `keyed`; without it the step's
-- @limit 10 MiB of a body that comes, 768 KiB of one that goes, 10 retries, 50 redirects, 100 headers

local rung = ...
local raise, is_secret, shorten = rung.raise, rung.is_secret, rung.shorten
local error, type, tostring, ipairs, pairs, math_type, concat, setmetatable, next, tonumber = error, type, tostring, ipairs, pairs, math.type, table.concat,
	setmetatable, next, tonumber
local json = rung.open_json()

local known = {headers = true, query = true, json = true, form = true, body = true, files = true, auth = true, ca = true, certificate = true, key = true, timeout = true,
	connect_timeout = true, answer_timeout = true, effect = true, retries = true, max_redirects = true, insecure_redirects = true, max_bytes = true, check = true, ok = true}
local effects = {once = true, read = true, idempotent = true, keyed = true}
local looks = {GET = true, HEAD = true, OPTIONS = true}
local MAX_REDIRECTS = 10

-- What is no credential, and so goes along to another origin.
local harmless = {["accept"] = true, ["accept-language"] = true, ["content-type"] = true, ["if-match"] = true, ["if-modified-since"] = true, ["if-none-match"] = true,
	["if-unmodified-since"] = true, ["prefer"] = true, ["range"] = true, ["traceparent"] = true, ["user-agent"] = true}

local function text(value, what)
	if math_type(value) == "integer" then value = tostring(value) end
	if type(value) ~= "string" then raise("http: " .. what .. " is a " .. type(value) .. ", a string was expected") end
	return value
end

local function text_or_secret(value, what)
	return is_secret(value) and value or text(value, what)
end

-- ---- URLs ----

local function escape(s)
	return (s:gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function scalar(value, what)
	if is_secret(value) then raise("http: " .. what .. " is a secret: give it in auth, headers or the body, since URLs are recorded") end
	local kind = type(value)
	if kind == "number" or kind == "boolean" then return tostring(value) end
	return text(value, what)
end

local function with_query(url, query)
	if query == nil then return url end
	if type(query) ~= "table" then raise("http: query must be a table of names and values") end
	local parts = {}
	for name, value in pairs(query) do
		for _, v in ipairs(type(value) == "table" and value or {value}) do
			parts[#parts + 1] = escape(scalar(name, "a name in query")) .. "=" .. escape(scalar(v, "query." .. tostring(name)))
		end
	end
	if #parts == 0 then return url end
	return url .. (url:find("?", 1, true) and "&" or "?") .. concat(parts, "&")
end

local function split(url)
	local scheme, authority, path, query = url:match("^(%a+)://([^/?#]*)([^?#]*)(%??[^#]*)")
	if scheme then return scheme:lower(), authority, path, query end
end

-- A URL as it may be shown: a password in it is nobody's business.
local function masked(url)
	return (url:gsub("^(%s*%a[%w+.-]*:/*)[^/?#]*@", "%1...@"))
end

local function has_user(url)
	local _, authority = split(url)
	return authority ~= nil and authority:find("@", 1, true) ~= nil and not authority:find("\\", 1, true)
end

local function origin(url)
	local scheme, authority = split(url)
	if not scheme then return url end
	authority = authority:lower()
	if scheme == "http" then authority = authority:gsub(":80$", "") elseif scheme == "https" then authority = authority:gsub(":443$", "") end
	return scheme .. "://" .. authority
end

local function without_dots(path)
	local out = {}
	for segment in path:gmatch("/([^/]*)") do
		if segment == ".." then
			out[#out] = nil
		elseif segment ~= "." then
			out[#out + 1] = segment
		end
	end
	local joined = "/" .. concat(out, "/")
	if path:find("/%.%.?$") and joined:sub(-1) ~= "/" then joined = joined .. "/" end
	return joined
end

-- RFC 3986, section 5.2: where a Location leads from a URL.
local function resolve(base, location)
	location = location:gsub("#.*$", ""):gsub("[^\x21-\x7e]", function(c) return ("%%%02X"):format(c:byte()) end)
	local scheme, authority, path, query = split(base)
	if location:find("^%a[%w+.-]*:") then
		if not location:find("^[hH][tT][tT][pP][sS]?://") then return nil end
		scheme, authority, path, query = split(location)
	elseif location:sub(1, 2) == "//" then
		local _
		_, authority, path, query = split(scheme .. ":" .. location)
	elseif location:sub(1, 1) == "/" then
		path, query = location:match("^([^?]*)(.*)$")
	elseif location:sub(1, 1) == "?" then
		query = location
	elseif location ~= "" then
		local relative
		relative, query = location:match("^([^?]*)(.*)$")
		path = (path:match("^(.*/)") or "/") .. relative
	end
	return scheme .. "://" .. authority .. without_dots(path == "" and "/" or path) .. query
end

-- ---- the body ----

-- A mark that stands for a secret in a text that is made of many values, and is nowhere else in it.
local function marks()
	local secrets, prefix = {}, "rung\1secret\1"
	return secrets, function(handle)
		secrets[#secrets + 1] = handle
		return prefix .. #secrets .. "\1"
	end
end

local function marked(value, mark, depth)
	if is_secret(value) then return mark(value) end
	if type(value) ~= "table" or depth > 16 then return value end
	local out = {}
	for k, v in pairs(value) do out[k] = marked(v, mark, depth + 1) end
	return next(out) == nil and value or out
end

-- The text with its marks as a list of pieces. A mark that came with the data stands there beside rung's own: refused.
local function pieces(s, secrets, pattern, as)
	local out, at, seen = {}, 1, {}
	for from, number, to in s:gmatch(pattern) do
		if from > at then out[#out + 1] = {value = s:sub(at, from - 1)} end
		if not secrets[tonumber(number)] or seen[tonumber(number)] then raise("http: the body has a text that only rung itself may write") end
		seen[tonumber(number)] = true
		out[#out + 1] = {value = secrets[tonumber(number)], as = as}
		at = to
	end
	if at <= #s or #out == 0 then out[#out + 1] = {value = s:sub(at)} end
	return out
end

local function has_secret(value, depth)
	if is_secret(value) then return true end
	if type(value) ~= "table" or depth > 16 then return false end
	for _, v in pairs(value) do
		if has_secret(v, depth + 1) then return true end
	end
	return false
end

local function json_body(value)
	if not has_secret(value, 0) then return {{value = json.encode(value)}} end
	local secrets, mark = marks()
	return pieces(json.encode(marked(value, mark, 0)), secrets, "()rung\\u0001secret\\u0001(%d+)\\u0001()", "json")
end

local function form_body(form)
	if type(form) ~= "table" then raise("http: form must be a table of names and values") end
	local out = {}
	local function add(s) out[#out + 1] = {value = s} end
	for name, value in pairs(form) do
		for _, v in ipairs(type(value) == "table" and value or {value}) do
			add((#out > 0 and "&" or "") .. escape(text(name, "a name in form")) .. "=")
			if is_secret(v) then out[#out + 1] = {value = v, as = "form"} else add(escape(scalar(v, "form." .. tostring(name)))) end
		end
	end
	if #out == 0 then add("") end
	return out
end

local function quoted(s, what)
	s = text(s, what)
	if s:find("[%c\"]") then raise("http: " .. what .. " has a quote or a control character") end
	return s
end

-- multipart/form-data (RFC 7578): the fields of form, then the files. The boundary is in none of them.
local function multipart_body(form, files)
	if type(files) ~= "table" or form ~= nil and type(form) ~= "table" then raise('http: files must be a table such as {report = {name = "a.csv", content = "..."}}') end
	local parts, all = {}, {}
	local function add(head, content)
		parts[#parts + 1] = {head, content}
		if not is_secret(content) then all[#all + 1] = content end
	end
	for name, value in pairs(form or {}) do
		add('Content-Disposition: form-data; name="' .. quoted(name, "a name in form") .. '"', is_secret(value) and value or scalar(value, "form." .. name))
	end
	for field, file in pairs(files) do
		if type(file) == "string" or is_secret(file) then file = {content = file} end
		if type(file) ~= "table" then raise("http: files." .. tostring(field) .. " must be a text or a table with name, content and type") end
		rung.check_options("http: files." .. tostring(field), file, {name = true, content = true, type = true})
		add('Content-Disposition: form-data; name="' .. quoted(field, "a name in files") .. '"; filename="' .. quoted(file.name or field, "the name of a file") ..
			'"\r\nContent-Type: ' .. quoted(file.type or "application/octet-stream", "the type of a file"), text_or_secret(file.content, "files." .. field .. ".content"))
	end
	local boundary, n, whole = "rung-boundary-0", 0, concat(all, "\n")
	while whole:find(boundary, 1, true) do
		n = n + 1
		boundary = "rung-boundary-" .. n
	end
	local out = {}
	for _, part in ipairs(parts) do
		out[#out + 1] = {value = "--" .. boundary .. "\r\n" .. part[1] .. "\r\n\r\n"}
		out[#out + 1] = {value = part[2]}
		out[#out + 1] = {value = "\r\n"}
	end
	out[#out + 1] = {value = "--" .. boundary .. "--\r\n"}
	return out, "multipart/form-data; boundary=" .. boundary
end

local function body_of(options)
	local given = {}
	for _, name in ipairs{"json", "form", "body", "files"} do
		if options[name] ~= nil and not (name == "form" and options.files ~= nil) then given[#given + 1] = name end
	end
	if #given > 1 then raise("http: " .. concat(given, " and ") .. " are given together: a request has one body") end
	if options.files ~= nil then return multipart_body(options.form, options.files) end
	if options.json ~= nil then return json_body(options.json), "application/json" end
	if options.form ~= nil then return form_body(options.form), "application/x-www-form-urlencoded" end
	if options.body ~= nil then return {{value = text_or_secret(options.body, "body")}} end
end

-- ---- what is sent ----

local function headers_of(options, content_type)
	local out, has_type = {}, false
	if options.headers ~= nil and type(options.headers) ~= "table" then raise("http: headers must be a table of names and values") end
	for name, value in pairs(options.headers or {}) do
		name = text(name, "a header's name")
		if not name:find("^[%w!#$%%&'*+%-.^_`|~]+$") then raise("http: " .. shorten(name, 60) .. " is no name of a header") end
		value = text_or_secret(value, "headers." .. name)
		if not is_secret(value) and value:find("[%z\1-\8\10-\31\127]") then raise("http: headers." .. name .. " has a control character, such as a line's end") end
		out[name] = value
		has_type = has_type or name:lower() == "content-type"
	end
	if content_type and not has_type then out["Content-Type"] = content_type end
	return out
end

local function credentials(auth, arguments)
	if auth == nil then return end
	if is_secret(auth) then
		arguments.token = auth
	elseif type(auth) == "table" then
		rung.check_options("http: auth", auth, {user = true, password = true})
		arguments.user, arguments.password = text_or_secret(auth.user, "auth.user"), text_or_secret(auth.password, "auth.password")
	else
		raise('http: auth is secret "token" (a bearer token) or {user = "...", password = secret "..."}')
	end
end

local function count(value, what, most)
	if value == nil then return nil end
	if math_type(value) ~= "integer" or value < 0 or value > most then raise("http: " .. what .. " is a whole number from 0 to " .. most) end
	return value
end

local function first_of(method, url, options)
	local body, content_type = body_of(options)
	-- What is asked for is recorded: a password must not come so far.
	if has_user(text(url, "the URL")) then
		raise("http: " .. method .. " " .. shorten(masked(url), 200) .. ": a user name in the URL is not taken: use auth = {user = \"ana\", password = secret \"ldap\"}")
	end
	local arguments = {method = method, url = with_query(text(url, "the URL"), options.query), body = body, headers = headers_of(options, content_type),
		ca = options.ca and text_or_secret(options.ca, "ca"), certificate = options.certificate and text_or_secret(options.certificate, "certificate"),
		key = options.key and text_or_secret(options.key, "key"), connect_us = options.connect_timeout and rung.microseconds("http: connect_timeout", options.connect_timeout),
		answer_us = options.answer_timeout and rung.microseconds("http: answer_timeout", options.answer_timeout), max_bytes = count(options.max_bytes, "max_bytes", 10485760),
		retries = count(options.retries, "retries", 10)}
	if options.key ~= nil and not is_secret(options.key) then raise('http: key must be a secret, as secret "client-key"') end
	credentials(options.auth, arguments)
	return arguments
end

-- ---- the answer ----

local result_meta = {__index = function(result, name)
	if name == "json" then return json.decode(result.body) end
end}

local function shown(arguments)
	return arguments.method .. " " .. shorten(masked(arguments.url), 200)
end

local function accepted(options)
	if options.check == false then return function() return true end end
	if options.ok == nil then return function(status) return status < 400 end end
	local ok = {}
	for _, status in ipairs(type(options.ok) == "table" and options.ok or {options.ok}) do
		if math_type(status) ~= "integer" then raise("http: ok must be a list of statuses, such as {200, 404}") end
		ok[status] = true
	end
	return function(status) return ok[status] end
end

local function fault(call, arguments, result, why)
	error(rung.error{kind = "call", call = call, module = "http", reason = "failed", why = "http: " .. shown(arguments) .. " " .. why, status = result.status, headers = result.headers,
		body = result.body, url = result.url}, 0)
end

-- ---- redirects ----

local function drop_credentials(arguments, refuse)
	arguments.user, arguments.password, arguments.token, arguments.certificate, arguments.key = nil, nil, nil, nil, nil
	local kept = {}
	for name, value in pairs(arguments.headers) do
		if harmless[name:lower()] and not is_secret(value) then kept[name] = value end
	end
	arguments.headers = kept
	for _, piece in ipairs(arguments.body or {}) do
		if is_secret(piece.value) then refuse("redirects to another origin (" .. shorten(masked(arguments.url), 200) .. "), and the body holds a secret: it is not sent there") end
	end
end

local function drop_body(arguments)
	arguments.body = nil
	local kept = {}
	for name, value in pairs(arguments.headers) do
		if not name:lower():find("^content%-") then kept[name] = value end
	end
	arguments.headers = kept
end

-- The next request of a redirect: what browsers do.
local function next_of(call, arguments, result, options)
	local function refuse(why) fault(call, arguments, result, why) end
	local location = result.headers.location
	if type(location) == "table" then location = location[1] end
	if type(location) ~= "string" then return nil end
	local to = resolve(result.url, location)
	if not to then refuse("redirects to " .. shorten(masked(rung.visible(location)), 200) .. ", which is neither http nor https") end
	if has_user(to) then refuse("redirects to " .. shorten(masked(to), 200) .. ": a user name in a URL is not taken") end
	local out = {}
	for k, v in pairs(arguments) do out[k] = v end
	out.url = to
	local status, method = result.status, arguments.method
	if status == 303 and method ~= "HEAD" or (status == 301 or status == 302) and method == "POST" then
		out.method = "GET"
		drop_body(out)
	end
	if result.url:find("^https:") and not to:find("^https:") and not options.insecure_redirects then
		refuse("redirects to " .. shorten(masked(to), 200) .. ", where nothing is encrypted: insecure_redirects = true would follow")
	end
	if origin(to) ~= origin(result.url) then drop_credentials(out, refuse) end
	return out
end

-- ---- the call ----

local function first_line(s)
	return (s:match("^%s*([^\r\n]*)") or "")
end

local function send(arguments, options, timeout)
	local call, done, result, why = rung.call("http", looks[arguments.method] and "get" or "request", arguments, {effect = options.effect, timeout_us = timeout})
	if not done then error(rung.error{kind = "call", call = call, module = "http", reason = result, why = "http: " .. shown(arguments) .. ": " .. why}, 0) end
	result.body, result.stdout, result.stderr = result.stdout, nil, nil
	return setmetatable(result, result_meta), call
end

local function is_redirect(status)
	return status == 301 or status == 302 or status == 303 or status == 307 or status == 308
end

local function request(method, url, options)
	options = options or {}
	if type(options) ~= "table" then raise("http: the options must be a table") end
	if is_secret(url) then raise("http: the URL is a secret: give it in auth, headers or the body, since URLs are recorded") end
	rung.check_options("http", options, known)
	if options.effect ~= nil and not effects[options.effect] then raise("http: effect must be once, read, idempotent or keyed") end
	local ok, arguments = accepted(options), first_of(method, url, options)
	local timeout, left = options.timeout and rung.microseconds("http: timeout", options.timeout), count(options.max_redirects, "max_redirects", 50) or MAX_REDIRECTS
	local result, call = send(arguments, options, timeout)
	while is_redirect(result.status) and left > 0 do
		local following = next_of(call, arguments, result, options)
		if not following then break end
		left = left - 1
		if following.url == result.url and following.method == arguments.method then fault(call, arguments, result, "redirects to itself") end
		arguments = following
		result, call = send(arguments, options, timeout)
		if left == 0 and is_redirect(result.status) and result.headers.location then fault(call, arguments, result, "redirects further: max_redirects is reached") end
	end
	if options.check ~= false and result.incomplete then fault(call, arguments, result, "answered with status " .. result.status .. ", but " .. result.incomplete) end
	if not ok(result.status) then
		local said = first_line(result.body)
		fault(call, arguments, result, "answered with status " .. result.status .. (said ~= "" and ": " .. shorten(said, 200) or ""))
	end
	return result
end

local http = {}

--- http.get(url, options)
--- http.head(url, options)
-- Looks.
-- @param url text: `https://...` or `http://...`
-- @return `{status, headers, body, url, peer, version}`, `json` where it is asked for, `redacted`, `incomplete`; headers by their names in lower case
-- @needs http GET URL
-- @row http.get
-- @example
--   local r = http.get("https://api.example.net/v1/hosts", {query = {zone = "b"}, auth = secret "api-token"})
--   for _, host in ipairs(r.json.items) do print(host.name) end

--- http.post(url, options)
--- http.put(url, options)
--- http.patch(url, options)
--- http.delete(url, options)
-- Changes something.
-- @param url text: `https://...` or `http://...`
-- @return as of `http.get`
-- @needs http POST URL
-- @row http.request
-- @example
--   http.post("https://chat.example.net/hook", {json = {text = "disk is full on " .. run.id}})
for _, method in ipairs{"get", "head", "post", "put", "patch", "delete"} do
	http[method] = function(url, options) return request(method:upper(), url, options) end
end

--- http.request(method, url, options)
-- Any other method.
-- @param method text: as OPTIONS or PURGE; not CONNECT, not TRACE
-- @param url text: `https://...` or `http://...`
-- @return as of `http.get`
-- @needs http METHOD URL
-- @row http.request
-- @example
--   http.request("PURGE", "https://cache.example.net/index.html", {ok = {200, 404}})
function http.request(method, url, options)
	method = text(method, "the method"):upper()
	if not method:find("^%u[%u-]*$") or #method > 20 or method == "CONNECT" or method == "TRACE" then raise("http: " .. shorten(method, 40) .. " is no method that can be sent") end
	return request(method, url, options)
end

return http
