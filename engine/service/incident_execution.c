#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "service/configure.h"
#include "service/escalation.h"
#include "service/incidents.h"
#include "service/intake_start.h"
#include "service/mitigation.h"

#include <stdlib.h>
#include <string.h>

/* Incidents and their executions: what works on one, how it ended, and what an engine's end left of both. */

enum err incident_link(struct incident *inc, const char *execution, const char *trigger, const char *parent, struct error *e)
{
	const struct execution *x = engine_find(inc->engine, execution);
	json_t *d = json_pack("{s:s,s:s*,s:s*,s:s*}", "execution", execution, "trigger", trigger, "parent", parent, "book",
	                      x && strlen(x->book_name) <= 1000 ? x->book_name : NULL);
	return incident_emit(inc, (struct incident_emit){.kind = RECORD_EXECUTION_LINKED, .data = d}, e);
}

/* Whom the book names for the case that it does not help. */
static const char *escalation_of(const struct book *b)
{
	for (size_t i = 0; i < b->meta_count; i++)
		if (strcmp(b->meta[i].key, "escalation_poc") == 0 && *b->meta[i].value && strlen(b->meta[i].value) < 1024) return b->meta[i].value;
	return NULL;
}

struct incident *incident_open_for_execution(struct execution *x)
{
	struct engine *en = x->engine;
	struct incident *inc = x->incident ? incident_find(en, x->incident) : incident_of_execution(en, x->id);
	if (inc && inc->flow->state != INCIDENT_RESOLVED) return inc;
	struct incident_opening o = {
	    .origin = INCIDENT_BY_EXECUTION, .title = x->book->title ? x->book->title : x->book_name, .execution = x->id, .escalation = escalation_of(x->book)};
	inc = incident_open(en, &o);
	must(incident_link(inc, x->id, x->trigger, NULL, NULL) == ERR_OK);
	return inc;
}

/* Who does not know the incident in memory any more tells nobody: it is resolved, and long ago. */
static json_t *end_of(struct execution *x)
{
	int64_t within_us = mitigation_within(x);
	json_t *d = json_pack("{s:s,s:s,s:s*}", "execution", x->id, "state", run_state_name(x->flow->state), "cause", json_str(x->conclusion, "cause", NULL));
	if (within_us) json_object_set_new(d, "within_us", json_integer(within_us));
	return d;
}

/* Was somebody asked for only since something stood still or went wrong, which a good end mends? Who was asked for otherwise is still to come. */
static bool is_mended_by_success(const struct incident *inc)
{
	static const unsigned mended = 1U << RAISED_BY_FAILED | 1U << RAISED_BY_UNKNOWN | 1U << RAISED_BY_DIVERGED | 1U << RAISED_BY_OVERDUE |
	                               1U << RAISED_BY_WAITING | 1U << RAISED_BY_APPROVAL | 1U << RAISED_BY_DENIED;
	struct escalation_seen seen;
	for (size_t i = 0; escalation_raise_seen(inc, i, &seen); i++)
		if (!(mended >> seen.trigger & 1)) return false;
	return true;
}

/* What was opened since somebody had to look at an execution is over when all that works on it came to a good end. */
static void resolve_by_execution(struct incident *inc)
{
	const struct incident_flow *f = inc->flow;
	bool is_good =
	    f->origin == INCIDENT_BY_EXECUTION && f->state != INCIDENT_RESOLVED && f->running == 0 && f->alert_count == 0 && is_mended_by_success(inc);
	for (size_t i = 0; i < f->execution_count; i++) is_good = is_good && f->executions[i].is_success;
	if (is_good) incident_emit(inc, (struct incident_emit){.kind = RECORD_INCIDENT_RESOLVED, .data = json_pack("{s:s}", "how", "execution")}, NULL);
}

static void tell_end(struct incident *inc, struct execution *x)
{
	const struct incident_execution *run = inc ? incident_execution_find(inc->flow, x->id) : NULL;
	if (!run || run->ended_us) return;
	incident_emit(inc, (struct incident_emit){.kind = RECORD_EXECUTION_ENDED, .data = end_of(x)}, NULL);
	resolve_by_execution(inc);
}

/* It may have begun for one that was resolved, and been the reason for another since. */
void incident_execution_ended(struct execution *x)
{
	failpoint(INCIDENT_EXECUTION_ENDED);
	if (x->incident) tell_end(incident_find(x->engine, x->incident), x);
	tell_end(incident_of_execution(x->engine, x->id), x);
	incident_commit(x->engine);
}

/* ---- after a restart ---- */

static bool keep_state(void *arg, const struct store_execution *row)
{
	struct store_execution *out = arg;
	out->is_open = row->is_open;
	out->id = "";
	run_state_find(row->state, (enum run_state *)&out->steps);
	return false;
}

/* The row of an execution, found by its id. */
static bool has_row(struct engine *en, const char *id, bool *is_open, enum run_state *state)
{
	struct store_execution row = {.id = NULL, .steps = RUN_FAILED};
	if (store_executions(en->reader, false, id, NULL, 1, keep_state, &row, NULL) || !row.id) return false;
	*is_open = row.is_open;
	*state = (enum run_state)row.steps;
	return true;
}

static void take_up_open(struct incident *inc, const char *id)
{
	struct execution *x = NULL;
	struct error e;
	enum err err = execution_load(inc->engine, inc->engine->reader, id, &x, &e);
	if (!err && x->flow->mode == FLOW_AUTO) err = engine_check_workspace(inc->engine, x->workspace, &e);
	if (err) log_line(LOG_WARN, "execution %s of incident %s is not taken up: %s", id, inc->id, e.text);
	if (err && !x) return;
	if (err || x->flow->mode != FLOW_AUTO || x->flow->is_finished) {
		execution_free(x); /* a person's: it waits for them */
		return;
	}
	engine_add(inc->engine, x);
	execution_take_up(x, "system:engine");
	execution_commit(x);
}

static void take_up_execution(struct incident *inc, const struct incident_execution *run, bool is_again)
{
	enum run_state state = RUN_FAILED;
	bool is_open = false;
	const struct execution *here = engine_find(inc->engine, run->id);
	if (here && !here->is_gone) return;
	if (!has_row(inc->engine, run->id, &is_open, &state)) {
		/* A child that its parent had decided on and not begun is its parent's to begin. */
		if (run->alert != SIZE_MAX) intake_start_again(inc, run->id);
		return;
	}
	if (is_open && is_again) {
		inc->engine->incidents->lost_us = clock_monotonic_us();
		return;
	}
	if (is_open) {
		take_up_open(inc, run->id);
		return;
	}
	/* What it found is in its own record. */
	struct execution *x = NULL;
	json_t *d = execution_load(inc->engine, inc->engine->reader, run->id, &x, NULL)
	                ? json_pack("{s:s,s:s}", "execution", run->id, "state", run_state_name(state))
	                : end_of(x);
	if (x) execution_free(x);
	incident_emit(inc, (struct incident_emit){.kind = RECORD_EXECUTION_ENDED, .data = d}, NULL);
}

/* What an execution's end does to the incident may add to its list: the ids are taken before. */
static void take_up_each(struct incident *inc, bool is_again)
{
	for (size_t i = 0; inc->flow->running && i < inc->flow->execution_count; i++) {
		struct incident_execution run = inc->flow->executions[i];
		if (!run.ended_us) take_up_execution(inc, &run, is_again);
	}
}

static void take_up_executions(struct incident *inc)
{
	take_up_each(inc, false);
}

static void take_up_ended(struct incident *inc)
{
	take_up_each(inc, true);
}

void incident_execution_lost(struct execution *x)
{
	if (incident_of_execution(x->engine, x->id)) x->engine->incidents->lost_us = clock_monotonic_us();
}

/* What is done with one may open another: they are listed before. */
static void each(struct engine *en, void (*fn)(struct incident *inc))
{
	size_t at = 0, count = 0;
	struct incident *inc, **list = mem_alloc(table_count(en->incidents->by_id) * sizeof *list);
	while ((inc = incident_next(en, &at)) != NULL) list[count++] = inc;
	for (size_t i = 0; i < count; i++) fn(list[i]);
	free(list);
	incident_commit(en);
}

static void take_up_escalation(struct incident *inc)
{
	if (inc->flow->state != INCIDENT_RESOLVED) escalation_take_up(inc);
}

void incidents_take_up_again(struct engine *en)
{
	each(en, take_up_ended);
	each(en, take_up_escalation);
}

void incidents_take_up_executions(struct engine *en)
{
	each(en, take_up_executions);
}

void incidents_take_up(struct engine *en)
{
	each(en, take_up_executions);
	each(en, take_up_escalation);
}
