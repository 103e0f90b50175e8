#include "cli/screen.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/screen_parts.h"
#include "cli/session.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct mark {
	const char *state, *unicode, *ascii, *sgr;
} marks[] = {
    {"pending", "○", ".", "2"},   {"ready", "○", ".", ""},         {"waiting", "●", "*", "1;33"}, {"running", "◐", ">", "1;36"},  {"succeeded", "✓", "+", "32"},
    {"failed", "✗", "x", "1;31"}, {"skipped", "–", "-", "2"},      {"unknown", "?", "?", "1;35"}, {"diverged", "✗", "x", "1;31"}, {"denied", "✗", "x", "1;31"},
    {"cancelled", "–", "-", "2"}, {"timed_out", "✗", "x", "1;31"}, {"undone", "–", "-", "2"},
};

const char *screen_paint(struct arena *a, const struct screen *s, const char *sgr, const char *text)
{
	return s->color && *sgr && *text ? arena_printf(a, "\033[%sm%s\033[0m", sgr, text) : text;
}

const char *screen_mark(struct arena *a, const char *state, const char *waiting, const struct screen *s, unsigned spin)
{
	static const char *const spinner[] = {"◐", "◓", "◑", "◒"}, *const ascii_spinner[] = {"|", "/", "-", "\\"};
	const struct mark *m = &marks[0];
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if (strcmp(marks[i].state, state) == 0) m = &marks[i];
	const char *text = s->unicode ? m->unicode : m->ascii;
	if (strcmp(state, "running") == 0) text = s->unicode ? spinner[spin % 4] : ascii_spinner[spin % 4];
	/* What waits for a person is a full dot whatever state it is in, but what ended badly keeps its mark. */
	if (*waiting && strcmp(waiting, "retry") != 0 && !strchr("x?", *m->ascii)) text = s->unicode ? "●" : "*", m = &marks[2];
	return screen_paint(a, s, m->sgr, text);
}

const char *screen_duration(struct arena *a, const json_t *step, int64_t now_us)
{
	json_int_t from = json_int(step, "started_us", 0), to = json_int(step, "finished_us", 0);
	if (from <= 0) return "";
	/* A person's word takes no time: no figure is better than 0.0 s. */
	if (json_bool(step, "manual", false) && to >= from && to - from < 100000) return "";
	struct buf b;
	buf_init(&b, 64);
	clock_duration_words(&b, (to >= from ? to : now_us) - from);
	const char *text = arena_strdup(a, b.data);
	buf_clear(&b);
	return text;
}

static void add_result(struct buf *b, const json_t *v, int depth)
{
	const char *key;
	json_t *member;
	size_t i;
	if (json_is_string(v)) {
		/* A NUL within would end it early. */
		text_visible(b, json_string_value(v), json_string_length(v), TEXT_KEEP_NEWLINE | TEXT_KEEP_TAB);
	} else if (json_is_object(v) && depth < 3) {
		bool first = true;
		json_object_foreach((json_t *)(uintptr_t)v, key, member)
		{
			buf_printf(b, "%s%s ", first ? "" : ", ", key);
			add_result(b, member, depth + 1);
			first = false;
		}
	} else if (json_is_array(v) && depth < 3) {
		json_array_foreach(v, i, member)
		{
			if (i) buf_str(b, ", ");
			add_result(b, member, depth + 1);
		}
		if (json_array_size(v) == 0) buf_str(b, "none");
	} else if (v && !json_is_null(v)) {
		char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
		buf_str(b, text ? text : "");
		free(text);
	}
}

const char *screen_result(struct arena *a, const json_t *result)
{
	struct buf b;
	buf_init(&b, 1 << 16);
	add_result(&b, result, 0);
	const char *text = line_safe(a, b.data ? b.data : "");
	buf_clear(&b);
	return text;
}

const char *screen_time(struct arena *a, int64_t us)
{
	time_t t = (time_t)(us / 1000000);
	struct tm tm;
	char text[16];
	if (us <= 0 || !localtime_r(&t, &tm) || !strftime(text, sizeof text, "%H:%M:%S", &tm)) return "";
	return arena_strdup(a, text);
}

static size_t step_number(const json_t *view, const json_t *step)
{
	size_t i;
	json_t *other;
	json_array_foreach(json_arr(view, "steps"), i, other) if (other == step) return i + 1;
	return 0;
}

/* Ids that an author chose are short and worth a column; those made of titles say the title twice: then steps go by number. */
static size_t label_columns(const json_t *view, bool *is_id)
{
	enum { ID_COLUMNS_MAX = 12 };
	size_t i, widest = 0, n = json_array_size(json_object_get(view, "steps"));
	json_t *step;
	json_array_foreach(json_arr(view, "steps"), i, step)
	{
		const char *id = json_str(step, "id", "");
		size_t columns = text_columns(id, strlen(id));
		if (columns > widest) widest = columns;
	}
	*is_id = widest <= ID_COLUMNS_MAX;
	return *is_id ? widest : n < 10 ? 1 : n < 100 ? 2 : n < 1000 ? 3 : 5;
}

const char *screen_label(struct arena *a, const json_t *view, const json_t *step)
{
	bool is_id;
	size_t columns = label_columns(view, &is_id);
	if (!is_id) return arena_printf(a, "%*zu", (int)columns, step_number(view, step));
	return line_fit(a, line_safe(a, json_str(step, "id", "")), columns, true);
}

/* What stands at the right end of a step's line. */
static const char *right_end(struct arena *a, const json_t *step, const struct screen *s)
{
	const char *state = json_str(step, "state", "pending"), *waiting = json_str(step, "waiting", "");
	const char *took = screen_duration(a, step, s->now_us);
	bool is_open = strcmp(state, "pending") == 0 || strcmp(state, "ready") == 0 || strcmp(state, "waiting") == 0;
	if (is_open && strcmp(waiting, "answer") == 0) return "asks";
	if (is_open && strcmp(waiting, "child") == 0) return "its runbook waits";
	if (is_open) return json_bool(step, "manual", false) ? "by hand" : line_safe(a, json_str(step, "risk", ""));
	if (strcmp(state, "running") == 0) return took;
	size_t room = (size_t)s->columns / 3;
	const char *result = line_clip(a, screen_result(a, json_object_get(step, "result")), room, s->unicode);
	if (strcmp(state, "succeeded") != 0) result = strcmp(state, "timed_out") == 0 ? "timed out" : line_safe(a, state);
	return *took && *result ? arena_printf(a, "%s   %s", took, result) : arena_printf(a, "%s%s", took, result);
}

const char *screen_step_line(struct arena *a, const json_t *view, const json_t *step, const struct screen *s, unsigned spin)
{
	const char *state = json_str(step, "state", "pending"), *waiting = json_str(step, "waiting", "");
	const char *mark = screen_mark(a, state, waiting, s, spin);
	const char *label = screen_paint(a, s, "2", screen_label(a, view, step));
	const char *title = line_safe(a, json_str(step, "title", ""));
	json_int_t attempt = json_int(step, "attempt", 0);
	if (attempt > 1) title = arena_printf(a, "%s (attempt %lld)", title, (long long)attempt);
	if (*waiting && strcmp(waiting, "retry") != 0) title = screen_paint(a, s, "1", title);
	const char *left = arena_printf(a, "  %s %s  %s", mark, label, title);
	return line_ends(a, left, screen_paint(a, s, "2", right_end(a, step, s)), (size_t)s->columns - 1, s->unicode);
}

/* "reviewed 12 days ago" of the book's metadata, "" where it has no date. */
static const char *reviewed(struct arena *a, const json_t *meta, int64_t now_us)
{
	static const struct {
		const char *key, *word;
	} dates[] = {{"last_reviewed_on", "reviewed"}, {"last_reviewed", "reviewed"}, {"last_updated", "updated"}};
	for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
		int64_t us;
		const char *text = json_str(meta, dates[i].key, NULL);
		if (!text) continue;
		if (!clock_parse_date(text, &us)) return arena_printf(a, "%s %s", dates[i].word, line_safe(a, text));
		long long days = (now_us - us) / 86400000000;
		if (days < 1) return arena_printf(a, "%s today", dates[i].word);
		return arena_printf(a, "%s %lld day%s ago", dates[i].word, days, days == 1 ? "" : "s");
	}
	return "";
}

static void add_word(struct arena *a, const char **list, const char *word, const struct screen *s)
{
	if (word && *word) *list = **list ? arena_printf(a, "%s %s %s", *list, s->unicode ? "·" : "-", word) : word;
}

static void header_params(struct lines *out, const json_t *view, const struct screen *s)
{
	struct arena *a = out->arena;
	const char *key, *list = "";
	json_t *value;
	json_object_foreach(json_obj(view, "params"), key, value)
	{
		/* An input that nobody has given yet is empty. */
		const char *text = screen_result(a, value);
		if (*text) add_word(a, &list, arena_printf(a, "%s = %s", line_safe(a, key), text), s);
	}
	if (*list) lines_wrap(out, list, (size_t)s->columns - 1, "", "");
}

void screen_header(struct lines *out, const json_t *view, const json_t *hello, const struct screen *s)
{
	struct arena *a = out->arena;
	const json_t *book = json_obj(view, "book"), *meta = json_obj(book, "meta");
	const char *right = "", *owner = json_str(meta, "owner", json_str(meta, "author", json_str(meta, "escalation_poc", "")));
	add_word(a, &right, line_safe(a, json_str(book, "id", "")), s);
	add_word(a, &right, line_clip(a, line_safe(a, owner), 24, s->unicode), s);
	add_word(a, &right, reviewed(a, meta, s->now_us), s);
	const char *title = line_safe(a, json_str(book, "title", json_str(book, "path", "")));
	lines_add(out, line_ends(a, screen_paint(a, s, "1", title), screen_paint(a, s, "2", right), (size_t)s->columns - 1, s->unicode));
	const char *description = line_safe(a, json_str(book, "description", ""));
	if (*description) lines_wrap(out, description, (size_t)s->columns - 1, "", "");
	const char *origin = "";
	add_word(a, &origin, arena_printf(a, "engine %s@%s", line_safe(a, json_str(hello, "user", "?")), line_safe(a, json_str(hello, "host", "?"))), s);
	add_word(a, &origin, arena_printf(a, "execution %s", line_safe(a, json_str(view, "execution", ""))), s);
	add_word(a, &origin, line_safe(a, json_str(view, "driver", "")), s);
	lines_add(out, screen_paint(a, s, "2", line_clip(a, origin, (size_t)s->columns - 1, s->unicode)));
	header_params(out, view, s);
	const json_t *parent = json_obj(view, "parent");
	if (parent) lines_printf(out, "started by step %s of execution %s", line_safe(a, json_str(parent, "step", "")), json_str(parent, "execution", ""));
	lines_add(out, "");
}

void screen_tail(struct lines *out, struct tail *tail, size_t most, const struct screen *s)
{
	struct arena *a = out->arena;
	size_t n = tail ? tail_count(tail) : 0, from = n > most ? n - most : 0;
	const char *bar = screen_paint(a, s, "2", s->unicode ? "│" : "|");
	uint64_t above = n ? tail_dropped(tail) + from : 0;
	if (above && most > 1) {
		from++;
		const char *more = arena_printf(a, "%s %llu lines before", s->unicode ? "…" : "...", (unsigned long long)above + 1);
		lines_printf(out, "    %s %s", bar, screen_paint(a, s, "2", line_clip(a, more, (size_t)s->columns - 8, s->unicode)));
	}
	for (size_t i = from; i < n; i++)
		lines_printf(out, "    %s %s", bar, line_clip(a, arena_strdup(a, tail_line(tail, i)), (size_t)s->columns - 8, s->unicode));
}

void screen_finished_step(struct lines *out, const json_t *view, const json_t *step, struct tail *tail, const struct screen *s)
{
	enum { KEPT_LINES = 8 };
	struct arena *a = out->arena;
	lines_add(out, screen_step_line(a, view, step, s, 0));
	screen_tail(out, tail, KEPT_LINES, s);
	const char *state = json_str(step, "state", ""), *why = line_safe(a, json_str(step, "why", "")), *note = line_safe(a, json_str(step, "note", ""));
	if (*why && strcmp(state, "succeeded") != 0)
		lines_wrap(out, why, (size_t)s->columns - 1, "      ", s->color && strcmp(state, "skipped") != 0 ? "\033[31m" : "");
	if (*note && strcmp(note, why) != 0) lines_wrap(out, note, (size_t)s->columns - 1, "      ", "");
}

void screen_overview(struct lines *out, const json_t *view, const struct screen *s)
{
	size_t i;
	json_t *step;
	const char *phase = "";
	json_array_foreach(json_arr(view, "steps"), i, step)
	{
		const char *section = json_str(step, "section", "");
		if (strcmp(section, phase) != 0 && *section) {
			if (i) lines_add(out, "");
			lines_add(out, screen_paint(out->arena, s, "1", line_safe(out->arena, section)));
		}
		phase = section;
		lines_add(out, screen_step_line(out->arena, view, step, s, 0));
	}
}

/* What the end left in the air: it must not be forgotten that these calls were sent. */
static void add_unknown_calls(struct lines *out, const json_t *view, const struct screen *s)
{
	size_t i, k;
	json_t *step, *call;
	json_array_foreach(json_arr(view, "steps"), i, step)
	{
		if (strcmp(json_str(step, "state", ""), "unknown") != 0) continue;
		lines_add(out, screen_step_line(out->arena, view, step, s, 0));
		json_array_foreach(json_arr(step, "calls"), k, call) if (strcmp(json_str(call, "state", ""), "unknown") == 0)
		    lines_wrap(out, arena_printf(out->arena, "sent, and nobody saw what became of it: %s", line_safe(out->arena, json_str(call, "words", ""))),
		               (size_t)s->columns - 1, "      ", "");
	}
}

void screen_ending(struct lines *out, const json_t *view, const struct screen *s)
{
	struct arena *a = out->arena;
	add_unknown_calls(out, view, s);
	size_t i, done = 0, skipped = 0, n = json_array_size(json_object_get(view, "steps"));
	json_t *step;
	json_array_foreach(json_arr(view, "steps"), i, step)
	{
		const char *state = json_str(step, "state", "");
		done += strcmp(state, "succeeded") == 0;
		skipped += strcmp(state, "skipped") == 0;
	}
	screen_findings(out, view, s);
	screen_children(out, view, NULL, s);
	screen_conclusion(out, view, s);
	const char *state = json_str(view, "state", ""), *took = screen_duration(a, view, s->now_us);
	const char *word = strcmp(state, "timed_out") == 0 ? "timed out" : line_safe(a, state);
	const char *sgr = strcmp(state, "succeeded") == 0 ? "1;32" : "1;31";
	const char *rest = skipped ? arena_printf(a, ", %zu skipped", skipped) : "";
	lines_printf(out, "%s: %zu of %zu step%s done%s%s%s", screen_paint(a, s, sgr, word), done, n, n == 1 ? "" : "s", rest, *took ? ", in " : "", took);
	lines_printf(out, "rung report %s", json_str(view, "execution", ""));
}
