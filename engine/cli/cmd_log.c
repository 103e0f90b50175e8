#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "cli/printed.h"
#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 100, RECORD_DEPTH_MAX = 16, DEFAULT_LIMIT = 20, LIMIT_MAX = 1000000, VIEW_CALLS = 200, OUTPUT_BYTES_MAX = 64 << 20 };

static const char *local_time(struct arena *a, int64_t us)
{
	char text[32] = "";
	time_t t = (time_t)(us / 1000000);
	struct tm tm;
	if (us > 0 && localtime_r(&t, &tm)) strftime(text, sizeof text, "%F %T", &tm);
	return arena_strdup(a, text);
}

static void print_execution(struct use *u, const json_t *x)
{
	if (u->json) {
		print_json_line(x);
		return;
	}
	struct arena *a = u->arena;
	const char *title = json_str(x, "title", "");
	if (json_str(x, "parent", NULL)) title = arena_printf(a, "< %s", title); /* another one has started it */
	printf("%s  %s  %-9s  %3lld/%-3lld  %s  %s\n", json_str(x, "execution", ""), local_time(a, json_int(x, "started_us", 0)),
	       line_safe(a, json_str(x, "state", "")), (long long)json_int(x, "steps_done", 0), (long long)json_int(x, "steps", 0),
	       line_fit(a, line_safe(a, title), 32, true), line_safe(a, json_str(x, "driver", "")));
}

/* Pages of the list, newest first, until so many were printed. */
static enum err print_list(struct use *u, bool open_only, long long limit, struct error *e)
{
	const char *before = NULL;
	long long left = limit;
	while (left > 0) {
		struct answer a = {0};
		json_t *args = json_pack("{s:I,s:b,s:s?}", "limit", (json_int_t)(left < PAGE ? left : PAGE), "open", open_only, "before", before), *x;
		enum err err = client_request(u->client, "log", args, &a, e);
		if (err) return err;
		const json_t *list = json_arr(a.value, "executions");
		size_t i, n = json_array_size(list);
		json_array_foreach(list, i, x) print_execution(u, x);
		before = arena_strdup(u->arena, json_str(a.value, "next", NULL));
		answer_clear(&a);
		left -= (long long)n;
		if (!before) break;
	}
	return ERR_OK;
}

/* "outcome succeeded, why person" of a record's d; names of blobs are left out: `rung report` shows what they hold. */
static const char *data_words(struct arena *a, const json_t *d)
{
	const char *key, *out = "";
	json_t *v;
	json_object_foreach((json_t *)(uintptr_t)d, key, v)
	{
		char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
		const char *word = json_is_string(v) ? json_string_value(v) : text;
		if (word && strncmp(word, "hmac-sha256:", 12) != 0 && strncmp(word, "[\"hmac", 6) != 0)
			out = arena_printf(a, "%s%s%s %s", out, *out ? ", " : "", key, word);
		free(text);
	}
	return line_safe(a, out);
}

static void print_record(struct use *u, const char *line)
{
	struct arena *a = u->arena;
	struct error e;
	if (u->json && !isatty(STDOUT_FILENO)) {
		printf("%s\n", line);
		return;
	}
	json_t *r = json_parse(line, strlen(line), RECORD_DEPTH_MAX, &e);
	if (u->json) {
		print_json_line(r);
		json_decref(r);
		return;
	}
	const char *step = json_str(r, "s", ""), *t = json_str(r, "t", "");
	printf("%6lld  %.19s  %-22s", (long long)json_int(r, "seq", 0), line_exact(a, t), line_exact(a, json_str(r, "k", "?")));
	if (*step) printf("  %s", line_safe(a, step));
	if (json_int(r, "a", 0)) printf(".%lld", (long long)json_int(r, "a", 0));
	if (json_int(r, "c", 0)) printf(".%lld", (long long)json_int(r, "c", 0));
	const char *words = data_words(a, json_obj(r, "d")), *by = line_safe(a, json_str(r, "by", ""));
	printf("%s%s%s%s%s\n", *by ? "  by " : "", by, *words ? "  (" : "", words, *words ? ")" : "");
	json_decref(r);
}

static enum err print_records(struct use *u, const char *id, struct error *e)
{
	json_int_t from = 0;
	for (bool more = true; more;) {
		struct answer a = {0};
		json_t *line;
		size_t i;
		enum err err = client_request(u->client, "records", json_pack("{s:s,s:I,s:i}", "execution", id, "from", from, "limit", 1000), &a, e);
		if (err) return err;
		json_array_foreach(json_arr(a.value, "lines"), i, line) if (json_is_string(line)) print_record(u, json_string_value(line));
		more = json_is_integer(json_object_get(a.value, "next"));
		from = json_int(a.value, "next", 0);
		answer_clear(&a);
	}
	return ERR_OK;
}

static void print_output_line(void *arg, const char *text)
{
	(void)arg;
	/* Indented: what a host prints cannot pass for a heading of ours. */
	printf("  %s\n", text);
}

/* One call: with --json an object, else a heading and below it what it printed. */
static enum err print_call_output(struct use *u, const char *id, const char *step, const json_t *call, struct error *e)
{
	static const char *const streams[] = {"stdout", "stderr"};
	json_t *v = json_pack("{s:s,s:s,s:I,s:I,s:O*,s:O*}", "execution", id, "step", step, "attempt", json_int(call, "attempt", 0), "call",
	                      json_int(call, "call", 0), "words", json_object_get(call, "words"), "state", json_object_get(call, "state"));
	enum err err = ERR_OK;
	if (!u->json)
		printf("== %s, %s  %s  %s\n", line_safe(u->arena, step), printed_call_name(u->arena, call), line_safe(u->arena, json_str(call, "words", "")),
		       line_safe(u->arena, json_str(call, "state", "")));
	for (size_t i = 0; i < 2 && !err; i++) {
		struct buf b;
		buf_init(&b, OUTPUT_BYTES_MAX);
		err = printed_read(u->client, id, step, call, streams[i], &b, e);
		if (!err && u->json) json_object_set_new(v, streams[i], json_bytes(b.data ? b.data : "", b.len));
		if (!err && !u->json && i == 1 && b.len) printf("-- errors\n");
		if (!err && !u->json) printed_lines(&b, print_output_line, NULL);
		buf_clear(&b);
	}
	if (!err && u->json) print_json_line(v);
	json_decref(v);
	return err;
}

/* The bytes of one stream of a call, as they are. */
static enum err write_raw(struct use *u, const char *id, const char *step, const json_t *call, const char *stream, struct error *e)
{
	struct buf b;
	buf_init(&b, OUTPUT_BYTES_MAX);
	enum err err = printed_read(u->client, id, step, call, stream, &b, e);
	if (!err && b.len) fwrite(b.data, 1, b.len, stdout);
	buf_clear(&b);
	return err;
}

/* What the calls of one step, or of all, printed; raw: the stream whose bytes are wanted as they are, or NULL. */
static enum err print_outputs(struct use *u, const char *id, const char *only, const char *raw, struct error *e)
{
	json_t *view, *step, *call;
	size_t i, k;
	enum err err = use_view(u, id, &view, e);
	if (err) return err;
	if (only && !view_step(view, only)) err = error_set(e, ERR_NOT_FOUND, "the execution has no step \"%s\": rung log %s names them", only, id);
	json_array_foreach(json_arr(view, "steps"), i, step)
	{
		const char *name = json_str(step, "id", "");
		const json_t *first = json_array_get(json_object_get(step, "calls"), 0);
		if (only && strcmp(name, only) != 0) continue;
		if (json_array_size(json_object_get(step, "calls")) >= VIEW_CALLS && !printed_is_first(first))
			message("step %s: the engine shows its last calls only; rung report %s has all of them", name, id);
		json_array_foreach(json_arr(step, "calls"), k, call) if (!err) err =
		    raw ? write_raw(u, id, name, call, raw, e) : print_call_output(u, id, name, call, e);
	}
	json_decref(view);
	return err;
}

static enum err read_limit(const struct invocation *in, long long *limit, struct error *e)
{
	const char *text = given_value(in, "limit");
	char *end = NULL;
	*limit = text ? strtoll(text, &end, 10) : given(in, "all") || given(in, "json") ? LIMIT_MAX : DEFAULT_LIMIT;
	if (text && (!*text || *end || *limit < 1 || *limit > LIMIT_MAX))
		return error_set(e, ERR_USAGE, "--limit %s: a number from 1 to %d was expected", text, LIMIT_MAX);
	return ERR_OK;
}

/* The stream that --raw asks for, NULL without it. What a host printed can do anything to a terminal: its bytes never go to one. */
static enum err read_raw(const struct invocation *in, const char **raw, struct error *e)
{
	const char *stream = given_value(in, "raw");
	*raw = NULL;
	if (!stream) return ERR_OK;
	if (strcmp(stream, "stdout") != 0 && strcmp(stream, "stderr") != 0)
		return error_set(e, ERR_USAGE, "--raw %s: stdout or stderr was expected, the stream whose bytes are wanted", stream);
	if (!given(in, "output") || given(in, "json"))
		return error_set(e, ERR_USAGE, "--raw goes with --output and without --json: rung log EXECUTION STEP --output --raw %s", stream);
	if (isatty(STDOUT_FILENO))
		return error_set(e, ERR_USAGE, "--raw: standard output is a terminal, which these bytes could steer: send them to a file or a pipe");
	*raw = stream;
	return ERR_OK;
}

static int run(const struct invocation *in)
{
	struct use u;
	struct error e = {0};
	const char *id, *raw;
	long long limit;
	if (use_open(in, false, &u, &e)) return fail(&e, given(in, "json"));
	enum err err = read_limit(in, &limit, &e);
	if (!err) err = read_raw(in, &raw, &e);
	if (!err && in->arg_count) {
		err = use_execution(&u, in->args[0], &id, &e);
		if (!err && given(in, "output"))
			err = print_outputs(&u, id, in->arg_count > 1 ? in->args[1] : NULL, raw, &e);
		else if (!err && in->arg_count > 1)
			err = error_set(&e, ERR_USAGE, "a step is named with --output alone: rung log %s --output %s", in->args[0], in->args[1]);
		else if (!err)
			err = print_records(&u, id, &e);
	} else if (!err && given(in, "output")) {
		err = error_set(&e, ERR_USAGE, "--output of which execution? rung log EXECUTION --output [STEP]");
	} else if (!err && u.client) {
		err = print_list(&u, given(in, "open"), limit, &e);
	} else if (!err && !u.json) {
		message("nothing has run here yet (%s)", u.workspace.state_dir);
	}
	int status = err ? fail(&e, u.json) : 0;
	use_close(&u);
	return status;
}

static const struct option options[] = {{"open", NULL, false, "only those that have not ended"},
                                        {"limit", "N", false, "at most so many (default 20)"},
                                        {"all", NULL, false, "all of them"},
                                        {"output", NULL, false, "what the calls of EXECUTION (of its STEP) printed, in the last attempt of each step"},
                                        {"raw", "STREAM", false, "with --output: the bytes of stdout or stderr as they are, never onto a terminal"},
                                        OPTION_STATE,
                                        {NULL, NULL, false, NULL}};

const struct command command_log = {
    .name = "log",
    .arguments = "[EXECUTION [STEP]]",
    .most = 2,
    .options = options,
    .help = "executions, newest first; with EXECUTION the records, or the output, of one",
    .longer = "With --json one object a line: {\"execution\",\"book\",\"state\",...}; with EXECUTION the records exactly as they are stored and hashed;\n"
              "with --output the calls: {\"execution\",\"step\",\"attempt\",\"call\",\"words\",\"state\",\"stdout\",\"stderr\"}, bytes that are no text as "
              "{\"b64\"}.",
    .run = run,
};
