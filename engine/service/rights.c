#include "service/rights.h"
#include "base/clock.h"
#include "base/fs.h"
#include "service/approval.h"
#include "service/demand.h"
#include "service/engine_state.h"
#include "service/revision.h"

#include <stdlib.h>
#include <string.h>

enum { MISSING_MAX = 40 };

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
	const char **elevated = arena_alloc(a, (x->elevation_count + 1) * sizeof *elevated);
	for (size_t i = 0; i < x->elevation_count; i++)
		if (!clock_has_passed(&x->elevations[i].until) && strcmp(x->elevations[i].by, x->driver) == 0)
			elevated[q.elevated_count++] = x->elevations[i].name;
	q.elevated = elevated;
	return q;
}

bool rights_has_driven(const struct execution *x, const char *who)
{
	for (size_t i = 0; i < x->driver_count; i++)
		if (strcmp(x->drivers[i], who) == 0) return true;
	return strcmp(x->driver, who) == 0;
}

bool rights_is_author(struct execution *x, const char *who)
{
	const struct policy *p = NULL;
	rights_policy(x, &p, NULL);
	for (size_t i = 0; i < x->book->meta_count; i++)
		if (strcmp(x->book->meta[i].key, "author") == 0 && policy_is_author(p, who, x->book->meta[i].value)) return true;
	return false;
}

/* ---- calls ---- */

static void decided_by(struct execution *x, struct right *r, const struct policy *p, const struct policy_rule *rule)
{
	r->by = "policy";
	r->policy = arena_strdup(x->arena, p->digest);
	if (!rule) return;
	r->rule = arena_strdup(x->arena, rule->id);
	r->line = rule->line;
}

static void ask_policy(struct execution *x, const struct policy *p, size_t step, bool is_read_only, struct policy_request q, struct right *r)
{
	struct arena *a = arena_new();
	const char *const *words = q.words;
	const char *kind = q.kind;
	size_t count = q.word_count;
	q = rights_request(x, step, a);
	q.kind = kind, q.words = words, q.word_count = count;
	struct policy_decision d = policy_decide(p, &q, a);
	decided_by(x, r, p, d.rule);
	/* What only looks (a condition, say) waits for nobody: others agree to what is done. */
	r->is_allowed = d.outcome == POLICY_IS_ALLOWED || (is_read_only && d.outcome == POLICY_MUST_WAIT);
	if (!r->is_allowed) r->why = arena_strdup(x->arena, policy_explain_line(p, &q, a));
	arena_free(a);
}

static bool is_allowed_by_person(struct execution *x, size_t step, bool is_read_only, const char *kind, const char *const *words, size_t count, struct right *r)
{
	(void)step;
	r->by = "declared";
	if (x->is_all_declared && bounds_declare(x->bounds, is_read_only, kind, words, count, x->params)) return true;
	r->by = "person";
	for (size_t i = 0; i < x->allowed_count; i++)
		if (capability_allows(x->allowed[i], kind, words, count, x->params)) return true;
	return false;
}

/* Above read, a service runs what a second person has approved. */
static bool is_revision_approved(struct execution *x, size_t step)
{
	bool is_service = strncmp(x->driver, "service:", 8) == 0;
	return !is_service || x->book->steps[step].risk == RISK_READ || revision_is_approved(x->engine, x->book->digest, x->book_path);
}

struct right execution_right(struct execution *x, size_t step, bool is_read_only, const char *kind, const char *const *words, size_t count)
{
	struct right r = {.by = "book", .pattern = capability_exact(x->arena, kind, words, count)};
	const struct policy *p;
	struct error e;
	r.why = bounds_refuse(x->bounds, step, is_read_only, kind, words, count, x->params);
	if (r.why) return r;
	r.why = approval_refuse(x, step, kind, words, count);
	if (r.why) return r;
	if (rights_policy(x, &p, &e)) {
		r.by = "policy";
		r.why = arena_strdup(x->arena, e.text);
		return r;
	}
	if (p && !is_revision_approved(x, step)) {
		r.by = "policy";
		r.why = "a service may do this only from a revision of the book that somebody approved (rung approve-book)";
		return r;
	}
	if (p) {
		ask_policy(x, p, step, is_read_only, (struct policy_request){.kind = kind, .words = words, .word_count = count}, &r);
		return r;
	}
	r.is_allowed = is_allowed_by_person(x, step, is_read_only, kind, words, count, &r);
	if (r.is_allowed) return r;
	r.is_allowable = true;
	r.why = "nobody has allowed it for this execution";
	return r;
}

void right_record(const struct right *r, json_t *data)
{
	json_object_set_new(data, "by", json_string(r->by));
	if (r->rule) json_object_set_new(data, "rule", json_string(r->rule));
	if (r->rule) json_object_set_new(data, "line", json_integer(r->line));
	if (r->policy) json_object_set_new(data, "policy", json_string(r->policy));
}

/* ---- steps, and the start ---- */

static enum err decide(const struct policy *p, const struct policy_request *q, struct arena *a, enum policy_outcome *out, struct error *e)
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
	decided_by(x, by, p, NULL);
	if (!is_revision_approved(x, step))
		return error_set(e, ERR_DENIED,
		                 "a service runs steps above risk read only from a revision of the book that somebody approved: rung approve-book %s",
		                 x->book_path);
	struct arena *a = arena_new();
	struct policy_request q = rights_request(x, step, a);
	err = decide(p, &q, a, &outcome, e);
	if (err) decided_by(x, by, p, policy_decide(p, &q, a).rule);
	arena_free(a);
	return err;
}

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
		if (!is_revision_approved(x, i))
			add_missing(list, "step", id, NULL, "deny",
			            "a service runs it only from a revision of the book that somebody approved (rung approve-book)");
		else if (decide(p, &q, a, &outcome, &e))
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
		struct capability *c;
		if (capability_parse(a, with_values(x, pattern, a), &c, NULL) || capability_covers(grants, n, c)) continue;
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
	if (decide(p, &q, a, &outcome, &e)) add_missing(list, "book", NULL, NULL, "deny", e.text);
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
		struct capability *c;
		if (capability_parse(a, with_values(x, pattern, a), &c, NULL) == ERR_OK &&
		    capability_covers((const struct capability *const *)x->allowed, x->allowed_count, c))
			continue;
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

static enum err check_service(struct execution *x, const struct policy *p, bool is_start, struct error *e)
{
	if (strncmp(x->driver, "service:", 8) != 0) return ERR_OK;
	const struct policy_service *s = p ? policy_service_find(p, x->driver + 8) : NULL;
	if (!s) return error_set(e, ERR_DENIED, "no policy knows %s", x->driver);
	int64_t running = 0;
	for (const struct execution *o = x->engine->executions; o; o = o->next) running += o != x && strcmp(o->driver, x->driver) == 0;
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
	return err ? err : check_service(x, p, true, e);
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
		decided_by(x, &by, p, denying_rule(x, p, a));
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

/* ---- others ---- */

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
	err = decide(p, &q, a, &outcome, e);
	arena_free(a);
	return err;
}

enum err rights_resume(struct execution *x, const char *who, struct error *e)
{
	const struct policy *p;
	if (strcmp(who, x->driver) != 0 && strncmp(who, "service:", 8) == 0)
		return error_set(e, ERR_DENIED, "%s drives what it started, and takes nothing over: %s drives this", who, x->driver);
	enum err err = rights_verb(x, who, VERB_RUN, e);
	if (!err) err = rights_policy(x, &p, e);
	return err || strcmp(who, x->driver) != 0 ? err : check_service(x, p, false, e);
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
	json_t *d = json_pack("{s:s,s:I,s:s?,s:s,s:i}", "elevation", name, "until_us", (json_int_t)(clock_now_us() + n->for_us), "reason",
	                      execution_blob_text(x, reason), "policy", p->digest, "line", n->line);
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
