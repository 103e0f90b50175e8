#include "cli/unknown.h"
#include "base/json.h"

#include <string.h>
#include <time.h>

static const char *env_words(struct arena *a, const json_t *env)
{
	const char *out = "";
	size_t i;
	json_t *name;
	json_array_foreach(env, i, name) out = arena_printf(a, "%s%s%s", out, *out ? ", " : "", json_is_string(name) ? json_string_value(name) : "?");
	return out;
}

/* Where it ran and what it was given. */
static void add_given(struct lines *out, const json_t *facts, size_t columns)
{
	struct arena *a = out->arena;
	const char *text = arena_printf(a, "in %s", json_str(facts, "cwd", "?")), *secret = json_str(facts, "stdin_secret", NULL);
	if (secret)
		text = arena_printf(a, "%s; it read the secret %s", text, secret);
	else if (json_int(facts, "stdin_bytes", 0))
		text = arena_printf(a, "%s; it read %lld bytes", text, (long long)json_int(facts, "stdin_bytes", 0));
	if (json_array_size(json_object_get(facts, "env"))) text = arena_printf(a, "%s; with %s", text, env_words(a, json_object_get(facts, "env")));
	lines_wrap(out, line_exact(a, text), columns, "    ", "");
}

static void add_call(struct lines *out, const json_t *call, size_t columns)
{
	struct arena *a = out->arena;
	const json_t *facts = json_obj(call, "unknown"), *answers = json_obj(facts, "answers");
	static const char *const names[] = {"again", "failed", "done"};
	char when[64] = "";
	time_t t = (time_t)(json_int(call, "started_us", 0) / 1000000);
	struct tm tm;
	if (localtime_r(&t, &tm)) strftime(when, sizeof when, "%F %T", &tm);
	lines_wrap(out, arena_printf(a, "call %lld, sent %s: %s", (long long)json_int(call, "call", 0), when, line_exact(a, json_str(call, "words", ""))),
	           columns, "  ", "");
	if (!facts) return;
	add_given(out, facts, columns);
	lines_wrap(out, arena_printf(a, "effect %s; %s", line_exact(a, json_str(call, "effect", "once")), line_exact(a, json_str(facts, "why", ""))), columns,
	           "    ", "");
	json_int_t printed = json_int(facts, "output_bytes", 0);
	lines_wrap(out,
	           printed ? arena_printf(a, "it had printed %lld bytes by then: rung log --output shows them", (long long)printed)
	                   : "it had printed nothing by then",
	           columns, "    ", "");
	for (size_t i = 0; i < 3; i++)
		lines_wrap(out, arena_printf(a, "%-7s %s", names[i], line_exact(a, json_str(answers, names[i], ""))), columns, "    ", "");
}

void unknown_lines(struct lines *out, const json_t *step, size_t columns)
{
	size_t i;
	json_t *call;
	json_array_foreach(json_arr(step, "calls"), i, call) if (strcmp(json_str(call, "state", ""), "unknown") == 0) add_call(out, call, columns);
}
