#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/lines.h"
#include "cli/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE = 100, RECORD_DEPTH_MAX = 16, DEFAULT_LIMIT = 20, LIMIT_MAX = 1000000 };

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
	printf("%s  %s  %-9s  %3lld/%-3lld  %s  %s\n", json_str(x, "execution", ""), local_time(a, json_int(x, "started_us", 0)),
	       line_safe(a, json_str(x, "state", "")), (long long)json_int(x, "steps_done", 0), (long long)json_int(x, "steps", 0),
	       line_fit(a, line_safe(a, json_str(x, "title", "")), 32, true), line_safe(a, json_str(x, "driver", "")));
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
		json_array_foreach(list, i, x)
		{
			print_execution(u, x);
			before = arena_strdup(u->arena, json_str(x, "execution", ""));
		}
		answer_clear(&a);
		left -= (long long)n;
		if (n < PAGE) break;
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
	if (u->json) {
		printf("%s\n", line);
		return;
	}
	json_t *r = json_parse(line, strlen(line), RECORD_DEPTH_MAX, &e);
	const char *step = json_str(r, "s", ""), *t = json_str(r, "t", "");
	printf("%6lld  %.19s  %-22s", (long long)json_int(r, "seq", 0), t, json_str(r, "k", "?"));
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

static enum err read_limit(const struct invocation *in, long long *limit, struct error *e)
{
	const char *text = given_value(in, "limit");
	char *end = NULL;
	*limit = text ? strtoll(text, &end, 10) : given(in, "all") || given(in, "json") ? LIMIT_MAX : DEFAULT_LIMIT;
	if (text && (!*text || *end || *limit < 1 || *limit > LIMIT_MAX))
		return error_set(e, ERR_USAGE, "--limit %s: a number from 1 to %d was expected", text, LIMIT_MAX);
	return ERR_OK;
}

static int run(const struct invocation *in)
{
	struct use u;
	struct error e = {0};
	const char *id;
	long long limit;
	if (use_open(in, false, &u, &e)) return fail(&e, given(in, "json"));
	enum err err = read_limit(in, &limit, &e);
	if (!err && in->arg_count) {
		err = use_execution(&u, in->args[0], &id, &e);
		if (!err) err = print_records(&u, id, &e);
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
                                        OPTION_STATE,
                                        {NULL, NULL, false, NULL}};

const struct command command_log = {
    .name = "log",
    .arguments = "[EXECUTION]",
    .most = 1,
    .options = options,
    .help = "executions, newest first; with EXECUTION the records of one",
    .longer = "With --json one object a line: {\"execution\",\"book\",\"state\",...}; with EXECUTION the records exactly as they are stored and hashed.",
    .run = run,
};
