#include "service/approval.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "service/attempt.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>

/* ---- what they agree to ---- */

static void binding_after(struct execution *x, struct consent c, uint32_t after, char out[APPROVAL_BINDING_BYTES])
{
	json_t *asks = c.call ? call_arguments(x, c.call) : NULL;
	struct approval_subject s = {.execution = x->id,
	                             .driver = x->driver,
	                             .plan = x->plan_digest,
	                             .step = x->book->steps[c.step].id,
	                             .after = after,
	                             .targets = x->steps[c.step].targets,
	                             .allowed = x->allow,
	                             .is_all_declared = x->is_all_declared,
	                             .call = c.call ? c.call->number : 0,
	                             .attempt = c.call ? c.call->attempt : 0,
	                             .asks = asks};
	approval_bind(&s, out);
	json_decref(asks);
}

struct emit approval_emit(struct consent c, enum record_kind kind, const char *by, json_t *data)
{
	return (struct emit){
	    .kind = kind, .step = c.step, .attempt = c.call ? c.call->attempt : 0, .call = c.call ? c.call->number : 0, .by = by, .data = data};
}

/* ---- before a step begins ---- */

static void deny_step(struct execution *x, size_t step, const struct right *by, const char *why)
{
	uint32_t attempt = x->flow->steps[step].attempt + 1;
	struct error e;
	if (execution_emit(x, (struct emit){.kind = RECORD_ATTEMPT_STARTED, .step = step, .attempt = attempt, .data = json_pack("{s:s}", "why", "denied")},
	                   &e)) {
		log_line(LOG_WARN, "execution %s: %s", x->id, e.text);
		return;
	}
	json_t *d = json_pack("{s:b,s:s?}", "allowed", 0, "reason", execution_blob_text(x, why));
	right_record(by, d);
	execution_emit(x, (struct emit){.kind = RECORD_RIGHT_DECIDED, .step = step, .attempt = attempt, .data = d}, NULL);
	d = json_pack("{s:s,s:s?}", "outcome", "denied", "error", execution_blob_text(x, why));
	execution_emit(x, (struct emit){.kind = RECORD_ATTEMPT_FINISHED, .step = step, .attempt = attempt, .data = d}, NULL);
	x->steps[step].why = arena_strdup(x->arena, why);
}

enum err approval_ask(struct execution *x, struct consent c, const struct demands *all, struct error *e)
{
	char binding[APPROVAL_BINDING_BYTES];
	const struct step_data *s = &x->steps[c.step];
	failpoint(APPROVAL_ASK);
	binding_after(x, c, x->flow->steps[c.step].attempt, binding);
	json_t *rules = json_array();
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].rule) json_array_append_new(rules, json_string(all->list[i].rule));
	json_t *d = json_pack("{s:i,s:s,s:s,s:I,s:o,s:s?}", "needed", (int)all->needed, "binding", binding, "from", all->from.data, "within_us",
	                      (json_int_t)all->within_us, "rules", rules, "policy", all->policy ? all->policy->digest : NULL);
	if (s->targets) {
		json_object_set_new(d, "targets", json_string(execution_blob_json(x, s->targets)));
		json_object_set_new(d, "target_count", json_integer(s->target_count));
	}
	return execution_emit(x, approval_emit(c, RECORD_APPROVAL_ASKED, NULL, d), e);
}

void approval_withdraw(struct execution *x, size_t step, const char *why)
{
	failpoint(APPROVAL_WITHDRAW);
	execution_emit(x, (struct emit){.kind = RECORD_APPROVAL_WITHDRAWN, .step = step, .data = json_pack("{s:s}", "why", why)}, NULL);
}

const char *approval_why_void(struct execution *x, struct consent c, const struct demands *all)
{
	struct approval_insiders in = execution_insiders(x, all->policy);
	char binding[APPROVAL_BINDING_BYTES];
	binding_after(x, c, consent_approval(x, c)->after, binding);
	return approval_void(consent_approval(x, c), all, binding, &in, clock_times_now());
}

static struct approval_targets targets_of(const struct execution *x, size_t step)
{
	const struct step_data *s = &x->steps[step];
	return (struct approval_targets){x->book->steps[step].targets_source != NULL, s->has_targets, s->are_targets_fresh};
}

/* True: nothing is missing. */
static bool is_agreed(struct execution *x, size_t step, const struct demands *all, struct error *e)
{
	struct consent c = {step, NULL};
	const struct flow_step *f = &x->flow->steps[step];
	struct approval_next next = approval_at_gate(f, all, targets_of(x, step), f->is_approved ? approval_why_void(x, c, all) : NULL);
	if (next.is_denied) {
		char *why = execution_read_blob(x, x->steps[step].targets_why_blob, NULL);
		error_set(e, ERR_DENIED, "nobody can agree to step %s, since its targets are not known: %s", x->book->steps[step].id, why);
		free(why);
	}
	if (next.withdraws) approval_withdraw(x, step, next.withdraws);
	if (next.asks) approval_ask(x, c, all, e);
	return next.may_begin;
}

static bool gate(struct execution *x, size_t step, struct right *by, struct error *e)
{
	struct demands all;
	struct arena *a = arena_new();
	bool may = false;
	enum err err = rights_step(x, step, by, e);
	if (!err) {
		err = demands_find(x, (struct consent){step, NULL}, &all, a, e);
		if (!err) may = is_agreed(x, step, &all, e);
		demands_clear(&all);
	}
	arena_free(a);
	return may;
}

bool approval_gate(struct execution *x, size_t step)
{
	struct error e = {ERR_OK, ""};
	if (approval_looks_first(targets_of(x, step))) {
		attempt_evaluate_targets(x, step);
		return false;
	}
	struct right by = {.by = "book"};
	bool may = gate(x, step, &by, &e);
	if (e.kind) deny_step(x, step, &by, e.text);
	return may && !e.kind;
}

enum err approval_check_by_hand(struct execution *x, size_t step, struct error *e)
{
	struct demands all;
	struct arena *a = arena_new();
	const struct flow_step *f = &x->flow->steps[step];
	error_set(e, ERR_OK, "%s", "");
	enum err err = demands_find(x, (struct consent){step, NULL}, &all, a, e);
	bool must_agree = !err && (all.count || f->is_approved);
	demands_clear(&all);
	arena_free(a);
	if (err) return err;
	if (!must_agree) return rights_step(x, step, NULL, e);
	if (f->is_awaiting_approval)
		return error_set(e, ERR_CONFLICT, "step %s waits until %u more agree: rung approve", x->book->steps[step].id,
		                 f->approvals_needed - f->approvals);
	if (approval_looks_first(targets_of(x, step))) {
		attempt_evaluate_targets(x, step);
		return error_set(e, ERR_CONFLICT, "what step %s touches is being looked at: try again in a moment", x->book->steps[step].id);
	}
	if (gate(x, step, NULL, e)) return ERR_OK;
	return e->kind ? e->kind : error_set(e, ERR_CONFLICT, "step %s waits until others agree: rung approve", x->book->steps[step].id);
}

/* A step by hand that waits for a person: are others to be asked first, or again? Where they cannot be, whoever says that it is done hears why. */
static void advance_manual(struct execution *x, size_t step)
{
	if (!approval_concerns_hand(x->flow, step, x->steps[step].live != NULL)) return;
	struct demands all;
	struct arena *a = arena_new();
	if (demands_find(x, (struct consent){step, NULL}, &all, a, NULL) == ERR_OK && (all.count || x->flow->steps[step].is_approved)) {
		if (approval_looks_first(targets_of(x, step)))
			attempt_evaluate_targets(x, step);
		else
			is_agreed(x, step, &all, NULL);
	}
	demands_clear(&all);
	arena_free(a);
}

/* What waits is asked for anew where it is no more what was shown, or others must agree. */
static void refresh(struct execution *x, struct consent c)
{
	struct demands all;
	struct arena *a = arena_new();
	struct approval_next next = {.withdraws = NULL};
	if (demands_find(x, c, &all, a, NULL) == ERR_OK) next = approval_while_waiting(&all, c.call != NULL, approval_why_void(x, c, &all));
	if (next.withdraws) approval_withdraw(x, c.step, next.withdraws);
	if (next.asks) approval_ask(x, c, &all, NULL);
	demands_clear(&all);
	arena_free(a);
}

void approvals_refresh(struct execution *x)
{
	struct consent waiting[APPROVALS_MAX];
	size_t n = approvals_waiting(x, waiting, APPROVALS_MAX);
	for (size_t i = 0; i < n; i++) refresh(x, waiting[i]);
}

void approvals_advance(struct execution *x)
{
	approvals_refresh(x);
	for (size_t i = 0; i < x->graph->count; i++) advance_manual(x, i);
}

int64_t approvals_pass_us(struct execution *x)
{
	struct clock_times now = clock_times_now();
	int64_t first_us = INT64_MAX;
	struct consent waiting[APPROVALS_MAX];
	size_t n = approvals_waiting(x, waiting, APPROVALS_MAX);
	for (size_t i = 0; i < n; i++) first_us = approval_first_us(consent_approval(x, waiting[i]), now, first_us);
	for (size_t i = 0; i < x->graph->count; i++)
		if (x->flow->steps[i].is_approved && approval_concerns_hand(x->flow, i, false))
			first_us = approval_first_us(&x->steps[i].approval, now, first_us);
	return first_us;
}

/* Which host a call is about; NULL: this one. */
static const char *host_of(const char *kind, const char *const *words, size_t count, struct arena *a)
{
	if (count && strcmp(kind, "ssh") == 0) {
		const char *at = strrchr(words[0], '@');
		return at ? at + 1 : words[0];
	}
	if (count > 1 && strcmp(kind, "http") == 0) {
		const char *from = strstr(words[1], "://");
		from = from ? from + 3 : words[1];
		return arena_strndup(a, from, strcspn(from, ":/?#"));
	}
	return NULL;
}

const char *approval_refuse(struct execution *x, size_t step, const char *kind, const char *const *words, size_t count)
{
	const struct step_data *s = &x->steps[step];
	if (!x->flow->steps[step].is_approved) return NULL;
	struct arena *a = arena_new();
	const char *host = host_of(kind, words, count, a), *why = NULL;
	if (!approval_covers(s->targets, host)) why = arena_printf(x->arena, "%s is not among the targets that were approved", host);
	arena_free(a);
	return why;
}

/* ---- the record ---- */

static void fold_asked(struct execution *x, struct approval *p, uint32_t after, const struct record *r)
{
	size_t i;
	json_t *v;
	*p = (struct approval){.needed = (uint32_t)json_int(r->data, "needed", 1), .within_us = json_int(r->data, "within_us", 0), .after = after};
	snprintf(p->binding, sizeof p->binding, "%s", json_str(r->data, "binding", ""));
	p->from = arena_strdup(x->arena, json_str(r->data, "from", ""));
	const json_t *rules = json_arr(r->data, "rules");
	p->met = arena_alloc(x->arena, (json_array_size(rules) + 1) * sizeof *p->met);
	json_array_foreach(rules, i, v) p->met[p->met_count++] = arena_strdup(x->arena, json_string_value(v));
}

void approval_fold(struct execution *x, size_t step, const struct record *r)
{
	struct step_data *s = &x->steps[step];
	struct call *c = r->call ? execution_call(x, step, r->attempt, r->call) : NULL;
	struct approval *p = c ? &c->approval : &s->approval;
	switch (r->kind) {
	case RECORD_APPROVAL_ASKED:
		fold_asked(x, p, x->flow->steps[step].attempt, r);
		break;
	case RECORD_APPROVAL_GIVEN:
		approval_given(p, x->arena, r->by ? r->by : "?", clock_until_make(r->t_us, json_int(r->data, "until_us", 0), x->is_emitting));
		break;
	case RECORD_APPROVAL_REFUSED:
		if (c) break;
		s->why = NULL;
		s->why_blob = arena_strdup(x->arena, json_str(r->data, "reason", NULL));
		break;
	default:
		break;
	}
}

/* ---- what people see ---- */

static json_t *given_view(const struct approval *p)
{
	json_t *list = json_array();
	for (size_t i = 0; i < p->given_count; i++)
		json_array_append_new(list, json_pack("{s:s,s:I}", "by", p->given[i].by, "until_us", (json_int_t)p->given[i].until.us));
	return list;
}

json_t *approval_view(struct execution *x, struct consent c)
{
	const struct book_step *b = &x->book->steps[c.step];
	const struct approval *p = consent_approval(x, c);
	json_t *rules = json_array();
	for (size_t i = 0; i < p->met_count; i++) json_array_append_new(rules, json_string(p->met[i]));
	json_t *o = json_pack("{s:s,s:s,s:s,s:i,s:o,s:s,s:o,s:O?,s:s}", "step", b->id, "title", b->title, "risk", risk_word(b->risk), "needed", (int)p->needed,
	                      "given", given_view(p), "from", p->from, "rules", rules, "targets", x->steps[c.step].targets, "binding", p->binding);
	if (c.call) json_object_set_new(o, "prompt", json_string(call_words(x, c.call)));
	return o;
}

size_t approvals_waiting(struct execution *x, struct consent *out, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < x->graph->count; i++) {
		if (x->flow->steps[i].is_awaiting_approval && n < max) out[n++] = (struct consent){i, NULL};
		for (size_t k = 0; k < x->steps[i].call_count && x->flow->steps[i].open_questions; k++) {
			struct call *c = x->steps[i].calls[k];
			if (c->is_question && c->state == CALL_STARTED && c->attempt == x->flow->steps[i].attempt && strcmp(c->module, "approve") == 0 &&
			    n < max)
				out[n++] = (struct consent){i, c};
		}
	}
	return n;
}

json_t *approvals_view(struct execution *x)
{
	struct consent waiting[APPROVALS_MAX];
	json_t *list = json_array();
	size_t n = approvals_waiting(x, waiting, APPROVALS_MAX);
	for (size_t i = 0; i < n; i++) json_array_append_new(list, approval_view(x, waiting[i]));
	return list;
}

bool approval_may_be_given_by(struct execution *x, const char *who)
{
	struct consent waiting[APPROVALS_MAX];
	size_t n = approvals_waiting(x, waiting, APPROVALS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct arena *a = arena_new();
		struct demands all;
		enum err err = demands_find(x, waiting[i], &all, a, NULL);
		if (!err) err = demands_accept(x, waiting[i], &all, who, NULL);
		demands_clear(&all);
		arena_free(a);
		if (err == ERR_OK || err == ERR_CONFLICT) return true; /* they have agreed already */
	}
	return false;
}
