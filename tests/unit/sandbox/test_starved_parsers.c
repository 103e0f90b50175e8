/* What the engine reads, with an allocation that fails: each of malloc, calloc and realloc in turn, of the libraries too, once or for good. A user-chosen size
 * is capped before it is allocated; where there is no memory all the same, the process ends by a sentence of its own, or an error says so: never another end,
 * never another result, and nothing is lost where it went on. About 60 moments of each scenario; STRIDE=1: every one, as in make torture. SCENARIO=n: only that
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/frame.h"
#include "base/fs.h"
#include "base/json.h"
#include "book/graph.h"
#include "book/lint.h"
#include "journal/record.h"
#include "policy/capability.h"
#include "policy/inventory.h"
#include "policy/lua_calls.h"
#include "policy/policy.h"
#include "policy/secrets.h"
#include "sandbox/wire.h"
#include "starve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

enum { MOMENTS = 60, SAID_BYTES = 8192, RESULT_BYTES_MAX = 1 << 20 };

static const char book_text[] =
    "---\nrunbook_id: RUN001\ndescription: >-\n  Restarts one unit.\ntags: [a, b]\n---\n# Restart a service\n\n## Parameters\n\n| Name | Type | Default | "
    "Description |\n"
    "|---|---|---|---|\n| unit | string `^[a-z-]+$` | nginx | The unit |\n| n | int 1..64 | 3 | How many |\n| tags | list | [\"a\", \"b\"] | Tags |\n\n"
    "## Permissions\n\n- read: `sh systemctl is-active {param:unit}`\n- `sh systemctl restart *`\n\n## Steps\n\n1. Look at the unit\n\n"
    "   ```lua {id=look risk=read}\n   local r = sh({\"systemctl\", \"is-active\", params.unit}, {check = false})\n   return {code = r.code}\n   ```\n\n"
    "2. Ask **the owner** of [the shop](https://example.net)\n\n   - one\n   - two\n\n3. Restart it\n\n   ```lua {id=restart needs=look timeout=5m "
    "if=\"steps.look.code ~= 0\"}\n"
    "   sh{\"systemctl\", \"restart\", params.unit}\n   ```\n\n   ```lua {verify}\n   return true\n   ```\n\n   ```sh\n   $ systemctl status nginx\n   "
    "active\n   ```\n";
static const char policy_text[] =
    "version: 1\ngroups: {sre: [ana, bo], dba: [dee]}\nservices: {alert-bot: {rate: 60/h, max_running: 20}}\nwindows: {year-end: [{from: 2026-12-20, to: "
    "2027-01-02}]}\n"
    "rules:\n  - id: oncall-web\n    allow: [run]\n    who: [group:sre, service:alert-bot]\n    books: [\"runbooks/web/**\", \"playbooks/**\"]\n"
    "    grants: [\"sh systemctl restart *\", \"ssh deploy@web-* -- systemctl {is-active|status} *\"]\n  - id: two-persons\n"
    "    require: {approvals: 2, from: group:dba, not: [starter, author], within: 15m}\n    when: {risk: destructive}\n  - id: freeze\n    deny: [run]\n"
    "    when: {window: year-end, risk: [change, destructive]}\n";
static const char inventory_text[] =
    "version: 1\nhosts:\n  \"web-[01:04]\": {address: 192.0.2.1, labels: {role: web, zone: a}}\n  db-1: {port: 2222, login: ops}\n";
static const char secrets_text[] = "version: 1\nsecrets:\n  db-admin: {file: /etc/rung/db-admin}\n  signing: {command: [pass, show, signing], timeout: 10s}\n";
static const char record_text[] =
    "{\"v\":1,\"seq\":7,\"t\":\"2026-11-22T10:00:00.000001Z\",\"k\":\"attempt.finished\",\"x\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"s\":\"look\",\"a\":1,"
    "\"e\":1,\"by\":\"system:engine\",\"d\":{\"outcome\":\"succeeded\",\"calls\":2}}";

/* ---- scenarios: each appends what came of it ---- */

/* An error is told as such; what an error is about goes by the reference. */
static void tell(struct buf *out, enum err err, const struct error *e)
{
	if (err) buf_printf(out, "error: %s\n", e->text);
}

static void tell_json(struct buf *out, json_t *v)
{
	if (!v || !json_canonical(v, out)) buf_str(out, "no JSON");
	buf_char(out, '\n');
	json_decref(v);
}

static void of_book(struct buf *out)
{
	struct book *b;
	struct graph *g;
	struct error e;
	enum err err = book_parse("x.md", NULL, book_text, sizeof book_text - 1, &b, &e);
	tell(out, err, &e);
	if (err) return;
	tell_json(out, book_json(b));
	err = graph_build(b, &g, &e);
	tell(out, err, &e);
	if (!err) tell_json(out, graph_json(g)), graph_free(g);
	struct lint_report *r = lint_book(b, INT64_C(1795392000000000));
	tell_json(out, lint_json(r));
	lint_free(r);
	book_free(b);
}

static void of_document(struct buf *out)
{
	struct arena *a = arena_new();
	struct document *d;
	struct error e;
	enum err err = document_parse(a, book_text, sizeof book_text - 1, &d, &e);
	tell(out, err, &e);
	if (!err) tell_json(out, document_json(d));
	arena_free(a);
}

static void of_binding(struct buf *out)
{
	static const char *const given[] = {"{\"unit\":\"web\",\"n\":\"4\",\"tags\":\"[1,2,{\\\"x\\\":null}]\"}", "{\"unit\":\"NO\"}", "{\"n\":\"x\"}"};
	struct book *b;
	struct error e;
	enum err err = book_parse("x.md", NULL, book_text, sizeof book_text - 1, &b, &e);
	tell(out, err, &e);
	if (err) return;
	for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
		json_t *values = json_parse(given[i], strlen(given[i]), 8, &e), *bound = NULL;
		err = values ? book_bind(b, values, &bound, &e) : e.kind;
		tell(out, err, &e);
		if (!err) tell_json(out, bound);
		json_decref(values);
	}
	book_free(b);
}

static void of_policy(struct buf *out)
{
	static const char *const words[] = {"systemctl", "restart", "nginx"};
	struct policy_request q = {.who = "user:ana",
	                           .book = "runbooks/web/a.md",
	                           .risk = RISK_OF_CHANGE,
	                           .now_us = INT64_C(1790000000000000),
	                           .kind = "sh",
	                           .words = words,
	                           .word_count = 3};
	struct arena *a = arena_new();
	const struct policy *p;
	struct error e;
	enum err err = policy_read(a, "policy.yaml", policy_text, sizeof policy_text - 1, &p, &e);
	tell(out, err, &e);
	for (int i = 0; !err && i < 2; i++, q.now_us = INT64_C(1798000000000000)) {
		struct policy_decision d = policy_decide(p, &q, a);
		buf_printf(out, "%d %s\n%s\n", d.outcome, d.rule ? d.rule->id : "-", policy_explain(p, &q, a));
	}
	arena_free(a);
}

static void of_capability(struct buf *out)
{
	static const char *const patterns[] = {"ssh deploy@web-* as root -- systemctl {restart|reload} {param:unit}",
	                                       "http GET https://api.example.net:443/v1/**", "sh rm \"a b\" *", "what"};
	static const char *const words[] = {"deploy@web-1", "as", "root", "--", "systemctl", "reload", "web"};
	struct arena *a = arena_new();
	struct error e;
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		struct capability *c;
		enum err err = capability_parse(a, patterns[i], &c, &e);
		json_t *params = json_parse("{\"unit\":\"web\"}", 14, 4, &e);
		tell(out, err, &e);
		const struct capability *outer = err ? NULL : c;
		if (!err) buf_printf(out, "%d %d\n", capability_allows(c, "ssh", words, 7, params), capability_covers(&outer, 1, c));
		json_decref(params);
	}
	arena_free(a);
}

static void of_frames(struct buf *out)
{
	static const char call[] = "{\"t\":\"call\",\"c\":1,\"part\":\"action\",\"module\":\"sh\",\"function\":\"run\",\"arguments\":{\"argv\":["
	                           "\"echo\",\"\\u00e9\"],\"env\":{\"A\":\"b\"}},\"options\":{}}";
	static const char end[] = "{\"t\":\"end\",\"outcome\":\"succeeded\",\"value\":{\"a\":[1,2.5,null,{\"b\":\"c\"}]}}";
	static const char *const heads[] = {call, end, "{\"t\":\"call\"}", "{\"t\":"};
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		struct frame_reader r;
		struct frame f;
		struct wire_message m;
		struct error e;
		unsigned char prefix[8] = {0, 0, 0, (unsigned char)strlen(heads[i])};
		frame_reader_init(&r, WIRE_HEAD_BYTES_MAX, 0);
		frame_reader_feed(&r, prefix, sizeof prefix);
		frame_reader_feed(&r, heads[i], strlen(heads[i]));
		enum err err = frame_reader_next(&r, &f, &e);
		if (!err) err = wire_decode(WIRE_WORKER, &f, &m, &e);
		tell(out, err, &e);
		if (!err) tell_json(out, json_incref((json_t *)(uintptr_t)m.head)), must(frame_write(out, m.head, NULL, 0) == ERR_OK);
		frame_reader_clear(&r);
	}
}

static void of_record(struct buf *out)
{
	struct record r;
	struct error e;
	json_t *hold;
	enum err err = record_decode(record_text, sizeof record_text - 1, &r, &hold, &e);
	tell(out, err, &e);
	if (err) return;
	tell(out, record_encode(&r, out, &e), &e);
	json_decref(hold);
}

static void of_files(struct buf *out)
{
	struct arena *a = arena_new();
	const struct inventory *inv;
	struct secrets *s;
	struct error e;
	enum err err = inventory_read(a, "inventory.yaml", inventory_text, sizeof inventory_text - 1, NULL, 0, &inv, &e);
	tell(out, err, &e);
	for (size_t i = 0; !err && i < inv->host_count; i++) buf_printf(out, "%s\n", inv->hosts[i].name);
	err = secrets_parse(a, "secrets.yaml", secrets_text, sizeof secrets_text - 1, &s, &e);
	tell(out, err, &e);
	for (size_t i = 0; !err && i < s->count; i++)
		buf_printf(out, "%s %s\n", s->sources[i].name, s->sources[i].place ? s->sources[i].place : s->sources[i].words[0]);
	arena_free(a);
}

static void of_wrong_files(struct buf *out)
{
	static const char *const texts[] = {"version: 1\nrules: [", "version: [1, \"a\\q\"]", "version: 1\nrules:\n  - id: x\n    allow: [fly]\n",
	                                    "\tversion: 1\n"};
	struct arena *a = arena_new();
	struct error e;
	const struct policy *p;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) tell(out, policy_read(a, "policy.yaml", texts[i], strlen(texts[i]), &p, &e), &e);
	arena_free(a);
}

static void of_lua(struct buf *out)
{
	struct arena *a = arena_new();
	struct lua_calls found;
	lua_calls_find(a, "local r = sh({\"systemctl\", \"restart\", params.unit})\nsh(\"df -h | head\")\n", &found);
	for (size_t i = 0; i < found.count; i++) buf_printf(out, "%d %s\n", found.calls[i].line, found.calls[i].pattern);
	arena_free(a);
}

static const struct {
	const char *name;
	void (*run)(struct buf *out);
} scenarios[] = {{"book", of_book},     {"document", of_document}, {"binding", of_binding}, {"policy", of_policy},           {"capability", of_capability},
                 {"frames", of_frames}, {"record", of_record},     {"files", of_files},     {"wrong files", of_wrong_files}, {"lua", of_lua}};

/* ---- one moment ---- */

/* What the two processes share: how memory fails, and what came of it. */
struct shared {
	struct starve starve;
	size_t length; /* of the result; 0: it did not come so far */
	bool has_leak;
	char result[RESULT_BYTES_MAX];
};

static struct shared *shared;
static int said; /* stderr of the child */

_Noreturn static void child(void (*run)(struct buf *out))
{
	struct buf out;
	buf_init(&out, RESULT_BYTES_MAX - 1);
	dup2(said, STDERR_FILENO);
	starve = &shared->starve;
	run(&out);
	starve = NULL;
	shared->length = out.len;
	memcpy(shared->result, out.data ? out.data : "", out.len);
	buf_clear(&out);
	if (shared->starve.failed && __lsan_do_recoverable_leak_check) shared->has_leak = __lsan_do_recoverable_leak_check() != 0;
	_exit(0);
}

static int moment(void (*run)(struct buf *out), struct starve how)
{
	int status = 0;
	shared->starve = how;
	shared->length = 0;
	shared->has_leak = false;
	must(ftruncate(said, 0) == 0 && lseek(said, 0, SEEK_SET) == 0);
	pid_t pid = fork();
	must(pid >= 0);
	if (pid == 0) child(run);
	must(waitpid(pid, &status, 0) == pid);
	return status;
}

/* One line, and it is about memory. */
static bool is_deliberate(int status, char *text)
{
	ssize_t n = pread(said, text, SAID_BYTES - 1, 0);
	text[n > 0 ? n : 0] = 0;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strncmp(text, "rung: out of memory", 19) == 0 && strchr(text, '\n') == text + n - 1;
}

/* The same, up to an error about memory. */
static bool is_result(const char *whole, size_t n)
{
	if (shared->length == n && memcmp(shared->result, whole, n) == 0) return true;
	shared->result[shared->length] = 0;
	return strstr(shared->result, "memory") != NULL;
}

static size_t from_environment(const char *name, size_t otherwise)
{
	return getenv(name) ? strtoul(getenv(name), NULL, 10) : otherwise;
}

static void starve_scenario(size_t s)
{
	static char whole[RESULT_BYTES_MAX], text[SAID_BYTES];
	size_t ended = 0, went_on = 0;
	must(moment(scenarios[s].run, (struct starve){0}) == 0 && shared->length);
	size_t n = shared->length, total = shared->starve.count, stride = from_environment("STRIDE", total / MOMENTS + 1);
	memcpy(whole, shared->result, n);
	for (size_t at = 1 + (stride > 1 ? (size_t)getpid() % stride : 0); at <= total; at += stride)
		for (uint64_t for_good = 0; for_good < 2; for_good++) {
			int status = moment(scenarios[s].run, (struct starve){.nth = at, .is_for_good = for_good});
			if (is_deliberate(status, text)) {
				ended++;
				continue;
			}
			went_on++;
			if (status != 0 || !is_result(whole, n))
				fail_msg("%s, allocation %zu of %zu %s: status %d, %.*s\n%s", scenarios[s].name, at, total,
				         for_good ? "and all behind it" : "alone", status, (int)shared->length, shared->result, text);
			if (shared->has_leak) fail_msg("%s, allocation %zu of %zu: %s", scenarios[s].name, at, total, text);
		}
	printf("%zu failed allocations of %zu in %s: %zu ended the process, %zu went on\n", ended + went_on, total, scenarios[s].name, ended, went_on);
}

static void each_allocation_of_a_parser_may_fail(void **state)
{
	(void)state;
	for (size_t s = 0; s < sizeof scenarios / sizeof *scenarios; s++)
		if (!getenv("SCENARIO") || from_environment("SCENARIO", 0) == s) starve_scenario(s);
}

int main(void)
{
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	said = memfd_create("said", MFD_CLOEXEC);
	if (shared == MAP_FAILED || said < 0) return 1;
	char hex[DIGEST_HEX_BYTES];
	json_prepare();
	digest_sha256_hex(hex, "", 0); /* what the library makes once for the whole process is not a parser's */
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_of_a_parser_may_fail)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
