-- postgres: a PostgreSQL server, asked by psql, here or on a host.

--- module postgres
-- A PostgreSQL server, by `psql`. The statements come by the standard input, so the pattern says which login of which database, not which statements: give that login no more than it needs.
-- What looks needs `sh psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --dbname=* '--command=BEGIN READ ONLY' --file=-`, a change the same without `--command`; with a host `ssh HOST --` in place of `sh`.
-- @option database text = "postgres": where to connect
-- @option server text?: the server; without it the local socket
-- @option port int?: of the server
-- @option user text?: the login
-- @option password secret?: for a psql on this host
-- @option host text?: the host on which psql runs; without it here
-- @option as text?: the user there
-- @option timeout duration?: of the call
-- @option effect word?: what an interrupted call means; looking is `read`, a change has the effect of its step

local rung = ...
local raise, open = rung.raise, rung.open
local type, tostring, ipairs, pairs, concat, math_type, error = type, tostring, ipairs, pairs, table.concat, math.type, error

local KNOWN = {"database", "server", "port", "user", "password", "host", "as", "timeout", "effect"}

local function options_of(what, options, known)
	known = known or {}
	for _, name in ipairs(KNOWN) do known[name] = true end
	return rung.options("postgres." .. what, options, known)
end

-- A connection string of libpq: keywords, each value quoted where it must be.
local function connection(options)
	local words = {}
	for _, key in ipairs{{"server", "host"}, {"port", "port"}, {"user", "user"}, {"database", "dbname"}} do
		local value = options[key[1]]
		if value ~= nil then
			value = tostring(value)
			if not value:find("^[%w_./:@%-]+$") then value = "'" .. value:gsub("[\\']", "\\%0") .. "'" end
			words[#words + 1] = key[2] .. "=" .. value
		end
	end
	return #words > 0 and concat(words, " ") or "dbname=postgres"
end

local function psql(what, sql, options, effect, more)
	local argv = {"psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1", "--dbname=" .. connection(options)}
	for _, word in ipairs(more) do argv[#argv + 1] = word end
	argv[#argv + 1] = "--file=-"
	local env = {PGCONNECT_TIMEOUT = "10", PGAPPNAME = "rung"}
	if options.password ~= nil then env.PGPASSWORD = options.password end
	if options.host ~= nil and options.password ~= nil then raise("postgres." .. what .. ": a password goes to psql on this host only: leave out host, and name the server with server") end
	local r = open("on")(options.host)(argv, {
		stdin = sql, env = options.host == nil and env or nil, effect = options.effect or effect, timeout = options.timeout, as = options.as, check = false,
	})
	if r.code == 0 then return r.stdout end
	local why = r.stderr:match("ERROR:%s*([^\n]*)") or r.stderr:match("[^\n]*error:%s*([^\n]*)") or r.stderr:match("([^\n]*)%s*$") or ""
	error(rung.error{kind = "call", module = "postgres", reason = "failed", why = "postgres." .. what .. ": " .. rung.shorten(rung.visible(why), 300), code = r.code, stderr = r.stderr}, 0)
end

-- Rows as a list of tables: the server makes JSON of them.
local function rows(what, sql, options)
	local out = psql(what, "SELECT coalesce(json_agg(rung_row), '[]') FROM (\n" .. sql .. "\n) rung_row;\n", options, "read", {"--command=BEGIN READ ONLY"})
	return open("json").decode(out)
end

local function check_sql(what, sql)
	if type(sql) ~= "string" or not sql:find("%S") then raise("postgres." .. what .. ": a statement was expected") end
	if sql:find("\0", 1, true) then raise("postgres." .. what .. ": the statement has a zero byte") end
	-- psql reads commands of its own behind a backslash at any place but in quotes; a statement needs none.
	if sql:find("\\", 1, true) then raise("postgres." .. what .. ": the statement has a backslash, where psql's own commands begin: write E'...' as chr(92)") end
	return (sql:gsub("[;%s]+$", ""))
end

local postgres = {}

--- postgres.query(sql, options)
-- The rows of one SELECT, in a transaction that only reads.
-- @param sql text: one statement, without a backslash
-- @return list of rows, tables by column
-- @effect read
-- @example
--   for _, row in ipairs(postgres.query("SELECT datname, numbackends FROM pg_stat_database", {database = "shop"})) do print(row.datname) end
function postgres.query(sql, options)
	options = options_of("query", options)
	sql = check_sql("query", sql)
	if sql:find(";", 1, true) then raise("postgres.query: one statement was expected; postgres.execute takes several") end
	return rows("query", sql, options)
end

--- postgres.execute(sql, options)
-- Statements in one transaction.
-- @param sql text: statements, without a backslash
-- @return what they print
-- @effect once
-- @example
--   postgres.execute("UPDATE jobs SET state = 'new' WHERE state = 'stuck'", {database = "shop"})
function postgres.execute(sql, options)
	options = options_of("execute", options)
	return psql("execute", "BEGIN;\n" .. check_sql("execute", sql) .. ";\nCOMMIT;\n", options, nil, {})
end

--- postgres.health(options)
-- How the server is.
-- @return `{version, is_standby, up_s, connections, connections_max, cache_hit_percent, deadlocks, oldest_transaction_age}`
-- @effect read
-- @example
--   local h = postgres.health()
--   expect(h.connections < h.connections_max, "no connection is left")
function postgres.health(options)
	options = options_of("health", options)
	return rows("health", [[
SELECT current_setting('server_version') AS version, pg_is_in_recovery() AS is_standby,
       extract(epoch FROM now() - pg_postmaster_start_time())::bigint AS up_s,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       current_setting('max_connections')::int AS connections_max,
       (SELECT round(100.0 * sum(blks_hit) / nullif(sum(blks_hit + blks_read), 0), 1) FROM pg_stat_database) AS cache_hit_percent,
       (SELECT coalesce(sum(deadlocks), 0) FROM pg_stat_database) AS deadlocks,
       (SELECT max(age(datfrozenxid)) FROM pg_database) AS oldest_transaction_age]], options)[1]
end

--- postgres.replication(options)
-- The standbys of this server.
-- @return list of `{name, address, state, sync, lag_bytes, lag_s}`
-- @effect read
-- @example
--   for _, s in ipairs(postgres.replication{host = "db-1"}) do log.info(s.name, s.lag_bytes) end
function postgres.replication(options)
	options = options_of("replication", options)
	return rows("replication", [[
SELECT application_name AS name, client_addr AS address, state, sync_state AS sync,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, replay_lsn)::bigint AS lag_bytes,
       round(extract(epoch FROM replay_lag)::numeric, 3) AS lag_s
FROM pg_stat_replication ORDER BY 1, 2]], options)
end

--- postgres.standby_lag(options)
-- How far behind its primary a standby is.
-- @return seconds; nil on a primary
-- @effect read
-- @example
--   log.info(postgres.standby_lag{host = "db-2"} or "this is the primary")
function postgres.standby_lag(options)
	options = options_of("standby_lag", options)
	local row = rows("standby_lag", [[
SELECT pg_is_in_recovery() AS is_standby,
       CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 ELSE round(extract(epoch FROM now() - pg_last_xact_replay_timestamp())::numeric, 1) END AS lag_s]], options)[1]
	if row.is_standby then return row.lag_s end
end

local function seconds(what, value)
	return ("%.3f"):format(rung.microseconds("postgres." .. what .. ": over", value) / 1000000)
end

--- postgres.long_queries(options)
-- What runs longer, or holds a transaction open longer.
-- @option over duration = "1m": than this
-- @return list of `{pid, user, database, application, address, state, waits_for, transaction_s, query_s, query}`, the oldest first
-- @effect read
-- @example
--   for _, q in ipairs(postgres.long_queries{over = "5m"}) do log.warn(q.pid .. " for " .. time.words(q.query_s) .. ": " .. q.query) end
function postgres.long_queries(options)
	options = options_of("long_queries", options, {over = true})
	return rows("long_queries", [[
SELECT pid, usename AS "user", datname AS database, application_name AS application, client_addr AS address, state, wait_event_type AS waits_for,
       extract(epoch FROM now() - xact_start)::bigint AS transaction_s, extract(epoch FROM now() - query_start)::bigint AS query_s, left(query, 500) AS query
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'
  AND now() - least(xact_start, query_start) > interval '1 second' * ]] .. seconds("long_queries", options.over or "1m") .. "\nORDER BY least(xact_start, query_start)", options)
end

--- postgres.locks(options)
-- Who waits for a lock, and for whom.
-- @return list of `{pid, user, database, waits_s, query, by_pid, by_user, by_state, by_transaction_s, by_query}`, who waits longest first
-- @effect read
-- @example
--   for _, l in ipairs(postgres.locks{database = "shop"}) do log.warn(l.pid .. " waits for " .. l.by_pid) end
function postgres.locks(options)
	options = options_of("locks", options)
	return rows("locks", [[
SELECT w.pid, w.usename AS "user", w.datname AS database, extract(epoch FROM now() - w.query_start)::bigint AS waits_s, left(w.query, 500) AS query,
       b.pid AS by_pid, b.usename AS by_user, b.state AS by_state, extract(epoch FROM now() - b.xact_start)::bigint AS by_transaction_s, left(b.query, 500) AS by_query
FROM pg_stat_activity w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS blocker JOIN pg_stat_activity b ON b.pid = blocker
ORDER BY waits_s DESC, w.pid, b.pid]], options)
end

--- postgres.sizes(options)
-- The biggest tables.
-- @option count int = 10: how many
-- @return list of `{schema, name, bytes, rows, dead_rows, last_autovacuum}`
-- @effect read
-- @example
--   for _, t in ipairs(postgres.sizes{database = "shop", count = 3}) do log.info(t.name, text.size(t.bytes)) end
function postgres.sizes(options)
	options = options_of("sizes", options, {count = true})
	local count = options.count or 10
	if math_type(count) ~= "integer" or count < 1 then raise("postgres.sizes: count must be a whole number, 1 or more") end
	return rows("sizes", [[
SELECT n.nspname AS schema, c.relname AS name, pg_total_relation_size(c.oid) AS bytes, c.reltuples::bigint AS rows,
       s.n_dead_tup AS dead_rows, s.last_autovacuum
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
ORDER BY 3 DESC LIMIT ]] .. count, options)
end

--- postgres.cancel(pid, options)
--- postgres.terminate(pid, options)
-- Ends what a client's connection does now, or the connection.
-- @param pid int: of its backend
-- @return true where there was one
-- @effect once
-- @example
--   for _, q in ipairs(postgres.long_queries{over = "1h"}) do postgres.cancel(q.pid) end
for name, call in pairs{cancel = "pg_cancel_backend", terminate = "pg_terminate_backend"} do
	postgres[name] = function(pid, options)
		options = options_of(name, options)
		if math_type(pid) ~= "integer" or pid < 1 then raise("postgres." .. name .. ": the pid of a backend was expected") end
		local out = psql(name, "SELECT " .. call .. "(pid) FROM pg_stat_activity WHERE pid = " .. pid .. " AND backend_type = 'client backend';\n", options, nil, {})
		return out:find("t", 1, true) ~= nil
	end
end

return postgres
