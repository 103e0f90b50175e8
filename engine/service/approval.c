#include "service/approval.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "service/attempt.h"
#include "service/demand.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>

/* ---- what they agree to ---- */

/* after: the attempt behind which they were asked; further attempts that the book makes by itself are what they agreed to. */
static void binding_after(struct execution *x, struct consent c, uint32_t after, char out[65])
{
	struct buf b;
	const struct step_data *s = &x->steps[c.step];
	json_t *form = json_pack("{s:s,s:s,s:s,s:s,s:i,s:O?,s:O,s:b}", "execution", x->id, "driver", x->driver, "plan", x->plan_digest, "step",
	                         x->book->steps[c.step].id, "after", (int)after, "targets", s->targets, "allowed", x->allow, "declared", x->is_all_declared);
	if (c.call) {
		json_object_set_new(form, "call", json_integer(c.call->number));
		json_object_set_new(form, "attempt", json_integer(c.call->attempt));
		json_object_set_new(form, "asks", call_arguments(x, c.call));
	}
	buf_init(&b, 8 << 20);
	must(form && json_canonical(form, &b));
	digest_sha256_hex(out, b.data, b.len);
	buf_clear(&b);
	json_decref(form);
}

void approval_binding(struct execution *x, struct consent c, char out[65])
{
	binding_after(x, c, consent_approval(x, c)->after, out);
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
	char binding[65];
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

static bool are_rules_the_same(const struct approval *p, const struct demands *all)
{
	size_t n = 0;
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].rule && (n == p->met_count || strcmp(p->met[n++], all->list[i].rule) != 0)) return false;
	return n == p->met_count;
}

/* Why what was shown or agreed to counts no more (a word), or NULL. */
static const char *is_void(struct execution *x, struct consent c, const struct demands *all)
{
	const struct approval *p = consent_approval(x, c);
	char binding[65];
	approval_binding(x, c, binding);
	if (strcmp(binding, p->binding) != 0) return "changed";
	if (p->needed != all->needed || strcmp(p->from, all->from.data ? all->from.data : "") != 0) return "policy_changed";
	if (p->within_us != all->within_us || !are_rules_the_same(p, all)) return "policy_changed";
	for (size_t i = 0; i < p->given_count; i++)
		if (clock_has_passed(&p->given[i].until)) return "expired";
	for (size_t i = 0; i < p->given_count; i++)
		if (rights_has_driven(x, p->given[i].by)) return "has_driven";
	return demands_hold(all, p) ? NULL : "policy_changed";
}

/* True: nothing is missing. */
static bool is_agreed(struct execution *x, size_t step, const struct demands *all, struct error *e)
{
	const struct flow_step *f = &x->flow->steps[step];
	const char *why = NULL;
	if (!all->count && !f->is_approved) return true;
	if (f->is_approved) why = is_void(x, (struct consent){step, NULL}, all);
	if (f->is_approved && !why) return true;
	if (f->is_approved) approval_withdraw(x, step, why);
	if (!all->count) return true;
	approval_ask(x, (struct consent){step, NULL}, all, e);
	return false;
}

/* Nobody agrees to what is not known. */
static enum err check_targets(struct execution *x, size_t step, const struct demands *all, struct error *e)
{
	const struct step_data *s = &x->steps[step];
	if (!all->count || !x->book->steps[step].targets_source || s->has_targets) return ERR_OK;
	char *why = execution_read_blob(x, s->targets_why_blob, NULL);
	enum err err = error_set(e, ERR_DENIED, "nobody can agree to step %s, since its targets are not known: %s", x->book->steps[step].id, why);
	free(why);
	return err;
}

static bool gate(struct execution *x, size_t step, struct right *by, struct error *e)
{
	struct demands all;
	struct arena *a = arena_new();
	bool may = false;
	enum err err = rights_step(x, step, by, e);
	if (!err) {
		err = demands_find(x, (struct consent){step, NULL}, &all, a, e);
		if (!err) err = check_targets(x, step, &all, e);
		if (!err) may = is_agreed(x, step, &all, e);
		buf_clear(&all.from);
	}
	arena_free(a);
	return may;
}

/* Evaluated just before others are asked, and again before it begins: they agree to these targets and no others. */
static bool are_targets_due(const struct execution *x, size_t step)
{
	return x->book->steps[step].targets_source && !x->steps[step].are_targets_fresh;
}

bool approval_gate(struct execution *x, size_t step)
{
	struct error e = {ERR_OK, ""};
	if (are_targets_due(x, step)) {
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
	buf_clear(&all.from);
	arena_free(a);
	if (err) return err;
	if (!must_agree) return rights_step(x, step, NULL, e);
	if (f->is_awaiting_approval)
		return error_set(e, ERR_CONFLICT, "step %s waits until %u more agree: rung approve", x->book->steps[step].id,
		                 f->approvals_needed - f->approvals);
	if (are_targets_due(x, step)) {
		attempt_evaluate_targets(x, step);
		return error_set(e, ERR_CONFLICT, "what step %s touches is being looked at: try again in a moment", x->book->steps[step].id);
	}
	if (gate(x, step, NULL, e)) return ERR_OK;
	return e->kind ? e->kind : error_set(e, ERR_CONFLICT, "step %s waits until others agree: rung approve", x->book->steps[step].id);
}

/* A step by hand that waits for a person: are others to be asked first, or again? Where they cannot be, whoever says that it is done hears why. */
static void advance_manual(struct execution *x, size_t step)
{
	const struct flow_step *f = &x->flow->steps[step];
	if (!x->book->steps[step].is_manual || f->state != STEP_WAITING || f->is_in_attempt || f->is_awaiting_approval || x->steps[step].live) return;
	struct demands all;
	struct arena *a = arena_new();
	if (demands_find(x, (struct consent){step, NULL}, &all, a, NULL) == ERR_OK && (all.count || f->is_approved)) {
		if (are_targets_due(x, step))
			attempt_evaluate_targets(x, step);
		else if (check_targets(x, step, &all, NULL) == ERR_OK)
			is_agreed(x, step, &all, NULL);
	}
	buf_clear(&all.from);
	arena_free(a);
}

/* What waits is asked for anew where it is no more what was shown, or others must agree. */
static void refresh(struct execution *x, struct consent c)
{
	struct demands all;
	struct arena *a = arena_new();
	const char *why = NULL;
	if (demands_find(x, c, &all, a, NULL) == ERR_OK) why = all.count ? is_void(x, c, &all) : "policy_changed";
	if (why && !c.call) approval_withdraw(x, c.step, why);
	if (why && all.count) approval_ask(x, c, &all, NULL);
	buf_clear(&all.from);
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
	bool is_shown = !host || !s->targets;
	size_t i;
	json_t *v;
	if (!is_shown) json_array_foreach(s->targets, i, v) is_shown = is_shown || strcmp(json_string_value(v), host) == 0;
	if (!is_shown) why = arena_printf(x->arena, "%s is not among the targets that were approved", host);
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
		p->given = arena_grow(x->arena, p->given, p->given_count, &p->given_capacity, sizeof *p->given);
		p->given[p->given_count].by = arena_strdup(x->arena, r->by ? r->by : "?");
		p->given[p->given_count++].until = clock_until_make(r->t_us, json_int(r->data, "until_us", 0), x->is_emitting);
		s->are_targets_fresh = false;
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
		buf_clear(&all.from);
		arena_free(a);
		if (err == ERR_OK || err == ERR_CONFLICT) return true; /* they have agreed already */
	}
	return false;
}
