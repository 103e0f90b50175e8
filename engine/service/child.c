#include "service/child.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "policy/book_children.h"
#include "service/attempt.h"
#include "service/call.h"
#include "service/children.h"
#include "service/engine_state.h"
#include "service/incident.h"
#include "service/inventory.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>

bool child_is_stuck(const char *state)
{
	return state && (strcmp(state, run_state_name(RUN_WAITING)) == 0 || strcmp(state, run_state_name(RUN_ATTENTION)) == 0);
}

const char *child_id_new(struct execution *x)
{
	unsigned char random[10];
	char id[27];
	random_bytes(random, sizeof random);
	ulid_make(id, clock_now_us(), random);
	return arena_strdup(x->arena, id);
}

/* ---- outcomes ---- */

/* What each step returned, as far as an answer holds. */
static json_t *outputs_of(struct execution *child, bool *is_cut)
{
	json_t *outputs = json_object();
	size_t bytes = 0;
	for (size_t i = 0; i < child->graph->count; i++) {
		json_t *result = execution_result(child, i);
		if (!result) continue;
		bytes += json_dumpb(result, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
		if (bytes > CHILD_OUTPUTS_BYTES_MAX)
			*is_cut = true;
		else
			json_object_set(outputs, child->book->steps[i].id, result);
	}
	return outputs;
}

/* The call is over: whoever waited for it goes on. */
static void settled(struct execution *x, struct call *c)
{
	c->is_dispatched = false;
	x->steps[c->step].needs_run = true;
	attempt_calls_changed(x, c->step);
}

static void fail(struct execution *x, struct call *c, const char *outcome, const char *why)
{
	c->is_dispatched = false;
	call_finish(x, c, outcome, json_pack("{s:s?}", "error", execution_blob_text(x, why)));
	settled(x, c);
}

static void finish(struct execution *x, struct call *c, struct execution *child)
{
	bool is_cut = false;
	json_t *value = json_pack("{s:s,s:s,s:o}", "state", run_state_name(child->flow->state), "execution", child->id, "outputs", outputs_of(child, &is_cut));
	if (is_cut) json_object_set_new(value, "truncated", json_true());
	/* A playbook succeeds where it mended nothing, too. */
	if (child->conclusion) json_object_set(value, "outcome", json_object_get(child->conclusion, "outcome"));
	c->is_dispatched = false;
	failpoint(CHILD_OUTCOME);
	call_finish(x, c, "ok", json_pack("{s:s}", "answer", execution_blob_json(x, value)));
	json_decref(value);
	settled(x, c);
}

/* ---- starting ---- */

/* A call that waits for the inventory; it may be gone when that comes, and its execution too. */
struct awaited_child {
	struct engine *engine;
	char execution[27];
	size_t step;
	uint32_t attempt, number;
};

static void inventory_is_there(void *arg, const struct inventory *inv, const struct error *e)
{
	struct awaited_child *w = arg;
	struct execution *x = inv || e ? engine_find(w->engine, w->execution) : NULL;
	struct call *c = x ? execution_call(x, w->step, w->attempt, w->number) : NULL;
	if (c && c->state == CALL_STARTED && c->is_dispatched && !c->is_cancelled) {
		if (inv)
			child_start(x, c);
		else
			fail(x, c, "failed", e->text);
		execution_step_on(x);
	}
	free(w);
}

static void await_inventory(struct execution *x, struct call *c, struct inventory_at *at)
{
	struct awaited_child *w = mem_zero(sizeof *w);
	*w = (struct awaited_child){.engine = x->engine, .step = c->step, .attempt = c->attempt, .number = c->number};
	memcpy(w->execution, x->id, sizeof w->execution);
	inventory_ask(at, inventory_is_there, w);
}

/* Parameters as the call has them; secrets of the parent by value (they are in memory only), those of the workspace by name. */
static json_t *params_of(struct execution *x, const json_t *arguments, json_t *aliases)
{
	json_t *params = json_copy(json_obj(arguments, "params")), *v;
	const char *name;
	json_object_foreach(json_obj(arguments, "secrets"), name, v)
	{
		const char *secret = json_str(v, "secret", "");
		const char *param = strncmp(secret, "param:", 6) == 0 ? secret + 6 : NULL;
		json_t *value = param ? json_object_get(x->secret_params, param) : NULL;
		const char *alias = param && !value ? json_str(x->secret_aliases, param, NULL) : NULL;
		if (value)
			json_object_set(params, name, value);
		else
			json_object_set_new(aliases, name, json_string(alias ? alias : secret));
	}
	return params;
}

static json_t *alert_of(struct execution *x)
{
	size_t n;
	char *text = x->alert_blob ? execution_read_blob(x, x->alert_blob, &n) : NULL;
	json_t *alert = text ? json_loadb(text, n, JSON_ALLOW_NUL, NULL) : NULL;
	free(text);
	return alert;
}

/* It works on the incident of its parent. */
static void link_child(struct execution *x, const struct execution *child)
{
	struct incident *inc = x->incident ? incident_find(x->engine, x->incident) : incident_of_execution(x->engine, x->id);
	if (!inc || incident_execution_find(inc->flow, child->id)) return;
	if (incident_link(inc, child->id, "parent", x->id, NULL) == ERR_OK) incident_commit(x->engine);
}

static size_t count_children(const struct execution *x)
{
	size_t n = 0;
	for (size_t i = 0; i < x->graph->count; i++)
		for (size_t k = 0; k < x->steps[i].call_count; k++) n += x->steps[i].calls[k]->child != NULL;
	return n;
}

/* A book may not be its own ancestor, however long the way is. */
static enum err check_ancestors(struct execution *x, const char *path, struct error *e)
{
	json_t *v;
	size_t i;
	struct buf way;
	bool is_again = strcmp(path, x->book_name) == 0;
	buf_init(&way, ERROR_TEXT_BYTES / 2);
	json_array_foreach(x->ancestors, i, v)
	{
		is_again = is_again || strcmp(json_string_value(v), path) == 0;
		buf_printf(&way, "%s -> ", json_string_value(v));
	}
	buf_printf(&way, "%s -> %s", x->book_name, path);
	enum err err = ERR_OK;
	if (is_again)
		err = error_set(e, ERR_INVALID, "a book cannot be its own ancestor: %s", way.data);
	else if (json_array_size(x->ancestors) + 1 > BOOK_CHILD_DEPTH_MAX)
		err = error_set(e, ERR_INVALID, "runbooks start one another %d deep at most: %s", BOOK_CHILD_DEPTH_MAX, way.data);
	else if (count_children(x) > CHILDREN_PER_EXECUTION_MAX)
		err = error_set(e, ERR_TOO_BIG, "an execution starts %d runbooks at most", CHILDREN_PER_EXECUTION_MAX);
	buf_clear(&way);
	return err;
}

static enum err begin(struct execution *x, struct call *c, struct execution **out, struct inventory_at **awaited, struct error *e)
{
	json_t *form = call_arguments(x, c), *arguments = json_obj(form, "arguments"), *aliases = json_object();
	const char *name = json_str(arguments, "name", ""), *path = children_path(x->children, name);
	json_t *params = params_of(x, arguments, aliases), *alert = alert_of(x);
	struct execution_wish w = {.book = name,
	                           .params = params,
	                           .mode = FLOW_AUTO,
	                           .allow = x->allow,
	                           .is_all_declared = x->is_all_declared,
	                           .driver = x->driver,
	                           .id = c->child,
	                           .trigger = "parent",
	                           .parent = x,
	                           .parent_call = {x->id, x->book->steps[c->step].id, c->attempt, c->number},
	                           .secret_aliases = aliases,
	                           .incident = x->incident,
	                           .alert = alert,
	                           .is_start = true,
	                           .awaited = awaited};
	enum err err = path ? check_ancestors(x, path, e) : ERR_OK;
	if (!err) err = execution_new(x->engine, &w, out, e);
	json_decref(params);
	json_decref(aliases);
	json_decref(alert);
	json_decref(form);
	return err;
}

static void start_new(struct execution *x, struct call *c)
{
	struct execution *child;
	struct inventory_at *awaited = NULL;
	struct error e;
	failpoint(CHILD_START);
	enum err err = begin(x, c, &child, &awaited, &e);
	if (err == ERR_WAITING && awaited) {
		await_inventory(x, c, awaited);
	} else if (err) {
		fail(x, c, err == ERR_DENIED ? "denied" : "failed", e.text);
	} else {
		engine_add(x->engine, child);
		link_child(x, child);
		execution_commit(child);
		failpoint(CHILD_STARTED);
	}
}

/* Values of the parent's own parameters are in memory only. */
static void give_secrets(struct execution *x, const struct call *c, struct execution *child)
{
	json_t *form = call_arguments(x, c), *v;
	const char *name;
	json_object_foreach(json_obj(json_obj(form, "arguments"), "secrets"), name, v)
	{
		const char *secret = json_str(v, "secret", "");
		json_t *value = strncmp(secret, "param:", 6) == 0 ? json_object_get(x->secret_params, secret + 6) : NULL;
		if (value && json_object_get(child->params, name)) json_object_set(child->secret_params, name, value);
	}
	json_decref(form);
}

/* Who took the parent over when its engine was gone has its children too. One that was handed to somebody else on its own stays theirs. */
static void follow_driver(struct execution *x, struct execution *child)
{
	if (strcmp(child->driver, x->driver) == 0 || !rights_has_driven(x, child->driver)) return;
	json_t *d = json_pack("{s:s,s:s,s:s}", "to", x->driver, "from", child->driver, "why", "parent");
	execution_emit(child, (struct emit){.kind = RECORD_DRIVER_CHANGED, .step = SIZE_MAX, .by = x->driver, .data = d}, NULL);
}

/* An engine before this one has started it. */
static void meet(struct execution *x, struct call *c, struct execution *child)
{
	if (child->flow->is_finished) {
		finish(x, c, child);
		execution_free(child);
		return;
	}
	give_secrets(x, c, child);
	engine_add(x->engine, child);
	link_child(x, child);
	failpoint(CHILD_ADOPT);
	execution_take_up(child, "system:engine");
	follow_driver(x, child);
	execution_step_on(child);
}

void child_start(struct execution *x, struct call *c)
{
	struct execution *child = engine_find(x->engine, c->child);
	struct error e;
	c->is_dispatched = true;
	c->is_intended = false;
	if (child) {
		give_secrets(x, c, child);
		child_tell(child);
		return;
	}
	enum err err = execution_load(x->engine, x->engine->reader, c->child, &child, &e);
	if (!err)
		meet(x, c, child);
	else if (err == ERR_NOT_FOUND)
		start_new(x, c);
	else
		fail(x, c, "failed", e.text);
}

void children_take_up(struct execution *x)
{
	if (x->flow->is_finished) return;
	for (size_t i = 0; i < x->graph->count; i++)
		for (size_t k = 0; k < x->steps[i].call_count; k++) {
			struct call *c = x->steps[i].calls[k];
			if (c->child && c->state == CALL_STARTED && !c->is_dispatched && !c->is_intended) child_start(x, c);
		}
}

/* ---- stopping, handing over ---- */

void child_cancel(struct execution *x, struct call *c)
{
	struct execution *child = engine_find(x->engine, c->child);
	if (c->state != CALL_STARTED || !c->is_dispatched || c->is_cancelled) return;
	c->is_cancelled = true;
	failpoint(CHILD_CANCEL);
	if (!child) {
		/* It waits for the inventory, and has not begun. */
		fail(x, c, "failed", "the step was stopped before the runbook began");
		return;
	}
	if (child->flow->is_cancelling || child->flow->is_finished) return;
	execution_emit(child, (struct emit){.kind = RECORD_EXECUTION_CANCELLED, .step = SIZE_MAX, .data = json_pack("{s:s}", "why", "parent")}, NULL);
	execution_step_on(child);
}

void children_hand_over(struct execution *x, const char *to, const char *by)
{
	for (struct execution *child = x->engine->executions; child; child = child->next) {
		if (!child->parent.execution || strcmp(child->parent.execution, x->id) != 0 || strcmp(child->driver, to) == 0) continue;
		json_t *d = json_pack("{s:s,s:s,s:s}", "to", to, "from", child->driver, "why", "parent");
		execution_emit(child, (struct emit){.kind = RECORD_DRIVER_CHANGED, .step = SIZE_MAX, .by = by, .data = d}, NULL);
		children_hand_over(child, to, by);
		execution_step_on(child);
	}
}

/* ---- the child's side ---- */

/* The call in the parent, where that is under way here and waits for it. */
static struct call *call_above(struct execution *child, struct execution **parent)
{
	struct execution *x = child->parent.execution ? engine_find(child->engine, child->parent.execution) : NULL;
	size_t step = x && !x->is_loaded_for_reading ? graph_find(x->graph, child->parent.step) : SIZE_MAX;
	struct call *c = step == SIZE_MAX ? NULL : execution_call(x, step, child->parent.attempt, child->parent.call);
	*parent = x;
	return c && c->child && strcmp(c->child, child->id) == 0 && c->state == CALL_STARTED ? c : NULL;
}

void child_tell(struct execution *child)
{
	struct execution *x;
	struct call *c = child->parent.execution && !child->flow->is_finished && !child->is_loaded_for_reading ? call_above(child, &x) : NULL;
	const char *state = run_state_name(child->flow->state);
	if (!c || c->is_child_waiting == child_is_stuck(state)) return;
	json_t *d = json_pack("{s:s,s:s}", "execution", child->id, "state", state);
	struct emit em = {.kind = RECORD_CHILD_CHANGED, .step = c->step, .attempt = c->attempt, .call = c->number, .data = d};
	failpoint(CHILD_CHANGED);
	if (execution_emit(x, em, NULL) == ERR_OK) execution_step_on(x);
}

void child_ended(struct execution *child)
{
	struct execution *x;
	struct call *c = call_above(child, &x);
	if (!c) return;
	finish(x, c, child);
	execution_step_on(x);
}

void child_lost(struct execution *child)
{
	struct execution *x;
	struct call *c = call_above(child, &x);
	if (!c) return;
	c->is_dispatched = false;
	call_unknown_because(x, c, "child_lost", "its records could not be stored: what it did by then is not known here");
	attempt_calls_changed(x, c->step);
	execution_step_on(x);
}

/* ---- what people see ---- */

struct row_seen {
	char state[32];
};

static bool see_row(void *arg, const struct store_execution *row)
{
	struct row_seen *seen = arg;
	snprintf(seen->state, sizeof seen->state, "%s", row->state);
	return false;
}

/* Of one that is over the state is looked up once. */
static void look_at(struct execution *x, struct call *c, struct row_seen *seen)
{
	const struct execution *child = x->is_loaded_for_reading ? NULL : engine_find(x->engine, c->child);
	enum run_state state;
	if (child || c->child_state)
		snprintf(seen->state, sizeof seen->state, "%s", child ? run_state_name(child->flow->state) : c->child_state);
	else
		store_executions(x->reader, false, c->child, NULL, 1, see_row, seen, NULL);
	if (!c->child_state && run_state_find(seen->state, &state) && flow_run_is_over(state)) c->child_state = arena_strdup(x->arena, seen->state);
}

json_t *children_view(struct execution *x)
{
	json_t *list = json_array();
	for (size_t i = 0; i < x->graph->count; i++)
		for (size_t k = 0; k < x->steps[i].call_count; k++) {
			struct call *c = x->steps[i].calls[k];
			if (!c->child) continue;
			struct row_seen seen = {.state = ""};
			look_at(x, c, &seen);
			json_array_append_new(list, json_pack("{s:s,s:i,s:i,s:s,s:s,s:s?}", "step", x->book->steps[i].id, "attempt", (int)c->attempt, "call",
			                                      (int)c->number, "execution", c->child, "runbook", call_words(x, c), "state",
			                                      *seen.state ? seen.state : NULL));
		}
	return list;
}
