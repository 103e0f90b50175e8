#include "book/lint.h"

#include "base/clock.h"
#include "base/text.h"
#include "book/graph.h"
#include "book/lint_rules.h"
#include "book/shell.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row a rule: its id, its severity and what it means, for documents and for `rung check --rules`. */
static const struct rule {
	const char *id;
	enum lint_severity severity;
	const char *what;
} rules[] = {
    {"no-steps", LINT_WARNING, "The page holds nothing that reads as a step."},
    {"front-matter", LINT_WARNING, "The front matter is no YAML that can be read."},
    {"missing-title", LINT_INFO, "The page has no heading of the first rank and no title in its front matter."},
    {"missing-description", LINT_INFO, "No description says what outcome the book is for."},
    {"missing-owner", LINT_INFO, "Neither an owner nor an author is named."},
    {"missing-updated", LINT_INFO, "No date says when the book was last updated or reviewed."},
    {"missing-escalation", LINT_INFO, "No contact is named for the case that the book does not help."},
    {"stale", LINT_WARNING, "The book's review is overdue, or it was last updated more than a year ago."},
    {"review-date", LINT_WARNING, "A review date or its interval cannot be read."},
    {"attributes", LINT_ERROR, "The attributes of a fence or comment cannot be read."},
    {"attribute-value", LINT_ERROR, "An attribute has a value that cannot be read."},
    {"unknown-attribute", LINT_WARNING, "An attribute is unknown and has no effect."},
    {"duplicate-id", LINT_ERROR, "Two steps have the same id."},
    {"unknown-need", LINT_ERROR, "A step needs, or goes to, a step that does not exist."},
    {"cycle", LINT_ERROR, "Steps wait for one another, so that none can start."},
    {"second-action", LINT_WARNING, "A step has a second Lua fence, which becomes a step of its own."},
    {"no-undo", LINT_WARNING, "A changing step has neither an undo nor a reason why it cannot be undone."},
    {"no-targets", LINT_ERROR, "A destructive or approved step does not say what it may touch."},
    {"no-approval-group", LINT_WARNING, "A step asks for approvals but does not say from which group."},
    {"verify-without-action", LINT_WARNING, "A fence proves, undoes or guards a step that has no action."},
    {"parameter-name", LINT_ERROR, "A parameter's name cannot be used, or stands twice."},
    {"parameter-type", LINT_ERROR, "A parameter's type is unknown."},
    {"parameter-pattern", LINT_ERROR, "A parameter's pattern is no regular expression."},
    {"parameter-default", LINT_ERROR, "A parameter's default is not a value of its type."},
    {"hosts-query", LINT_ERROR, "A query of hosts cannot be read."},
    {"unknown-hosts", LINT_WARNING, "Hosts that the book names are not in the inventory, or a query matches none."},
    {"permission", LINT_WARNING, "A line of Permissions holds no pattern."},
    {"permission-unknown", LINT_ERROR, "A permission is no pattern that can be read, or could never match."},
    {"permission-interpreter", LINT_ERROR, "A permission lets an interpreter run anything."},
    {"permission-parameter", LINT_ERROR, "A permission names a parameter that the book does not have."},
    {"permission-wider", LINT_ERROR, "A step's own permissions go beyond the book's."},
    {"permission-missing", LINT_WARNING, "A step makes a call that the book's Permissions, or its own, do not allow."},
    {"permission-covered", LINT_INFO, "A permission allows nothing that others do not allow."},
    {"interactive", LINT_INFO, "A command waits for a terminal and cannot run by itself."},
    {"broken-list", LINT_INFO, "A fence at the margin breaks a numbered list; the list was joined again."},
    {"duplicate-heading", LINT_INFO, "Two headings have the same text, so that links and anchors are unclear."},
    {"skipped-level", LINT_INFO, "A heading skips a level."},
    {"cause-without-runbook", LINT_INFO, "A root cause of a playbook leads to no runbook."},
    {"cause-id", LINT_WARNING, "A root cause has no id that can be used, or stands in the table twice."},
    {"cause-mode", LINT_WARNING, "How a root cause's runbook starts cannot be read."},
    {"cause-parameters", LINT_INFO, "What a root cause gives its runbook is written for people, not for rung."},
    {"cause-within", LINT_WARNING, "The time in which an alert is to resolve cannot be read."},
    {"cause-parameter", LINT_ERROR, "A root cause gives its runbook a parameter that the playbook does not have."},
    {"cause-unnamed", LINT_WARNING, "A step finds a cause that the table of root causes does not name."},
    {"cause-unfound", LINT_INFO, "No step finds a cause that the table of root causes names."},
    {"missing-stakeholders", LINT_INFO, "A playbook does not say who is to be told, or how."},
    {"runbook-missing", LINT_ERROR, "A runbook that is started from this book does not exist."},
    {"runbook-parameter", LINT_ERROR, "A runbook is given parameters that it does not have, or lacks one that it needs."},
    {"runbook-cycle", LINT_ERROR, "A book would start itself, by way of others."},
    {"input", LINT_INFO, "A command needs a value that the book neither sets nor declares."},
};

enum { RULES = sizeof rules / sizeof rules[0], FINDINGS_MAX = 2000 };

static const struct rule *rule_of(const char *id)
{
	for (size_t i = 0; i < RULES; i++)
		if (strcmp(rules[i].id, id) == 0) return &rules[i];
	die("lint has no rule %s", id);
}

void lint_report_add(struct lint_report *r, const char *rule, int line, int column, const char *mend, const char *fmt, ...)
{
	char text[700];
	va_list ap;
	if (r->count >= FINDINGS_MAX) return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	r->findings = arena_grow(r->arena, r->findings, r->count, &r->capacity, sizeof *r->findings);
	const struct rule *row = rule_of(rule);
	r->findings[r->count++] = (struct lint_finding){.rule = row->id,
	                                                .severity = row->severity,
	                                                .line = line > 0 ? line : 1,
	                                                .column = column,
	                                                .text = arena_strdup(r->arena, text),
	                                                .mend = arena_strdup(r->arena, mend)};
	r->errors += row->severity == LINT_ERROR;
	r->warnings += row->severity == LINT_WARNING;
}

static int by_line(const void *a, const void *b)
{
	const struct lint_finding *x = a, *y = b;
	if (x->line != y->line) return x->line < y->line ? -1 : 1;
	if (x->column != y->column) return x->column < y->column ? -1 : 1;
	return strcmp(x->rule, y->rule) ? strcmp(x->rule, y->rule) : strcmp(x->text, y->text);
}

void lint_report_sort(struct lint_report *r)
{
	if (r->count) qsort(r->findings, r->count, sizeof *r->findings, by_line);
}

struct lint_report *lint_book(const struct book *b, int64_t today_us)
{
	struct arena *a = arena_new();
	struct lint_report *r = arena_alloc(a, sizeof *r);
	*r = (struct lint_report){.arena = a};
	struct linter l = {.book = b, .report = r, .today_us = today_us};
	for (size_t i = 0; i < b->note_count; i++)
		lint_add(&l, b->notes[i].rule, b->notes[i].line, b->notes[i].column, b->notes[i].mend, "%s", b->notes[i].text);
	lint_metadata(&l);
	lint_document(&l);
	lint_steps(&l);
	lint_report_sort(r);
	return r;
}

void lint_free(struct lint_report *r)
{
	if (r) arena_free(r->arena);
}

const char *lint_severity_word(enum lint_severity s)
{
	static const char *const words[] = {[LINT_INFO] = "info", [LINT_WARNING] = "warning", [LINT_ERROR] = "error"};
	must((size_t)s < sizeof words / sizeof words[0]);
	return words[s];
}

json_t *lint_json(const struct lint_report *r)
{
	json_t *all = json_array();
	for (size_t i = 0; i < r->count; i++) {
		const struct lint_finding *f = &r->findings[i];
		json_array_append_new(all, json_pack("{s:s, s:s, s:i, s:i, s:s, s:s}", "rule", f->rule, "severity", lint_severity_word(f->severity), "line",
		                                     f->line, "column", f->column, "text", f->text, "mend", f->mend));
	}
	return all;
}

json_t *lint_rules_json(void)
{
	json_t *all = json_array();
	for (size_t i = 0; i < RULES; i++)
		json_array_append_new(
		    all, json_pack("{s:s, s:s, s:s}", "id", rules[i].id, "severity", lint_severity_word(rules[i].severity), "what", rules[i].what));
	return all;
}

void lint_print(struct buf *out, const struct book *b, const struct lint_report *r)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct lint_finding *f = &r->findings[i];
		text_visible(out, b->path, strlen(b->path), TEXT_KEEP_NOTHING);
		buf_printf(out, ":%d:", f->line);
		if (f->column) buf_printf(out, "%d:", f->column);
		buf_printf(out, " %s: ", lint_severity_word(f->severity));
		text_visible(out, f->text, strlen(f->text), TEXT_KEEP_NOTHING);
		buf_str(out, "; ");
		text_visible(out, f->mend, strlen(f->mend), TEXT_KEEP_NOTHING);
		buf_printf(out, " [%s]\n", f->rule);
	}
}
