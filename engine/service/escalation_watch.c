#include "service/escalation_watch.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "service/call.h"
#include "service/engine_state.h"
#include "service/escalation.h"
#include "service/oncall_file.h"

#include <stdlib.h>
#include <string.h>

/* A person who is attached sees what waits: they are given this long again. */
#define ATTACHED_US INT64_C(60000000)

/* ---- since when ---- */

static bool is_open_approval(const struct call *c)
{
	struct flow_call seen = call_seen(c);
	return c->is_question && call_is_open(&seen) && strcmp(c->module, "approve") == 0;
}

/* What the step waits for, with an approval in the middle of its code as one before it. */
static enum flow_wait wait_of(const struct execution *x, size_t i)
{
	enum flow_wait wait = flow_waits_for(x->flow, i);
	const struct step_data *s = &x->steps[i];
	for (size_t k = 0; wait == WAIT_ANSWER && k < s->call_count; k++)
		if (s->calls[k]->attempt == x->flow->steps[i].attempt && is_open_approval(s->calls[k])) return WAIT_APPROVAL;
	return wait;
}

static void note(struct execution *x, int64_t t_us, int64_t steady_us)
{
	for (size_t i = 0; i < x->graph->count; i++) {
		const struct flow_step *s = &x->flow->steps[i];
		struct step_watch *w = &x->steps[i].watch;
		enum flow_wait wait = wait_of(x, i);
		if (w->state == s->state && w->wait == wait && w->attempt == s->attempt) continue;
		*w = (struct step_watch){.state = s->state, .wait = wait, .attempt = s->attempt, .since_us = t_us, .steady_us = steady_us};
	}
}

void escalation_watch_fold(struct execution *x, const struct record *r)
{
	note(x, r->t_us, x->is_emitting ? clock_steady_us() : 0);
	x->folded_us = r->t_us;
	if (!x->is_emitting) x->read_us = r->t_us;
}

/* On the steady clock. Of what began under another engine the time that this one was not there does not count. */
static int64_t began_us(const struct execution *x, struct step_watch *w)
{
	if (w->steady_us) return w->steady_us;
	int64_t lasted_us = x->read_us - w->since_us;
	return w->steady_us = clock_steady_us() - (lasted_us > 0 ? lasted_us : 0);
}

/* ---- what is raised ---- */

static const char *step_id(const struct execution *x, size_t i)
{
	return i == SIZE_MAX ? NULL : x->book->steps[i].id;
}

/* Is somebody on call, or an incident there to belong to? */
static bool concerns_anybody(struct execution *x)
{
	const struct oncall *o = oncall_now(engine_oncall(x->engine, x->engine->root ? x->engine->root : x->policy_root), NULL);
	return o->policy_count > 0 || x->incident || incident_of_execution(x->engine, x->id);
}

static void raise_with(struct execution *x, enum escalation_trigger trigger, size_t i, int64_t since_us, const char *reason)
{
	const struct incident *known = incident_of_execution(x->engine, x->id);
	if (known && escalation_was_raised(known, trigger, x->id, step_id(x, i), since_us)) return;
	if (!concerns_anybody(x)) return;
	failpoint(ESCALATION_RAISE);
	struct incident *inc = incident_open_for_execution(x);
	escalation_raise(inc, trigger, x->id, step_id(x, i), reason);
	incident_commit(x->engine);
}

static void raise_it(struct execution *x, enum escalation_trigger trigger, size_t i, int64_t since_us)
{
	raise_with(x, trigger, i, since_us, i == SIZE_MAX ? NULL : execution_why(x, i));
}

/* Of a child its parent decides. */
static bool is_child(const struct execution *x)
{
	return x->parent.execution != NULL;
}

/* A step that ended badly where the book does not go on by itself. */
static bool is_bad_end(const struct execution *x, size_t i)
{
	const struct flow_step *s = &x->flow->steps[i];
	return flow_is_bad(s->state) && s->is_decided && !is_child(x) && x->book->steps[i].on_failure != ON_FAILURE_CONTINUE &&
	       x->book->steps[i].on_failure != ON_FAILURE_GOTO;
}

static enum escalation_trigger trigger_of(enum step_state s)
{
	return s == STEP_DIVERGED ? RAISED_BY_DIVERGED : s == STEP_DENIED ? RAISED_BY_DENIED : RAISED_BY_FAILED;
}

static bool is_somebody_attached(const struct execution *x)
{
	for (const struct client *c = x->engine->clients; c; c = c->next)
		if (client_is_attached(c, x->id)) return true;
	return false;
}

struct limit {
	enum escalation_trigger trigger;
	int64_t after_us; /* 0: none */
};

/* How long it may go on as it is. The step's own word comes before the workspace's. */
static struct limit limit_of(const struct execution *x, const struct oncall_after *after, size_t i)
{
	int64_t expected_us = x->book->steps[i].expect_within_us;
	switch (x->steps[i].watch.wait) {
	case WAIT_APPROVAL:
		return (struct limit){RAISED_BY_APPROVAL, expected_us ? expected_us : after->approval_us};
	case WAIT_PERSON:
	case WAIT_ANSWER:
	case WAIT_GO:
	case WAIT_DECISION:
	case WAIT_RESOLVE:
		return (struct limit){expected_us ? RAISED_BY_OVERDUE : RAISED_BY_WAITING, expected_us ? expected_us : after->waiting_us};
	default:
		return (struct limit){RAISED_BY_OVERDUE, x->flow->steps[i].state == STEP_RUNNING ? expected_us : 0};
	}
}

/* Where a person drives, and sees it, nobody else is called. */
static void watch_time(struct execution *x, const struct oncall_after *after, size_t i, int64_t now_us, int64_t *next_us)
{
	struct step_watch *w = &x->steps[i].watch;
	struct limit l = limit_of(x, after, i);
	if (!l.after_us || x->flow->is_paused || w->is_raised) return;
	int64_t due_us = began_us(x, w) + l.after_us;
	if (w->put_off_us > due_us) due_us = w->put_off_us;
	if (now_us >= due_us && x->flow->mode == FLOW_GUIDED && l.trigger == RAISED_BY_WAITING && is_somebody_attached(x))
		due_us = w->put_off_us = now_us + (l.after_us < ATTACHED_US ? l.after_us : ATTACHED_US);
	if (now_us < due_us) {
		if (due_us < *next_us) *next_us = due_us;
		return;
	}
	w->is_raised = true;
	raise_it(x, l.trigger, i, w->since_us);
}

static void watch_step(struct execution *x, const struct oncall_after *after, size_t i, int64_t now_us, int64_t *next_us)
{
	struct step_watch *w = &x->steps[i].watch;
	bool is_auto = x->flow->mode == FLOW_AUTO;
	if (is_auto && is_bad_end(x, i)) {
		if (!w->is_raised) w->is_raised = true, raise_it(x, trigger_of(w->state), i, w->since_us);
	} else if (is_auto && w->wait == WAIT_RESOLVE && !x->flow->steps[i].is_verifying) {
		if (!w->is_raised) w->is_raised = true, raise_it(x, RAISED_BY_UNKNOWN, i, w->since_us);
	} else if (!x->flow->is_finished) {
		watch_time(x, after, i, now_us, next_us);
	}
}

/* ---- what is over ---- */

static bool is_of_waiting(enum escalation_trigger t)
{
	return t == RAISED_BY_WAITING || t == RAISED_BY_APPROVAL || t == RAISED_BY_OVERDUE || t == RAISED_BY_UNKNOWN;
}

/* Does what was raised for the step still stand? */
static bool stands(const struct execution *x, const char *step, int64_t raised_us)
{
	size_t i = step ? graph_find(x->graph, step) : SIZE_MAX;
	return i != SIZE_MAX && x->steps[i].watch.since_us <= raised_us;
}

/* Whom it waited for has come: nobody else is called for that. */
static void calm_down(struct execution *x)
{
	struct incident *inc = incident_of_execution(x->engine, x->id);
	const struct escalation *g = inc ? escalation_get(inc) : NULL;
	struct escalation_seen seen;
	if (!g || (g->state != ESCALATION_HELD && g->state != ESCALATION_CLIMBING)) return;
	for (size_t i = 0; escalation_raise_seen(inc, i, &seen); i++) {
		bool is_ours = seen.execution && strcmp(seen.execution, x->id) == 0;
		if (!is_ours || !is_of_waiting(seen.trigger) || stands(x, seen.step, seen.t_us)) return;
	}
	json_t *d = json_pack("{s:s}", "how", "answered");
	if (incident_emit(inc, (struct incident_emit){.kind = RECORD_INCIDENT_ACKNOWLEDGED, .data = d}, NULL) == ERR_OK) incident_commit(x->engine);
}

/* What was opened for it alone, and ended well after all, is over. */
static void close_with(struct execution *x)
{
	struct incident *inc = incident_of_execution(x->engine, x->id);
	if (!inc || inc->flow->origin != INCIDENT_BY_EXECUTION || inc->flow->state == INCIDENT_RESOLVED || inc->flow->running > 1) return;
	json_t *d = json_pack("{s:s}", "how", "execution");
	if (incident_emit(inc, (struct incident_emit){.kind = RECORD_INCIDENT_RESOLVED, .data = d}, NULL) == ERR_OK) incident_commit(x->engine);
}

/* The alert that it was to explain is over: there is nothing left that anybody would be woken for. */
static bool is_of_what_is_over(const struct execution *x)
{
	const struct incident *inc = x->incident ? incident_find(x->engine, x->incident) : NULL;
	return x->incident && (!inc || inc->flow->state == INCIDENT_RESOLVED);
}

/* A playbook that runs by itself, or for an incident, and has mended nothing: no cause, or one whose runbook it could not start. True: somebody is told. */
static bool watch_conclusion(struct execution *x)
{
	const char *outcome = json_str(x->conclusion, "outcome", "");
	bool is_alone = x->flow->mode == FLOW_AUTO || x->incident, is_lost = strcmp(outcome, "no_cause") == 0;
	size_t last = x->graph->count - 1;
	/* Where no cause of the book leads anywhere there is no step that would say why nothing was run. */
	bool has_remedy = x->book->steps[last].is_implicit;
	const char *why = has_remedy ? json_str(execution_result(x, last), "why", NULL) : "the book names no runbook for it";
	bool is_refused = strcmp(outcome, "proposed") == 0 && why && strcmp(why, "a person said no") != 0;
	if (!is_alone || is_child(x) || !(is_lost || is_refused) || is_of_what_is_over(x)) return false;
	char *reason =
	    is_lost ? mem_strdup("the playbook's steps are over, and no root cause was found")
	            : mem_printf("the cause is %s, and nothing was run: %.600s", json_str(x->conclusion, "cause", "one that its table does not have"), why);
	raise_with(x, is_lost ? RAISED_BY_NO_CAUSE : RAISED_BY_DENIED, SIZE_MAX, 0, reason);
	free(reason);
	return true;
}

/* It ended badly, and no step said why: stopped by a deadline of its own, say. */
static void watch_end(struct execution *x)
{
	enum run_state s = x->flow->state;
	struct incident *inc = incident_of_execution(x->engine, x->id);
	struct escalation_seen seen;
	if (s == RUN_SUCCEEDED && !watch_conclusion(x)) close_with(x);
	if (x->flow->mode != FLOW_AUTO || is_child(x) || (s != RUN_FAILED && s != RUN_TIMED_OUT && s != RUN_DIVERGED)) return;
	for (size_t i = 0; inc && escalation_raise_seen(inc, i, &seen); i++)
		if (seen.execution && strcmp(seen.execution, x->id) == 0) return;
	raise_it(x, s == RUN_DIVERGED ? RAISED_BY_DIVERGED : RAISED_BY_FAILED, SIZE_MAX, 0);
}

void escalations_watch_again(struct engine *en)
{
	for (struct execution *x = en->executions, *next; x; x = next) {
		next = x->next;
		for (size_t i = 0; i < x->graph->count; i++) x->steps[i].watch.is_raised = false;
		execution_step_on(x);
	}
}

int64_t escalation_watch(struct execution *x)
{
	int64_t now_us = clock_steady_us(), next_us = INT64_MAX;
	if (!x->engine->incidents || x->is_loaded_for_reading || x->is_claiming || x->is_watching) return next_us;
	const struct oncall *o = oncall_now(engine_oncall(x->engine, x->engine->root ? x->engine->root : x->policy_root), NULL);
	struct oncall_after after = o->after; /* raising may read the file anew */
	x->is_watching = true;
	/* How the first steps stand is known behind the first record. */
	note(x, x->folded_us, x->folded_us == x->read_us ? 0 : clock_steady_us());
	for (size_t i = 0; i < x->graph->count; i++) watch_step(x, &after, i, now_us, &next_us);
	if (x->flow->is_finished) watch_end(x);
	calm_down(x);
	x->is_watching = false;
	return next_us;
}
