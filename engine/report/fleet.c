#include "report/fleet.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAID_BYTES_MAX = 200, COMMAND_BYTES_MAX = 2000, NUMBER_DIGITS_MAX = 9 };

struct reading {
	report_blob_fn *blob;
	void *arg;
	json_t *runs;  /* {"what is run": {"calls":{"STEP ATTEMPT CALL": ROW}, ...}} in the order in which they began */
	json_t *calls; /* {"STEP ATTEMPT CALL": ROW}, ROW borrowed by both: {"host","state","code"?,"signal"?,"digest","said"} */
};

static void key_of(struct buf *out, const json_t *record)
{
	buf_reset(out);
	buf_printf(out, "%s %lld %lld", json_str(record, "s", ""), (long long)json_int(record, "a", 0), (long long)json_int(record, "c", 0));
}

static char *read_blob(const struct reading *r, const json_t *name, size_t *n)
{
	*n = 0;
	return json_is_string(name) ? r->blob(r->arg, json_string_value(name), n) : NULL;
}

/* The last line that is not empty. */
static const char *last_line(const char *text, size_t *n)
{
	while (*n && strchr(" \t\r\n", text[*n - 1])) --*n;
	size_t from = *n;
	while (from && text[from - 1] != '\n') from--;
	*n -= from;
	return text + from;
}

/* The bytes of an output into the digest of the row, its last line into said where it has one. */
static void add_output(const struct reading *r, const json_t *blobs, struct digest *digest, struct buf *said)
{
	size_t i, n;
	json_t *name;
	digest_add(digest, "\0", 1);
	json_array_foreach(blobs, i, name)
	{
		char *text = read_blob(r, name, &n);
		if (n) digest_add(digest, text, n);
		const char *line = n ? last_line(text, &n) : NULL;
		if (line && n) {
			buf_reset(said);
			buf_add(said, line, text_cut(line, n, SAID_BYTES_MAX));
		}
		free(text);
	}
}

/* Length of an address at p, such as 10.0.0.7 or fe80::1; 0 where there is none. */
static size_t address_at(const char *p, const char *end)
{
	size_t n = 0, marks = 0;
	for (; p + n < end && strchr("0123456789abcdefABCDEF.:", p[n]) && p[n]; n++) marks += p[n] == '.' || p[n] == ':';
	return marks >= 2 ? n : 0;
}

/* An error names the host and where it was looked for: without them the same fault of two hosts is the same. */
static void add_error(const struct reading *r, const json_t *name, const char *host, struct digest *digest, struct buf *said)
{
	size_t n, h = strlen(host), skip;
	char *text = read_blob(r, name, &n);
	if (n) buf_reset(said), buf_add(said, text, text_cut(text, n, SAID_BYTES_MAX));
	for (size_t i = 0; i < n; i += skip ? skip : 1) {
		skip = h && i + h <= n && memcmp(text + i, host, h) == 0 ? h : address_at(text + i, text + n);
		if (!skip) digest_add(digest, text + i, 1);
	}
	free(text);
}

static void ended(const struct reading *r, json_t *row, const json_t *d)
{
	static const char *const kept[] = {"code", "signal"};
	unsigned char sum[DIGEST_BYTES];
	char hex[DIGEST_HEX_BYTES] = {0};
	const char *outcome = json_str(d, "outcome", "?");
	bool is_ok = strcmp(outcome, "ok") == 0, is_fine = is_ok && json_int(d, "code", 0) == 0 && !json_object_get(d, "signal");
	struct digest *digest = digest_new();
	struct buf said;
	buf_init(&said, 4096);
	json_object_set_new(row, "state", json_string(is_ok && !is_fine ? "failed" : outcome));
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (json_object_get(d, kept[i])) json_object_set(row, kept[i], json_object_get(d, kept[i]));
	add_output(r, json_arr(d, is_fine ? "stderr" : "stdout"), digest, &said);
	add_output(r, json_arr(d, is_fine ? "stdout" : "stderr"), digest, &said);
	add_error(r, json_object_get(d, "error"), json_str(row, "host", ""), digest, &said);
	digest_finish(digest, sum);
	for (size_t i = 0; i < 16; i++) snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	json_object_set_new(row, "digest", json_string(hex));
	json_object_set_new(row, "said", json_bytes(said.data ? said.data : "", said.len));
	buf_clear(&said);
}

/* All that is run in an attempt with the same words, as the same users. */
static json_t *run_of(struct reading *r, const json_t *record, const json_t *arguments)
{
	json_t *words = json_pack("[O?,O?,O?]", json_object_get(arguments, "argv"), json_object_get(arguments, "login"), json_object_get(arguments, "as"));
	char *same = json_dumps(words, JSON_COMPACT);
	json_decref(words);
	char *key = mem_printf("%s %lld %s", json_str(record, "s", ""), (long long)json_int(record, "a", 0), same);
	json_t *run = json_object_get(r->runs, key);
	if (!run) {
		run = json_pack("{s:s,s:I,s:{},s:[],s:[],s:I}", "step", json_str(record, "s", ""), "attempt", json_int(record, "a", 0), "calls", "not_started",
		                "left", "first_seq", json_int(record, "seq", 0));
		json_object_set_new(r->runs, key, run);
	}
	free(same);
	free(key);
	return run;
}

/* Of "ssh deploy@web-1 -- true" what all hosts have in common: "true"; of "ssh deploy@web-1 as root -- true" "as root -- true". */
static void add_command(const struct reading *r, json_t *run, const json_t *d)
{
	size_t n;
	if (json_object_get(run, "command")) return;
	char *text = read_blob(r, json_object_get(d, "text"), &n);
	const char *words = text ? text : "", *at = strncmp(words, "ssh ", 4) == 0 ? strchr(words + 4, ' ') : NULL;
	if (at) words = strncmp(at, " -- ", 4) == 0 ? at + 4 : at + 1;
	n = strlen(words);
	json_object_set_new(run, "command", json_bytes(words, text_cut(words, n, COMMAND_BYTES_MAX)));
	free(text);
}

static void begun(struct reading *r, const json_t *record, const char *key)
{
	const json_t *d = json_obj(record, "d");
	const char *function = json_str(d, "function", "");
	bool is_exec = strcmp(function, "exec") == 0, is_left = strcmp(function, "left") == 0;
	size_t n;
	if (strcmp(json_str(d, "module", ""), "ssh") != 0 || !(is_exec || is_left) || json_int(d, "again", 0)) return;
	char *text = read_blob(r, json_object_get(d, "arguments"), &n);
	json_t *form = n ? json_loadb(text, n, JSON_ALLOW_NUL, NULL) : NULL, *arguments = json_obj(form, "arguments");
	if (arguments) {
		json_t *run = run_of(r, record, arguments);
		if (is_exec) {
			json_t *row = json_pack("{s:O?,s:s,s:s,s:s}", "host", json_object_get(arguments, "host"), "state", "running", "digest", "", "said", "");
			add_command(r, run, d);
			json_object_set(json_object_get(run, "calls"), key, row);
			json_object_set_new(r->calls, key, row);
		} else {
			json_array_extend(json_object_get(run, "not_started"), json_arr(arguments, "hosts"));
			json_array_append_new(json_object_get(run, "left"), json_string(key));
		}
		json_object_set(run, "last_seq", json_object_get(record, "seq"));
	}
	json_decref(form);
	free(text);
}

static void add_record(struct reading *r, const json_t *record)
{
	const char *kind = json_str(record, "k", "");
	struct buf key;
	buf_init(&key, 4096);
	key_of(&key, record);
	json_t *row = key.data ? json_object_get(r->calls, key.data) : NULL;
	if (strcmp(kind, "call.started") == 0)
		begun(r, record, key.data ? key.data : "");
	else if (row && strcmp(kind, "call.finished") == 0)
		ended(r, row, json_obj(record, "d"));
	else if (row && strcmp(kind, "call.unknown") == 0)
		json_object_set_new(row, "state", json_string("unknown"));
	if (row) json_object_set(row, "seq", json_object_get(record, "seq"));
	buf_clear(&key);
}

static bool is_same(const json_t *row, const json_t *group)
{
	static const char *const keys[] = {"state", "code", "signal", "digest"};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const json_t *a = json_object_get(row, keys[i]), *b = json_object_get(group, keys[i]);
		if ((a || b) && !json_equal(a, b)) return false;
	}
	return true;
}

/* Hosts of groups that follow: those with more of them come first, else as they began. */
static json_t *by_size(json_t *groups)
{
	json_t *sorted = json_array(), *g;
	size_t i, at;
	json_array_foreach(groups, i, g)
	{
		for (at = json_array_size(sorted);
		     at > 0 && json_array_size(json_arr(json_array_get(sorted, at - 1), "hosts")) < json_array_size(json_arr(g, "hosts")); at--) {
		}
		json_array_insert(sorted, at, g);
		json_object_del(g, "digest");
		json_object_del(g, "seq");
	}
	json_decref(groups);
	return sorted;
}

static json_t *groups_of(const json_t *run)
{
	json_t *groups = json_array(), *row;
	const char *key;
	json_object_foreach(json_object_get(run, "calls"), key, row)
	{
		size_t i = 0, n = json_array_size(groups);
		while (i < n && !is_same(row, json_array_get(groups, i))) i++;
		if (i == n) {
			json_t *g = json_deep_copy(row);
			json_object_del(g, "host");
			json_object_set_new(g, "hosts", json_array());
			json_array_append_new(groups, g);
		}
		json_array_append(json_arr(json_array_get(groups, i), "hosts"), json_object_get(row, "host"));
	}
	return by_size(groups);
}

static void add_fleet(json_t *fleets, json_t *members, json_t *run)
{
	json_t *calls = json_object_get(run, "calls"), *row;
	size_t hosts = json_object_size(calls) + json_array_size(json_arr(run, "not_started"));
	const char *key;
	size_t i;
	const json_int_t fleet = (json_int_t)json_array_size(fleets);
	json_int_t last = json_int(run, "last_seq", 0);
	if (hosts < 2 || json_object_size(calls) == 0) return;
	json_object_foreach(calls, key, row)
	{
		json_object_set_new(members, key, json_integer(fleet));
		if (json_int(row, "seq", 0) > last) last = json_int(row, "seq", 0);
	}
	json_array_foreach(json_arr(run, "left"), i, row) json_object_set_new(members, json_string_value(row), json_integer(fleet));
	json_array_append_new(fleets,
	                      json_pack("{s:O,s:O,s:O?,s:I,s:O,s:I,s:o,s:O}", "step", json_object_get(run, "step"), "attempt", json_object_get(run, "attempt"),
	                                "command", json_object_get(run, "command"), "hosts", (json_int_t)hosts, "first_seq", json_object_get(run, "first_seq"),
	                                "last_seq", last, "groups", groups_of(run), "not_started", json_object_get(run, "not_started")));
}

json_t *fleets_build(const json_t *records, report_blob_fn *blob, void *arg, json_t **members)
{
	struct reading r = {.blob = blob, .arg = arg, .runs = json_object(), .calls = json_object()};
	json_t *fleets = json_array(), *v;
	const char *key;
	size_t i;
	json_array_foreach(records, i, v) add_record(&r, v);
	*members = json_object();
	json_object_foreach(r.runs, key, v) add_fleet(fleets, *members, v);
	json_decref(r.runs);
	json_decref(r.calls);
	return fleets;
}

json_int_t fleet_of(const json_t *members, const json_t *record)
{
	struct buf key;
	buf_init(&key, 4096);
	key_of(&key, record);
	const char *kind = json_str(record, "k", "");
	/* What a person says of one of its calls is theirs, and stands alone. */
	bool is_of_call = strncmp(kind, "call.", 5) == 0 && strcmp(kind, "call.resolved") != 0;
	json_int_t found = key.data && is_of_call ? json_int(members, key.data, -1) : -1;
	buf_clear(&key);
	return found;
}

/* ---- names ---- */

/* "web-", "07", "": where the last number of a name stands. */
static bool number_in(const char *name, size_t *from, size_t *to)
{
	size_t end = strlen(name);
	while (end && (name[end - 1] < '0' || name[end - 1] > '9')) end--;
	size_t at = end;
	while (at && name[at - 1] >= '0' && name[at - 1] <= '9') at--;
	*from = at;
	*to = end;
	return end > at && end - at <= NUMBER_DIGITS_MAX;
}

/* Is b the next one behind a? 09 comes before 10, and 9 too. */
static bool follows(const char *a, const char *b)
{
	size_t from, to, from_b, to_b;
	if (!number_in(a, &from, &to) || !number_in(b, &from_b, &to_b) || from != from_b || strncmp(a, b, from) != 0 || strcmp(a + to, b + to_b) != 0)
		return false;
	long n = strtol(a + from, NULL, 10), m = strtol(b + from_b, NULL, 10);
	if (m != n + 1) return false;
	return to - from == to_b - from_b || (a[from] != '0' && b[from] != '0');
}

static const char *name_at(const json_t *names, size_t i)
{
	const char *s = json_string_value(json_array_get(names, i));
	return s ? s : "";
}

static int by_name(const void *a, const void *b)
{
	return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

void fleet_hosts(struct buf *out, const json_t *names)
{
	size_t n = json_array_size(names);
	const char **sorted = mem_zero((n + 1) * sizeof *sorted);
	for (size_t i = 0; i < n; i++) sorted[i] = name_at(names, i);
	qsort(sorted, n, sizeof *sorted, by_name);
	for (size_t i = 0, last; i < n; i = last + 1) {
		for (last = i; last + 1 < n && follows(sorted[last], sorted[last + 1]); last++) {
		}
		size_t from = 0, to = 0, from_last = 0, to_last = 0;
		if (i) buf_str(out, ", ");
		if (last > i && number_in(sorted[i], &from, &to) && number_in(sorted[last], &from_last, &to_last))
			buf_printf(out, "%.*s[%.*s:%.*s]%s", (int)from, sorted[i], (int)(to - from), sorted[i] + from, (int)(to_last - from_last),
			           sorted[last] + from_last, sorted[i] + to);
		else
			buf_str(out, sorted[i]);
	}
	free(sorted);
}

void fleet_summary(struct buf *out, const json_t *fleet)
{
	json_t *by_state = json_object(), *g, *count;
	const char *state;
	size_t i, left = json_array_size(json_arr(fleet, "not_started"));
	bool is_first = true;
	json_array_foreach(json_arr(fleet, "groups"), i, g)
	{
		state = json_str(g, "state", "?");
		json_object_set_new(by_state, state, json_integer(json_int(by_state, state, 0) + (json_int_t)json_array_size(json_arr(g, "hosts"))));
	}
	json_object_foreach(by_state, state, count)
	{
		buf_printf(out, "%s%lld %s", is_first ? "" : ", ", (long long)json_integer_value(count), state);
		is_first = false;
	}
	if (left) buf_printf(out, ", %zu not started", left);
	json_decref(by_state);
}
