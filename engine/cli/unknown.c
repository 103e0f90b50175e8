#include "cli/unknown.h"
#include "base/json.h"
#include "cli/screen.h"

#include <string.h>
#include <time.h>

const struct unknown_answer unknown_answers[] = {
    {'a', "again", "it did not happen, or may happen twice: make it once more"},
    {'f', "failed", "it did not happen and shall not: the step sees it fail"},
    {'d', "done", "it did happen, and the rest too: the step succeeded"},
    {0, NULL, NULL},
};

const struct unknown_answer *unknown_answer_find(const char *name)
{
	for (const struct unknown_answer *a = unknown_answers; a->name; a++)
		if (strcmp(a->name, name) == 0) return a;
	return NULL;
}

enum { LABEL_COLUMNS = 13 };

/* "  label     text", the text broken behind the label; mark stands before its first line ("- "), as many spaces before the others. */
static void add_item(struct lines *out, const char *label, const char *mark, const char *text, size_t columns)
{
	struct lines wrapped;
	size_t before = LABEL_COLUMNS + strlen(mark);
	lines_init(&wrapped, out->arena);
	lines_wrap(&wrapped, text, columns > 2 * before ? columns - before : before, "", "");
	for (size_t i = 0; i < wrapped.count; i++)
		lines_printf(out, "  %-*s%*s%s", LABEL_COLUMNS - 2, i ? "" : label, (int)strlen(mark), i ? "" : mark, wrapped.line[i]);
}

static void add_row(struct lines *out, const char *label, const char *text, size_t columns)
{
	add_item(out, label, "", text, columns);
}

/* The time of day here, with the day where it is not today's. */
static const char *when(struct arena *a, json_int_t us)
{
	char text[64] = "?", today[16] = "", day[16] = "";
	time_t t = (time_t)(us / 1000000), now = time(NULL);
	struct tm tm, tm_now;
	if (localtime_r(&t, &tm) && localtime_r(&now, &tm_now)) {
		strftime(today, sizeof today, "%F", &tm_now);
		strftime(day, sizeof day, "%F", &tm);
		strftime(text, sizeof text, strcmp(day, today) == 0 ? "%T" : "%F %T", &tm);
	}
	return arena_strdup(a, text);
}

static const char *list_words(struct arena *a, const json_t *list)
{
	const char *out = "";
	size_t i;
	json_t *name;
	json_array_foreach(list, i, name) out = arena_printf(a, "%s%s%s", out, *out ? ", " : "", json_is_string(name) ? json_string_value(name) : "?");
	return out;
}

/* When it was sent, where it ran and what it was given. */
static const char *given_words(struct arena *a, const json_t *call)
{
	const char *text = when(a, json_int(call, "started_us", 0)), *secret = json_str(call, "stdin_secret", NULL), *host = json_str(call, "host", NULL);
	if (host) text = arena_printf(a, "%s to %s", text, host);
	if (json_str(call, "cwd", NULL)) text = arena_printf(a, "%s, in %s", text, json_str(call, "cwd", "?"));
	if (json_int(call, "body_bytes", 0)) text = arena_printf(a, "%s; with a body of %lld bytes", text, (long long)json_int(call, "body_bytes", 0));
	if (secret)
		text = arena_printf(a, "%s; it read the secret %s", text, secret);
	else if (json_int(call, "stdin_bytes", 0))
		text = arena_printf(a, "%s; it read %lld bytes", text, (long long)json_int(call, "stdin_bytes", 0));
	if (json_array_size(json_arr(call, "env"))) text = arena_printf(a, "%s; with %s", text, list_words(a, json_arr(call, "env")));
	return line_exact(a, text);
}

static void add_printed(struct lines *out, const json_t *call, size_t columns)
{
	static const char *const streams[] = {"stdout", "stderr"};
	struct arena *a = out->arena;
	json_int_t printed = json_int(call, "output_bytes", 0);
	add_row(out, "printed", printed ? arena_printf(a, "%lld bytes by then, the last of them:", (long long)printed) : "nothing by then", columns);
	for (size_t i = 0; i < 2; i++) {
		const char *last = json_str(json_obj(json_obj(call, "output"), streams[i]), "last", "");
		struct lines some;
		lines_init(&some, a);
		if (*last) lines_split(&some, last);
		for (size_t k = 0; k < some.count; k++)
			lines_printf(out, "  %-*s%s %s", LABEL_COLUMNS - 2, k ? "" : streams[i], "|",
			             line_clip(a, line_source(a, some.line[k]), columns - LABEL_COLUMNS - 2, false));
	}
}

static void add_call(struct lines *out, const json_t *call, size_t columns)
{
	struct arena *a = out->arena;
	size_t i;
	json_t *fact;
	char label[32];
	snprintf(label, sizeof label, "call %lld", (long long)json_int(call, "call", 0));
	add_row(out, label, line_exact(a, json_str(call, "words", "")), columns);
	add_row(out, "sent", given_words(a, call), columns);
	add_row(out, "unknown", arena_printf(a, "%s: %s", when(a, json_int(call, "unknown_us", 0)), line_exact(a, json_str(call, "why", ""))), columns);
	add_printed(out, call, columns);
	json_array_foreach(json_arr(call, "facts"), i, fact)
	    add_row(out, line_safe(a, json_str(fact, "from", "")), line_exact(a, json_str(fact, "says", "")), columns);
	add_row(out, "effect", line_exact(a, json_str(call, "effect", "once")), columns);
}

/* One of many: what differs between them. */
static void add_brief(struct lines *out, const json_t *call, size_t columns)
{
	struct arena *a = out->arena;
	size_t i;
	json_t *fact;
	char label[32];
	snprintf(label, sizeof label, "call %lld", (long long)json_int(call, "call", 0));
	const char *host = json_str(call, "host", NULL);
	add_row(out, label,
	        arena_printf(a, "sent %s%s%s, printed %lld bytes: %s", when(a, json_int(call, "started_us", 0)), host ? " to " : "",
	                     host ? line_exact(a, host) : "", (long long)json_int(call, "output_bytes", 0), line_exact(a, json_str(call, "words", ""))),
	        columns);
	json_array_foreach(json_arr(call, "facts"), i, fact) if (json_str(fact, "settles", NULL))
	    add_row(out, "", line_exact(a, json_str(fact, "says", "")), columns);
}

/* What is said of all of them, once: why nobody knows, and facts that settle nothing. */
static void add_common(struct lines *out, const json_t *shown, size_t columns)
{
	const char *why = NULL, *fact = NULL, *from = "";
	bool same_why = true, same_fact = true;
	size_t i, k;
	json_t *call, *f;
	json_array_foreach(json_arr(shown, "calls"), i, call)
	{
		if (!json_bool(call, "selected", true)) continue;
		const char *says = NULL;
		json_array_foreach(json_arr(call, "facts"), k, f) if (!json_str(f, "settles", NULL)) says = json_str(f, "says", NULL),
		                                                                                     from = json_str(f, "from", "");
		if (!why) why = json_str(call, "why", ""), fact = says;
		same_why = same_why && strcmp(why, json_str(call, "why", "")) == 0;
		same_fact = same_fact && fact && says && strcmp(fact, says) == 0;
	}
	if (why && same_why) add_row(out, "unknown", line_exact(out->arena, why), columns);
	if (same_fact) add_row(out, line_safe(out->arena, from), line_exact(out->arena, fact), columns);
}

void unknown_lines(struct lines *out, const json_t *shown, size_t columns)
{
	enum { WHOLE_MAX = 3 };
	json_int_t selected = json_int(shown, "selected", 0), unknown = json_int(shown, "unknown", 0), put = 0;
	size_t i;
	json_t *call;
	json_array_foreach(json_arr(shown, "calls"), i, call)
	{
		if (!json_bool(call, "selected", true)) continue;
		if (selected > WHOLE_MAX) {
			add_brief(out, call, columns);
		} else {
			if (put) lines_add(out, "");
			add_call(out, call, columns);
		}
		put++;
	}
	if (selected > WHOLE_MAX) add_common(out, shown, columns);
	if (selected > put) lines_printf(out, "  and %lld more", (long long)(selected - put));
	if (unknown > selected) lines_printf(out, "  (of %lld unknown calls of this step)", (long long)unknown);
}

const char *proof_words(struct arena *a, const json_t *proof)
{
	static const char *const states[][2] = {
	    {"running", "runs since"}, {"succeeded", "held at"}, {"failed", "did not hold at"}, {"ended", "came to no end at"}};
	const char *state = json_str(proof, "state", ""), *text = state, *by = json_str(proof, "by", NULL), *why = json_str(proof, "why", NULL);
	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(states[i][0], state) == 0) text = states[i][1];
	json_int_t us = json_int(proof, "finished_us", 0) ? json_int(proof, "finished_us", 0) : json_int(proof, "started_us", 0);
	text = arena_printf(a, "%s %s%s%s%s", text, when(a, us), by ? " (" : "", by ? line_exact(a, by) : "", by ? " asked)" : "");
	return why ? arena_printf(a, "%s: %s", text, line_safe(a, why)) : text;
}

void unknown_proof_lines(struct lines *out, const json_t *shown, size_t columns)
{
	struct arena *a = out->arena;
	const json_t *proof = json_obj(shown, "proof");
	size_t i;
	json_t *call;
	if (!json_bool(shown, "can_verify", false)) {
		add_row(out, "verify", "the book has none for this step", columns);
		return;
	}
	add_row(out, "verify", proof ? proof_words(a, proof) : "has not been run", columns);
	json_array_foreach(json_arr(proof, "calls"), i, call)
	{
		const char *outcome = json_str(call, "outcome", "runs");
		const char *end = json_is_integer(json_object_get(call, "code")) ? arena_printf(a, "exit status %lld", (long long)json_int(call, "code", 0))
		                                                                 : line_exact(a, outcome);
		add_row(out, "", arena_printf(a, "%s: %s", line_exact(a, json_str(call, "words", "")), end), columns);
	}
	if (strcmp(json_str(proof, "state", ""), "failed") == 0) add_row(out, "", "that proves nothing: it may still have happened", columns);
}

void unknown_answer_lines(struct lines *out, const json_t *shown, const char *answer, size_t columns)
{
	size_t i;
	json_t *line;
	json_array_foreach(json_arr(json_obj(shown, "answers"), answer), i, line)
	    add_item(out, i ? "" : answer, "- ", line_exact(out->arena, json_is_string(line) ? json_string_value(line) : ""), columns);
}

void unknown_all_lines(struct lines *out, const json_t *shown, size_t columns)
{
	unknown_lines(out, shown, columns);
	lines_add(out, "");
	unknown_proof_lines(out, shown, columns);
	for (const struct unknown_answer *a = unknown_answers; a->name; a++) {
		lines_add(out, "");
		unknown_answer_lines(out, shown, a->name, columns);
	}
}
