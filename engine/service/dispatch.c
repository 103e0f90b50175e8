#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "sandbox/receipt.h"
#include "sandbox/wire.h"
#include "service/answer.h"
#include "service/attempt.h"
#include "service/call.h"
#include "service/configure.h"
#include "service/engine_state.h"
#include "service/leftover.h"
#include "service/receipt.h"
#include "service/secret.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The actor's side of a call: it leaves when its intent is durable, and what comes back is recorded. */

static void fly(struct execution *x, struct call *c)
{
	x->flying = arena_grow(x->arena, x->flying, x->flying_count, &x->flying_capacity, sizeof *x->flying);
	x->flying[x->flying_count++] = c;
	c->id = ++x->next_call_id;
	c->is_dispatched = true;
	/* Made again, it is a call of its own: not ended yet, and what the first try printed is not its output. */
	c->is_cancelled = c->is_started = false;
	json_decref(c->facts);
	c->facts = NULL;
	c->ends_us = 0;
	output_begin(c);
}

static void land(struct execution *x, struct call *c)
{
	for (size_t i = 0; i < x->flying_count; i++) {
		if (x->flying[i] != c) continue;
		x->flying[i] = x->flying[--x->flying_count];
		break;
	}
	c->id = 0;
	c->is_dispatched = false;
}

static struct call *flying_call(struct execution *x, json_int_t id)
{
	for (size_t i = 0; i < x->flying_count; i++)
		if (x->flying[i]->id == (uint64_t)id) return x->flying[i];
	return NULL;
}

/* The shell that keeps a receipt did not end with the command's status: nothing was run, and its last line says why; or nobody knows. */
static void receipt_finished(struct execution *x, struct call *c, json_int_t number, const char *otherwise)
{
	if (number != RECEIPT_NOT_RUN) {
		call_unknown(x, c, otherwise);
		return;
	}
	struct buf said;
	const struct buf *printed = &c->out[1];
	buf_init(&said, ERROR_TEXT_BYTES);
	size_t n = printed->len < ERROR_TEXT_BYTES / 8 ? printed->len : ERROR_TEXT_BYTES / 8;
	if (n) text_visible(&said, printed->data + printed->len - n, n - (printed->data[printed->len - 1] == '\n'), TEXT_KEEP_NOTHING);
	call_not_made(x, c, "failed", said.len ? said.data : "no receipt could be kept: nothing was run");
	buf_clear(&said);
}

/* Which program, which host; and what its answer says beside its output, which is what the code gets. */
static void record_details(struct execution *x, const struct call *c, const json_t *head, json_t *data)
{
	json_t *details = json_pack("{s:O*,s:O*}", "facts", c->facts, "data", json_object_get(head, "data"));
	if (json_object_size(details)) json_object_set_new(data, "details", json_string(execution_blob_json(x, details)));
	json_decref(details);
}

static void actor_finished(struct execution *x, struct call *c, const json_t *head)
{
	const json_t *code = json_object_get(head, "code"), *signal = json_object_get(head, "signal");
	bool by_deadline = c->is_cancelled || json_bool(head, "timed_out", false);
	struct step_data *s = &x->steps[c->step];
	struct flow_call seen = call_seen(c);
	enum call_fate fate = call_fate_of(&seen, LOSS_TIME, 0);
	const char *ended_by = s->live && s->live->is_stopping && s->live->stop_outcome == STEP_CANCELLED ? "cancelled" : "deadline";
	land(x, c);
	failpoint(CALL_HEARD);
	if (c->effect == EFFECT_RECEIPT && json_is_integer(signal)) {
		receipt_finished(x, c, json_integer_value(signal), by_deadline ? ended_by : "no_receipt");
	} else if (by_deadline && !json_is_integer(code)) {
		/* We ended it: what it had done by then nobody knows. */
		if (fate == FATE_TIMEOUT)
			call_finish(x, c, "timeout", json_pack("{s:s?}", "error", execution_blob_text(x, "the command was ended at its deadline")));
		else
			call_unknown(x, c, ended_by);
	} else {
		json_t *data = json_object();
		if (json_is_integer(code)) json_object_set(data, "code", (json_t *)code);
		if (json_is_integer(signal)) json_object_set(data, "signal", (json_t *)signal);
		if (json_is_integer(json_object_get(head, "us"))) json_object_set(data, "duration_us", json_object_get(head, "us"));
		record_details(x, c, head, data);
		call_finish(x, c, "ok", data);
	}
	attempt_calls_changed(x, c->step);
}

/* What an actor says may quote an argument, or a host. Allocated. */
static char *visible(const char *why)
{
	struct buf text;
	buf_init(&text, 8 * strlen(why) + 8);
	text_visible(&text, why, strlen(why), TEXT_KEEP_NOTHING);
	return text.data ? buf_take(&text) : mem_strdup("");
}

/* What its code is told: a host that cannot be reached is no command that failed, and one that is not whom it should be is not to be talked to. */
static const char *failed_word(const char *kind)
{
	if (strcmp(kind, err_info(ERR_CLOSED)->name) == 0) return "unreachable";
	if (strcmp(kind, err_info(ERR_TIMEOUT)->name) == 0) return "timeout";
	return strcmp(kind, err_info(ERR_VERIFY)->name) == 0 ? "denied" : "failed";
}

static void actor_failed(struct execution *x, struct call *c, const json_t *head)
{
	char *why = visible(json_str(head, "why", ""));
	land(x, c);
	call_not_made(x, c, failed_word(json_str(head, "kind", "")), *why ? why : "it did not start");
	free(why);
	attempt_calls_changed(x, c->step);
}

/* The same call under the same number, with an intent of its own. */
static void make_again(struct execution *x, struct call *c)
{
	json_t *d = json_pack("{s:s,s:s,s:s,s:s?,s:s*,s:s,s:i}", "module", c->module, "function", c->function, "effect", effect_word(c->effect), "arguments",
	                      c->arguments_blob, "text", c->text_blob, "purpose", c->is_in_verify ? "verify" : "action", "again", 1);
	const struct module *module;
	json_t *form = call_arguments(x, c);
	receipt_record(x, callable_find(c->module, c->function, &module), json_obj(form, "arguments"), c->effect, c->step, c->attempt, c->number, d);
	json_decref(form);
	execution_emit(x, (struct emit){.kind = RECORD_CALL_STARTED, .step = c->step, .attempt = c->attempt, .call = c->number, .data = d}, NULL);
	call_dispatch_later(x, c);
}

/* It started, and its host will not say how it ended. */
static void actor_lost(struct execution *x, struct call *c, const json_t *head)
{
	struct step_data *s = &x->steps[c->step];
	const char *how = json_str(head, "how", "");
	bool is_by_us = strcmp(how, "connection") != 0;
	const char *ended_by = s->live && s->live->is_stopping && s->live->stop_outcome == STEP_CANCELLED ? "cancelled" : "deadline";
	struct flow_call seen = call_seen(c);
	enum call_fate fate = call_fate_of(&seen, is_by_us ? LOSS_TIME : LOSS_PEER, (int)c->intents);
	land(x, c);
	failpoint(CALL_HEARD);
	char *why = visible(json_str(head, "why", ""));
	if (fate == FATE_AGAIN)
		make_again(x, c);
	else if (fate == FATE_TIMEOUT || fate == FATE_FAILED)
		call_finish(x, c, fate == FATE_TIMEOUT ? "timeout" : "failed", json_pack("{s:s?}", "error", execution_blob_text(x, why)));
	else
		call_unknown_because(x, c, is_by_us ? ended_by : "connection", why);
	free(why);
	attempt_calls_changed(x, c->step);
}

/* What the actor says of a call that is open: started, output, finished; or failed and nothing else. */
static enum err hear_of_call(struct execution *x, struct call *c, const struct wire_message *m, struct error *e)
{
	bool is_first = m->said == WIRE_STARTED || m->said == WIRE_FAILED;
	if (is_first == c->is_started) return error_set(e, ERR_PROTOCOL, is_first ? "a call that has started already" : "a call that has not started");
	bool is_cancelled = json_object_get(m->head, "cancelled") || strcmp(json_str(m->head, "how", ""), "cancelled") == 0;
	if (is_cancelled && !c->is_cancelled) return error_set(e, ERR_PROTOCOL, "a call that nobody asked to end");
	switch (m->said) {
	case WIRE_STARTED:
		failpoint(ACTOR_STARTED);
		c->is_started = true;
		json_object_del(m->head, "id");
		json_object_del(m->head, "pid");
		c->facts = json_incref(m->head);
		return ERR_OK;
	case WIRE_OUTPUT:
		failpoint(ACTOR_OUTPUT);
		c->is_redacted = c->is_redacted || json_bool(m->head, "redacted", false);
		call_output(x, c, strcmp(json_str(m->head, "stream", ""), "stderr") == 0, m->payload, m->payload_len);
		return ERR_OK;
	case WIRE_FINISHED:
		failpoint(ACTOR_FINISHED);
		actor_finished(x, c, m->head);
		break;
	case WIRE_LOST:
		failpoint(ACTOR_FINISHED);
		actor_lost(x, c, m->head);
		break;
	case WIRE_FAILED:
		failpoint(ACTOR_FAILED);
		actor_failed(x, c, m->head);
		break;
	default:
		return error_set(e, ERR_PROTOCOL, "no actor says that");
	}
	execution_step_on(x);
	return ERR_OK;
}

static enum err actor_frame(void *owner, const struct frame *f, struct error *e)
{
	struct execution *x = owner;
	struct wire_message m;
	enum err err = wire_decode(WIRE_ACTOR, f, &m, e);
	if (err) return err;
	if ((m.said == WIRE_READY) == x->is_actor_ready) return error_set(e, ERR_PROTOCOL, "it says once that it is ready, before anything else");
	x->is_actor_ready = true;
	if (m.said == WIRE_READY) {
		failpoint(ACTOR_READY);
		if (json_int(m.head, "pid", 0) == x->actor_child.pid) return ERR_OK;
		return error_set(e, ERR_PROTOCOL, "it says that it is another process");
	}
	struct call *c = flying_call(x, json_int(m.head, "id", 0));
	return c ? hear_of_call(x, c, &m, e) : error_set(e, ERR_PROTOCOL, "a call that is not open");
}

static void dispatch(struct execution *x, json_t *data);

void call_dispatch_later(struct execution *x, struct call *c)
{
	c->is_intended = true;
	execution_later(x, dispatch, json_pack("{s:I,s:I,s:I}", "step", (json_int_t)c->step, "attempt", (json_int_t)c->attempt, "call", (json_int_t)c->number));
}

/* What was in flight when the actor ended, once none of its commands runs any more. */
static void settle_flying(struct execution *x)
{
	while (x->flying_count) {
		struct call *c = x->flying[x->flying_count - 1];
		struct flow_call seen = call_seen(c);
		enum call_fate fate = call_fate_of(&seen, LOSS_ACTOR, x->actor_losses);
		land(x, c);
		if (fate == FATE_AGAIN) {
			make_again(x, c);
		} else if (fate == FATE_FAILED) {
			call_finish(x, c, "failed", json_pack("{s:s?}", "error", execution_blob_text(x, "the process that runs commands ended")));
		} else {
			call_unknown(x, c, "actor_ended");
		}
		attempt_calls_changed(x, c->step);
	}
	for (size_t i = 0; i < x->graph->count; i++)
		for (size_t k = 0; k < x->steps[i].call_count; k++)
			if (x->steps[i].calls[k]->is_held) call_dispatch_later(x, x->steps[i].calls[k]);
	execution_step_on(x);
}

static void actor_closed(void *owner, const struct error *e)
{
	struct execution *x = owner;
	log_line(LOG_WARN, "execution %s: its actor ended: %s", x->id, e->text);
	failpoint(ACTOR_LOST);
	x->actor = NULL;
	x->actor_losses++;
	sandbox_kill(&x->actor_child);
	close(x->actor_child.pidfd);
	lock_wait(x, false, settle_flying);
}

void call_end_actor(struct execution *x, const char *why)
{
	struct error e;
	error_set(&e, ERR_PROTOCOL, "%s", why);
	link_close(x->actor);
	actor_closed(x, &e);
}

void call_drop_actor(struct execution *x)
{
	if (x->actor) {
		/* End of file is its word to end everything that it started. */
		link_close(x->actor);
		x->actor = NULL;
		close(x->actor_child.pidfd);
	}
	leftover_drop(x);
}

static enum err actor_start(struct execution *x, struct error *e)
{
	if (x->actor) return ERR_OK;
	struct sandbox_gifts gifts = {.lock_fd = lock_take(x, e)};
	if (gifts.lock_fd < 0) return e->kind;
	gifts.group_fd = leftover_prepare(x);
	enum err err = engine_spawn(x->engine, SANDBOX_ACTOR, &gifts, &x->actor_child, e);
	close(gifts.lock_fd);
	if (gifts.group_fd >= 0) close(gifts.group_fd);
	if (err) return err;
	leftover_remember(x);
	x->is_actor_ready = false;
	x->actor = link_open(&x->engine->loop, x->actor_child.fd, 65536, WIRE_OUTPUT_BYTES_MAX, actor_frame, actor_closed, x);
	x->is_actor_new = true;
	failpoint(ACTOR_SETUP);
	link_send_new(x->actor, command_rules_setup(&x->engine->config->rules), NULL, 0);
	return ERR_OK;
}

json_t *call_arguments(struct execution *x, const struct call *c)
{
	size_t n;
	char *text = execution_read_blob(x, c->arguments_blob, &n);
	json_t *v = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	free(text);
	return v ? v : json_object();
}

/* Where more than the arguments says what a call needs a right to (whom to log in as, say), that is still what it was when the right was there. */
static enum err check_request(struct execution *x, const struct call *c, const struct callable *what, const struct call_site *site, const json_t *arguments,
                              struct error *e)
{
	struct call_request now;
	if (!c->text_blob || !what->request) return ERR_OK;
	struct arena *a = arena_new();
	char *was = execution_read_blob(x, c->text_blob, NULL);
	const char *why = what->request(a, arguments, site, &now);
	enum err err = ERR_OK;
	if (why)
		err = error_set(e, ERR_INVALID, "%s", why);
	else if (strcmp(was, capability_exact(a, now.kind, now.words, now.count)) != 0)
		err = error_set(e, ERR_CONFLICT, "what it would reach has changed since its right was looked at (was: %.300s)", was);
	free(was);
	arena_free(a);
	return err;
}

/* What the actor gets of a call: its module's part, its secrets and its receipt. *wait_us: how long its secrets may take. */
static enum err frame_make(struct execution *x, struct call *c, const json_t *form, json_t *head, struct buf *payload, int64_t *wait_us, struct error *e)
{
	const struct module *module;
	const struct callable *what = callable_find(c->module, c->function, &module);
	struct call_site site;
	json_t *arguments = json_obj(form, "arguments");
	c->host = json_str(arguments, "host", NULL) ? arena_strdup(x->arena, json_str(arguments, "host", "")) : NULL;
	if (!what || !what->frame) return error_set(e, ERR_INVALID, "this rung has no call %.60s.%.60s", c->module, c->function);
	call_site_make(x, c->step, &site);
	site.repeats = call_effect_repeats(c->effect);
	if (c->effect == EFFECT_KEYED) site.key = c->key ? c->key : "";
	enum err err = check_request(x, c, what, &site, arguments, e);
	if (!err) err = what->frame(&site, arguments, head, payload, e);
	receipt_provide(x, c, head);
	return err ? err : secret_provide(x, what, arguments, head, wait_us, e);
}

/* To the actor. Where it cannot be put together, nothing has happened. */
static enum err send_call(struct execution *x, struct call *c, struct error *e)
{
	json_t *form = call_arguments(x, c);
	json_int_t timeout_us = json_int(json_obj(form, "options"), "timeout_us", 0);
	json_t *head = json_pack("{s:s,s:s,s:s,s:I}", "t", "call", "module", c->module, "function", c->function, "timeout_us", timeout_us);
	struct buf payload;
	int64_t wait_us = 0;
	buf_init(&payload, WIRE_PAYLOAD_BYTES_MAX);
	enum err err = frame_make(x, c, form, head, &payload, &wait_us, e);
	if (!err) {
		fly(x, c);
		json_object_set_new(head, "id", json_integer((json_int_t)c->id));
		if (timeout_us) c->ends_us = clock_monotonic_us() + wait_us + timeout_us;
		link_send_secret(x->actor, head, payload.data, payload.len);
		failpoint(CALL_DISPATCHED);
	}
	buf_clear(&payload);
	secret_forget_sources(json_obj(head, "secrets"));
	json_decref(head);
	json_decref(form);
	return err;
}

/* The intent is durable: the effect may happen. */
static void dispatch(struct execution *x, json_t *data)
{
	size_t step = (size_t)json_int(data, "step", 0);
	struct call *c = execution_call(x, step, (uint32_t)json_int(data, "attempt", 0), (uint32_t)json_int(data, "call", 0));
	struct error e;
	if (!c) return;
	struct attempt *a = x->steps[step].live;
	struct flow_call seen = call_seen(c);
	enum call_departure departure = call_depart(&seen, x->flow, step, x->is_waiting_for_lock, a && (a->is_stopping || a->has_ended));
	if (departure == DEPARTS_NOT) return;
	/* The actor before has left commands: nothing new until they are gone. */
	c->is_held = departure == DEPARTS_LATER;
	if (c->is_held) return;
	failpoint(CALL_DISPATCH);
	c->is_intended = false;
	if (departure == DEPARTS_NEVER) {
		call_not_made(x, c, "failed", "the step was stopped before the call was made");
		attempt_calls_changed(x, step);
		return;
	}
	if (c->is_of_engine) {
		answer_call(x, c);
		return;
	}
	if (actor_start(x, &e) || send_call(x, c, &e)) {
		call_not_made(x, c, "failed", e.text);
		attempt_calls_changed(x, step);
	}
}

void call_cancel(struct execution *x, struct call *c)
{
	if (c->is_cancelled) return;
	failpoint(CALL_CANCEL);
	c->is_cancelled = true;
	c->ends_us = clock_monotonic_us();
	if (x->actor) link_send_new(x->actor, json_pack("{s:s,s:I}", "t", "cancel", "id", (json_int_t)c->id), NULL, 0);
}

void call_cancel_open(struct execution *x, size_t step)
{
	for (size_t i = 0; i < x->flying_count; i++)
		if (x->flying[i]->step == step) call_cancel(x, x->flying[i]);
	for (size_t i = 0; i < x->steps[step].call_count; i++)
		if (x->steps[step].calls[i]->is_of_engine) answer_cancel(x, x->steps[step].calls[i]);
}

bool call_any_under_way(const struct execution *x, size_t step)
{
	for (size_t i = 0; i < x->steps[step].call_count; i++) {
		struct flow_call seen = call_seen(x->steps[step].calls[i]);
		if (call_is_under_way(&seen)) return true;
	}
	return false;
}

void call_settle_open(struct execution *x, size_t step, const char *why, enum call_loss loss)
{
	struct step_data *s = &x->steps[step];
	for (size_t i = 0; i < s->call_count; i++) {
		struct call *c = s->calls[i];
		struct flow_call seen = call_seen(c);
		seen.is_out_of_reach = !receipt_can_be_asked(x, c);
		enum call_fate fate = call_fate_of(&seen, loss, 0);
		if (fate != FATE_FAILED && fate != FATE_UNKNOWN) continue;
		output_recover(x, c);
		if (fate == FATE_FAILED)
			call_finish(x, c, "failed", json_pack("{s:s?}", "error", execution_blob_text(x, why)));
		else
			call_unknown(x, c, why);
	}
}
