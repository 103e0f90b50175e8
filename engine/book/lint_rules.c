#include "book/lint_rules.h"

#include "base/clock.h"
#include "base/text.h"
#include "book/graph.h"
#include "book/shell.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const int64_t DAY_US = 24LL * 3600 * 1000000;
enum { STALE_DAYS = 365 };

static const struct book_meta *meta(const struct book *b, const char *key)
{
	for (size_t i = 0; i < b->meta_count; i++)
		if (strcmp(b->meta[i].key, key) == 0) return &b->meta[i];
	return NULL;
}

/* "6 months", "1 year", "90 days", "12w", "90d": in days, or 0. */
static int interval_days(const char *text)
{
	static const struct {
		const char *unit;
		int days;
	} units[] = {{"day", 1}, {"week", 7}, {"month", 30}, {"year", 365}, {"d", 1}, {"w", 7}, {"m", 30}, {"y", 365}};
	char *end;
	long n = strtol(text, &end, 10);
	if (n <= 0 || n > 1000) return 0;
	while (*end == ' ') end++;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strncmp(end, units[i].unit, strlen(units[i].unit)) == 0) return (int)n * units[i].days;
	return 0;
}

/* A date at the start of a value; false where there is none. */
static bool read_date(const char *text, int64_t *us)
{
	char date[11] = "";
	strncpy(date, text, 10);
	return clock_parse_date(date, us);
}

static void check_dates(struct linter *l)
{
	const struct book_meta *reviewed = meta(l->book, "last_reviewed_on"), *updated = meta(l->book, "last_updated"), *every = meta(l->book, "review_in");
	const struct book_meta *date = reviewed ? reviewed : updated;
	int64_t us;
	if (!date) return;
	int days = every ? interval_days(every->value) : STALE_DAYS;
	if (!days)
		lint_add(l, "review-date", every->line, 0, "write it as 6 months, 90 days or 1 year", "the review interval \"%s\" cannot be read",
		         every->value);
	if (!read_date(date->value, &us)) {
		lint_add(l, "review-date", date->line, 0, "write the date as 2026-11-22",
		         "the date \"%s\" cannot be read, so nobody is told when the book is stale", date->value);
		return;
	}
	if (!days || !l->today_us || us + days * DAY_US >= l->today_us) return;
	lint_add(l, "stale", date->line, 0, "let somebody who did not write it carry it out, correct it, and set the date anew",
	         "the book was last %s on %.10s; that is %d days ago and %d are allowed", reviewed ? "reviewed" : "updated", date->value,
	         (int)((l->today_us - us) / DAY_US), days);
}

static void check_causes(struct linter *l)
{
	const struct book *b = l->book;
	for (size_t i = 0; i < b->cause_count; i++) {
		const struct book_cause *c = &b->causes[i];
		if (!c->runbook && !c->is_none)
			lint_add(l, "cause-without-runbook", c->line, 0,
			         "name the runbook that mends it in the second column, or write none: and what to do instead",
			         "the cause \"%s\" leads to no runbook", c->id);
		for (size_t k = 0; k < c->param_count; k++)
			if (c->params[k].kind == CAUSE_PARAM && !book_param_get(b, c->params[k].text))
				lint_add(l, "cause-parameter", c->line, 0, "name a parameter of this book's Parameters table",
				         "the cause \"%s\" gives its runbook {param:%.64s}, which this book does not have", c->id, c->params[k].text);
	}
	bool is_shared = b->kind == BOOK_PLAYBOOK && b->cause_count;
	if (is_shared && (!meta(b, "stakeholders") || !meta(b, "communication_plan")))
		lint_add(l, "missing-stakeholders", 1, 0, "name them in the info table (Stakeholders, Communication Plan)",
		         "nothing says who is to be told while the playbook is at work, and how");
}

void lint_metadata(struct linter *l)
{
	const struct book *b = l->book;
	const struct document *d = b->document;
	if (d->front_matter_error)
		lint_add(l, "front-matter", d->front_matter_error_line, 0, "write it as YAML: `key: value` lines between two lines of ---",
		         "the front matter cannot be read: %s", d->front_matter_error);
	if (!meta(b, "title") && !(d->sections->first && d->sections->first->level == 1) && !b->anchor)
		lint_add(l, "missing-title", 1, 0, "begin the page with `# Title`", "the page has no title; its file name is used");
	if (!b->description)
		lint_add(l, "missing-description", 1, 0, "say the desired outcome in the info table or front matter (description)",
		         "no description says what outcome the book is for");
	if (!meta(b, "owner") && !meta(b, "author") && !meta(b, "owner_slack"))
		lint_add(l, "missing-owner", 1, 0, "name the owner in the info table or front matter (owner)", "nobody is named who answers for the book");
	if (!meta(b, "last_updated") && !meta(b, "last_reviewed_on"))
		lint_add(l, "missing-updated", 1, 0, "add `Last Updated` or last_reviewed_on with a date as 2026-11-22",
		         "nothing says when the book was last right");
	if (!meta(b, "escalation_poc"))
		lint_add(l, "missing-escalation", 1, 0, "name a person or group in the info table (Escalation POC)",
		         "no contact is named for the case that the book does not help");
	check_dates(l);
	check_causes(l);
	for (size_t i = 0; i < b->param_count; i++)
		if (b->params[i].is_input)
			lint_add(l, "input", b->params[i].line, 0,
			         "declare it in the Parameters table with a type and a description, or set it in an earlier command",
			         "%s; it is asked for before the command that needs it and passed as the environment variable %s", b->params[i].description,
			         b->params[i].name);
}

static void check_headings(struct linter *l)
{
	const struct section *root = l->book->scope;
	json_t *seen = json_object();
	int above = root->level;
	for (const struct section *s = section_next(root, root); s; s = section_next(root, s)) {
		if (above && s->level > above + 1)
			lint_add(l, "skipped-level", s->line, 0, "use the next level", "the heading \"%.80s\" has level %d under one of level %d", s->title,
			         s->level, above);
		above = s->level;
		/* The same heading under different parents ("Steps" of two tasks) is clear enough for a person, but not for a link. */
		char *key = mem_printf("%.200s", s->title);
		json_t *first = json_object_get(seen, key);
		if (first)
			lint_add(l, "duplicate-heading", s->line, 0, "say in each heading what is its own",
			         "the heading \"%.80s\" stands on line %d already; links to it are unclear", s->title, (int)json_integer_value(first));
		else
			json_object_set_new(seen, key, json_integer(s->line));
		free(key);
	}
	json_decref(seen);
}

/* A numbered list, a fence at the margin, and a list that counts on. */
static void check_broken_lists(struct linter *l)
{
	const struct block *list = NULL, *fence = NULL;
	for (const struct block *b = l->book->document->root->first; b; b = b->next) {
		if (b->line < l->book->scope->line || b->line > l->book->scope->line_end) continue;
		if (b->kind == BLOCK_HEADING) list = fence = NULL;
		if (b->kind == BLOCK_FENCE && list) fence = b;
		if (b->kind != BLOCK_LIST || !b->is_ordered) continue;
		bool counts_on = list && (b->start == list->start + list->child_count ||
		                          (list->child_count == 1 && b->child_count >= 1 && b->start == 1 && list->start == 1));
		if (counts_on && fence)
			lint_add(l, "broken-list", fence->line, 0, "indent the fence by three spaces, so that it belongs to its item",
			         "this fence at the margin ends the numbered list of line %d; the items were joined again", list->line);
		list = b;
		fence = NULL;
	}
}

void lint_document(struct linter *l)
{
	check_headings(l);
	check_broken_lists(l);
}

static void check_needs(struct linter *l, const struct book_step *s, const json_t *ids)
{
	for (size_t k = 0; k < s->needs_count; k++)
		if (!json_object_get(ids, s->needs[k]))
			lint_add(l, "unknown-need", s->line, 0, "use the id of a step of this book", "step \"%s\" needs \"%.100s\", but no step has that id",
			         s->id, s->needs[k]);
	if (s->on_failure == ON_FAILURE_GOTO && !json_object_get(ids, s->goto_id))
		lint_add(l, "unknown-need", s->line, 0, "use the id of a step of this book",
		         "step \"%s\" goes to \"%.100s\" on failure, but no step has that id", s->id, s->goto_id);
}

static void check_safety(struct linter *l, const struct book_step *s)
{
	bool acts = step_fence(s, FENCE_ACTION) != NULL;
	for (size_t i = 0; i < s->fence_count; i++) acts = acts || s->fences[i].is_run;
	if (acts && s->risk != RISK_READ && !step_fence(s, FENCE_UNDO) && !s->irreversible)
		lint_add(l, "no-undo", s->line, 0, "add a Lua fence {undo}, or say irreversible=\"why\"; for a step that changes nothing say risk=read",
		         "step \"%s\" changes something (%s) and says neither how to undo it nor why that cannot be", s->id, risk_word(s->risk));
	if (acts && (s->risk == RISK_DESTRUCTIVE || s->approve) && !s->targets_source)
		lint_add(l, "no-targets", s->line, 0, "say targets=\"params.hosts\" or another expression that lists what the step may touch",
		         "step \"%s\" is %s but does not say what it may touch", s->id, s->approve ? "to be approved" : "destructive");
	if (s->approve && !s->from)
		lint_add(l, "no-approval-group", s->line, 0, "name the group, as from=dba", "step \"%s\" needs %d approvals, but does not say from whom", s->id,
		         s->approve);
	bool has_proof = step_fence(s, FENCE_VERIFY) || step_fence(s, FENCE_UNDO) || step_fence(s, FENCE_IF);
	if (!acts && has_proof && step_fence(s, FENCE_UNDO))
		lint_add(l, "verify-without-action", s->line, 0, "put the fence into the step that acts", "step \"%s\" has an undo but no action", s->id);
}

static void check_commands(struct linter *l, const struct book_step *s)
{
	for (size_t i = 0; i < s->fence_count; i++) {
		const struct book_fence *f = &s->fences[i];
		for (size_t k = 0; f->role == FENCE_SHELL && k < f->command_count; k++) {
			const char *why = shell_interactive(f->commands[k]);
			if (why)
				lint_add(l, "interactive", f->command_lines[k], 0,
				         "in guided mode `t` hands the terminal over; for unattended runs use the other form",
				         "this command waits for a terminal: %s", why);
		}
	}
}

void lint_steps(struct linter *l)
{
	const struct book *b = l->book;
	json_t *ids = json_object();
	size_t before = l->report->errors;
	if (!b->step_count) lint_add(l, "no-steps", 1, 0, "write a section `## Steps` with a numbered list", "nothing on this page reads as a step");
	for (size_t i = 0; i < b->step_count; i++) json_object_set_new(ids, b->steps[i].id, json_true());
	for (size_t i = 0; i < b->step_count; i++) check_needs(l, &b->steps[i], ids);
	json_decref(ids);
	struct error e;
	size_t fault = l->report->errors == before ? graph_fault(b, &e) : SIZE_MAX;
	if (fault != SIZE_MAX) {
		char *place = mem_printf("%s:%d: ", b->path, b->steps[fault].line);
		bool has_place = strncmp(e.text, place, strlen(place)) == 0;
		lint_add(l, "cycle", b->steps[fault].line, 0, "leave `needs` out where a step only waits for the one before it", "%s",
		         has_place ? e.text + strlen(place) : e.text);
		free(place);
	}
	for (size_t i = 0; i < b->step_count; i++) {
		check_safety(l, &b->steps[i]);
		check_commands(l, &b->steps[i]);
	}
}
