#include "service/approval.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "service/attempt.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_MAX = 64 };
#define WITHIN_DEFAULT_US INT64_C(3600000000)

/* ---- what is demanded ---- */

/* So many different people of those. */
struct demand {
	const struct policy_who *who;
	size_t who_count;
	uint32_t needed;
	int64_t within_us;
	const char *rule; /* NULL: the book's step itself */
};

struct demands {
	const struct policy *policy;
	struct demand list[SLOTS_MAX];
	size_t count;
	uint32_t needed; /* of all together: each person counts once */
	int64_t within_us;
	struct buf from; /* for people */
};

static void words_of_who(struct buf *b, const struct demand *d)
{
	if (b->len) buf_str(b, " and ");
	buf_printf(b, "%u of ", d->needed);
	for (size_t i = 0; i < d->who_count; i++) buf_printf(b, "%s%s", i ? ", " : "", d->who[i].text);
}

static enum err add_demand(struct demands *all, struct demand d, struct error *e)
{
	if (all->count == SLOTS_MAX || all->needed + d.needed > SLOTS_MAX) return error_set(e, ERR_DENIED, "it needs more approvals than %d", SLOTS_MAX);
	all->list[all->count++] = d;
	all->needed += d.needed;
	if (d.within_us < all->within_us) all->within_us = d.within_us;
	words_of_who(&all->from, &d);
	return ERR_OK;
}

/* What the book's step asks for: approve=N from=GROUP. */
static enum err demand_of_book(const struct execution *x, size_t step, struct demands *all, struct arena *a, struct error *e)
{
	const struct book_step *s = &x->book->steps[step];
	if (s->approve <= 0) return ERR_OK;
	struct policy_who *who = arena_alloc(a, sizeof *who);
	*who = (struct policy_who){.kind = WHO_ANY_USER, .text = "user:*"};
	if (!all->policy)
		return error_set(e, ERR_DENIED,
		                 "step %s needs the approval of %d others%s%s, and there is no policy that says who they are: write .rung/policy.yaml", s->id,
		                 s->approve, s->from ? " from " : "", s->from ? s->from : "");
	enum err err = s->from ? policy_who_find(all->policy, s->from, who, e) : ERR_OK;
	if (err) return error_context(e, "%s:%d: from", x->book_path, s->line);
	return add_demand(all, (struct demand){.who = who, .who_count = 1, .needed = (uint32_t)s->approve, .within_us = WITHIN_DEFAULT_US}, e);
}

static enum err demands_find(struct execution *x, size_t step, struct demands *all, struct arena *a, struct error *e)
{
	*all = (struct demands){.within_us = INT64_MAX};
	buf_init(&all->from, 900);
	enum err err = rights_policy(x, &all->policy, e);
	if (!err) err = demand_of_book(x, step, all, a, e);
	if (err || !all->policy) return err;
	struct policy_request q = rights_request(x, step, a);
	struct policy_decision d = policy_decide(all->policy, &q, a);
	for (size_t i = 0; i < d.require_count && !err; i++) {
		const struct policy_rule *r = d.requires[i];
		err = add_demand(
		    all,
		    (struct demand){.who = r->from, .who_count = r->from_count, .needed = (uint32_t)r->approvals, .within_us = r->within_us, .rule = r->id}, e);
	}
	return err;
}

/* ---- who may fill what: each person one slot ---- */

struct seating {
	const struct demands *all;
	const char *people[SLOTS_MAX];
	size_t person_count;
	int seat[SLOTS_MAX]; /* slot -> person, or -1 */
	bool is_tried[SLOTS_MAX];
};

static const struct demand *demand_of_slot(const struct demands *all, size_t slot)
{
	for (size_t i = 0; i < all->count; slot -= all->list[i++].needed)
		if (slot < all->list[i].needed) return &all->list[i];
	return NULL;
}

static bool seat_one(struct seating *s, size_t person)
{
	for (size_t slot = 0; slot < s->all->needed; slot++) {
		const struct demand *d = demand_of_slot(s->all, slot);
		if (s->is_tried[slot] || !policy_is_among(s->all->policy, s->people[person], d->who, d->who_count)) continue;
		s->is_tried[slot] = true;
		if (s->seat[slot] >= 0 && !seat_one(s, (size_t)s->seat[slot])) continue;
		s->seat[slot] = (int)person;
		return true;
	}
	return false;
}

/* Can all of these people count, each once? */
static bool can_be_seated(const struct demands *all, const struct approval *given, const char *one_more)
{
	struct seating s = {.all = all};
	for (size_t i = 0; i < SLOTS_MAX; i++) s.seat[i] = -1;
	for (size_t i = 0; i < given->given_count && i < SLOTS_MAX - 1; i++) s.people[s.person_count++] = given->given[i].by;
	if (one_more) s.people[s.person_count++] = one_more;
	for (size_t i = 0; i < s.person_count; i++) {
		memset(s.is_tried, 0, sizeof s.is_tried);
		if (!seat_one(&s, i)) return false;
	}
	return true;
}

static bool has_given(const struct approval *p, const char *who)
{
	for (size_t i = 0; i < p->given_count; i++)
		if (strcmp(p->given[i].by, who) == 0) return true;
	return false;
}

static enum err may_give(struct execution *x, size_t step, const struct demands *all, const char *who, struct error *e)
{
	const struct approval *p = &x->steps[step].approval;
	if (strncmp(who, "user:", 5) != 0) return error_set(e, ERR_DENIED, "%s is no person: approvals are given by people", who);
	if (rights_has_driven(x, who)) return error_set(e, ERR_DENIED, "%s started or drove this execution, and so does not approve anything of it", who);
	if (rights_is_author(x, who)) return error_set(e, ERR_DENIED, "%s wrote this book, and so does not approve anything of it", who);
	if (has_given(p, who)) return error_set(e, ERR_CONFLICT, "%s has approved step %s already: another person is needed", who, x->book->steps[step].id);
	if (!all->policy || !can_be_seated(all, p, who))
		return error_set(e, ERR_DENIED, "step %s waits for %s, and %s cannot be one of them", x->book->steps[step].id,
		                 all->from.data ? all->from.data : "nobody", who);
	return ERR_OK;
}

bool approval_may_be_given_by(struct execution *x, const char *who)
{
	bool may = false;
	for (size_t i = 0; i < x->graph->count && !may; i++) {
		if (!x->flow->steps[i].is_awaiting_approval) continue;
		struct arena *a = arena_new();
		struct demands all;
		may = demands_find(x, i, &all, a, NULL) == ERR_OK && may_give(x, i, &all, who, NULL) == ERR_OK;
		may = may || has_given(&x->steps[i].approval, who);
		buf_clear(&all.from);
		arena_free(a);
	}
	return may;
}

/* ---- what they agree to ---- */

static void binding_of(struct execution *x, size_t step, char out[65])
{
	struct buf b;
	const struct step_data *s = &x->steps[step];
	json_t *form = json_pack("{s:s,s:s,s:O?,s:O,s:b}", "plan", x->plan_digest, "step", x->book->steps[step].id, "targets", s->targets, "allowed", x->allow,
	                         "declared", x->is_all_declared);
	buf_init(&b, 8 << 20);
	must(form && json_canonical(form, &b));
	digest_sha256_hex(out, b.data, b.len);
	buf_clear(&b);
	json_decref(form);
}

/* ---- before a step begins ---- */

static void deny_step(struct execution *x, size_t step, const char *why)
{
	uint32_t attempt = x->flow->steps[step].attempt + 1;
	struct error e;
	if (execution_emit(x, (struct emit){.kind = RECORD_ATTEMPT_STARTED, .step = step, .attempt = attempt, .data = json_pack("{s:s}", "why", "denied")},
	                   &e)) {
		log_line(LOG_WARN, "execution %s: %s", x->id, e.text);
		return;
	}
	json_t *d = json_pack("{s:s,s:s?}", "outcome", "denied", "error", execution_blob_text(x, why));
	execution_emit(x, (struct emit){.kind = RECORD_ATTEMPT_FINISHED, .step = step, .attempt = attempt, .data = d}, NULL);
	x->steps[step].why = arena_strdup(x->arena, why);
}

static void ask(struct execution *x, size_t step, const struct demands *all)
{
	char binding[65];
	const struct step_data *s = &x->steps[step];
	binding_of(x, step, binding);
	json_t *rules = json_array();
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].rule) json_array_append_new(rules, json_string(all->list[i].rule));
	json_t *d = json_pack("{s:i,s:s,s:s,s:I,s:o,s:s?}", "needed", (int)all->needed, "binding", binding, "from", all->from.data, "within_us",
	                      (json_int_t)all->within_us, "rules", rules, "policy", all->policy ? all->policy->digest : NULL);
	if (s->targets) {
		json_object_set_new(d, "targets", json_string(execution_blob_json(x, s->targets)));
		json_object_set_new(d, "target_count", json_integer(s->target_count));
	}
	struct error e;
	if (execution_emit(x, (struct emit){.kind = RECORD_APPROVAL_ASKED, .step = step, .data = d}, &e)) log_line(LOG_WARN, "execution %s: %s", x->id, e.text);
}

static void withdraw(struct execution *x, size_t step, const char *why)
{
	execution_emit(x, (struct emit){.kind = RECORD_APPROVAL_WITHDRAWN, .step = step, .data = json_pack("{s:s}", "why", why)}, NULL);
}

/* Why what was agreed to counts no more (a word), or NULL. */
static const char *is_void(struct execution *x, size_t step, const struct demands *all)
{
	const struct approval *p = &x->steps[step].approval;
	char binding[65];
	binding_of(x, step, binding);
	if (strcmp(binding, p->binding) != 0) return "changed";
	if (p->needed != all->needed || strcmp(p->from, all->from.data ? all->from.data : "") != 0) return "policy_changed";
	int64_t now = clock_now_us();
	for (size_t i = 0; i < p->given_count; i++)
		if (p->given[i].until_us <= now) return "expired";
	for (size_t i = 0; i < p->given_count; i++)
		if (rights_has_driven(x, p->given[i].by)) return "has_driven";
	return can_be_seated(all, p, NULL) ? NULL : "policy_changed";
}

/* True: nothing is missing. */
static bool is_agreed(struct execution *x, size_t step, const struct demands *all)
{
	const struct flow_step *f = &x->flow->steps[step];
	const char *why = NULL;
	if (!all->count && !f->is_approved) return true;
	if (f->is_approved) why = is_void(x, step, all);
	if (f->is_approved && !why) return true;
	if (f->is_approved) withdraw(x, step, why);
	if (!all->count) return true;
	ask(x, step, all);
	return false;
}

static bool gate(struct execution *x, size_t step, struct error *e)
{
	struct demands all;
	struct arena *a = arena_new();
	bool may = false;
	enum err err = rights_step(x, step, e);
	if (!err) {
		err = demands_find(x, step, &all, a, e);
		if (!err) may = is_agreed(x, step, &all);
		buf_clear(&all.from);
	}
	arena_free(a);
	return may;
}

bool approval_gate(struct execution *x, size_t step)
{
	struct error e = {ERR_OK, ""};
	/* Evaluated just before others are asked, and again before it begins: they agree to these targets and no others. */
	if (x->book->steps[step].targets_source && !x->steps[step].are_targets_fresh) {
		attempt_evaluate_targets(x, step);
		return false;
	}
	bool may = gate(x, step, &e);
	if (e.kind) deny_step(x, step, e.text);
	return may && !e.kind;
}

void approval_ask_manual(struct execution *x)
{
	for (size_t i = 0; i < x->graph->count; i++) {
		const struct flow_step *f = &x->flow->steps[i];
		const struct book_step *s = &x->book->steps[i];
		bool waits = s->is_manual && f->state == STEP_WAITING && !f->is_in_attempt && !f->is_awaiting_approval && !f->is_approved;
		if (!waits || f->is_approved) continue;
		struct demands all;
		struct arena *a = arena_new();
		struct error e = {ERR_OK, ""};
		bool is_known = !s->targets_source || x->steps[i].are_targets_fresh;
		if (demands_find(x, i, &all, a, &e) == ERR_OK && all.count) {
			if (is_known)
				ask(x, i, &all);
			else
				attempt_evaluate_targets(x, i);
		}
		buf_clear(&all.from);
		arena_free(a);
	}
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

static void fold_asked(struct execution *x, struct step_data *s, const struct record *r)
{
	struct approval *p = &s->approval;
	size_t i;
	json_t *v;
	*p = (struct approval){.needed = (uint32_t)json_int(r->data, "needed", 1), .within_us = json_int(r->data, "within_us", WITHIN_DEFAULT_US)};
	snprintf(p->binding, sizeof p->binding, "%s", json_str(r->data, "binding", ""));
	p->from = arena_strdup(x->arena, json_str(r->data, "from", ""));
	const json_t *rules = json_arr(r->data, "rules");
	p->met = arena_alloc(x->arena, (json_array_size(rules) + 1) * sizeof *p->met);
	json_array_foreach(rules, i, v) p->met[p->met_count++] = arena_strdup(x->arena, json_string_value(v));
}

void approval_fold(struct execution *x, size_t step, const struct record *r)
{
	struct step_data *s = &x->steps[step];
	struct approval *p = &s->approval;
	switch (r->kind) {
	case RECORD_APPROVAL_ASKED:
		fold_asked(x, s, r);
		break;
	case RECORD_APPROVAL_GIVEN:
		p->given = arena_grow(x->arena, p->given, p->given_count, &p->given_capacity, sizeof *p->given);
		p->given[p->given_count].by = arena_strdup(x->arena, r->by ? r->by : "?");
		p->given[p->given_count++].until_us = json_int(r->data, "until_us", 0);
		s->are_targets_fresh = false;
		break;
	case RECORD_APPROVAL_REFUSED:
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
		json_array_append_new(list, json_pack("{s:s,s:I}", "by", p->given[i].by, "until_us", (json_int_t)p->given[i].until_us));
	return list;
}

static json_t *approval_view(struct execution *x, size_t step)
{
	const struct book_step *b = &x->book->steps[step];
	const struct approval *p = &x->steps[step].approval;
	json_t *rules = json_array();
	for (size_t i = 0; i < p->met_count; i++) json_array_append_new(rules, json_string(p->met[i]));
	return json_pack("{s:s,s:s,s:s,s:i,s:o,s:s,s:o,s:O?,s:s}", "step", b->id, "title", b->title, "risk", risk_word(b->risk), "needed", (int)p->needed,
	                 "given", given_view(p), "from", p->from, "rules", rules, "targets", x->steps[step].targets, "binding", p->binding);
}

json_t *approvals_view(struct execution *x)
{
	json_t *list = json_array();
	for (size_t i = 0; i < x->graph->count; i++)
		if (x->flow->steps[i].is_awaiting_approval) json_array_append_new(list, approval_view(x, i));
	return list;
}

/* ---- operations ---- */

/* The step that is named, or the only one that waits. */
static size_t waiting_step(struct request *q)
{
	size_t found = SIZE_MAX, count = 0;
	if (json_str(q->args, "step", NULL)) {
		found = request_step(q);
		if (found == SIZE_MAX) return found;
		if (q->x->flow->steps[found].is_awaiting_approval) return found;
		request_refuse(q, ERR_CONFLICT, "step %s waits for no approval (it is %s)", q->x->book->steps[found].id,
		               step_state_name(q->x->flow->steps[found].state));
		return SIZE_MAX;
	}
	for (size_t i = 0; i < q->x->graph->count; i++)
		if (q->x->flow->steps[i].is_awaiting_approval) found = i, count++;
	if (count == 1) return found;
	if (count == 0)
		request_refuse(q, ERR_CONFLICT, "execution %s waits for no approval", q->x->id);
	else
		request_refuse(q, ERR_USAGE, "%zu steps wait for an approval: name one", count);
	return SIZE_MAX;
}

void op_approval_show(struct request *q)
{
	struct execution *x = q->x;
	size_t step = waiting_step(q);
	if (step == SIZE_MAX) return;
	json_t *drivers = json_array(), *permissions = json_array();
	for (size_t i = 0; i < x->driver_count; i++) json_array_append_new(drivers, json_string(x->drivers[i]));
	const struct book_step *b = &x->book->steps[step];
	for (size_t i = 0; i < b->permission_count; i++) json_array_append_new(permissions, json_string(b->permissions[i]));
	for (size_t i = 0; i < x->book->permission_count && !b->permission_count; i++)
		json_array_append_new(permissions, json_string(x->book->permissions[i].pattern));
	json_t *o = approval_view(x, step),
	       *rest = json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:O,s:o,s:O,s:o}", "execution", x->id, "book", x->book_path, "book_title", x->book->title, "digest",
	                         x->book->digest, "plan", x->plan_digest, "drivers", drivers, "params", x->params, "permissions", permissions, "allowed",
	                         x->allow, "view", execution_step_view(x, step));
	must(o && rest);
	json_object_update(o, rest);
	json_decref(rest);
	request_answer(q, o, NULL, 0);
}

/* Everything that can be wrong with giving it, before anything is recorded. */
static enum err check_giving(struct request *q, size_t step, const struct demands *all, struct error *e)
{
	struct execution *x = q->x;
	const struct step_data *s = &x->steps[step];
	char binding[65];
	enum err err = may_give(x, step, all, q->client->principal, e);
	if (err) return err;
	binding_of(x, step, binding);
	if (strcmp(json_str(q->args, "binding", ""), binding) != 0 || strcmp(binding, s->approval.binding) != 0)
		return error_set(e, ERR_CONFLICT, "what step %s would do has changed since it was shown: look at it again", x->book->steps[step].id);
	if (!*json_str(q->args, "reason", "")) return error_set(e, ERR_USAGE, "an approval needs a reason");
	bool is_destructive = x->book->steps[step].risk == RISK_DESTRUCTIVE;
	if (is_destructive && s->targets && json_int(q->args, "targets", -1) != s->target_count)
		return error_set(e, ERR_USAGE, "step %s destroys: say how many targets it has, as they were shown", x->book->steps[step].id);
	return ERR_OK;
}

static enum err give(struct request *q, size_t step, const struct demands *all, struct error *e)
{
	struct execution *x = q->x;
	struct approval *p = &x->steps[step].approval;
	int64_t now = clock_now_us();
	for (size_t i = 0; i < p->given_count; i++)
		if (p->given[i].until_us <= now) {
			withdraw(x, step, "expired");
			ask(x, step, all);
			break;
		}
	json_t *d = json_pack("{s:s,s:s?,s:I}", "binding", p->binding, "reason", execution_blob_text(x, json_str(q->args, "reason", "")), "until_us",
	                      (json_int_t)(now + all->within_us));
	return execution_emit(x, (struct emit){.kind = RECORD_APPROVAL_GIVEN, .step = step, .by = q->client->principal, .data = d}, e);
}

void op_approve(struct request *q)
{
	struct error e;
	struct demands all;
	size_t step = waiting_step(q);
	if (step == SIZE_MAX) return;
	struct arena *a = arena_new();
	enum err err = demands_find(q->x, step, &all, a, &e);
	if (!err) err = check_giving(q, step, &all, &e);
	if (!err) err = give(q, step, &all, &e);
	buf_clear(&all.from);
	arena_free(a);
	if (err) {
		request_fail(q, &e);
		return;
	}
	const struct flow_step *f = &q->x->flow->steps[step];
	int missing = f->is_awaiting_approval ? (int)(f->approvals_needed - f->approvals) : 0;
	request_answer_durable(q, json_pack("{s:s,s:i}", "step", q->x->book->steps[step].id, "missing", missing));
}

void op_refuse(struct request *q)
{
	struct error e;
	struct demands all;
	size_t step = waiting_step(q);
	if (step == SIZE_MAX) return;
	const char *reason = json_str(q->args, "reason", "");
	struct arena *a = arena_new();
	enum err err = demands_find(q->x, step, &all, a, &e);
	if (!err) err = may_give(q->x, step, &all, q->client->principal, &e);
	buf_clear(&all.from);
	arena_free(a);
	if (!err && !*reason) err = error_set(&e, ERR_USAGE, "a refusal needs a reason");
	if (!err) {
		char *why = mem_printf("%s does not agree: %s", q->client->principal, reason);
		json_t *d = json_pack("{s:s?}", "reason", execution_blob_text(q->x, why));
		free(why);
		err = execution_emit(q->x, (struct emit){.kind = RECORD_APPROVAL_REFUSED, .step = step, .by = q->client->principal, .data = d}, &e);
	}
	if (err)
		request_fail(q, &e);
	else
		request_answer_durable(q, NULL);
}
