#include "base/clock.h"
#include "service/approval.h"
#include "service/engine_state.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>

/* Who else may do what with an execution, and the rights that are taken for a time. */

enum err rights_verb(struct execution *x, const char *who, enum policy_verb verb, struct error *e)
{
	const struct policy *p;
	enum policy_outcome outcome;
	if (verb == VERB_READ && rights_has_driven(x, who)) return ERR_OK;
	enum err err = rights_policy(x, &p, e);
	if (err) return err;
	if (!p && strcmp(who, x->engine->principal) == 0) return ERR_OK;
	if (!p) return error_set(e, ERR_DENIED, "there is no policy here, so only %s, whose engine this is, may do that", x->engine->principal);
	if (verb == VERB_READ && approval_may_be_given_by(x, who)) return ERR_OK;
	struct arena *a = arena_new();
	struct policy_request q = rights_request(x, SIZE_MAX, a);
	q.who = who;
	q.verb = verb;
	if (strcmp(who, x->driver) != 0) q.elevated_count = 0;
	err = rights_decide(p, &q, a, &outcome, e);
	arena_free(a);
	return err;
}

/* A deny of who drives it; that no rule allows it says nothing of them. */
static enum err resolve_own(struct execution *x, const char *who, struct error *e)
{
	const struct policy *p;
	enum err err = rights_policy(x, &p, e);
	if (err || !p) return err;
	struct arena *a = arena_new();
	struct policy_request q = rights_request(x, SIZE_MAX, a);
	q.who = who;
	q.verb = VERB_RESOLVE;
	struct policy_decision d = policy_decide(p, &q, a);
	if (d.outcome == POLICY_IS_DENIED && d.rule && d.rule->effect == POLICY_DENY) err = error_set(e, ERR_DENIED, "%s", policy_explain_line(p, &q, a));
	arena_free(a);
	return err;
}

enum err rights_resolve(struct execution *x, const char *who, struct error *e)
{
	if (strncmp(who, "service:", 8) == 0)
		return error_set(e, ERR_DENIED, "a person says what became of a call: %s is a service, and looks at no target", who);
	if (strcmp(who, x->driver) == 0) return resolve_own(x, who, e);
	enum err err = rights_verb(x, who, VERB_RESOLVE, e);
	return err ? error_context(e, "%s drives this execution", x->driver) : ERR_OK;
}

enum err rights_resume(struct execution *x, const char *who, struct error *e)
{
	const struct policy *p;
	if (strcmp(who, x->driver) != 0 && strncmp(who, "service:", 8) == 0)
		return error_set(e, ERR_DENIED, "%s drives what it started, and takes nothing over: %s drives this", who, x->driver);
	enum err err = rights_verb(x, who, VERB_RUN, e);
	if (!err) err = rights_policy(x, &p, e);
	return err || strcmp(who, x->driver) != 0 ? err : rights_service_bounds(x, p, false, e);
}

enum err rights_talk(struct engine *en, const char *who, struct error *e)
{
	const struct policy *p;
	enum err err = policy_file_now(engine_policy(en, en->root), &p, e);
	if (strcmp(who, en->principal) == 0) return ERR_OK; /* to mend what is wrong, too; each operation looks further */
	if (err) return err;
	return p ? ERR_OK : error_set(e, ERR_DENIED, "this is the engine of %s, and there is no policy that lets others in", en->principal);
}

bool rights_may_read(struct engine *en, const char *who, const char *driver, const char *book)
{
	const struct policy *p;
	struct error e;
	if (driver && strcmp(who, driver) == 0) return true;
	enum err err = policy_file_now(engine_policy(en, en->root), &p, &e);
	if (err || !p) return !err && strcmp(who, en->principal) == 0;
	struct arena *a = arena_new();
	struct policy_request q = {.who = who, .verb = VERB_READ, .book = book ? book : "?", .targets = POLICY_TARGETS_OF_NO_STEP, .now_us = clock_now_us()};
	bool may = policy_decide(p, &q, a).outcome == POLICY_IS_ALLOWED;
	arena_free(a);
	return may;
}

struct row_read {
	struct engine *en;
	const char *who;
	bool is_found, may;
};

static bool look_at_row(void *arg, const struct store_execution *x)
{
	struct row_read *r = arg;
	r->is_found = true;
	r->may = rights_may_read(r->en, r->who, x->driver, x->book);
	return false;
}

enum err rights_read_stored(struct engine *en, const char *id, const char *who, struct error *e)
{
	struct row_read r = {.en = en, .who = who};
	enum err err = store_executions(en->reader, false, id, NULL, 1, look_at_row, &r, e);
	if (err || r.may) return err;
	return r.is_found ? error_set(e, ERR_DENIED, "%s may not read execution %s: no rule of the policy says allow: [read]", who, id)
	                  : error_set(e, ERR_NOT_FOUND, "there is no execution %s", id);
}

static enum err find_elevation(struct execution *x, const char *name, const char *who, const char *reason, const struct policy **p,
                               const struct policy_elevation **out, struct error *e)
{
	enum err err = rights_policy(x, p, e);
	if (err) return err;
	const struct policy_elevation *n = *out = *p ? policy_elevation_find(*p, name) : NULL;
	if (!n) return error_set(e, ERR_NOT_FOUND, "%s has no elevation \"%.60s\"", *p ? (*p)->file : "this workspace has no policy, and so", name);
	if (!policy_is_among(*p, who, n->who, n->who_count))
		return error_set(e, ERR_DENIED, "%s may not take %s: %s:%d says who may", who, name, (*p)->file, n->line);
	if (!reason || !*reason) return error_set(e, ERR_USAGE, "%s needs a reason: somebody will read it afterwards", name);
	return ERR_OK;
}

enum err rights_elevate(struct execution *x, const char *name, const char *who, const char *reason, struct error *e)
{
	const struct policy *p;
	const struct policy_elevation *n;
	enum err err = find_elevation(x, name, who, reason, &p, &n, e);
	if (err) return err;
	json_int_t until_us = clock_now_us() + n->for_us;
	json_t *d = json_pack("{s:s,s:I,s:s?,s:s,s:i}", "elevation", name, "until_us", until_us, "reason", execution_blob_text(x, reason), "policy", p->digest,
	                      "line", n->line);
	return execution_emit(x, (struct emit){.kind = RECORD_RIGHT_ELEVATED, .step = SIZE_MAX, .by = who, .data = d}, e);
}

enum err rights_begin_elevated(struct execution *x, const char *name, const char *reason, struct error *e)
{
	const struct policy *p;
	const struct policy_elevation *n;
	enum err err = find_elevation(x, name, x->driver, reason, &p, &n, e);
	if (err) return err;
	x->elevations = arena_grow(x->arena, x->elevations, x->elevation_count, &x->elevation_capacity, sizeof *x->elevations);
	int64_t now_us = clock_now_us();
	x->elevations[x->elevation_count++] =
	    (struct elevation){.name = arena_strdup(x->arena, name), .by = x->driver, .until = clock_until_make(now_us, now_us + n->for_us, true)};
	return ERR_OK;
}
