#include "service/rights.h"
#include "base/clock.h"
#include "base/fs.h"
#include "service/approval.h"
#include "service/demand.h"
#include "service/engine_state.h"
#include "service/revision.h"

#include <stdlib.h>
#include <string.h>

/* ---- the policy ---- */

void rights_govern(struct execution *x, const char *path)
{
	const char *root = x->engine->root;
	size_t n = root ? strlen(root) : 0;
	x->policy_root = x->workspace;
	if (root && strncmp(path, root, n) == 0 && path[n] == '/') {
		x->policy_root = root;
		x->book_path = arena_strdup(x->arena, path + n + 1);
		return;
	}
	const struct policy *p = NULL;
	if (root && (policy_file_now(engine_policy(x->engine, root), &p, NULL) || p)) {
		x->policy_root = root;
		x->book_path = arena_printf(x->arena, "external%s", path);
	}
}

enum err rights_policy(struct execution *x, const struct policy **out, struct error *e)
{
	enum err err = policy_file_now(engine_policy(x->engine, x->policy_root), out, e);
	if (!err && !*out && x->is_under_policy)
		return error_set(e, ERR_DENIED, "this execution began under a policy, and %s/.rung/policy.yaml is gone: put it back", x->policy_root);
	return err;
}

static enum policy_risk risk_of(const struct book_step *s)
{
	return s->risk == RISK_DESTRUCTIVE ? RISK_OF_DESTRUCTIVE : s->risk == RISK_READ ? RISK_OF_READ : RISK_OF_CHANGE;
}

static int64_t targets_of(const struct execution *x, size_t step)
{
	const struct step_data *s = &x->steps[step];
	if (!x->book->steps[step].targets_source || !s->has_targets) return POLICY_TARGETS_UNKNOWN;
	return s->target_count;
}

/* Rights that were taken for a time, for it or for the executions that it is a child of: who drives is the same. */
static void add_elevated(struct execution *x, struct policy_request *q, struct arena *a)
{
	size_t capacity = 0;
	const char **elevated = NULL;
	for (const struct execution *at = x; at; at = at->parent.execution ? engine_find(x->engine, at->parent.execution) : NULL)
		for (size_t i = 0; i < at->elevation_count; i++) {
			if (clock_has_passed(&at->elevations[i].until) || strcmp(at->elevations[i].by, x->driver) != 0) continue;
			elevated = arena_grow(a, elevated, q->elevated_count, &capacity, sizeof *elevated);
			elevated[q->elevated_count++] = at->elevations[i].name;
		}
	q->elevated = elevated;
}

struct policy_request rights_request(struct execution *x, size_t step, struct arena *a)
{
	struct policy_request q = {.who = x->driver, .verb = VERB_RUN, .book = x->book_name, .targets = POLICY_TARGETS_OF_NO_STEP, .now_us = clock_now_us()};
	q.params = x->params;
	policy_trigger_find(x->trigger, &q.trigger);
	if (step != SIZE_MAX) {
		q.risk = risk_of(&x->book->steps[step]);
		q.targets = targets_of(x, step);
		q.met = x->steps[step].approval.met;
		q.met_count = x->flow->steps[step].is_approved ? x->steps[step].approval.met_count : 0;
	}
	add_elevated(x, &q, a);
	return q;
}

bool rights_has_driven(const struct execution *x, const char *who)
{
	struct approval_insiders in = execution_insiders(x, NULL);
	return approval_has_driven(&in, who) || strcmp(x->driver, who) == 0;
}

/* ---- calls ---- */

void right_decided_by(struct right *r, const struct policy *p, const struct policy_rule *rule)
{
	r->by = "policy";
	r->policy = p->digest;
	r->rule = rule ? rule->id : NULL;
	r->line = rule ? rule->line : 0;
}

static void ask_policy(struct execution *x, const struct policy *p, size_t step, bool is_read_only, const char *kind, const char *const *words, size_t count,
                       struct right *r)
{
	struct arena *a = arena_new();
	struct policy_request q = rights_request(x, step, a);
	q.kind = kind, q.words = words, q.word_count = count;
	struct policy_decision d = policy_decide(p, &q, a);
	right_decided_by(r, p, d.rule);
	/* What only looks (a condition, say) waits for nobody: others agree to what is done. */
	r->is_allowed = d.outcome == POLICY_IS_ALLOWED || (is_read_only && d.outcome == POLICY_MUST_WAIT);
	if (!r->is_allowed) r->why = arena_strdup(x->arena, policy_explain_line(p, &q, a));
	arena_free(a);
}

static bool is_allowed_by_person(struct execution *x, bool is_read_only, const char *kind, const char *const *words, size_t count, struct right *r)
{
	r->by = "declared";
	if (x->is_all_declared && bounds_declare(x->bounds, is_read_only, kind, words, count, x->params)) return true;
	r->by = "person";
	for (size_t i = 0; i < x->allowed_count; i++)
		if (capability_allows(x->allowed[i], kind, words, count, x->params)) return true;
	return false;
}

bool rights_name_host(struct execution *x, size_t step, const char *kind, const char *const *words, size_t count)
{
	const struct policy *p;
	struct arena *a = arena_new();
	bool is_named = false;
	if (rights_policy(x, &p, NULL) == ERR_OK && p) {
		struct policy_request q = rights_request(x, step, a);
		q.kind = kind, q.words = words, q.word_count = count;
		is_named = policy_names_host(p, &q, a);
	} else if (!x->is_under_policy) {
		const struct capability_request *r = capability_request_make(a, kind, words, count);
		is_named = x->is_all_declared && bounds_name_host(x->bounds, r, x->params);
		for (size_t i = 0; i < x->allowed_count; i++) is_named = is_named || capability_names_host(x->allowed[i], r, x->params);
	}
	arena_free(a);
	return is_named;
}

/* Above read, a service runs what a second person has approved. */
bool rights_revision_is_approved(struct execution *x, size_t step)
{
	bool is_service = strncmp(x->driver, "service:", 8) == 0;
	return !is_service || x->book->steps[step].risk == RISK_READ || revision_is_approved(x->engine, x->book->digest, x->book_path);
}

/* What is decided about a call that the book and its approvals do not stand against. */
static void decide_call(struct execution *x, size_t step, bool is_read_only, const char *kind, const char *const *words, size_t count, struct right *r)
{
	const struct policy *p;
	struct error e;
	r->by = "policy";
	if (rights_policy(x, &p, &e)) {
		r->why = arena_strdup(x->arena, e.text);
	} else if (p && !rights_revision_is_approved(x, step)) {
		right_decided_by(r, p, NULL);
		r->why = "a service may do this only from a revision of the book that somebody approved (rung approve-book)";
	} else if (p) {
		ask_policy(x, p, step, is_read_only, kind, words, count, r);
	} else if (is_allowed_by_person(x, is_read_only, kind, words, count, r)) {
		r->is_allowed = true;
	} else {
		r->is_allowable = true;
		r->why = "nobody has allowed it for this execution";
	}
}

struct right execution_right(struct execution *x, size_t step, bool is_read_only, const char *kind, const char *const *words, size_t count)
{
	struct right r = {.by = "book", .why = bounds_refuse(x->bounds, step, is_read_only, kind, words, count, x->params)};
	if (!r.why) r.why = approval_refuse(x, step, kind, words, count);
	if (!r.why) decide_call(x, step, is_read_only, kind, words, count, &r);
	if (!r.is_allowed) r.pattern = capability_exact(x->arena, kind, words, count);
	return r;
}

void right_record(const struct right *r, json_t *data)
{
	json_object_set_new(data, "by", json_string(r->by));
	if (r->rule) json_object_set_new(data, "rule", json_string(r->rule));
	if (r->rule) json_object_set_new(data, "line", json_integer(r->line));
	if (r->policy) json_object_set_new(data, "policy", json_string(r->policy));
}

/* ---- steps ---- */

enum err rights_decide(const struct policy *p, const struct policy_request *q, struct arena *a, enum policy_outcome *out, struct error *e)
{
	struct policy_decision d = policy_decide(p, q, a);
	*out = d.outcome;
	return d.outcome == POLICY_IS_DENIED ? error_set(e, ERR_DENIED, "%s", policy_explain_line(p, q, a)) : ERR_OK;
}

enum err rights_step(struct execution *x, size_t step, struct right *by, struct error *e)
{
	struct right unused;
	const struct policy *p;
	enum policy_outcome outcome;
	enum err err = rights_policy(x, &p, e);
	if (!by) by = &unused;
	if (err) by->by = "policy";
	if (err || !p) return err;
	right_decided_by(by, p, NULL);
	if (!rights_revision_is_approved(x, step))
		return error_set(e, ERR_DENIED,
		                 "a service runs steps above risk read only from a revision of the book that somebody approved: rung approve-book %s",
		                 x->book_path);
	struct arena *a = arena_new();
	struct policy_request q = rights_request(x, step, a);
	err = rights_decide(p, &q, a, &outcome, e);
	if (err) right_decided_by(by, p, policy_decide(p, &q, a).rule);
	arena_free(a);
	return err;
}
