-- tls: what certificate somebody serves, and how long it holds; by openssl.

--- module tls
-- Certificates, and how long they hold, by `openssl`. With `from` the rights are those of `ssh HOST --` in place of `sh`.
-- `CERTIFICATE` is `openssl x509 -noout -subject -issuer -dates -serial -fingerprint -sha256 -ext subjectAltName -nameopt RFC2253`.
-- @option from text?: the host that looks; without it here
-- @option timeout duration?: of each command; 20 s for a server

local rung = ...
local raise, open = rung.raise, rung.open
local type, tostring, tonumber, ipairs, error, floor = type, tostring, tonumber, ipairs, error, math.floor

local function options_of(what, options, known)
	known.from, known.timeout = true, true
	return rung.options("tls." .. what, options, known)
end

local MONTHS = {Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12}

-- "Nov 29 06:23:49 2026 GMT" in seconds since 1970.
local function seconds_of(text)
	local month, day, clock, year = text:match("^(%a+)%s+(%d+) ([%d:]+) (%d+) GMT$")
	if not MONTHS[month] then raise("tls: " .. rung.visible(text) .. " is no date as openssl writes it") end
	return open("time").parse(("%04d-%02d-%02dT%sZ"):format(tonumber(year), MONTHS[month], tonumber(day), clock))
end

local FIELDS = {"openssl", "x509", "-noout", "-subject", "-issuer", "-dates", "-serial", "-fingerprint", "-sha256", "-ext", "subjectAltName", "-nameopt", "RFC2253"}

local function describe(pem, options)
	local out = open("on")(options.from)(FIELDS, {stdin = pem, effect = "read", timeout = options.timeout}).stdout
	local function field(name) return out:match("\n" .. name .. "=%s*([^\n]*)") or ("\n" .. out):match("\n" .. name .. "=%s*([^\n]*)") end
	local names = open("json").array{}
	for kind, name in out:gmatch("(%a+%s?%a*):([^,%s]+)") do
		if kind == "DNS" or kind == "IP Address" then names[#names + 1] = name end
	end
	local from, to = seconds_of(field("notBefore")), seconds_of(field("notAfter"))
	return {
		subject = field("subject"), issuer = field("issuer"), serial = field("serial"), sha256 = field("sha256 Fingerprint") or field("SHA256 Fingerprint"),
		not_before = open("time").iso(from), not_after = open("time").iso(to), days_left = floor((to - open("time").now()) / 86400), names = names,
	}
end

-- What stands for a name, as RFC 6125 has it: a star is one whole label, the first.
local function stands_for(pattern, name)
	pattern, name = pattern:lower(), name:lower()
	if pattern == name then return true end
	local rest = pattern:match("^%*(%..+)$")
	return rest ~= nil and name:match("^[^.]+(%..+)$") == rest
end

local tls = {}

--- tls.server(address, options)
-- The certificate that a server shows. One that has run out, or has another name, is no error: look at the fields.
-- @param address text: `shop.example:443`
-- @option name text?: what it is asked for, and must stand in its certificate; without it the host
-- @option ca path?: authorities to trust in place of the system's
-- @option starttls word?: as `smtp`: what it speaks before
-- @return `{subject, issuer, serial, sha256, not_before, not_after, days_left, names, name_fits, is_trusted, trust, protocol, chain}`
-- @needs sh openssl s_client -connect ADDRESS -servername * -showcerts
-- @needs sh CERTIFICATE
-- @effect read
-- @example
--   local c = tls.server("shop.example:443")
--   expect(c.is_trusted and c.name_fits, c.trust)
--   expect(c.days_left > 14, "the certificate of shop.example ends on " .. c.not_after)
function tls.server(address, options)
	options = options_of("server", options, {name = true, ca = true, starttls = true})
	local host, port = tostring(address):match("^%[?([%w.:_%-]+)%]?:(%d+)$")
	if not host then raise("tls.server: " .. rung.visible(tostring(address)) .. " is no address, such as shop.example:443") end
	local name = options.name or host
	local argv = {"openssl", "s_client", "-connect", address, "-servername", name, "-showcerts"}
	if options.ca then argv[#argv + 1], argv[#argv + 2] = "-CAfile", options.ca end
	if options.starttls then argv[#argv + 1], argv[#argv + 2] = "-starttls", options.starttls end
	local r = open("on")(options.from)(argv, {stdin = "\n", effect = "read", timeout = options.timeout or "20s", check = false})
	local chain = open("json").array{}
	for pem in r.stdout:gmatch("%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-.-%-%-%-%-%-END CERTIFICATE%-%-%-%-%-") do chain[#chain + 1] = describe(pem .. "\n", options) end
	if #chain == 0 then
		local why = r.stderr:match("[^\n]*[Cc]onnect[^\n]*") or r.stderr:match("[^\n]*error[^\n]*") or "it sent no certificate"
		error(rung.error{kind = "call", module = "tls", reason = "failed", why = "tls.server: " .. address .. ": " .. rung.shorten(rung.visible(why), 200)}, 0)
	end
	local code, words = r.stdout:match("Verify return code: (%d+) %(([^)]*)%)")
	local fits = false
	for _, n in ipairs(chain[1].names) do fits = fits or stands_for(n, name) end
	local first = chain[1]
	first.chain, first.name_fits, first.is_trusted, first.trust = chain, fits, code == "0", words
	first.protocol = r.stdout:match("Protocol%s*:%s*(%S+)") or r.stdout:match("New, (TLSv[%d.]+)")
	-- The list holds copies, so that the whole can be a step's result.
	local copies = open("json").array{}
	for i, c in ipairs(chain) do
		copies[i] = {subject = c.subject, issuer = c.issuer, not_after = c.not_after, days_left = c.days_left}
	end
	first.chain = copies
	return first
end

--- tls.file(path, options)
-- The first certificate of a file.
-- @param path path: absolute
-- @return `{subject, issuer, serial, sha256, not_before, not_after, days_left, names}`
-- @needs sh cat -- PATH
-- @needs sh CERTIFICATE
-- @effect read
-- @example
--   expect(tls.file("/etc/ssl/shop.pem").days_left > 14)
function tls.file(path, options)
	options = options_of("file", options, {})
	if type(path) ~= "string" or path:sub(1, 1) ~= "/" then raise("tls.file: " .. rung.visible(tostring(path)) .. " is no absolute path") end
	return describe(open("on")(options.from)({"cat", "--", path}, {effect = "read", timeout = options.timeout}).stdout, options)
end

return tls
