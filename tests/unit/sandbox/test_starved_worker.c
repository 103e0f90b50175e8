/* A worker whose nth allocation fails, once or for good: the attempt ends as it would have, or by its limit, or the process ends; never with anything else, and
 * no pcall of the step sees it. About 40 moments of each scenario; STRIDE=1: every one, as in make torture. SCENARIO=n: only that one. */
#include "harness.h"
#include "starve.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { MOMENTS = 40 };

/* Each catches what can be caught, and tells: where a limit could be caught, its result would be another. */
#define CATCH "local caught = {} local function try(f, ...) local ok, v = pcall(f, ...) if not ok then caught[#caught + 1] = tostring(v) end return v end "
#define CAUGHT " return {caught = caught, n = #caught, value = value}"

static const struct {
	const char *name, *source;
} scenarios[] = {
    {"json",
     CATCH "local value = try(json.decode, '{\"a\":[1,2,{\"b\":\"c\"}],\"d\":\"' .. string.rep('x', 300) .. '\"}') local text = try(json.encode, value) "
           "value = {text = text, bad = try(json.decode, '{')}" CAUGHT},
    {"yaml", CATCH "local value = try(yaml.decode, 'a: [1, 2, {b: c}]\\nd: &x\\n  - e\\n  - \"quoted text that is long\"\\nf: *x\\ng: |\\n  lines\\n  more\\n')"
                   " value = {v = value, all = try(yaml.decode_all, 'a: 1\\n---\\nb: 2\\n'), bad = try(yaml.decode, '[')}" CAUGHT},
    {"re", CATCH "local value = {} for i = 1, 3 do value[i] = try(re.match, 'host-' .. i .. '.example.net: 12 ms', '(?<host>[a-z0-9.-]+): (\\\\d+) ms') end "
                 "value[4] = try(re.gsub, 'a1b2c3', '\\\\d', '#') try(re.match, 'x', '(')" CAUGHT},
    {"strings",
     CATCH "local t = {} for i = 1, 200 do t[i] = string.format('%d:%s', i, string.rep('ab', i % 7)) end table.sort(t, function(a, b) return a > b end) "
           "local value = {n = #table.concat(t, ','), w = {}} for w in string.gmatch(t[1], '%d') do value.w[#value.w + 1] = w end "
           "value.up = try(string.upper, t[2]) value.sub = try(string.gsub, t[3], 'a', {a = 'b'}) try(error, {x = 1})" CAUGHT},
    {"calls", CATCH "local order = {} local function branch(l) return function() local r = try(sh, {'echo', l}) order[#order + 1] = l .. #r.stdout end end "
                    "parallel{branch('a'), branch('b'), function() each({'c', 'd', 'e'}, function(l) branch(l)() end, {max_concurrency = 2}) end} "
                    "log.info('done ' .. #order) local value = {order = order, s = try(tostring, secret('name'))}" CAUGHT},
    {"denied", "local f = function() sh({'denied', 'this'}) end parallel{function() sh{'echo', 'a'} end, f}"},
    {"fail", "local t = setmetatable({}, {__tostring = function() return string.rep('why ', 50) end}) error(t)"},
    {"fails", "parallel{function() sh{'echo', 'a'} fail('because') end, function() sh{'echo', 'b'} end}"},
    {"skip", "pcall(function() skip('not today') end) return {wrong = true}"},
    {"go", "pcall(function() go('other') end) return {wrong = true}"},
    {"table error", "error({reason = 'x', list = {1, 2, 3}})"},
};

static struct starve *shared;
static struct sandbox *forkd;
static int said_fd; /* what the processes wrote to stderr */

static size_t from_environment(const char *name, size_t otherwise)
{
	return getenv(name) ? strtoul(getenv(name), NULL, 10) : otherwise;
}

static void attempt_send(struct peer *p, const char *source)
{
	json_t *head = json_pack("{s:s,s:[{s:s,s:s,s:i,s:i}],s:I,s:[i,i],s:i,s:i,s:{s:s},s:{}}", "t", "attempt", "parts", "role", "action", "chunk",
	                         "runbooks/x.md", "line", 1, "bytes", (int)strlen(source), "now_us", (json_int_t)1700000000000000, "seed", 1, 2, "cpu_ms",
	                         10000, "memory_bytes", 64 << 20, "params", "name", "value", "steps");
	peer_send(p, head, source, strlen(source));
}

/* Every call is answered at once, those with the word "denied" as such. */
static void answer(struct peer *p, const json_t *call)
{
	json_int_t c = json_int(call, "c", 0);
	const char *word = json_string_value(json_array_get(json_arr(json_obj(call, "arguments"), "argv"), 0));
	if (word && strcmp(word, "denied") == 0)
		peer_send(p, json_pack("{s:s,s:I,s:I,s:b,s:s,s:s}", "t", "answer", "c", c, "now_us", c, "ok", 0, "kind", "denied", "why", "not allowed"), NULL,
		          0);
	else
		peer_send(
		    p,
		    json_pack("{s:s,s:I,s:I,s:b,s:{s:i},s:i,s:i}", "t", "answer", "c", c, "now_us", c, "ok", 1, "value", "code", 0, "stdout", 4, "stderr", 0),
		    "out\n", 4);
}

/* All that a worker says of the source, from "ready" on, one answer for each time that it waits; without an "end" where it just ended. Traces are left out:
 * they may be shorter. */
static json_t *transcript(const char *source)
{
	struct peer p;
	json_t *out = json_array(), *waiting = json_array();
	bool is_over = false;
	peer_open(&p, forkd, SANDBOX_WORKER, -1);
	attempt_send(&p, source);
	for (const json_t *head; !is_over && (head = peer_read(&p)) != NULL;) {
		const char *type = json_str(head, "t", "");
		json_t *kept = json_deep_copy(head);
		json_object_del(kept, "trace");
		is_over = strcmp(type, "end") == 0 || strcmp(type, "broken") == 0;
		json_array_append_new(out, kept);
		if (strcmp(type, "call") == 0) json_array_append_new(waiting, json_deep_copy(head));
		if (strcmp(type, "idle") == 0 && json_array_size(waiting)) {
			answer(&p, json_array_get(waiting, json_array_size(waiting) - 1));
			json_array_remove(waiting, json_array_size(waiting) - 1);
		}
	}
	json_decref(waiting);
	shutdown(p.child.fd, SHUT_RDWR);
	peer_wait_end(&p);
	peer_close(&p);
	return out;
}

/* What it says is what the whole one says, up to where it ended, and the end is one of these. */
static bool is_fine(const json_t *got, const json_t *whole)
{
	size_t n = json_array_size(got);
	const json_t *last = n ? json_array_get(got, n - 1) : NULL;
	bool is_limit = strcmp(json_str(last, "t", ""), "end") == 0 && strcmp(json_str(last, "kind", ""), "limit") == 0;
	bool is_broken = strcmp(json_str(last, "t", ""), "broken") == 0; /* the engine ends it, and takes another */
	for (size_t i = 0; i < n - (is_limit || is_broken); i++)
		if (!json_equal(json_array_get(got, i), json_array_get(whole, i))) return false;
	return true;
}

static void check_said(const char *name, size_t n)
{
	static char text[65536];
	ssize_t got = pread(said_fd, text, sizeof text - 1, 0);
	text[got > 0 ? got : 0] = 0;
	if (strstr(text, "Sanitizer") || strstr(text, "runtime error")) fail_msg("%s, allocation %zu: %s", name, n, text);
	assert_int_equal(ftruncate(said_fd, 0), 0);
}

static void starve_scenario(size_t s)
{
	size_t ends[3] = {0}, runs = 0; /* as whole, by the limit, without a word */
	*shared = (struct starve){0};
	json_t *whole = transcript(scenarios[s].source);
	size_t total = shared->count, stride = from_environment("STRIDE", total / MOMENTS + 1);
	if (strcmp(json_str(json_array_get(whole, json_array_size(whole) - 1), "t", ""), "end") != 0)
		fail_msg("%s: %s", scenarios[s].name, json_dumps(whole, 0));
	for (size_t n = 1 + (stride > 1 ? (size_t)getpid() % stride : 0); n <= total; n += stride)
		for (int for_good = 0; for_good < 2; for_good++, runs++) {
			*shared = (struct starve){.nth = n, .is_for_good = (uint64_t)for_good};
			json_t *got = transcript(scenarios[s].source);
			if (!is_fine(got, whole))
				fail_msg("%s, allocation %zu of %zu %s: %s\nwhole: %s", scenarios[s].name, n, total, for_good ? "and all behind it" : "alone",
				         json_dumps(got, 0), json_dumps(whole, 0));
			const json_t *last = json_array_get(got, json_array_size(got) - 1);
			ends[json_equal(got, whole) ? 0 : strcmp(json_str(last, "kind", ""), "limit") == 0 ? 1 : 2]++;
			json_decref(got);
			check_said(scenarios[s].name, n);
		}
	printf("%zu failed allocations of %zu in %s: %zu changed nothing, %zu ended the attempt, %zu the worker\n", runs, total, scenarios[s].name, ends[0],
	       ends[1], ends[2]);
	json_decref(whole);
}

static void each_allocation_of_a_worker_may_fail(void **state)
{
	(void)state;
	for (size_t s = 0; s < sizeof scenarios / sizeof *scenarios; s++)
		if (!getenv("SCENARIO") || from_environment("SCENARIO", 0) == s) starve_scenario(s);
}

int main(void)
{
	char path[] = "/tmp/rung-starve-XXXXXX", said[] = "/tmp/rung-said-XXXXXX";
	int fd = mkstemp(path), out = dup(STDERR_FILENO);
	said_fd = mkstemp(said);
	if (fd < 0 || said_fd < 0 || ftruncate(fd, sizeof *shared) != 0) return 1;
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	setenv("RUNG_FAIL_MEMORY", path, 1);
	fcntl(said_fd, F_SETFL, O_APPEND);
	dup2(said_fd, STDERR_FILENO);
	char *program = forkd_path(), *starved = mem_printf("%s-starved", program);
	forkd = harness_start(starved);
	dup2(out, STDERR_FILENO);
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_of_a_worker_may_fail)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	sandbox_stop(forkd);
	free(program);
	free(starved);
	unlink(path);
	unlink(said);
	return failed;
}
