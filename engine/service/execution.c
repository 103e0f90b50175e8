#include "service/execution.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "service/approval.h"
#include "service/attempt.h"
#include "service/child.h"
#include "service/engine_state.h"
#include "service/escalation_watch.h"
#include "service/finding.h"
#include "service/incident.h"
#include "service/secret.h"

#include <stdlib.h>
#include <string.h>

enum { RECENT_BLOB_BYTES = 262144 + 65536 };

/* A submitted batch and what waits for it. */
struct commit {
	struct execution *x;
	struct later *first;
};

static void run_laters(struct execution *x, struct later *l)
{
	while (l) {
		struct later *next = l->next;
		if (!x->is_gone || l->is_answer) l->run(x, l->data);
		json_decref(l->data);
		free(l);
		l = next;
	}
}

static void drop_laters(struct later *l)
{
	while (l) {
		struct later *next = l->next;
		json_decref(l->data);
		free(l);
		l = next;
	}
}

/* The records could not be stored: what should have followed does not, and whoever waits for an answer hears why. */
static void fail_laters(struct execution *x, struct later *l, const char *why)
{
	for (struct later *at = l; at; at = at->next) {
		if (!at->is_answer) continue;
		json_object_set_new(at->data, "error", json_text(why));
		at->run(x, at->data);
	}
	drop_laters(l);
}

static void forget_recent(struct execution *x)
{
	for (size_t i = 0; i < x->recent_count; i++) free(x->recent[i].bytes);
	x->recent_count = 0;
}

static void committed(void *arg, enum err err, uint64_t first_seq, int64_t t_us, const struct error *e)
{
	(void)first_seq, (void)t_us;
	struct commit *c = arg;
	struct execution *x = c->x;
	struct later *l = c->first;
	x->commits--;
	if (x->newest == c) x->newest = NULL;
	free(c);
	if (err) {
		fail_laters(x, l, e ? e->text : "its records could not be stored");
		fail_laters(x, x->first, e ? e->text : "its records could not be stored"); /* what was held until then */
		x->first = NULL;
		x->last = NULL;
		log_line(LOG_ERROR, "execution %s: %s", x->id, e ? e->text : "its records could not be stored");
		/* What was folded is not what is stored: nobody may see it, and it cannot go on in this engine. A broken store ends the engine, at the end of
		 * this round of its loop, in which others still ask. */
		x->is_ahead = true;
		incident_execution_lost(x);
		engine_remove(x->engine, x);
		if (err == ERR_IO)
			engine_end(x->engine, 1);
		else
			child_lost(x);
		return;
	}
	x->is_claiming = false;
	failpoint(EXECUTION_DURABLE);
	run_laters(x, l);
	failpoint(EXECUTION_TOLD);
	if (x->commits == 0 && !x->batch) forget_recent(x);
	if (!x->is_gone) execution_step_on(x);
}

const char *execution_blob(struct execution *x, const void *bytes, size_t n)
{
	char name[STORE_BLOB_NAME_BYTES];
	if (!x->batch) x->batch = store_batch_new();
	store_batch_blob(x->batch, x->id, bytes, n, name);
	const char *kept = arena_strdup(x->arena, name);
	if (n > RECENT_BLOB_BYTES) return kept;
	x->recent = arena_grow(x->arena, x->recent, x->recent_count, &x->recent_capacity, sizeof *x->recent);
	x->recent[x->recent_count++] = (struct recent_blob){.name = kept, .bytes = memcpy(mem_alloc(n + 1), bytes, n), .n = n};
	x->recent[x->recent_count - 1].bytes[n] = 0;
	return kept;
}

const char *execution_blob_text(struct execution *x, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	return n ? execution_blob(x, text, text_cut(text, n, STORE_BLOB_BYTES_MAX)) : NULL;
}

const char *execution_blob_json(struct execution *x, const json_t *v)
{
	struct buf b;
	buf_init(&b, STORE_BLOB_BYTES_MAX);
	must(json_canonical(v, &b));
	const char *name = execution_blob(x, b.data, b.len);
	buf_clear(&b);
	return name;
}

char *execution_read_blob(struct execution *x, const char *name, size_t *n)
{
	struct buf b;
	struct error e;
	buf_init(&b, STORE_BLOB_BYTES_MAX);
	for (size_t i = x->recent_count; name && i-- > 0;) {
		if (strcmp(x->recent[i].name, name) != 0) continue;
		buf_add(&b, x->recent[i].bytes, x->recent[i].n);
		if (n) *n = b.len;
		return buf_take(&b);
	}
	if (!name || store_blob(x->reader, name, &b, &e)) buf_reset(&b);
	if (n) *n = b.len;
	return buf_take(&b);
}

json_t *execution_result(struct execution *x, size_t i)
{
	struct step_data *s = &x->steps[i];
	if (s->result || !s->result_blob) return s->result;
	size_t n;
	char *text = execution_read_blob(x, s->result_blob, &n);
	s->result = n ? json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
	free(text);
	return s->result;
}

const char *execution_why(struct execution *x, size_t i)
{
	struct step_data *s = &x->steps[i];
	if (s->why || !s->why_blob) return s->why;
	char *text = execution_read_blob(x, s->why_blob, NULL);
	s->why = arena_strdup(x->arena, text);
	free(text);
	return s->why;
}

enum err execution_emit(struct execution *x, struct emit em, struct error *e)
{
	struct record r = {.t_us = clock_now_us(),
	                   .kind = em.kind,
	                   .execution = x->id,
	                   .step = em.step != SIZE_MAX ? x->book->steps[em.step].id : NULL,
	                   .attempt = em.attempt,
	                   .call = em.call,
	                   .epoch = x->epoch,
	                   .by = em.by ? em.by : "system:engine",
	                   .data = json_drop_nulls(em.data)};
	x->is_emitting = true;
	enum err err = execution_fold(x, &r, e);
	x->is_emitting = false;
	failpoint(EXECUTION_EMIT);
	if (!err) {
		if (!x->batch) x->batch = store_batch_new();
		/* flow and schema agree by construction: a record that cannot be encoded is a fault of ours, found by the tests. */
		struct error why;
		if (store_batch_record(x->batch, &r, &why)) die("a record could not be encoded: %s", why.text);
	}
	json_decref(em.data);
	return err;
}

static void add_later(struct execution *x, void (*fn)(struct execution *, json_t *), json_t *data, bool is_answer)
{
	struct later *l = mem_zero(sizeof *l);
	l->is_answer = is_answer;
	l->run = fn;
	l->data = data;
	if (!x->last) x->last = &x->first;
	*x->last = l;
	x->last = &l->next;
}

void execution_later(struct execution *x, void (*fn)(struct execution *, json_t *), json_t *data)
{
	add_later(x, fn, data, false);
}

void execution_answer_later(struct execution *x, void (*fn)(struct execution *, json_t *), json_t *data)
{
	add_later(x, fn, data, true);
}

static void write_row(struct execution *x)
{
	struct store_execution row = {.id = x->id,
	                              .book = x->book_name,
	                              .title = x->book->title,
	                              .state = run_state_name(x->flow->state),
	                              .driver = x->driver,
	                              .plan = x->plan_digest,
	                              .parent = x->parent.execution,
	                              .started_us = x->started_us,
	                              .finished_us = x->finished_us,
	                              .is_open = !x->flow->is_finished,
	                              .epoch = x->epoch,
	                              .steps = x->graph->count};
	for (size_t i = 0; i < x->graph->count; i++) row.steps_done += flow_is_over(x->flow->steps[i].state);
	store_batch_execution(x->batch, &row);
}

void execution_commit(struct execution *x)
{
	execution_tell_changes(x);
	if (!x->batch && !x->first) return;
	if (x->batch && !lease_may_submit(x->is_claiming, (unsigned)x->commits)) return;
	struct later *first = x->first;
	x->first = NULL;
	x->last = NULL;
	if (!x->batch) {
		/* Nothing new to store: what is told still waits for what was submitted before it. */
		if (!x->newest) {
			run_laters(x, first);
			return;
		}
		struct later **end = &x->newest->first;
		while (*end) end = &(*end)->next;
		*end = first;
		return;
	}
	failpoint(EXECUTION_COMMIT);
	struct commit *c = mem_zero(sizeof *c);
	c->x = x;
	c->first = first;
	write_row(x);
	struct store_batch *b = x->batch;
	x->batch = NULL;
	store_batch_chain(b, &x->chain);
	x->newest = c;
	x->commits++;
	store_submit(x->engine->store, b, committed, c);
}

static void woken(uv_timer_t *t)
{
	failpoint(EXECUTION_TIMER);
	execution_step_on(t->data);
}

/* The first of what the commands wait for. */
static int64_t first_wake(const struct flow_command *commands, size_t n)
{
	int64_t at_us = INT64_MAX;
	for (size_t i = 0; i < n; i++)
		if (commands[i].kind == FLOW_DO_WAKE && commands[i].at_us < at_us) at_us = commands[i].at_us;
	return at_us;
}

/* For that, or the end of an agreement where it comes before. */
static void arm_timer(struct execution *x, int64_t at_us)
{
	int64_t passes_us = approvals_pass_us(x);
	if (passes_us < at_us) at_us = passes_us;
	if (at_us == INT64_MAX) return;
	if (!x->timer) {
		x->timer = mem_zero(sizeof *x->timer);
		uv_timer_init(&x->engine->loop, x->timer);
		x->timer->data = x;
	}
	int64_t wait_us = at_us - clock_steady_us();
	uv_update_time(&x->engine->loop);
	uv_timer_start(x->timer, woken, wait_us > 0 ? (uint64_t)(wait_us + 999) / 1000 : 0, 0);
}

static void do_command(struct execution *x, const struct flow_command *c)
{
	struct error e;
	switch (c->kind) {
	case FLOW_DO_EVALUATE:
		attempt_evaluate(x, c->step);
		break;
	case FLOW_DO_START:
		if (!x->steps[c->step].live && approval_gate(x, c->step)) attempt_begin(x, c->step);
		break;
	case FLOW_DO_STOP:
		attempt_stop(x, c->step, c->is_timeout ? STEP_TIMED_OUT : STEP_CANCELLED);
		break;
	case FLOW_DO_SKIP:
		failpoint(STEP_SKIP);
		execution_emit(
		    x, (struct emit){.kind = RECORD_STEP_SKIPPED, .step = c->step, .data = json_pack("{s:s,s:s}", "why", "go", "to", x->book->steps[c->by].id)},
		    &e);
		break;
	case FLOW_DO_RESET:
		failpoint(STEP_RESET);
		execution_emit(
		    x,
		    (struct emit){.kind = RECORD_STEP_RESET, .step = c->step, .data = json_pack("{s:s,s:s}", "why", "goto", "from", x->book->steps[c->by].id)},
		    &e);
		attempt_drop_conditions(x);
		for (size_t i = 0; i < x->graph->count; i++) x->steps[i].is_dirty = true;
		break;
	case FLOW_DO_FINISH:
		finding_conclude(x, c->run_state);
		failpoint(EXECUTION_FINISH);
		execution_emit(
		    x, (struct emit){.kind = RECORD_EXECUTION_FINISHED, .step = SIZE_MAX, .data = json_pack("{s:s}", "state", run_state_name(c->run_state))},
		    &e);
		break;
	case FLOW_DO_WAKE: /* armed for all of them at once */
		break;
	}
}

static bool changes_state(enum flow_command_kind k)
{
	return k == FLOW_DO_SKIP || k == FLOW_DO_RESET || k == FLOW_DO_FINISH;
}

static void finished(struct execution *x, json_t *data)
{
	(void)data;
	failpoint(EXECUTION_FINISHED);
	incident_execution_ended(x);
	engine_broadcast(x->engine, x, json_pack("{s:s,s:s,s:s}", "ev", "ended", "execution", x->id, "state", run_state_name(x->flow->state)), NULL, 0);
	child_ended(x);
	engine_remove(x->engine, x);
}

/* Steps that run according to the record and have no worker: their attempt is run again over its recorded answers. Or what is unknown is settled by proof. */
static void revive(struct execution *x)
{
	for (size_t i = 0; i < x->graph->count; i++) {
		const struct step_data *s = &x->steps[i];
		struct step_around around = {.is_live = s->live,
		                             .has_news = s->needs_run,
		                             .has_proof = step_fence(&x->book->steps[i], FENCE_VERIFY),
		                             .is_proof_tried = s->is_verify_tried};
		enum step_need need = step_need_of(x->flow, i, around);
		if (need == STEP_NEEDS_RUN) attempt_revive(x, i);
		if (need == STEP_NEEDS_PROOF) attempt_settle_by_verify(x, i, s->proof.finished_us ? NULL : s->proof.by);
	}
}

void execution_advance(struct execution *x)
{
	if (x->is_advancing || x->is_waiting_for_lock || x->is_loaded_for_reading || x->is_end_told) return;
	x->is_advancing = true;
	if (!x->commands) {
		x->commands_max = 2 * x->graph->count + 2;
		x->commands = arena_alloc(x->arena, x->commands_max * sizeof *x->commands);
	}
	/* Bounded: each round moves at least one step or ends the run. */
	int64_t wake_us = INT64_MAX;
	for (bool again = true; again && !x->flow->is_finished;) {
		again = false;
		size_t n = flow_decide(x->flow, clock_steady_us(), x->commands, x->commands_max);
		for (size_t i = 0; i < n; i++) {
			do_command(x, &x->commands[i]);
			again = again || changes_state(x->commands[i].kind);
		}
		wake_us = first_wake(x->commands, n);
	}
	x->is_end_told = x->flow->is_finished; /* by the book, or by a person who stopped it */
	int64_t watch_us = escalation_watch(x);
	if (watch_us < wake_us) wake_us = watch_us;
	if (x->is_end_told) {
		execution_later(x, finished, NULL);
	} else {
		approvals_advance(x);
		arm_timer(x, wake_us);
		revive(x);
	}
	x->is_advancing = false;
}

void execution_step_on(struct execution *x)
{
	if (x->is_gone) return;
	execution_advance(x);
	execution_commit(x);
	child_tell(x);
}

void execution_drop_processes(struct execution *x)
{
	for (size_t i = 0; x->steps && i < x->graph->count; i++)
		if (x->steps[i].live) attempt_drop(x->steps[i].live);
	worker_drop_idle(x);
	call_drop_actor(x);
}

static void timer_closed(uv_handle_t *h)
{
	free(h);
}

void execution_free(struct execution *x)
{
	must(x->commits == 0);
	execution_drop_processes(x);
	uv_timer_t *timers[] = {x->timer, x->lock_timer};
	for (int i = 0; i < 2; i++)
		if (timers[i]) uv_close((uv_handle_t *)timers[i], timer_closed);
	if (x->batch) store_batch_free(x->batch);
	drop_laters(x->first);
	forget_recent(x);
	for (size_t i = 0; x->steps && i < x->graph->count; i++) {
		json_decref(x->steps[i].result);
		json_decref(x->steps[i].targets);
		for (size_t k = 0; k < x->steps[i].call_count; k++) call_release(x->steps[i].calls[k]);
	}
	json_decref(x->params);
	json_decref(x->allow);
	json_decref(x->notes);
	json_decref(x->denied);
	json_decref(x->secrets_used);
	secret_forget_params(x);
	json_decref(x->queries);
	json_decref(x->children);
	json_decref(x->ancestors);
	json_decref(x->secret_aliases);
	json_decref(x->findings);
	json_decref(x->conclusion);
	flow_free(x->flow);
	graph_free(x->graph);
	book_free(x->book);
	arena_free(x->arena);
	free(x);
}
