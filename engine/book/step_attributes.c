#include "base/text.h"
#include "book/book_reader.h"

#include "base/clock.h"
#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The attributes that a step may have: one row each. */

enum attribute_type { TEXT, LIST, DURATION, COUNT, FACTOR, EFFECT, RISK, ON_FAILURE, ID, EXPRESSION, PATTERNS, ROLE };

#define AT(member) offsetof(struct book_step, member)

static const struct row {
	const char *name;
	enum attribute_type type;
	size_t at;
	const char *means;
} rows[] = {
    {"id", ID, AT(given_id), "its name, for needs and steps.ID; else made from the title"},
    {"needs", LIST, 0, "steps that must have succeeded or been skipped, as look,agree; else the step before it; \"\": none"},
    {"if", EXPRESSION, AT(if_source), "over params and steps, without calls: where it is false the step is skipped"},
    {"each", EXPRESSION, AT(each_source), "a list, without calls: the step once an item (read, not acted on yet)"},
    {"targets", EXPRESSION, AT(targets_source), "a list, without calls: what the step may touch; asked for where it is destructive or approved"},
    {"max_concurrency", TEXT, AT(max_concurrency), "of each: how many items at a time (read, not acted on yet)"},
    {"max_errors", TEXT, AT(max_errors), "of each: how many items may fail, a number or a percentage (read, not acted on yet)"},
    {"timeout", DURATION, AT(timeout_us), "of one attempt: 5m for Lua, none for a step by hand"},
    {"delay", DURATION, AT(delay_us), "before a further attempt"},
    {"expect_within", DURATION, AT(expect_within_us),
     "after which those on call are told that the step is overdue: that it runs, or waits for somebody, still"},
    {"retry", COUNT, AT(retry), "how many further attempts after a failure; else 0"},
    {"backoff", FACTOR, AT(backoff), "times what each further delay takes"},
    {"on_failure", ON_FAILURE, 0, "what a failure means for the rest; else stop"},
    {"max", COUNT, AT(goto_max), "how often goto may go; else 10"},
    {"effect", EFFECT, AT(effect), "what a call means that was under way when the engine or the host ended; else once"},
    {"risk", RISK, AT(risk), "else read by hand and under Diagnosis and Verification, change elsewhere"},
    {"approve", COUNT, AT(approve), "how many others must agree before it begins"},
    {"from", TEXT, AT(from), "of approve: the group of the policy that they are of"},
    {"owner", TEXT, AT(owner), "who is responsible"},
    {"expect", TEXT, AT(expect), "what a person should see"},
    {"irreversible", TEXT, AT(irreversible), "why a changing step has no {undo}"},
    {"permissions", PATTERNS, 0, "narrows the book's Permissions for this step: patterns with ; between them"},
    {"verify", ROLE, 0, "of a fence: proves that the step's outcome holds"},
    {"undo", ROLE, 0, "of a fence: takes the step back; shown, run by hand"},
    {"run", ROLE, 0, "of a shell fence: it may run without a person"},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

bool step_attribute_info(size_t i, struct attribute_info *out)
{
	static const char *const values[] = {
	    [TEXT] = "TEXT",
	    [LIST] = "ID,ID",
	    [DURATION] = "90s|5m|1h30m",
	    [COUNT] = "NUMBER",
	    [FACTOR] = "NUMBER",
	    [EFFECT] = "once|read|idempotent|keyed|receipt",
	    [RISK] = "read|change|destructive",
	    [ON_FAILURE] = "stop|continue|undo|\"goto ID\"",
	    [ID] = "NAME",
	    [EXPRESSION] = "LUA",
	    [PATTERNS] = "PATTERN;PATTERN",
	    [ROLE] = "",
	};
	if (i >= ROWS) return false;
	*out = (struct attribute_info){.name = rows[i].name, .value = values[rows[i].type], .means = rows[i].means};
	return true;
}

/* Where a finding about an attribute points. */
struct place {
	struct book_reader *r;
	int line, column;
};

static void *member(struct book_step *s, const struct row *row)
{
	return (char *)s + row->at;
}

static const char *nearest(const char *name)
{
	const char *names[ROWS + 1] = {NULL};
	for (size_t i = 0; i < ROWS; i++) names[i] = rows[i].name;
	return text_nearest(name, names);
}

/* Keys of Runme that say nothing about what a step does. */
static bool is_runme_key(const char *name)
{
	static const char *const keys[] = {
	    "interactive", "background",  "mimeType",  "closeTerminalOnSuccess", "promptEnv", "excludeFromRunAll", "category", "terminalRows", "tag",
	    "cwd",         "interpreter", "transform", "openTerminalOnError",    "hidden"};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(keys[i], name) == 0) return true;
	return false;
}

static void add_other(struct place *p, struct book_step *s, const struct attribute *t)
{
	struct arena *a = p->r->book->arena;
	struct book_meta *wider = arena_alloc(a, (s->other_count + 1) * sizeof *wider);
	if (s->other_count) memcpy(wider, s->other, s->other_count * sizeof *wider);
	wider[s->other_count++] = (struct book_meta){.key = t->name, .value = t->value ? t->value : "", .line = p->line};
	s->other = wider;
	const char *near = nearest(t->name);
	const char *mend = near ? arena_printf(a, "did you mean \"%s\"?", near) : "leave it out; `rung help attributes` lists what a step may have";
	book_note_add(p->r, "unknown-attribute", p->line, p->column, mend, "the attribute \"%s\" is unknown and has no effect", t->name);
}

static void bad(struct place *p, const struct attribute *t, const char *mend)
{
	book_note_add(p->r, "attribute-value", p->line, p->column, mend, "%s=\"%s\" cannot be read; the attribute has no effect", t->name,
	              t->value ? t->value : "");
}

static void take_duration(struct place *p, const struct attribute *t, int64_t *to)
{
	struct error e;
	if (!t->value || clock_parse_duration(t->value, to, &e) != ERR_OK) bad(p, t, "write a number and a unit, as 90s, 5m, 1h30m or 2d");
}

static void take_count(struct place *p, const struct attribute *t, int *to)
{
	char *end = NULL;
	long n = t->value ? strtol(t->value, &end, 10) : -1;
	if (!t->value || !*t->value || *end || n < 0 || n > 1000000)
		bad(p, t, "write a whole number, as 3");
	else
		*to = (int)n;
}

static void take_factor(struct place *p, const struct attribute *t, double *to)
{
	char *end = NULL;
	double n = t->value ? strtod(t->value, &end) : -1;
	if (!t->value || !*t->value || *end || !isfinite(n) || n < 1 || n > 1000)
		bad(p, t, "write a factor of 1 or more, as 2");
	else
		*to = n;
}

static void take_effect(struct place *p, const struct attribute *t, struct book_step *s)
{
	for (enum step_effect e = EFFECT_ONCE; e <= EFFECT_RECEIPT; e++) {
		if (!t->value || strcmp(effect_word(e), t->value) != 0) continue;
		s->effect = e;
		return;
	}
	bad(p, t, "write one of once, read, idempotent, keyed, receipt");
}

static void take_risk(struct place *p, const struct attribute *t, struct book_step *s)
{
	for (enum step_risk k = RISK_READ; k <= RISK_DESTRUCTIVE; k++) {
		if (!t->value || strcmp(risk_word(k), t->value) != 0) continue;
		s->risk = k;
		s->risk_given = true;
		return;
	}
	bad(p, t, "write one of read, change, destructive");
}

/* stop, continue, undo, "goto ID". */
static void take_on_failure(struct place *p, const struct attribute *t, struct book_step *s)
{
	const char *v = t->value ? t->value : "";
	if (strncmp(v, "goto", 4) == 0 && (v[4] == ' ' || v[4] == ':')) {
		v += 5;
		while (*v == ' ') v++;
		s->goto_id = *v ? v : NULL;
		s->on_failure = *v ? ON_FAILURE_GOTO : s->on_failure;
		if (*v) return;
	}
	for (enum step_on_failure o = ON_FAILURE_STOP; o <= ON_FAILURE_UNDO; o++) {
		if (o == ON_FAILURE_GOTO || strcmp(on_failure_word(o), v) != 0) continue;
		s->on_failure = o;
		return;
	}
	bad(p, t, "write stop, continue, undo or \"goto ID\"");
}

/* Splits at commas (spaces too) or at semicolons. */
static const char **split(struct arena *a, const char *text, const char *separators, size_t *count)
{
	size_t capacity = 0;
	const char **items = NULL;
	*count = 0;
	while (*text) {
		text += strspn(text, separators);
		while (*text == ' ') text++;
		size_t n = strcspn(text, separators), kept = n;
		while (kept && text[kept - 1] == ' ') kept--;
		if (kept) {
			items = arena_grow(a, items, *count, &capacity, sizeof *items);
			items[(*count)++] = arena_strndup(a, text, kept);
		}
		text += n;
	}
	return items;
}

static bool is_id(const char *id)
{
	if (!*id || strlen(id) > 100) return false;
	for (const char *c = id, *end = id + strlen(id); c < end;) {
		uint32_t code;
		size_t step = text_decode(c, end, &code);
		if (!step || text_is_hidden(code) || (code < 0x80 && !isalnum((int)code) && !strchr("_-", (int)code))) return false;
		c += step;
	}
	return true;
}

static void take_id(struct place *p, const struct attribute *t, struct book_step *s, bool is_json)
{
	if (t->value && is_id(t->value))
		s->given_id = t->value;
	else if (!is_json)
		bad(p, t, "write letters, digits, - and _, as {id=restart-web}");
}

static void take(struct place *p, const struct row *row, const struct attribute *t, struct book_step *s)
{
	struct arena *a = p->r->book->arena;
	switch (row->type) {
	case TEXT:
	case EXPRESSION:
		if (row->type == EXPRESSION && !t->value && strcmp(t->name, "if") == 0) return; /* the role {if} */
		*(const char **)member(s, row) = t->value ? t->value : "";
		if (strcmp(t->name, "if") == 0) s->if_line = p->line;
		return;
	case LIST:
		s->needs_given = true;
		s->needs = split(a, t->value ? t->value : "", ", ", &s->needs_count);
		return;
	case PATTERNS:
		s->permissions = split(a, t->value ? t->value : "", ";", &s->permission_count);
		return;
	case DURATION:
		take_duration(p, t, member(s, row));
		return;
	case COUNT:
		take_count(p, t, member(s, row));
		return;
	case FACTOR:
		take_factor(p, t, member(s, row));
		return;
	case EFFECT:
		take_effect(p, t, s);
		return;
	case RISK:
		take_risk(p, t, s);
		return;
	case ON_FAILURE:
		take_on_failure(p, t, s);
		return;
	case ID:
		return; /* by the caller, who knows the form */
	case ROLE:
		return; /* read where fences are told apart */
	}
}

void step_apply_attributes(struct book_reader *r, struct book_step *s, const struct attributes *t, int line, int column)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct attribute *one = &t->items[i];
		struct place p = {.r = r, .line = line, .column = t->is_json ? column : column + one->column};
		const struct row *row = NULL;
		for (size_t k = 0; k < ROWS && !row; k++)
			if (strcmp(rows[k].name, one->name) == 0) row = &rows[k];
		if (!row && t->is_json && is_runme_key(one->name)) continue;
		if (!row)
			add_other(&p, s, one);
		else if (row->type == ID)
			take_id(&p, one, s, t->is_json);
		else
			take(&p, row, one, s);
	}
	if (t->error)
		book_note_add(r, "attributes", line, column + t->error_column, "write them as {id=restart needs=look timeout=5m if=\"params.force\"}",
		              "the attributes cannot be read: %s", t->error);
}
