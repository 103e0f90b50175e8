#include "base/clock.h"
#include "cli/screen.h"
#include "cli/screen_parts.h"
#include "cli/session.h"
#include "cli/unknown.h"

#include <stdlib.h>
#include <string.h>

/* A part of the panel: how few lines of it must be seen, and which end gives way where there is no room. */
struct part {
	struct lines lines;
	size_t least;
	bool keeps_end;
	const char *more; /* where the rest can be seen */
	size_t granted;
};

enum part_name { PART_LIST, PART_HEADING, PART_TEXT, PART_FACTS, PART_TAIL, PART_NOTICE, PART_FOOT, PART_N };

size_t step_commands(const json_t *step)
{
	size_t i, n = 0;
	json_t *fence;
	json_array_foreach(json_arr(step, "fences"), i, fence) if (strcmp(json_str(fence, "role", ""), "shell") == 0) n +=
	    json_array_size(json_object_get(fence, "commands"));
	return n;
}

const char *step_command(const json_t *step, size_t at, size_t *fence)
{
	size_t i;
	json_t *f;
	json_array_foreach(json_arr(step, "fences"), i, f)
	{
		if (strcmp(json_str(f, "role", ""), "shell") != 0) continue;
		const json_t *commands = json_object_get(f, "commands");
		if (at < json_array_size(commands)) {
			*fence = i;
			return json_string_value(json_array_get(commands, at));
		}
		at -= json_array_size(commands);
	}
	return NULL;
}

/* Steps that are not over: what is still to come. Those that are stand above, printed for good. */
static void make_list(struct lines *out, const struct panel *p, const struct screen *s)
{
	size_t i;
	json_t *step;
	json_array_foreach(json_arr(p->view, "steps"), i, step)
	{
		if (step_is_over(step)) continue;
		lines_add(out, screen_step_line(out->arena, p->view, step, s, p->spin));
	}
}

static void make_heading(struct lines *out, const struct panel *p, const struct screen *s)
{
	struct arena *a = out->arena;
	if (!p->step) return;
	size_t i, number = 0, n = json_array_size(json_object_get(p->view, "steps"));
	json_t *step;
	json_array_foreach(json_arr(p->view, "steps"), i, step) if (step == p->step) number = i + 1;
	const char *title = line_safe(a, json_str(p->step, "title", "")), *dot = s->unicode ? "·" : "-";
	const char *kind = json_bool(p->step, "manual", false) ? "by hand" : arena_printf(a, "%s, by itself", line_safe(a, json_str(p->step, "risk", "")));
	const char *owner = line_safe(a, json_str(p->step, "owner", ""));
	if (*owner) kind = arena_printf(a, "%s %s %s", kind, dot, owner);
	lines_add(out, "");
	const char *left = arena_printf(a, "Step %zu of %zu %s %s", number, n, dot, screen_paint(a, s, "1", title));
	lines_add(out, line_ends(a, left, screen_paint(a, s, "2", kind), (size_t)s->columns - 1, s->unicode));
}

static void wrap_fact(struct lines *out, const struct screen *s, const char *name, const char *text)
{
	struct lines some;
	lines_init(&some, out->arena);
	size_t margin = 2 + line_columns(name) + 1;
	lines_wrap(&some, text, (size_t)s->columns - 1 > margin ? (size_t)s->columns - 1 - margin : 20, "", "");
	for (size_t i = 0; i < some.count; i++) {
		if (i == 0)
			lines_printf(out, "  %s %s", screen_paint(out->arena, s, "1", name), some.line[i]);
		else
			lines_printf(out, "%*s%s", (int)margin, "", some.line[i]);
	}
}

static void add_rights(struct lines *out, const struct panel *p, const struct screen *s)
{
	enum { SHOWN = 4 };
	const json_t *own = json_arr(p->step, "permissions");
	/* A step that narrows nothing may call what the book declares. */
	if (json_array_size(own) == 0) own = json_arr(json_obj(p->view, "book"), "permissions");
	size_t n = json_array_size(own);
	for (size_t i = 0; i < n && i < SHOWN; i++) {
		const json_t *one = json_array_get(own, i);
		const char *pattern = json_is_object(one) ? json_str(one, "pattern", "") : json_string_value(one);
		lines_printf(out, "  %s %s", i == 0 ? screen_paint(out->arena, s, "1", "May call") : "        ",
		             line_clip(out->arena, line_exact(out->arena, pattern ? pattern : ""), (size_t)s->columns - 14, s->unicode));
	}
	if (n > SHOWN) lines_printf(out, "           and %zu more: v", n - SHOWN);
}

static size_t count_lines(const char *text)
{
	size_t n = *text ? 1 : 0;
	for (; *text; text++) n += *text == '\n' && text[1];
	return n;
}

static void add_source(struct lines *out, const struct panel *p, const struct screen *s)
{
	size_t i;
	json_t *fence;
	json_array_foreach(json_arr(p->step, "fences"), i, fence)
	{
		const char *role = json_str(fence, "role", "");
		if (strcmp(role, "action") != 0 && strcmp(role, "verify") != 0) continue;
		size_t n = count_lines(json_str(fence, "source", ""));
		const char *what = strcmp(role, "action") == 0 ? "Runs" : "Proves with";
		wrap_fact(out, s, what,
		          arena_printf(out->arena, "%zu line%s of %s, line %lld of the book: v shows them", n, n == 1 ? "" : "s",
		                       line_safe(out->arena, json_str(fence, "language", "lua")), (long long)json_int(fence, "line", 0)));
	}
}

static void add_next_command(struct lines *out, const struct panel *p, const struct screen *s)
{
	enum { SHOWN = 6 };
	struct arena *a = out->arena;
	size_t fence, n = step_commands(p->step);
	const char *command = step_command(p->step, p->next_command, &fence);
	if (n == 0) return;
	if (!command) {
		lines_add(out, n == 1 ? "  The command of this step ran." : arena_printf(a, "  All %zu commands of this step ran.", n));
		return;
	}
	lines_printf(out, "  %s",
	             screen_paint(a, s, "1", arena_printf(a, "Next command, %zu of %zu%s:", p->next_command + 1, n, n > 1 ? " (up, down choose)" : "")));
	struct lines some;
	lines_init(&some, a);
	lines_split(&some, command);
	for (size_t i = 0; i < some.count && i < SHOWN; i++)
		lines_printf(out, "    %s %s", i == 0 ? "$" : " ", line_clip(a, line_source(a, some.line[i]), (size_t)s->columns - 8, s->unicode));
	if (some.count > SHOWN) lines_printf(out, "      %s %zu more lines: v", s->unicode ? "…" : "...", some.count - SHOWN);
}

/* What would help where a right is missing: a key, or nothing that this run can do. */
static void add_rights_missing(struct lines *out, const struct panel *p, const struct screen *s)
{
	const char *id = json_str(p->step, "id", "-");
	json_t *patterns = view_denied(p->view, id);
	size_t n = json_array_size(patterns);
	const char *by = view_forbidden_by(p->view, id);
	if (n == 0 && by && strcmp(by, "policy") == 0)
		wrap_fact(out, s, "No key allows it:",
		          "the policy does not. s skips the step; d marks it done, once somebody has done it; or ask for the rule and press a to try again.");
	else if (n == 0 && by)
		wrap_fact(out, s, "No key allows it:",
		          "the book itself does not. s skips the step; d marks it done, once you have done it by hand; or x stops here: mend the book's "
		          "Permissions and run it again.");
	for (size_t i = 0; i < n; i++)
		wrap_fact(out, s, i == 0 ? "y would allow" : "          and", line_exact(out->arena, json_string_value(json_array_get(patterns, i))));
	json_decref(patterns);
}

static void add_trouble(struct lines *out, const struct panel *p, const struct screen *s)
{
	struct arena *a = out->arena;
	const char *state = json_str(p->step, "state", ""), *why = line_safe(a, json_str(p->step, "why", ""));
	const char *word = strcmp(state, "timed_out") == 0  ? "Timed out:"
	                   : strcmp(state, "denied") == 0   ? "Denied:"
	                   : strcmp(state, "diverged") == 0 ? "Diverged:"
	                                                    : "Failed:";
	if (strcmp(json_str(p->step, "waiting", ""), "decision") == 0) wrap_fact(out, s, screen_paint(a, s, "31", word), *why ? why : "no reason was given");
	add_rights_missing(out, p, s);
}

static void add_unknown(struct lines *out, const struct panel *p, const struct screen *s)
{
	struct arena *a = out->arena;
	const json_t *proof = json_obj(p->step, "proof");
	bool is_proving = strcmp(json_str(proof, "state", ""), "running") == 0 && strcmp(json_str(p->step, "state", ""), "unknown") == 0;
	size_t i;
	json_t *call;
	if (strcmp(json_str(p->step, "waiting", ""), "resolve") != 0 && !is_proving) return;
	lines_add(out, screen_paint(a, s, "1;35", "  Sent, but nobody saw what became of it:"));
	json_array_foreach(json_arr(p->step, "calls"), i, call)
	{
		if (strcmp(json_str(call, "state", ""), "unknown") != 0) continue;
		lines_printf(out, "    call %lld, sent %s: %s", (long long)json_int(call, "call", 0), screen_time(a, json_int(call, "started_us", 0)),
		             line_safe(a, json_str(call, "words", "")));
	}
	if (proof) wrap_fact(out, s, "Its verify", proof_words(a, proof));
	if (!is_proving) lines_add(out, "  Look at the target first. Enter: what is known, what each answer brings.");
}

static void add_question(struct lines *out, const struct panel *p, const struct screen *s)
{
	struct arena *a = out->arena;
	size_t i, k;
	json_t *q, *choice;
	json_array_foreach(json_arr(p->view, "questions"), i, q)
	{
		if (strcmp(json_str(q, "step", ""), json_str(p->step, "id", "-")) != 0) continue;
		lines_wrap(out, line_safe(a, json_str(q, "prompt", "")), (size_t)s->columns - 1, "  ", s->color ? "\033[1m" : "");
		if (strcmp(json_str(q, "type", ""), "bool") == 0) lines_add(out, "    y  yes    n  no");
		json_array_foreach(json_arr(q, "choices"), k, choice)
		    lines_printf(out, "    %zu  %s", k + 1, line_clip(a, screen_result(a, choice), (size_t)s->columns - 12, s->unicode));
		return;
	}
}

/* Whom it waits for, who has agreed, and how to agree. */
static void add_approval(struct lines *out, const struct panel *p, const struct screen *s)
{
	struct arena *a = out->arena;
	size_t i, k;
	json_t *o, *given;
	json_array_foreach(json_arr(p->view, "approvals"), i, o)
	{
		if (strcmp(json_str(o, "step", ""), json_str(p->step, "id", "-")) != 0) continue;
		if (json_str(o, "prompt", NULL))
			lines_wrap(out, line_safe(a, json_str(o, "prompt", "")), (size_t)s->columns - 1, "  ", s->color ? "\033[1m" : "");
		wrap_fact(out, s, "Waits until others agree:", line_exact(a, json_str(o, "from", "")));
		json_array_foreach(json_arr(o, "given"), k, given) wrap_fact(out, s, "Agreed:", line_exact(a, json_str(given, "by", "")));
		wrap_fact(out, s,
		          "They type:", arena_printf(a, "rung approve %s %s", json_str(p->view, "execution", ""), line_exact(a, json_str(p->step, "id", ""))));
	}
}

static void add_running(struct lines *out, const struct panel *p, const struct screen *s)
{
	struct arena *a = out->arena;
	const char *waiting = json_str(p->step, "waiting", "");
	size_t i;
	json_t *call;
	if (strcmp(waiting, "retry") == 0) {
		json_int_t left = json_int(p->step, "due_us", 0) - s->now_us;
		lines_printf(out, "  Tries again at %s, in %lld s. %s", screen_time(a, json_int(p->step, "due_us", 0)),
		             left > 0 ? (long long)(left / 1000000) : 0,
		             line_clip(a, line_safe(a, json_str(p->step, "why", "")), (size_t)s->columns / 2, s->unicode));
	}
	json_array_foreach(json_arr(p->step, "calls"), i, call) if (strcmp(json_str(call, "state", ""), "running") == 0)
	    lines_add(out, line_clip(a,
	                             arena_printf(a, "  %s %s  %s", screen_paint(a, s, "36", "runs"), line_safe(a, json_str(call, "words", "")),
	                                          screen_duration(a, call, s->now_us)),
	                             (size_t)s->columns - 1, s->unicode));
}

static void make_facts(struct lines *out, const struct panel *p, const struct screen *s)
{
	struct lines facts;
	lines_init(&facts, out->arena);
	if (!p->step) {
		if (!view_is_over(p->view) && p->is_watching) return;
		if (!view_is_over(p->view) && !json_bool(p->view, "interrupted", false) && !json_bool(p->view, "paused", false))
			lines_add(&facts, "  Nothing waits for you now.");
	} else {
		const char *waiting = json_str(p->step, "waiting", ""), *expect = line_safe(out->arena, json_str(p->step, "expect", ""));
		bool is_open = strcmp(waiting, "go") == 0 || strcmp(waiting, "person") == 0;
		if (strcmp(waiting, "go") == 0) add_source(&facts, p, s), add_rights(&facts, p, s);
		add_running(&facts, p, s);
		add_trouble(&facts, p, s);
		add_unknown(&facts, p, s);
		screen_children(&facts, p->view, json_str(p->step, "id", ""), s);
		if (strcmp(waiting, "approval") == 0) add_approval(&facts, p, s);
		if (strcmp(waiting, "answer") == 0) add_question(&facts, p, s);
		if (is_open || strcmp(waiting, "decision") == 0) add_next_command(&facts, p, s);
		if (is_open && *expect) wrap_fact(&facts, s, "You should see:", expect);
	}
	screen_findings(&facts, p->view, s);
	if (json_bool(p->view, "interrupted", false))
		lines_wrap(&facts, "The engine ended while this was open. Everything recorded is safe; nothing moves until you go on.", (size_t)s->columns - 1,
		           "  ", "");
	else if (json_bool(p->view, "paused", false))
		lines_wrap(&facts, "Paused: what runs finishes, nothing new starts until you go on.", (size_t)s->columns - 1, "  ", "");
	if (!facts.count) return;
	lines_add(out, "");
	for (size_t i = 0; i < facts.count; i++) lines_add(out, line_clip(out->arena, facts.line[i], (size_t)s->columns - 1, s->unicode));
}

/* Words side by side, broken into as many lines as they need. */
static void flow_words(struct lines *out, const char *const *words, size_t n, const struct screen *s)
{
	struct arena *a = out->arena;
	const char *line = "";
	for (size_t i = 0; i < n; i++) {
		const char *word = line_clip(a, words[i], (size_t)s->columns - 3, s->unicode);
		if (*line && line_columns(line) + 3 + line_columns(word) > (size_t)s->columns - 1) {
			lines_add(out, line);
			line = "";
		}
		line = arena_printf(a, "%s%s%s", line, *line ? "   " : "  ", word);
	}
	if (*line) lines_add(out, line);
}

static const char *key_words(struct arena *a, const struct screen *s, const char *label, const char *what)
{
	return arena_printf(a, "%s %s", screen_paint(a, s, "1;4", label), what);
}

static void make_keys(struct lines *out, const struct panel *p, const struct screen *s)
{
	const char *words[32];
	size_t n = 0;
	unsigned when = keys_when(p->view, p->step, p->next_command, p->waiting_count);
	for (const struct key_info *k = key_table; k->key && n < 32; k++) {
		if (!k->what || !(k->when & when || k->when == WHEN_ALWAYS)) continue;
		if (p->is_watching && k->when != WHEN_ALWAYS && !(k->when & WHEN_PRINTED)) continue;
		/* Enter does it already. */
		if (k->action == ACTION_RUN && !(when & (WHEN_GO | WHEN_ANSWER | WHEN_RESOLVE))) continue;
		words[n++] = key_words(out->arena, s, k->label, keys_word(k, when));
	}
	flow_words(out, words, n, s);
}

/* What is being typed, the part around the cursor where it is long. */
static const char *typed_text(struct arena *a, const struct screen_dialog *d, const struct screen *s, size_t *before)
{
	size_t room = (size_t)s->columns - 4;
	char *left = tail_visible(d->typed, d->cursor), *right = tail_visible(d->typed + d->cursor, strlen(d->typed + d->cursor));
	const char *from = left;
	while (line_columns(from) > room)
		for (from++; (*from & 0xc0) == 0x80;) from++;
	*before = line_columns(from);
	const char *text = line_clip(a, arena_printf(a, "%s%s", from, right), room + 1, s->unicode);
	free(left);
	free(right);
	return text;
}

static void make_foot(struct lines *out, const struct panel *p, const struct screen *s, size_t *cursor)
{
	struct arena *a = out->arena;
	const struct screen_dialog *d = p->dialog;
	const char *typed = "";
	size_t before = 0;
	lines_add(out, "");
	if (!d || !d->title) {
		make_keys(out, p, s);
	} else {
		const char *words[16];
		size_t n = 0;
		lines_wrap(out, d->title, (size_t)s->columns - 1, "  ", s->color ? "\033[1m" : "");
		for (size_t i = 0; d->text && d->text[i]; i++) lines_wrap(out, d->text[i], (size_t)s->columns - 1, "  ", "");
		for (const struct choice *c = d->choices; c && c->key && n < 16; c++) words[n++] = key_words(a, s, c->label, c->what);
		flow_words(out, words, n, s);
		if (d->is_typing) typed = typed_text(a, d, s, &before);
	}
	lines_printf(out, "> %s", typed);
	*cursor = 2 + before;
}

/* Gives each part its least, then what is left to the parts in the order of what matters now. */
static void grant(struct part *parts, const enum part_name *order, size_t rows)
{
	size_t used = 0;
	for (size_t i = 0; i < PART_N; i++) {
		struct part *p = &parts[order[i]];
		size_t want = p->lines.count < p->least ? p->lines.count : p->least;
		p->granted = want < rows - used ? want : rows - used;
		used += p->granted;
	}
	for (size_t i = 0; i < PART_N; i++) {
		struct part *p = &parts[order[i]];
		size_t more = p->lines.count - p->granted;
		if (more > rows - used) more = rows - used;
		p->granted += more, used += more;
	}
}

static void put_part(struct lines *out, const struct part *p, const struct screen *s)
{
	size_t n = p->granted, count = p->lines.count;
	if (n == count || !p->more || n < 2) {
		lines_append(out, &p->lines, p->keeps_end ? count - n : 0, n);
		return;
	}
	const char *mark = arena_printf(out->arena, "    %s %zu more: %s", s->unicode ? "…" : "...", count - n + 1, p->more);
	lines_append(out, &p->lines, 0, n - 1);
	lines_add(out, screen_paint(out->arena, s, "2", mark));
}

void screen_panel(struct lines *out, const struct panel *p, const struct screen *s, size_t *cursor)
{
	/* What runs is watched by its output, what waits is read. */
	static const enum part_name reading[] = {PART_FOOT, PART_NOTICE, PART_HEADING, PART_FACTS, PART_TEXT, PART_LIST, PART_TAIL};
	static const enum part_name watching[] = {PART_FOOT, PART_NOTICE, PART_FACTS, PART_TAIL, PART_HEADING, PART_LIST, PART_TEXT};
	struct part parts[PART_N] = {
	    [PART_LIST] = {.least = 4, .more = "g"},        [PART_HEADING] = {.least = 2},
	    [PART_TEXT] = {.least = 5, .more = "v"},        [PART_FACTS] = {.least = 8, .more = "v"},
	    [PART_TAIL] = {.least = 4, .keeps_end = true},  [PART_NOTICE] = {.least = 3},
	    [PART_FOOT] = {.least = 12, .keeps_end = true},
	};
	size_t rows = s->rows > 2 ? (size_t)s->rows - 1 : 1;
	/* What is asked is read before what stands above it. */
	if (p->dialog && p->dialog->title && rows > 2 * parts[PART_HEADING].least + parts[PART_FOOT].least)
		parts[PART_FOOT].least = rows - 2 * parts[PART_HEADING].least;
	for (size_t i = 0; i < PART_N; i++) lines_init(&parts[i].lines, out->arena);
	const char *waiting = p->step ? json_str(p->step, "waiting", "") : "";
	bool is_running = p->step && (!*waiting || strcmp(waiting, "retry") == 0);
	make_list(&parts[PART_LIST].lines, p, s);
	make_heading(&parts[PART_HEADING].lines, p, s);
	if (p->step && !is_running) screen_step_text(&parts[PART_TEXT].lines, p->step, s);
	make_facts(&parts[PART_FACTS].lines, p, s);
	if (p->tail && p->step) screen_tail(&parts[PART_TAIL].lines, p->tail, is_running ? (size_t)s->rows / 2 : 6, s);
	if (p->notice && *p->notice) {
		lines_add(&parts[PART_NOTICE].lines, "");
		lines_wrap(&parts[PART_NOTICE].lines, line_safe(out->arena, p->notice), (size_t)s->columns - 1, "  ", s->color ? "\033[33m" : "");
	}
	make_foot(&parts[PART_FOOT].lines, p, s, cursor);
	grant(parts, is_running ? watching : reading, rows);
	for (size_t i = 0; i < PART_N; i++) put_part(out, &parts[i], s);
}
