#include "base/clock.h"
#include "service/demand.h"
#include "service/engine_state.h"
#include "service/revision.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>

/* Before an execution begins: everything that it lacks, at once. */

enum { MISSING_MAX = 40 };

static void add_missing(json_t *list, const char *what, const char *step, const char *pattern, const char *outcome, const char *why)
{
	json_array_append_new(list,
	                      json_pack("{s:s,s:s?,s:s?,s:s,s:o}", "what", what, "step", step, "pattern", pattern, "outcome", outcome, "why", json_text(why)));
}

/* Targets are not known before the steps in front of it ran: rules that count them are asked when it begins. */
static void missing_steps(struct execution *x, const struct policy *p, struct arena *a, json_t *list)
{
	for (size_t i = 0; i < x->graph->count; i++) {
		struct policy_request q = rights_request(x, i, a);
		enum policy_outcome outcome;
		struct error e;
		const char *id = x->book->steps[i].id;
		q.targets = POLICY_TARGETS_OF_NO_STEP;
		if (!rights_revision_is_approved(x, i))
			add_missing(list, "step", id, NULL, "deny",
			            "a service runs it only from a revision of the book that somebody approved (rung approve-book)");
		else if (rights_decide(p, &q, a, &outcome, &e))
			add_missing(list, "step", id, NULL, "deny", e.text);
		else if (demands_check(x, i, p, &e))
			add_missing(list, "step", id, NULL, "deny", e.text);
		else if (outcome == POLICY_MUST_WAIT || x->book->steps[i].approve > 0)
			add_missing(list, "step", id, NULL, "wait", "others must agree before it begins");
	}
}

/* A parameter in a pattern is this execution's value. */
static const char *with_values(const struct execution *x, const char *pattern, struct arena *a)
{
	struct buf b;
	buf_init(&b, CAPABILITY_BYTES_MAX);
	for (const char *at = pattern; *at;) {
		const char *end = strncmp(at, "{param:", 7) == 0 ? strchr(at, '}') : NULL;
		char *name = end ? mem_printf("%.*s", (int)(end - at - 7), at + 7) : NULL;
		const json_t *v = name ? json_object_get(x->params, name) : NULL;
		free(name);
		if (end && json_is_string(v) && *json_string_value(v)) {
			const char *quoted = capability_exact(a, "", (const char *[]){json_string_value(v)}, 1);
			buf_str(&b, quoted + 1);
			at = end + 1;
		} else if (end && json_is_integer(v)) {
			buf_printf(&b, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
			at = end + 1;
		} else {
			buf_char(&b, *at++);
		}
	}
	const char *text = b.is_full ? pattern : arena_strndup(a, b.data ? b.data : "", b.len);
	buf_clear(&b);
	return text;
}

/* Is all that a declared pattern asks for granted: with this execution's values, or as both say it, {param:x} being the same value in both? */
static bool is_granted(const struct execution *x, const struct capability *const *grants, size_t n, const char *pattern, struct arena *a)
{
	struct capability *c;
	return (capability_parse(a, with_values(x, pattern, a), &c, NULL) == ERR_OK && capability_covers(grants, n, c)) ||
	       (capability_parse(a, pattern, &c, NULL) == ERR_OK && capability_covers(grants, n, c));
}

/* The grants of every allow that may speak of this execution. */
static size_t grants_for(struct execution *x, const struct policy *p, const struct capability **out)
{
	size_t n = 0;
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct policy_rule *r = &p->rules[i];
		bool speaks = r->effect == POLICY_ALLOW && r->verbs & 1U << VERB_RUN && policy_is_among(p, x->driver, r->who, r->who_count);
		bool book = false;
		for (size_t k = 0; speaks && k < r->book_count; k++) book = book || policy_book_matches(r->books[k], x->book_name);
		for (size_t k = 0; book && k < r->call_count; k++) out[n++] = r->calls[k];
	}
	return n;
}

static void missing_calls(struct execution *x, const struct policy *p, struct arena *a, json_t *list)
{
	size_t all = 0;
	for (size_t i = 0; i < p->rule_count; i++) all += p->rules[i].call_count;
	const struct capability **grants = arena_alloc(a, (all + 1) * sizeof *grants);
	size_t n = grants_for(x, p, grants);
	for (size_t i = 0; i < x->book->permission_count; i++) {
		const char *pattern = x->book->permissions[i].pattern;
		if (is_granted(x, grants, n, pattern, a)) continue;
		add_missing(list, "call", NULL, pattern, "deny", "no rule grants all that it asks for");
	}
}

json_t *rights_missing(struct execution *x)
{
	const struct policy *p;
	struct error e;
	enum policy_outcome outcome;
	json_t *list = json_array();
	if (rights_policy(x, &p, &e)) {
		add_missing(list, "book", NULL, NULL, "deny", e.text);
		return list;
	}
	if (!p) return list;
	struct arena *a = arena_new();
	struct policy_request q = rights_request(x, SIZE_MAX, a);
	if (rights_decide(p, &q, a, &outcome, &e)) add_missing(list, "book", NULL, NULL, "deny", e.text);
	missing_steps(x, p, a, list);
	missing_calls(x, p, a, list);
	arena_free(a);
	return list;
}

/* Without a policy what runs by itself needs every declared pattern allowed beforehand: nobody will be asked. */
static enum err check_unattended(struct execution *x, struct error *e)
{
	struct buf missing;
	struct arena *a = arena_new();
	buf_init(&missing, 800);
	for (size_t i = 0; !x->is_all_declared && i < x->book->permission_count; i++) {
		const char *pattern = x->book->permissions[i].pattern;
		if (is_granted(x, (const struct capability *const *)x->allowed, x->allowed_count, pattern, a)) continue;
		buf_printf(&missing, "%s`%.200s`", missing.len ? ", " : "", pattern);
	}
	enum err err = ERR_OK;
	if (missing.len)
		err = error_set(e, ERR_DENIED,
		                "the book declares what is not allowed: %s. Nothing was run. Allow each with --allow 'PATTERN', or all with --allow declared",
		                missing.data);
	buf_clear(&missing);
	arena_free(a);
	return err;
}

enum err rights_service_bounds(struct execution *x, const struct policy *p, bool is_start, struct error *e)
{
	/* What its runbooks start counts with the start that they follow from. */
	if (strncmp(x->driver, "service:", 8) != 0 || x->parent.execution) return ERR_OK;
	const struct policy_service *s = p ? policy_service_find(p, x->driver + 8) : NULL;
	if (!s) return error_set(e, ERR_DENIED, "no policy knows %s", x->driver);
	int64_t running = 0;
	for (const struct execution *o = x->engine->executions; o; o = o->next) running += o != x && !o->parent.execution && strcmp(o->driver, x->driver) == 0;
	if (s->max_running && running >= s->max_running)
		return error_set(e, ERR_DENIED, "%s has %lld executions under way, and the policy gives it %lld at a time (%s:%d)", x->driver,
		                 (long long)running, (long long)s->max_running, p->file, s->line);
	return is_start ? service_rate_take(x->engine, s, e) : ERR_OK;
}

enum err rights_start(struct execution *x, struct error *e)
{
	const struct policy *p;
	enum err err = rights_policy(x, &p, e);
	if (err) return err;
	if (p) x->is_under_policy = true, snprintf(x->policy_digest, sizeof x->policy_digest, "%s", p->digest);
	if (!p && strcmp(x->driver, x->engine->principal) != 0)
		return error_set(e, ERR_DENIED,
		                 "there is no policy here, so only %s, whose engine this is, runs books: write .rung/policy.yaml (rung help policy)",
		                 x->engine->principal);
	if (!p) return x->flow->mode == FLOW_AUTO ? check_unattended(x, e) : ERR_OK;
	if (strncmp(x->driver, "service:", 8) == 0 && !x->book->has_permissions)
		return error_set(e, ERR_DENIED,
		                 "%s has no Permissions section, and so sets no bound: a service does not start it. Write down what its steps call",
		                 x->book_path);
	json_t *missing = rights_missing(x), *m;
	size_t i, denied = 0;
	struct buf b;
	buf_init(&b, ERROR_TEXT_BYTES - 200);
	json_array_foreach(missing, i, m)
	{
		bool is_book = strcmp(json_str(m, "what", ""), "book") == 0;
		/* A person is asked whether to go on without; what runs by itself needs all of it before anything runs. */
		if (strcmp(json_str(m, "outcome", ""), "deny") != 0 || (x->flow->mode == FLOW_GUIDED && !is_book)) continue;
		if (denied++ < MISSING_MAX)
			buf_printf(&b, "%s%s %s: %s", denied > 1 ? "; " : "", json_str(m, "what", ""),
			           json_str(m, "step", json_str(m, "pattern", x->book_name)), json_str(m, "why", ""));
	}
	json_decref(missing);
	if (denied) err = error_set(e, ERR_DENIED, "%s. Nothing was run", b.data ? b.data : "the policy denies it");
	buf_clear(&b);
	return err ? err : rights_service_bounds(x, p, true, e);
}

enum err rights_look(struct execution *x, struct error *e)
{
	const struct policy *p;
	if (rights_policy(x, &p, NULL) || !p) return ERR_OK; /* what is wrong there is said when it would start */
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct policy_rule *r = &p->rules[i];
		if (r->effect != POLICY_ALLOW || !(r->verbs & (1U << VERB_RUN | 1U << VERB_READ)) || !policy_is_among(p, x->driver, r->who, r->who_count))
			continue;
		for (size_t k = 0; k < r->book_count; k++)
			if (policy_book_matches(r->books[k], x->book_name)) return ERR_OK;
	}
	struct arena *a = arena_new();
	struct policy_request q = rights_request(x, SIZE_MAX, a);
	enum err err = error_set(e, ERR_DENIED, "%s", policy_explain_line(p, &q, a));
	arena_free(a);
	return err;
}

/* Which rule said no: of the book as a whole, or of the first step that is denied. */
static const struct policy_rule *denying_rule(struct execution *x, const struct policy *p, struct arena *a)
{
	struct policy_request q = rights_request(x, SIZE_MAX, a);
	struct policy_decision d = policy_decide(p, &q, a);
	for (size_t i = 0; x->flow && i < x->graph->count && d.outcome != POLICY_IS_DENIED; i++) {
		q = rights_request(x, i, a);
		q.targets = POLICY_TARGETS_OF_NO_STEP;
		d = policy_decide(p, &q, a);
	}
	return d.outcome == POLICY_IS_DENIED ? d.rule : NULL;
}

void rights_record_denied(struct execution *x, const struct error *why)
{
	const struct policy *p;
	char blob[STORE_BLOB_NAME_BYTES];
	if (why->kind != ERR_DENIED || !x->book_name) return;
	struct store_batch *batch = store_batch_new();
	store_batch_blob(batch, NULL, why->text, strlen(why->text), blob);
	struct right by = {.by = "policy"};
	struct arena *a = arena_new();
	if (rights_policy(x, &p, NULL) == ERR_OK && p)
		right_decided_by(&by, p, denying_rule(x, p, a));
	else if (!p)
		by.by = "person";
	json_t *d = json_pack("{s:s,s:s}", "book", x->book_name, "reason", blob);
	right_record(&by, d);
	struct record r = {.t_us = clock_now_us(), .kind = RECORD_START_DENIED, .by = x->driver, .data = d};
	struct error e;
	if (store_batch_record(batch, &r, &e))
		store_batch_free(batch);
	else
		store_submit(x->engine->store, batch, NULL, NULL);
	json_decref(d);
	arena_free(a);
}
