#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "sandbox/wire.h"
#include "service/attempt.h"
#include "service/engine_state.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A worker process: taken for an attempt, and what it says, each word judged by where its attempt stands. */

enum { WORKER_LOSSES_MAX = 2 };

static link_frame_fn worker_frame;
static link_closed_fn worker_closed;

static void worker_free(struct worker *w)
{
	if (w->link) link_close(w->link);
	sandbox_kill(&w->child);
	close(w->child.pidfd);
	free(w);
}

void worker_drop_idle(struct execution *x)
{
	while (x->idle_workers) {
		struct worker *w = x->idle_workers;
		x->idle_workers = w->next;
		worker_free(w);
	}
}

/* Attempts share a worker only where their rights are the very same. */
static uint64_t rights_of(const struct attempt *a)
{
	unsigned char raw[DIGEST_BYTES];
	struct digest *d = digest_new();
	const struct book_step *b = attempt_step(a);
	digest_add(d, a->purpose == ATTEMPT_ACTION ? "a" : "r", 1);
	for (size_t i = 0; i < b->permission_count; i++) digest_add(d, b->permissions[i], strlen(b->permissions[i]) + 1);
	digest_finish(d, raw);
	return get_u64(raw);
}

static struct worker *idle_one(struct execution *x, uint64_t rights)
{
	for (struct worker **at = &x->idle_workers; *at; at = &(*at)->next) {
		if ((*at)->rights != rights) continue;
		struct worker *w = *at;
		*at = w->next;
		w->next = NULL;
		return w;
	}
	return NULL;
}

enum err worker_acquire(struct attempt *a, struct error *e)
{
	struct execution *x = a->x;
	uint64_t rights = rights_of(a);
	struct worker *w = idle_one(x, rights);
	if (!w) {
		w = mem_zero(sizeof *w);
		w->x = x;
		w->rights = rights;
		enum err err = engine_spawn(x->engine, SANDBOX_WORKER, NULL, &w->child, e);
		if (err) {
			free(w);
			return err;
		}
		/* Nothing that a worker says has a payload. */
		w->link = link_open(&x->engine->loop, w->child.fd, WIRE_HEAD_BYTES_MAX, 0, worker_frame, worker_closed, w);
	}
	w->cpu_before_us = -1;
	w->stalled = 0;
	w->attempt = a;
	a->worker = w;
	return ERR_OK;
}

void worker_release(struct attempt *a, bool is_clean)
{
	struct worker *w = a->worker;
	if (!w) return;
	a->worker = NULL;
	w->attempt = NULL;
	/* One that speaks on behind its end would answer for the next attempt before that was asked. */
	if (!is_clean || !w->link || link_has_more(w->link)) {
		worker_free(w);
		return;
	}
	w->next = a->x->idle_workers;
	a->x->idle_workers = w;
}

/* --- what a worker says ------------------------------------------------------------------------------------------------------------- */

static void logged(struct attempt *a, const struct wire_message *m)
{
	const char *text = json_str(m->head, "text", "");
	failpoint(WORKER_LOG);
	if (buf_str(&a->log, text)) buf_char(&a->log, '\n');
	if (a->replay.delivered < a->replay.replayed) return; /* shown already, before the attempt was run again */
	engine_broadcast(a->x->engine, a->x,
	                 json_pack("{s:s,s:s,s:s,s:s,s:s}", "ev", "logged", "execution", a->x->id, "step", attempt_step(a)->id, "level",
	                           json_str(m->head, "level", "info"), "text", text),
	                 NULL, 0);
}

/* Every branch waits, and there is no answer. Where all of them wait for a person or another execution, the worker ends; the answer runs the attempt again. */
static void wait_for_long(struct attempt *a)
{
	size_t long_ones = 0, others = 0;
	for (size_t i = 0; i < a->x->steps[a->step].call_count; i++) {
		struct flow_call c = call_seen(a->x->steps[a->step].calls[i]);
		enum replay_wait wait = replay_waits_for(&a->replay, &c);
		if (wait == REPLAY_WAITS_FOR_STORE) return;
		long_ones += wait == REPLAY_WAITS_FOR_LONG;
		others += wait == REPLAY_WAITS_FOR_TARGET;
	}
	if (long_ones && !others) attempt_drop(a);
}

static enum err idle(struct attempt *a, const struct wire_message *m, struct error *e)
{
	/* It read one answer for each time that it was idle before. */
	json_int_t open = json_int(m->head, "open", 0), known = (json_int_t)a->replay.asked - a->replay.idles;
	if (open != known) return error_set(e, ERR_PROTOCOL, "%lld calls wait for an answer, not %lld", (long long)known, (long long)open);
	failpoint(WORKER_IDLE);
	a->replay.idles++;
	attempt_deliver(a);
	if (a->replay.answers < a->replay.idles) wait_for_long(a);
	return ERR_OK;
}

static enum err ended(struct attempt *a, const struct wire_message *m, struct error *e)
{
	const char *chunk = json_str(json_obj(m->head, "at"), "chunk", NULL);
	if (chunk && strcmp(chunk, a->x->book_path) != 0) return error_set(e, ERR_PROTOCOL, "an end in a file that is not the attempt's book");
	if (json_int(m->head, "call", 0) > a->replay.asked) return error_set(e, ERR_PROTOCOL, "an end by a call that was not asked");
	failpoint(WORKER_END);
	a->end = json_incref(m->head);
	a->has_ended = true;
	call_cancel_open(a->x, a->step);
	attempt_calls_changed(a->x, a->step);
	return ERR_OK;
}

static enum err hear(struct worker *w, const struct wire_message *m, struct error *e)
{
	struct attempt *a = w->attempt;
	if (m->said == WIRE_BROKEN) return error_set(e, ERR_PROTOCOL, "it did not understand the engine: %s", json_str(m->head, "why", ""));
	if ((m->said == WIRE_READY) == w->is_ready) return error_set(e, ERR_PROTOCOL, "it says once that it is ready, before anything else");
	w->is_ready = true;
	w->stalled = 0;
	if (m->said == WIRE_READY) return ERR_OK;
	if (!a) return error_set(e, ERR_PROTOCOL, "it spoke with no attempt to run");
	if (a->has_ended) return error_set(e, ERR_PROTOCOL, "it spoke on after its end");
	if (a->replay.idles > a->replay.answers) return error_set(e, ERR_PROTOCOL, "it spoke on while it waited for an answer");
	switch (m->said) {
	case WIRE_LOG:
		logged(a, m);
		return ERR_OK;
	case WIRE_IDLE:
		return idle(a, m, e);
	case WIRE_CALL:
		if (a->purpose == ATTEMPT_TARGETS || (a->purpose == ATTEMPT_CONDITION && attempt_step(a)->if_source))
			return error_set(e, ERR_PROTOCOL, "an expression makes no calls");
		return call_asked(a, m, e);
	case WIRE_END:
		return ended(a, m, e);
	default:
		return error_set(e, ERR_PROTOCOL, "no worker says that");
	}
}

static enum err worker_frame(void *owner, const struct frame *f, struct error *e)
{
	struct worker *w = owner;
	struct execution *x = w->x;
	struct wire_message m;
	if (wire_decode(WIRE_WORKER, f, &m, e) || hear(w, &m, e)) return e->kind = ERR_PROTOCOL;
	if (m.said != WIRE_READY) execution_step_on(x);
	return ERR_OK;
}

/* --- its end ------------------------------------------------------------------------------------------------------------------------------ */

static void forget_idle(struct worker *w)
{
	for (struct worker **at = &w->x->idle_workers; *at; at = &(*at)->next) {
		if (*at != w) continue;
		*at = w->next;
		break;
	}
}

/* The attempt's calls go on; a new worker runs it again over the answers so far. */
static void run_again(struct attempt *a)
{
	struct execution *x = a->x;
	bool is_action = a->purpose == ATTEMPT_ACTION;
	log_line(LOG_WARN, "execution %s: the worker of step %s ended; it is run again over its record", x->id, attempt_step(a)->id);
	if (a->purpose == ATTEMPT_VERIFICATION) x->steps[a->step].is_verify_tried = false;
	if (is_action || a->purpose == ATTEMPT_CONDITION || a->purpose == ATTEMPT_TARGETS || x->flow->steps[a->step].state == STEP_UNKNOWN) attempt_drop(a);
}

static void worker_closed(void *owner, const struct error *e)
{
	struct worker *w = owner;
	struct execution *x = w->x;
	struct attempt *a = w->attempt;
	w->link = NULL;
	if (!a) {
		forget_idle(w);
		worker_free(w);
		return;
	}
	struct step_data *s = &x->steps[a->step];
	failpoint(WORKER_LOST);
	a->worker = NULL;
	worker_free(w);
	if (a->has_ended) {
		attempt_calls_changed(x, a->step);
	} else if (e->kind == ERR_CLOSED && s->worker_losses++ < WORKER_LOSSES_MAX) {
		s->needs_run = true;
		run_again(a);
	} else {
		if (e->kind != ERR_CLOSED) log_line(LOG_WARN, "execution %s: the worker of step %s was ended: %s", x->id, attempt_step(a)->id, e->text);
		s->needs_run = true;
		attempt_fail(a, "the worker ended: %s", e->kind == ERR_CLOSED ? "a limit was reached, or it was killed" : e->text);
	}
	execution_step_on(x);
}
