#include "service/answer.h"
#include "policy/inventory_query.h"
#include "service/attempt.h"
#include "service/call.h"
#include "service/child.h"
#include "service/finding.h"
#include "service/inventory.h"
#include "service/notify_call.h"

#include <stdlib.h>
#include <string.h>

/* A call that waits for the inventory; it may be gone when that comes, and its execution too. */
struct awaited_call {
	struct engine *engine;
	char execution[27];
	size_t step;
	uint32_t attempt, number, intents;
};

static void finish(struct execution *x, struct call *c, const char *why, const json_t *names)
{
	c->is_dispatched = false;
	if (names)
		call_finish(x, c, "ok", json_pack("{s:s}", "answer", execution_blob_json(x, names)));
	else
		call_finish(x, c, "failed", json_pack("{s:s?}", "error", execution_blob_text(x, why)));
}

static void answer(struct execution *x, struct call *c, const struct inventory *inv)
{
	struct arena *a = arena_new();
	struct inventory_selection found = {0};
	struct error e;
	json_t *form = call_arguments(x, c), *arguments = json_obj(form, "arguments"), *names = json_array();
	const char *query = json_str(arguments, "query", NULL);
	enum err err = query ? inventory_query(a, inv, query, &found, &e) : error_set(&e, ERR_INVALID, "a query is UTF-8 text");
	if (!err && found.count == 0 && !json_bool(arguments, "empty", false))
		err = error_set(&e, ERR_INVALID, "no host matches \"%.200s\" (with {empty = true} that is an answer)", query);
	for (size_t i = 0; i < found.count; i++) json_array_append_new(names, json_string(found.names[i]));
	finish(x, c, e.text, err ? NULL : names);
	json_decref(names);
	json_decref(form);
	arena_free(a);
}

static void told(void *arg, const struct inventory *inv, const struct error *e)
{
	struct awaited_call *w = arg;
	struct execution *x = inv || e ? engine_find(w->engine, w->execution) : NULL;
	struct call *c = x ? execution_call(x, w->step, w->attempt, w->number) : NULL;
	/* Cancelled, or asked again since. */
	bool is_open = c && c->state == CALL_STARTED && c->is_dispatched && c->intents == w->intents;
	if (is_open && inv)
		answer(x, c, inv);
	else if (is_open)
		finish(x, c, e->text, NULL);
	if (is_open) attempt_calls_changed(x, w->step);
	if (is_open) execution_step_on(x);
	free(w);
}

static void answer_hosts(struct execution *x, struct call *c)
{
	struct awaited_call *w = mem_zero(sizeof *w);
	*w = (struct awaited_call){.engine = x->engine, .step = c->step, .attempt = c->attempt, .number = c->number, .intents = c->intents};
	memcpy(w->execution, x->id, sizeof w->execution);
	c->is_dispatched = true;
	inventory_ask(engine_inventory(x->engine, x->policy_root), told, w);
}

void answer_recorded(struct execution *x, struct call *c)
{
	json_t *yes = json_true();
	c->is_dispatched = true;
	finish(x, c, NULL, yes);
	json_decref(yes);
	attempt_calls_changed(x, c->step);
	execution_step_on(x);
}

void answer_call(struct execution *x, struct call *c)
{
	static const struct {
		const char *module;
		void (*answer)(struct execution *x, struct call *c);
		bool is_at_once; /* its outcome is recorded when that returns */
	} answers[] = {{"hosts", answer_hosts, false},  {"evidence", finding_answer, true}, {"cause", finding_answer, true},     {"remedy", finding_lead, true},
	               {"runbook", child_start, false}, {"notify", notify_answer, false},   {"escalate", escalate_answer, false}};
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		if (strcmp(answers[i].module, c->module) != 0) continue;
		answers[i].answer(x, c);
		if (answers[i].is_at_once) attempt_calls_changed(x, c->step);
		return;
	}
	answer_recorded(x, c);
}

void answer_cancel(struct execution *x, struct call *c)
{
	if (c->child) {
		child_cancel(x, c);
		return;
	}
	if (strcmp(c->module, "notify") == 0) {
		notify_cancel(x, c);
		return;
	}
	if (c->state == CALL_STARTED && c->is_dispatched) finish(x, c, "the step was stopped before the inventory was there", NULL);
}
