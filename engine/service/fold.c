#include "service/approval.h"
#include "service/call.h"
#include "service/child.h"
#include "service/escalation_watch.h"
#include "service/finding.h"

#include <stdlib.h>
#include <string.h>

/* The fold: what each kind of record does to an execution. Live and in recovery the same. */

struct folding {
	struct execution *x;
	const struct record *r;
	size_t step;
	struct flow_event ev;
};

static const char *str(const struct folding *f, const char *key)
{
	return json_str(f->r->data, key, NULL);
}

static void keep(char **slot, const char *name, struct arena *a)
{
	*slot = name ? arena_strdup(a, name) : NULL;
}

struct call *execution_call(struct execution *x, size_t step, uint32_t attempt, uint32_t number)
{
	struct step_data *s = &x->steps[step];
	for (size_t i = s->call_count; i-- > 0;)
		if (s->calls[i]->attempt == attempt && s->calls[i]->number == number) return s->calls[i];
	return NULL;
}

struct call *execution_call_add(struct execution *x, size_t step, uint32_t attempt, uint32_t number)
{
	struct step_data *s = &x->steps[step];
	s->calls = arena_grow(x->arena, s->calls, s->call_count, &s->call_capacity, sizeof *s->calls);
	struct call *c = arena_alloc(x->arena, sizeof *c);
	c->number = number;
	c->attempt = attempt;
	c->step = step;
	c->spool_fd[0] = c->spool_fd[1] = -1;
	s->calls[s->call_count++] = c;
	return c;
}

uint32_t execution_next_call(struct execution *x, size_t step, uint32_t attempt, enum call_range range)
{
	uint32_t most = call_range_base(range);
	struct step_data *s = &x->steps[step];
	for (size_t i = 0; i < s->call_count; i++)
		if (s->calls[i]->attempt == attempt && call_range_of(s->calls[i]->number) == range && s->calls[i]->number > most) most = s->calls[i]->number;
	return most + 1;
}

static enum step_effect effect_find(const char *word)
{
	for (int i = EFFECT_ONCE; i <= EFFECT_RECEIPT; i++)
		if (word && strcmp(effect_word((enum step_effect)i), word) == 0) return (enum step_effect)i;
	return EFFECT_ONCE;
}

static void apply_call(const struct folding *f, struct call *c, enum flow_event_kind kind, uint32_t most)
{
	struct flow_call seen = call_seen(c);
	call_apply(&seen, kind, most, str(f, "answer") && strcmp(str(f, "answer"), "again") == 0);
	c->state = seen.state;
	c->order = seen.order;
}

static void fold_call_started(struct folding *f)
{
	struct execution *x = f->x;
	struct call *c = execution_call(x, f->step, f->r->attempt, f->r->call);
	if (!c) c = execution_call_add(x, f->step, f->r->attempt, f->r->call);
	c->module = arena_strdup(x->arena, str(f, "module"));
	c->function = arena_strdup(x->arena, str(f, "function"));
	c->effect = effect_find(str(f, "effect"));
	c->is_in_verify = str(f, "purpose") && strcmp(str(f, "purpose"), "action") != 0;
	c->is_question = strcmp(c->module, "ask") == 0 || strcmp(c->module, "approve") == 0;
	const struct module *module;
	const struct callable *what = callable_find(c->module, c->function, &module);
	c->is_of_engine = what && what->by == CALLABLE_ENGINE;
	keep(&c->child, str(f, "child"), x->arena);
	if (c->state == CALL_AGAIN) c->intents = 0;
	if (c->intents++ == 0) c->intended_us = f->r->t_us;
	keep(&c->key, str(f, "key"), x->arena);
	keep(&c->place, str(f, "target"), x->arena);
	apply_call(f, c, FLOW_CALL_STARTED, 0);
	c->lost_us = 0;
	keep(&c->arguments_blob, str(f, "arguments"), x->arena);
	keep(&c->text_blob, str(f, "text"), x->arena);
	c->started_us = f->r->t_us;
	c->finished_us = 0;
	c->outcome = NULL;
}

static void fold_call_finished(struct folding *f)
{
	struct execution *x = f->x;
	struct call *c = execution_call(x, f->step, f->r->attempt, f->r->call);
	if (!c) return;
	uint32_t most = 0;
	for (size_t i = 0; i < x->steps[f->step].call_count; i++) {
		const struct call *o = x->steps[f->step].calls[i];
		if (o->attempt == c->attempt && call_range_of(o->number) == call_range_of(c->number) && o->order > most) most = o->order;
	}
	apply_call(f, c, FLOW_CALL_FINISHED, most);
	c->finished_us = f->r->t_us;
	c->outcome = arena_strdup(x->arena, str(f, "outcome"));
	keep(&c->answer_blob, str(f, "answer"), x->arena);
	json_decref(c->finished);
	c->finished = json_incref((json_t *)f->r->data);
}

static void fold_call_rest(struct folding *f)
{
	struct call *c = execution_call(f->x, f->step, f->r->attempt, f->r->call);
	if (!c) return;
	if (f->r->kind == RECORD_CHILD_CHANGED) c->is_child_waiting = child_is_stuck(str(f, "state"));
	if (f->r->kind == RECORD_CALL_UNKNOWN) {
		apply_call(f, c, FLOW_CALL_UNKNOWN, 0);
		c->lost_us = f->r->t_us;
		json_decref(c->finished);
		c->finished = json_incref((json_t *)f->r->data);
	}
	if (f->r->kind != RECORD_CALL_RESOLVED) return;
	apply_call(f, c, FLOW_CALL_RESOLVED, 0);
	c->resolved_by = arena_strdup(f->x->arena, f->r->by ? f->r->by : "?");
	c->resolved_as = arena_strdup(f->x->arena, str(f, "answer"));
	if (c->state == CALL_AGAIN) c->again++;
}

static void fold_secret_used(struct folding *f)
{
	json_t *name;
	size_t i;
	json_array_foreach(json_arr(f->r->data, "names"), i, name) json_object_set_new(f->x->secrets_used, json_string_value(name), json_true());
}

static enum step_state outcome(const struct folding *f)
{
	enum step_state s = STEP_FAILED;
	step_state_find(str(f, "outcome"), &s);
	return s;
}

static void fold_attempt_finished(struct folding *f)
{
	struct step_data *s = &f->x->steps[f->step];
	json_decref(s->result);
	s->result = NULL;
	keep(&s->result_blob, str(f, "result"), f->x->arena);
	keep(&s->why_blob, str(f, "error"), f->x->arena);
	s->why = NULL;
	s->diverged_call = (uint32_t)json_int(f->r->data, "diverged", 0);
	keep(&s->asked_blob, str(f, "asked"), f->x->arena);
	f->ev.to = str(f, "to") ? graph_find(f->x->graph, str(f, "to")) : SIZE_MAX;
	s->to = str(f, "to") ? arena_strdup(f->x->arena, str(f, "to")) : NULL;
}

/* The next evaluation asks anew. */
static void end_evaluation(struct execution *x, size_t step)
{
	struct step_data *s = &x->steps[step];
	s->condition_attempt = x->flow->steps[step].attempt + 1;
	s->condition_end = execution_next_call(x, step, s->condition_attempt, CALLS_OF_CONDITION) - 1;
}

/* What it was stays in the record; nothing of it is the step's any more. */
static void forget_result(struct step_data *s)
{
	json_decref(s->result);
	s->result = NULL;
	s->result_blob = s->why_blob = s->why = s->asked_blob = NULL;
	s->diverged_call = 0;
	s->to = NULL;
}

/* The step that is named, and those that depend on it. Those with a call under way were not reset. */
static void fold_reset(struct execution *x)
{
	for (size_t i = 0; i < x->graph->count; i++) {
		const struct flow_step *s = &x->flow->steps[i];
		if (!s->open_calls) end_evaluation(x, i);
		if (s->state == STEP_PENDING || s->state == STEP_READY || (s->state == STEP_WAITING && !s->is_in_attempt)) forget_result(&x->steps[i]);
	}
}

static bool is_about_targets(const struct folding *f)
{
	return f->r->kind == RECORD_CONDITION_EVALUATED && str(f, "what") && strcmp(str(f, "what"), "targets") == 0;
}

/* The list itself is read by whoever needs it. */
static void fold_targets(struct folding *f)
{
	struct step_data *s = &f->x->steps[f->step];
	size_t n;
	s->has_targets = strcmp(str(f, "outcome"), "succeeded") == 0;
	s->target_count = json_int(f->r->data, "count", 0);
	s->are_targets_fresh = true;
	keep(&s->targets_why_blob, str(f, "error"), f->x->arena);
	json_decref(s->targets);
	char *text = s->has_targets ? execution_read_blob(f->x, str(f, "result"), &n) : NULL;
	s->targets = text ? json_loadb(text, n, JSON_ALLOW_NUL, NULL) : NULL;
	free(text);
}

static void fold_proof(struct folding *f)
{
	struct execution *x = f->x;
	struct step_data *s = &x->steps[f->step];
	if (f->r->kind == RECORD_VERIFICATION_STARTED) {
		uint32_t attempt = x->flow->steps[f->step].attempt;
		s->proof = (struct proof){.started_us = f->r->t_us, .first = execution_next_call(x, f->step, attempt, CALLS_OF_PROOF) - 1};
		if (str(f, "why") && strcmp(str(f, "why"), "person") == 0) s->proof.by = arena_strdup(x->arena, f->r->by ? f->r->by : "?");
		return;
	}
	s->is_verify_tried = true;
	s->proof.finished_us = f->r->t_us;
	s->proof.outcome = arena_strdup(x->arena, str(f, "outcome"));
	s->proof.why = str(f, "why") ? arena_strdup(x->arena, str(f, "why")) : NULL;
	keep(&s->proof.error_blob, str(f, "error"), x->arena);
}

static void fold_step(struct folding *f)
{
	struct step_data *s = &f->x->steps[f->step];
	switch (f->r->kind) {
	case RECORD_STEP_SETTLED:
		s->settled_by = f->r->by ? arena_strdup(f->x->arena, f->r->by) : NULL;
		s->settled_as = arena_strdup(f->x->arena, str(f, "why") ? str(f, "why") : "?");
		json_decref(s->result);
		s->result = NULL;
		keep(&s->result_blob, str(f, "result"), f->x->arena);
		if (str(f, "note")) keep(&s->note_blob, str(f, "note"), f->x->arena);
		break;
	case RECORD_STEP_SKIPPED:
		keep(&s->why_blob, str(f, "reason"), f->x->arena);
		s->why = NULL;
		break;
	case RECORD_ATTEMPT_STARTED:
		keep(&s->why_blob, NULL, NULL);
		s->why = NULL;
		s->diverged_call = 0;
		s->is_verify_tried = false;
		s->proof = (struct proof){0};
		break;
	case RECORD_VERIFICATION_STARTED:
	case RECORD_VERIFICATION_FINISHED:
		fold_proof(f);
		break;
	case RECORD_STEP_RESET:
		fold_reset(f->x);
		break;
	case RECORD_APPROVAL_ASKED:
	case RECORD_APPROVAL_GIVEN:
	case RECORD_APPROVAL_REFUSED:
	case RECORD_APPROVAL_WITHDRAWN:
		approval_fold(f->x, f->step, f->r);
		break;
	case RECORD_CONDITION_EVALUATED:
		if (is_about_targets(f)) {
			fold_targets(f);
			break;
		}
		end_evaluation(f->x, f->step);
		if (str(f, "error")) keep(&s->why_blob, str(f, "error"), f->x->arena), s->why = NULL;
		break;
	default:
		break;
	}
	s->is_dirty = true;
}

/* Which event of flow a record is, plus one; 0: none. */
static const int events[RECORD_KIND_N] = {
    [RECORD_STEP_REQUESTED] = FLOW_REQUESTED + 1,
    [RECORD_STEP_SKIPPED] = FLOW_SKIP + 1,
    [RECORD_STEP_SETTLED] = FLOW_SETTLED + 1,
    [RECORD_STEP_RESET] = FLOW_RESET + 1,
    [RECORD_CONDITION_EVALUATED] = FLOW_CONDITION + 1,
    [RECORD_ATTEMPT_STARTED] = FLOW_ATTEMPT_STARTED + 1,
    [RECORD_ATTEMPT_FINISHED] = FLOW_ATTEMPT_FINISHED + 1,
    [RECORD_CALL_STARTED] = FLOW_CALL_STARTED + 1,
    [RECORD_CALL_FINISHED] = FLOW_CALL_FINISHED + 1,
    [RECORD_CALL_UNKNOWN] = FLOW_CALL_UNKNOWN + 1,
    [RECORD_CALL_RESOLVED] = FLOW_CALL_RESOLVED + 1,
    [RECORD_VERIFICATION_STARTED] = FLOW_VERIFICATION_STARTED + 1,
    [RECORD_VERIFICATION_FINISHED] = FLOW_VERIFICATION_FINISHED + 1,
    [RECORD_CHILD_CHANGED] = FLOW_CHILD_CHANGED + 1,
    [RECORD_QUESTION_ASKED] = FLOW_QUESTION_ASKED + 1,
    [RECORD_QUESTION_ANSWERED] = FLOW_QUESTION_ANSWERED + 1,
    [RECORD_APPROVAL_ASKED] = FLOW_APPROVAL_ASKED + 1,
    [RECORD_APPROVAL_GIVEN] = FLOW_APPROVAL_GIVEN + 1,
    [RECORD_APPROVAL_REFUSED] = FLOW_APPROVAL_REFUSED + 1,
    [RECORD_APPROVAL_WITHDRAWN] = FLOW_APPROVAL_WITHDRAWN + 1,
    [RECORD_EXECUTION_PAUSED] = FLOW_PAUSED + 1,
    [RECORD_EXECUTION_RESUMED] = FLOW_RESUMED + 1,
    [RECORD_EXECUTION_CANCELLED] = FLOW_CANCEL + 1,
    [RECORD_EXECUTION_FINISHED] = FLOW_FINISHED + 1,
};

static void age_targets(const struct folding *f)
{
	struct execution *x = f->x;
	if (!events[f->r->kind] || !approval_ages_targets((enum flow_event_kind)(events[f->r->kind] - 1))) return;
	for (size_t i = 0; i < x->graph->count; i++)
		if (i == f->step || f->r->kind == RECORD_STEP_RESET) x->steps[i].are_targets_fresh = false;
}

static void prepare_event(struct folding *f)
{
	struct flow_event *ev = &f->ev;
	ev->step = f->step;
	ev->t_us = f->r->t_us;
	ev->ahead_us = f->x->is_emitting ? clock_steady_us() - f->r->t_us : 0;
	ev->to = ev->by = SIZE_MAX;
	if (f->r->kind == RECORD_APPROVAL_ASKED) ev->count = (uint32_t)json_int(f->r->data, "needed", 1);
	const struct call *c = f->r->call && f->step != SIZE_MAX ? execution_call(f->x, f->step, f->r->attempt, f->r->call) : NULL;
	ev->is_child = f->r->kind == RECORD_CALL_STARTED ? str(f, "child") != NULL : c && c->child;
	ev->is_waiting = f->r->kind == RECORD_CHILD_CHANGED ? child_is_stuck(str(f, "state")) : c && c->is_child_waiting;
	ev->is_terminal = f->r->call && call_range_of(f->r->call) == CALLS_OF_TERMINAL;
	if (f->r->kind == RECORD_EXECUTION_FINISHED) run_state_find(str(f, "state"), &ev->run_state);
	ev->is_take_up = f->r->kind == RECORD_EXECUTION_RESUMED && strcmp(json_str(f->r->data, "why", ""), "engine_ended") == 0;
	if (f->r->kind == RECORD_STEP_RESET && str(f, "from")) ev->by = graph_find(f->x->graph, str(f, "from"));
	if (f->r->kind == RECORD_STEP_SETTLED || f->r->kind == RECORD_ATTEMPT_FINISHED || f->r->kind == RECORD_CONDITION_EVALUATED) ev->outcome = outcome(f);
	if (f->r->kind == RECORD_ATTEMPT_FINISHED && str(f, "to")) ev->to = graph_find(f->x->graph, str(f, "to"));
}

/* What one driver allowed is not the next one's. */
static void fold_driver(struct execution *x, const char *who)
{
	x->driver = arena_strdup(x->arena, who);
	x->drivers = arena_grow(x->arena, x->drivers, x->driver_count, &x->driver_capacity, sizeof *x->drivers);
	x->drivers[x->driver_count++] = x->driver;
	if (x->driver_count == 1) return;
	x->allowed_count = 0;
	x->is_all_declared = false;
	json_array_clear(x->allow);
}

static void fold_elevation(struct folding *f)
{
	struct execution *x = f->x;
	x->elevations = arena_grow(x->arena, x->elevations, x->elevation_count, &x->elevation_capacity, sizeof *x->elevations);
	x->elevations[x->elevation_count++] = (struct elevation){.name = arena_strdup(x->arena, str(f, "elevation")),
	                                                         .by = arena_strdup(x->arena, f->r->by ? f->r->by : "?"),
	                                                         .until = clock_until_make(f->r->t_us, json_int(f->r->data, "until_us", 0), x->is_emitting)};
}

static void fold_run(struct folding *f)
{
	struct execution *x = f->x;
	x->is_run_dirty = true;
	if (f->r->kind == RECORD_EXECUTION_STARTED) x->started_us = f->r->t_us, fold_driver(x, str(f, "driver") ? str(f, "driver") : "?");
	if (f->r->kind == RECORD_EXECUTION_FINISHED) x->finished_us = f->r->t_us;
	if (f->r->kind == RECORD_PLAYBOOK_CONCLUDED) json_decref(x->conclusion), x->conclusion = json_incref((json_t *)f->r->data);
	if (f->r->kind == RECORD_EXECUTION_RESUMED) x->epoch = lease_read(x->epoch, f->r->epoch);
	if (f->r->kind == RECORD_DRIVER_CHANGED) fold_driver(x, str(f, "to"));
	if (f->r->kind == RECORD_RIGHT_ELEVATED) fold_elevation(f);
}

static bool was_unknown(struct execution *x, size_t step, const struct record *r)
{
	const struct call *c = step == SIZE_MAX ? NULL : execution_call(x, step, r->attempt, r->call);
	return c && c->state == CALL_UNKNOWN;
}

enum err execution_fold(struct execution *x, const struct record *r, struct error *e)
{
	struct folding f = {.x = x, .r = r, .step = r->step ? graph_find(x->graph, r->step) : SIZE_MAX};
	if (r->step && f.step == SIZE_MAX) return error_set(e, ERR_VERIFY, "the record names step \"%.100s\", which the plan's book does not have", r->step);
	/* A call that is made again while its first try is still open in the record is one call. */
	struct call *known = r->kind == RECORD_CALL_STARTED && f.step != SIZE_MAX ? execution_call(x, f.step, r->attempt, r->call) : NULL;
	struct flow_call seen = known ? call_seen(known) : (struct flow_call){0};
	bool is_repeat = known && call_is_open(&seen);
	/* An approval that code asked for in the middle of a step is an answer to its call; the step itself waits for none. */
	bool is_of_call = r->call && (r->kind == RECORD_APPROVAL_ASKED || r->kind == RECORD_APPROVAL_GIVEN || r->kind == RECORD_APPROVAL_REFUSED);
	if (events[r->kind] && !is_repeat && !is_about_targets(&f) && !is_of_call) {
		f.ev.kind = (enum flow_event_kind)(events[r->kind] - 1);
		prepare_event(&f);
		if (r->kind == RECORD_CALL_FINISHED) f.ev.was_unknown = was_unknown(x, f.step, r);
		enum err err = flow_apply(x->flow, &f.ev, e);
		if (err) return err;
	}
	if (f.step == SIZE_MAX) {
		fold_run(&f);
		escalation_watch_fold(x, r);
		return ERR_OK;
	}
	if (r->kind == RECORD_CALL_STARTED) fold_call_started(&f);
	if (r->kind == RECORD_CALL_FINISHED) fold_call_finished(&f);
	if (r->kind == RECORD_CALL_UNKNOWN || r->kind == RECORD_CALL_RESOLVED || r->kind == RECORD_CHILD_CHANGED) fold_call_rest(&f);
	findings_fold(x, f.step, r);
	if (r->kind == RECORD_ATTEMPT_FINISHED) fold_attempt_finished(&f);
	if (r->kind == RECORD_SECRET_USED) fold_secret_used(&f);
	fold_step(&f);
	age_targets(&f);
	/* One event moves others: what became ready is told too. */
	x->is_run_dirty = true;
	escalation_watch_fold(x, r);
	return ERR_OK;
}
