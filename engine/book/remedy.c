#include "book/book_reader.h"

#include <stdlib.h>
#include <string.h>

/* The step behind the last one of a playbook that can find a cause with a runbook: it leads there. It is a step as every other, so that it waits, asks, is
 * denied, cancelled and taken up again as they are; its code is modules/remedy. source: DESIGN.md 3 */

/* A call of cause, as far as a text tells: cause("x"), cause "x", cause{...}. */
static bool names_cause(const char *source)
{
	for (const char *at = source; (at = strstr(at, "cause")); at += 5) {
		const char *behind = at + 5 + strspn(at + 5, " \t");
		bool is_name = at == source || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:", at[-1]);
		if (is_name && *behind && strchr("(\"'[{,", *behind)) return true;
	}
	return false;
}

static bool finds_causes(const struct book *b)
{
	for (size_t i = 0; i < b->step_count; i++)
		for (size_t k = 0; k < b->steps[i].fence_count; k++)
			if (b->steps[i].fences[k].role == FENCE_ACTION && names_cause(b->steps[i].fences[k].source)) return true;
	return false;
}

static bool leads_somewhere(const struct book *b)
{
	for (size_t i = 0; i < b->cause_count; i++)
		if (b->causes[i].runbook) return true;
	return false;
}

static bool is_taken(const struct book *b, const char *id)
{
	for (size_t i = 0; i < b->step_count; i++)
		if (strcmp(b->steps[i].id, id) == 0) return true;
	return false;
}

void book_read_remedy(struct book_reader *r)
{
	struct book *b = r->book;
	if (b->kind != BOOK_PLAYBOOK || !b->step_count || b->step_count == BOOK_STEPS_MAX || !leads_somewhere(b) || !finds_causes(b)) return;
	const char *id = "remedy";
	for (int n = 2; is_taken(b, id); n++) id = arena_printf(b->arena, "remedy-%d", n);
	const char **needs = arena_alloc(b->arena, b->step_count * sizeof *needs);
	for (size_t i = 0; i < b->step_count; i++) needs[i] = b->steps[i].id;
	struct book_fence *fence = arena_alloc(b->arena, sizeof *fence);
	*fence =
	    (struct book_fence){.role = FENCE_ACTION, .language = "lua", .source = "return remedy()\n", .line = b->causes_line, .line_end = b->causes_line};
	struct book_step s = {.id = id,
	                      .title = "Lead to the runbook of the cause",
	                      .markdown = "Lead to the runbook of the cause\n\nThe cause that was found and is most certain has a row in the table of root "
	                                  "causes. Its runbook is started, or "
	                                  "proposed, as that row says.",
	                      .line = b->causes_line,
	                      .line_end = b->causes_line,
	                      .phase = PHASE_MITIGATION,
	                      .section = "Root Causes",
	                      .fences = fence,
	                      .fence_count = 1,
	                      .needs = needs,
	                      .needs_count = b->step_count,
	                      .needs_given = true,
	                      .timeout_us = INT64_C(300000000),
	                      .backoff = 1,
	                      .goto_max = 10,
	                      .risk = RISK_READ,
	                      .risk_given = true,
	                      .is_implicit = true};
	b->steps = arena_grow(b->arena, b->steps, b->step_count, &r->step_capacity, sizeof *b->steps);
	b->steps[b->step_count++] = s;
}
