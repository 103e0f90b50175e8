#include "base/digest.h"
#include "base/text.h"
#include "base/yaml.h"
#include "policy/policy.h"
#include "policy/policy_words.h"

#include <stdlib.h>
#include <string.h>

/* A policy's text becomes a policy. Strict: what is not understood is an error with its place, since a rule that is silently not there may be a deny. */

enum { NAMES_MAX = 100000, REQUIRED_MAX = 9 };
#define REQUIRE_WITHIN_DEFAULT_US INT64_C(3600000000)

struct reader {
	struct arena *arena;
	struct policy *p;
	struct error *e;
};

bool policy_is_name(const char *s)
{
	size_t n = strlen(s);
	return n > 0 && n <= 64 && s[0] != '-' && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-") == n;
}

static enum err read_name(const struct reader *r, const struct yaml *v, const char *what, const char **out)
{
	enum err err = yaml_text(v, what, out, r->e);
	if (!err && !policy_is_name(*out)) err = yaml_wrong(v, r->e, "%s is letters, digits, and any of _ . @ -, not \"%.60s\"", what, *out);
	return err;
}

static enum err unknown_name(const struct reader *r, const struct yaml *at, const char *kind, const char *name, const char *const *known)
{
	const char *near = text_nearest(name, known);
	return near ? yaml_wrong(at, r->e, "there is no %s \"%.60s\": did you mean \"%s\"?", kind, name, near)
	            : yaml_wrong(at, r->e, "there is no %s \"%.60s\": name it under %ss:", kind, name, kind);
}

static enum err check_service(const struct reader *r, const struct yaml *at, const char *name)
{
	if (policy_service_find(r->p, name)) return ERR_OK;
	const char **known = arena_alloc(r->arena, (r->p->service_count + 1) * sizeof *known);
	for (size_t i = 0; i < r->p->service_count; i++) known[i] = r->p->services[i].name;
	return unknown_name(r, at, "service", name, known);
}

/* "ana" and "user:ana" are the person, "service:x" the service. */
static enum err read_principal(const struct reader *r, const struct yaml *v, const char *what, const char **out)
{
	const char *text;
	enum err err = yaml_text(v, what, &text, r->e);
	if (err) return err;
	bool is_service = strncmp(text, "service:", 8) == 0;
	const char *name = is_service ? text + 8 : strncmp(text, "user:", 5) == 0 ? text + 5 : text;
	if (!policy_is_name(name)) return yaml_wrong(v, r->e, "%s is a person's name or service:NAME, not \"%.60s\"", what, text);
	if (is_service && (err = check_service(r, v, name))) return err;
	*out = name == text ? arena_printf(r->arena, "user:%s", text) : text;
	return ERR_OK;
}

/* ---- groups, services, windows, elevations, people ---- */

static enum err read_group(struct reader *r, const struct yaml *key, const struct yaml *v)
{
	struct policy_group *g = &r->p->groups[r->p->group_count++];
	struct yaml **items;
	*g = (struct policy_group){.line = key->line};
	enum err err = read_name(r, key, "a group's name", &g->name);
	if (!err && v->kind == YAML_LIST && v->count == 0) return ERR_OK;
	if (!err) err = yaml_texts(v, "a group", &items, &g->count, r->arena, r->e);
	if (err) return err;
	g->members = arena_alloc(r->arena, g->count * sizeof *g->members);
	for (size_t i = 0; i < g->count && !err; i++) err = read_principal(r, items[i], "a group's member", &g->members[i]);
	if (!err) qsort(g->members, g->count, sizeof *g->members, policy_by_name);
	return err;
}

/* "60/h": that many in one minute, hour or day. */
static enum err read_rate(const struct reader *r, const struct yaml *v, struct policy_service *s)
{
	static const struct {
		const char *unit;
		int64_t us;
	} units[] = {{"/s", 1000000}, {"/m", 60000000}, {"/h", INT64_C(3600000000)}, {"/d", INT64_C(86400000000)}};
	const char *text;
	char *end = NULL;
	enum err err = yaml_text(v, "a service's rate", &text, r->e);
	if (err) return err;
	long n = text[0] >= '1' && text[0] <= '9' ? strtol(text, &end, 10) : 0;
	for (size_t i = 0; n > 0 && n <= 1000000 && i < sizeof units / sizeof *units; i++)
		if (strcmp(end, units[i].unit) == 0) s->rate = n, s->rate_us = units[i].us;
	return s->rate ? ERR_OK : yaml_wrong(v, r->e, "a service's rate is a number and a time, such as 60/h (s, m, h or d), not \"%.40s\"", text);
}

/* Whoever connects as the account is the service: it cannot be two. */
static enum err read_account(const struct reader *r, const struct yaml *v, struct policy_service *s)
{
	const char *user;
	enum err err = read_name(r, v, "a service's user", &user);
	const struct policy_service *other = err ? NULL : policy_service_of_user(r->p, user);
	if (other) err = yaml_wrong(v, r->e, "the account \"%s\" is the service \"%s\" already (line %d)", user, other->name, other->line);
	if (!err) s->user = user;
	return err;
}

static enum err read_service(struct reader *r, const struct yaml *key, const struct yaml *v)
{
	static const char *const keys[] = {"rate", "max_running", "user", NULL};
	struct policy_service *s = &r->p->services[r->p->service_count++];
	const struct yaml *m;
	*s = (struct policy_service){.line = key->line};
	enum err err = read_name(r, key, "a service's name", &s->name);
	if (!err && v->kind == YAML_TEXT && !*v->text) return ERR_OK;
	if (!err) err = yaml_keys(v, "a service", keys, r->e);
	if (!err && (m = yaml_get(v, "rate"))) err = read_rate(r, m, s);
	if (!err && (m = yaml_get(v, "max_running"))) err = yaml_int(m, "a service's max_running", 1, 1000000, &s->max_running, r->e);
	if (!err && (m = yaml_get(v, "user"))) err = read_account(r, m, s);
	return err;
}

static enum err read_span(const struct reader *r, const struct yaml *v, struct policy_span *out)
{
	static const char *const keys[] = {"from", "to", NULL};
	enum err err = yaml_keys(v, "a window's span", keys, r->e);
	if (err) return err;
	const struct yaml *from = yaml_get(v, "from"), *to = yaml_get(v, "to");
	if (!from || !to) return yaml_wrong(v, r->e, "a window's span needs from and to");
	err = yaml_instant(from, "from", false, &out->from_us, r->e);
	if (!err) err = yaml_instant(to, "to", true, &out->to_us, r->e);
	if (!err && out->from_us >= out->to_us) err = yaml_wrong(to, r->e, "a window's span ends after it begins");
	return err;
}

static enum err read_window(struct reader *r, const struct yaml *key, const struct yaml *v)
{
	struct policy_window *w = &r->p->windows[r->p->window_count++];
	*w = (struct policy_window){.line = key->line};
	enum err err = read_name(r, key, "a window's name", &w->name);
	if (err) return err;
	if (v->kind == YAML_TEXT || v->count == 0) return yaml_wrong(v, r->e, "a window is a list of spans, such as [{from: 2026-12-20, to: 2027-01-02}]");
	w->count = v->kind == YAML_LIST ? v->count : 1;
	w->spans = arena_alloc(r->arena, w->count * sizeof *w->spans);
	if (v->kind == YAML_MAP) return read_span(r, v, &w->spans[0]);
	for (size_t i = 0; i < w->count && !err; i++) err = read_span(r, v->items[i], &w->spans[i]);
	return err;
}

static size_t group_index(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->group_count; i++)
		if (strcmp(p->groups[i].name, name) == 0) return i;
	return SIZE_MAX;
}

static enum err group_of(const struct reader *r, const struct yaml *v, const char *name, struct policy_who *out)
{
	const char *known[POLICY_GROUPS_MAX + 1] = {NULL};
	out->kind = WHO_GROUP;
	out->group = group_index(r->p, name);
	if (out->group != SIZE_MAX) return ERR_OK;
	for (size_t i = 0; i < r->p->group_count; i++) known[i] = r->p->groups[i].name;
	return unknown_name(r, v, "group", name, known);
}

static enum err read_who_one(const struct reader *r, const struct yaml *v, const char *what, struct policy_who *out)
{
	*out = (struct policy_who){.kind = WHO_PRINCIPAL, .text = v->text};
	if (strcmp(v->text, "*") == 0) return out->kind = WHO_ANYONE, ERR_OK;
	if (strcmp(v->text, "user:*") == 0) return out->kind = WHO_ANY_USER, ERR_OK;
	if (strcmp(v->text, "service:*") == 0) return out->kind = WHO_ANY_SERVICE, ERR_OK;
	if (strncmp(v->text, "group:", 6) == 0) return group_of(r, v, v->text + 6, out);
	bool is_service = strncmp(v->text, "service:", 8) == 0;
	if (!is_service && strncmp(v->text, "user:", 5) != 0)
		return yaml_wrong(v, r->e, "%s is group:NAME, user:NAME, service:NAME, user:*, service:* or *, not \"%.60s\"", what, v->text);
	if (!policy_is_name(v->text + (is_service ? 8 : 5)))
		return yaml_wrong(v, r->e, "%s: a name is letters, digits, and any of _ . @ -, not \"%.60s\"", what, v->text);
	return is_service ? check_service(r, v, v->text + 8) : ERR_OK;
}

static enum err read_who(const struct reader *r, const struct yaml *v, const char *what, struct policy_who **out, size_t *count)
{
	struct yaml **items;
	enum err err = yaml_texts(v, what, &items, count, r->arena, r->e);
	if (!err && *count == 0) err = yaml_wrong(v, r->e, "%s is not empty: leave the key out, or name somebody", what);
	if (err) return err;
	*out = arena_alloc(r->arena, *count * sizeof **out);
	for (size_t i = 0; i < *count && !err; i++) err = read_who_one(r, items[i], what, &(*out)[i]);
	return err;
}

static enum err read_elevation(struct reader *r, const struct yaml *key, const struct yaml *v)
{
	static const char *const keys[] = {"who", "for", NULL};
	struct policy_elevation *n = &r->p->elevations[r->p->elevation_count++];
	*n = (struct policy_elevation){.line = key->line, .for_us = REQUIRE_WITHIN_DEFAULT_US};
	enum err err = read_name(r, key, "an elevation's name", &n->name);
	if (!err) err = yaml_keys(v, "an elevation", keys, r->e);
	if (err) return err;
	const struct yaml *who = yaml_get(v, "who"), *duration = yaml_get(v, "for");
	if (!who) return yaml_wrong(v, r->e, "an elevation needs who: those that may take it");
	err = read_who(r, who, "who", &n->who, &n->who_count);
	if (!err && duration) err = yaml_duration(duration, "how long an elevation holds", &n->for_us, r->e);
	if (!err && duration && (n->for_us < 1000000 || n->for_us > INT64_C(7) * 86400000000))
		err = yaml_wrong(duration, r->e, "an elevation holds for at least 1s and at most 7d");
	return err;
}

static enum err read_person(struct reader *r, const struct yaml *key, const struct yaml *v)
{
	struct policy_person *n = &r->p->people[r->p->person_count++];
	struct yaml **items;
	*n = (struct policy_person){0};
	enum err err = read_principal(r, key, "a person", &n->name);
	if (!err) err = yaml_texts(v, "the names under which a person writes books", &items, &n->count, r->arena, r->e);
	if (err) return err;
	n->names = arena_alloc(r->arena, n->count * sizeof *n->names);
	for (size_t i = 0; i < n->count; i++) n->names[i] = items[i]->text;
	return ERR_OK;
}

/* ---- conditions ---- */

static enum err read_bits(const struct reader *r, const struct yaml *v, const char *what, const char *const *words, unsigned *out)
{
	struct yaml **items;
	size_t count, index;
	enum err err = yaml_texts(v, what, &items, &count, r->arena, r->e);
	if (!err && count == 0) err = yaml_wrong(v, r->e, "%s is not empty", what);
	for (size_t i = 0; !err && i < count; i++) {
		err = yaml_word(items[i], what, words, &index, r->e);
		if (!err) *out |= 1U << index;
	}
	return err;
}

static enum err read_windows(const struct reader *r, const struct yaml *v, struct policy_condition *c)
{
	struct yaml **items;
	enum err err = yaml_texts(v, "window", &items, &c->window_count, r->arena, r->e);
	if (!err && c->window_count == 0) err = yaml_wrong(v, r->e, "window is not empty");
	if (err) return err;
	c->windows = arena_alloc(r->arena, c->window_count * sizeof *c->windows);
	const char **known = arena_alloc(r->arena, (r->p->window_count + 1) * sizeof *known);
	for (size_t k = 0; k < r->p->window_count; k++) known[k] = r->p->windows[k].name;
	for (size_t i = 0; i < c->window_count; i++) {
		for (size_t k = 0; k < r->p->window_count; k++)
			if (strcmp(known[k], items[i]->text) == 0) c->windows[i] = &r->p->windows[k];
		if (!c->windows[i]) return unknown_name(r, items[i], "window", items[i]->text, known);
	}
	return ERR_OK;
}

static enum err read_elevations(const struct reader *r, const struct yaml *v, struct policy_condition *c)
{
	struct yaml **items;
	enum err err = yaml_texts(v, "grant", &items, &c->elevation_count, r->arena, r->e);
	if (!err && c->elevation_count == 0) err = yaml_wrong(v, r->e, "grant is not empty");
	if (err) return err;
	c->elevations = arena_alloc(r->arena, c->elevation_count * sizeof *c->elevations);
	const char **known = arena_alloc(r->arena, (r->p->elevation_count + 1) * sizeof *known);
	for (size_t k = 0; k < r->p->elevation_count; k++) known[k] = r->p->elevations[k].name;
	for (size_t i = 0; i < c->elevation_count; i++) {
		c->elevations[i] = items[i]->text;
		if (!policy_elevation_find(r->p, items[i]->text)) return unknown_name(r, items[i], "elevation", items[i]->text, known);
	}
	return ERR_OK;
}

static enum err read_condition(const struct reader *r, const struct yaml *v, const char *what, struct policy_condition *c)
{
	static const char *const keys[] = {"risk", "window", "trigger", "targets", "grant", NULL}, *const target_keys[] = {"above", NULL};
	const struct yaml *m;
	*c = (struct policy_condition){.targets_above = -1};
	if (!v) return ERR_OK;
	c->is_given = true;
	c->line = v->line;
	enum err err = yaml_keys(v, what, keys, r->e);
	if (!err && v->count == 0) err = yaml_wrong(v, r->e, "%s is not empty: leave the key out, or say when", what);
	if (!err && (m = yaml_get(v, "risk"))) err = read_bits(r, m, "risk", policy_risk_words + 1, &c->risks);
	c->risks <<= 1; /* bit 0 is "of no step" */
	if (!err && (m = yaml_get(v, "trigger"))) err = read_bits(r, m, "trigger", policy_trigger_words, &c->triggers);
	if (!err && (m = yaml_get(v, "window"))) err = read_windows(r, m, c);
	if (!err && (m = yaml_get(v, "grant"))) err = read_elevations(r, m, c);
	if (!err && (m = yaml_get(v, "targets"))) {
		err = yaml_keys(m, "targets", target_keys, r->e);
		if (!err && m->count == 0) err = yaml_wrong(m, r->e, "targets is {above: N}");
		if (!err) err = yaml_int(m->items[0], "above", 0, 1000000, &c->targets_above, r->e);
	}
	return err;
}

/* ---- rules ---- */

static enum err read_books(const struct reader *r, const struct yaml *v, struct policy_rule *rule)
{
	struct yaml **items;
	enum err err = yaml_texts(v, "books", &items, &rule->book_count, r->arena, r->e);
	if (!err && rule->book_count == 0) err = yaml_wrong(v, r->e, "books is not empty: leave the key out, or name some");
	if (err) return err;
	rule->books = arena_alloc(r->arena, rule->book_count * sizeof *rule->books);
	for (size_t i = 0; i < rule->book_count && !err; i++) {
		const char *fault = policy_book_fault(items[i]->text);
		/* Beside the rule, not among the nodes of the file: a decision looks at all of them. */
		rule->books[i] = arena_strdup(r->arena, items[i]->text);
		if (fault) err = yaml_wrong(items[i], r->e, "%s, not \"%.80s\"", fault, items[i]->text);
	}
	return err;
}

static bool names_a_parameter(const struct capability *c)
{
	return strstr(capability_text(c), "{param:") != NULL;
}

static enum err read_calls(const struct reader *r, const struct yaml *v, const char *what, struct policy_rule *rule)
{
	struct yaml **items;
	enum err err = yaml_texts(v, what, &items, &rule->call_count, r->arena, r->e);
	if (!err && rule->call_count == 0) err = yaml_wrong(v, r->e, "%s is not empty: leave the key out, or name some", what);
	if (err) return err;
	rule->calls = arena_alloc(r->arena, rule->call_count * sizeof *rule->calls);
	for (size_t i = 0; i < rule->call_count; i++) {
		struct capability *c;
		struct error why;
		if (capability_parse(r->arena, items[i]->text, &c, &why)) return yaml_wrong(items[i], r->e, "%.700s", why.text);
		/* A value that is not there would make a deny that matches nothing. */
		if (rule->effect == POLICY_DENY && names_a_parameter(c))
			return yaml_wrong(items[i], r->e, "a deny names its calls without {param:...}: write the values or *");
		rule->calls[i] = c;
	}
	return ERR_OK;
}

static enum err read_require(const struct reader *r, const struct yaml *v, struct policy_rule *rule)
{
	static const char *const keys[] = {"approvals", "from", "not", "within", NULL}, *const nots[] = {"starter", "author", NULL};
	const struct yaml *m;
	unsigned ignored = 0;
	enum err err = yaml_keys(v, "require", keys, r->e);
	if (err) return err;
	rule->verbs = 1U << VERB_RUN;
	rule->within_us = REQUIRE_WITHIN_DEFAULT_US;
	if (!(m = yaml_get(v, "approvals"))) return yaml_wrong(v, r->e, "require needs approvals: how many");
	err = yaml_int(m, "approvals", 1, REQUIRED_MAX, &rule->approvals, r->e);
	if (!err && !(m = yaml_get(v, "from"))) return yaml_wrong(v, r->e, "require needs from: whose approval, as in group:dba");
	if (!err) err = read_who(r, m, "from", &rule->from, &rule->from_count);
	/* Who has driven and who wrote the book never approve; saying so is allowed. */
	if (!err && (m = yaml_get(v, "not"))) err = read_bits(r, m, "not", nots, &ignored);
	if (!err && (m = yaml_get(v, "within"))) {
		err = yaml_duration(m, "within", &rule->within_us, r->e);
		if (!err && (rule->within_us < 1000000 || rule->within_us > INT64_C(30) * 86400000000))
			err = yaml_wrong(m, r->e, "within is at least 1s and at most 30d");
	}
	return err;
}

static enum err read_effect(const struct reader *r, const struct yaml *v, struct policy_rule *rule)
{
	static const char *const effects[] = {"allow", "deny", "require"};
	const struct yaml *found = NULL;
	for (int i = 0; i < 3; i++) {
		const struct yaml *m = yaml_get(v, effects[i]);
		if (m && found) return yaml_wrong(m, r->e, "a rule has one of allow, deny and require: make two rules of it");
		if (m) found = m, rule->effect = (enum policy_effect)i;
	}
	if (!found) return yaml_wrong(v, r->e, "a rule needs one of allow, deny and require");
	if (rule->effect == POLICY_REQUIRE) return read_require(r, found, rule);
	return read_bits(r, found, effects[rule->effect], policy_verb_words, &rule->verbs);
}

/* What only some rules may have, and what an allow must. */
static enum err check_rule(const struct reader *r, const struct yaml *v, const struct policy_rule *rule)
{
	const struct yaml *grants = yaml_get(v, "grants"), *calls = yaml_get(v, "calls");
	if (grants && rule->effect != POLICY_ALLOW) return yaml_wrong(grants, r->e, "grants belongs to allow; a deny names what it denies with calls:");
	if (grants && !(rule->verbs & 1U << VERB_RUN)) return yaml_wrong(grants, r->e, "grants belongs to allow: [run]");
	if (calls && (rule->effect != POLICY_DENY || rule->verbs != 1U << VERB_RUN))
		return yaml_wrong(calls, r->e, "calls belongs to deny: [run]; an allow grants calls with grants:");
	if (rule->effect != POLICY_ALLOW) return ERR_OK;
	if (!rule->who_count) return yaml_wrong(v, r->e, "an allow needs who: write who: [\"*\"] where everyone is meant");
	if (!rule->book_count) return yaml_wrong(v, r->e, "an allow needs books: write books: [\"**\"] where every book is meant");
	return ERR_OK;
}

static enum err read_rule(struct reader *r, const struct yaml *v)
{
	static const char *const keys[] = {"id", "allow", "deny", "require", "who", "books", "grants", "calls", "when", "unless", "why", NULL};
	struct policy_rule *rule = &r->p->rules[r->p->rule_count];
	const struct yaml *m;
	enum err err = yaml_keys(v, "a rule", keys, r->e);
	if (err) return err;
	*rule = (struct policy_rule){.line = v->line};
	if (!(m = yaml_get(v, "id"))) return yaml_wrong(v, r->e, "a rule needs an id: decisions name it");
	err = read_name(r, m, "a rule's id", &rule->id);
	for (size_t i = 0; !err && i < r->p->rule_count; i++)
		if (strcmp(r->p->rules[i].id, rule->id) == 0)
			err = yaml_wrong(m, r->e, "the rule \"%s\" stands twice: line %d has it too", rule->id, r->p->rules[i].line);
	if (!err) err = read_effect(r, v, rule);
	if (!err && (m = yaml_get(v, "who"))) err = read_who(r, m, "who", &rule->who, &rule->who_count);
	if (!err && (m = yaml_get(v, "books"))) err = read_books(r, m, rule);
	if (!err && (m = yaml_get(v, "grants"))) err = read_calls(r, m, "grants", rule);
	if (!err && (m = yaml_get(v, "calls"))) err = read_calls(r, m, "calls", rule);
	if (!err) err = read_condition(r, yaml_get(v, "when"), "when", &rule->when);
	if (!err) err = read_condition(r, yaml_get(v, "unless"), "unless", &rule->unless);
	if (!err && (m = yaml_get(v, "why"))) err = yaml_text(m, "why", &rule->why, r->e);
	if (!err) err = check_rule(r, v, rule);
	r->p->rule_count += !err;
	return err;
}

/* ---- tests ---- */

static enum err read_test_time(const struct reader *r, const struct yaml *v, struct policy_request *q)
{
	const struct yaml *at = yaml_get(v, "at");
	return at ? yaml_instant(at, "at", false, &q->now_us, r->e) : ERR_OK;
}

static enum err read_test_call(const struct reader *r, const struct yaml *v, struct policy_request *q)
{
	const struct yaml *m = yaml_get(v, "call");
	const char *text;
	struct error why;
	if (!m) return ERR_OK;
	enum err err = yaml_text(m, "call", &text, r->e);
	if (!err && capability_words(r->arena, text, &q->kind, &q->words, &q->word_count, &why)) err = yaml_wrong(m, r->e, "%.700s", why.text);
	for (size_t i = 0; !err && capability_kind_word(i); i++)
		if (strcmp(capability_kind_word(i), q->kind) == 0) return ERR_OK;
	return err ? err : yaml_wrong(m, r->e, "a call starts with its kind, as in sh systemctl restart nginx, and there is none \"%.40s\"", q->kind);
}

static enum err read_test_facts(const struct reader *r, const struct yaml *v, struct policy_request *q)
{
	const struct yaml *m;
	size_t index = 0;
	enum err err = ERR_OK;
	if ((m = yaml_get(v, "do"))) err = yaml_word(m, "do", policy_verb_words, &index, r->e);
	q->verb = (enum policy_verb)index;
	if (!err && (m = yaml_get(v, "risk"))) {
		err = yaml_word(m, "risk", policy_risk_words + 1, &index, r->e);
		q->risk = (enum policy_risk)(index + 1);
	}
	index = strncmp(q->who, "service:", 8) == 0 ? TRIGGER_ALERT : TRIGGER_PERSON;
	if (!err && (m = yaml_get(v, "trigger"))) err = yaml_word(m, "trigger", policy_trigger_words, &index, r->e);
	q->trigger = (enum policy_trigger)index;
	if (!err && (m = yaml_get(v, "targets"))) err = yaml_int(m, "targets", 0, 1000000, &q->targets, r->e);
	if (!err && (m = yaml_get(v, "grant"))) {
		struct policy_condition c = {0};
		err = read_elevations(r, m, &c);
		q->elevated = c.elevations, q->elevated_count = c.elevation_count;
	}
	return err;
}

static enum err read_test_rule(const struct reader *r, const struct yaml *v, const char **out)
{
	const char **known = arena_alloc(r->arena, (r->p->rule_count + 1) * sizeof *known);
	enum err err = yaml_text(v, "rule", out, r->e);
	for (size_t i = 0; !err && i < r->p->rule_count; i++) {
		known[i] = r->p->rules[i].id;
		if (strcmp(known[i], *out) == 0) return ERR_OK;
	}
	return err ? err : unknown_name(r, v, "rule", *out, known);
}

static enum err read_test(struct reader *r, const struct yaml *v)
{
	static const char *const keys[] = {"who", "do", "book", "risk", "trigger", "targets", "grant", "call", "at", "want", "rule", NULL};
	struct policy_test *t = &r->p->tests[r->p->test_count++];
	const struct yaml *m;
	size_t want;
	enum err err = yaml_keys(v, "a test", keys, r->e);
	if (err) return err;
	*t = (struct policy_test){.line = v->line, .request = {.targets = POLICY_TARGETS_OF_NO_STEP}};
	if (!(m = yaml_get(v, "who"))) return yaml_wrong(v, r->e, "a test needs who");
	err = read_principal(r, m, "who", &t->request.who);
	if (!err && !(m = yaml_get(v, "book"))) return yaml_wrong(v, r->e, "a test needs book");
	if (!err) err = yaml_text(m, "book", &t->request.book, r->e);
	if (!err) err = read_test_facts(r, v, &t->request);
	if (!err) err = read_test_call(r, v, &t->request);
	if (!err) err = read_test_time(r, v, &t->request);
	if (!err && !(m = yaml_get(v, "want"))) return yaml_wrong(v, r->e, "a test needs want: allow, deny or wait");
	if (!err) err = yaml_word(m, "want", policy_outcome_words, &want, r->e);
	if (!err) t->want = (enum policy_outcome)want;
	if (!err && (m = yaml_get(v, "rule"))) err = read_test_rule(r, m, &t->rule);
	return err;
}

/* ---- the whole ---- */

/* A map of named things: each goes to one reader. */
static enum err read_named(struct reader *r, const struct yaml *root, const char *key, size_t most, void *array, size_t item_bytes,
                           enum err (*one)(struct reader *, const struct yaml *, const struct yaml *))
{
	const struct yaml *v = yaml_get(root, key);
	if (!v || (v->kind == YAML_TEXT && !*v->text)) return ERR_OK;
	enum err err = yaml_map(v, key, r->e);
	if (!err && v->count > most) err = yaml_wrong(v, r->e, "there are at most %zu %s", most, key);
	if (err) return err;
	void *items = arena_alloc(r->arena, v->count * item_bytes);
	memcpy(array, &items, sizeof items);
	for (size_t i = 0; i < v->count && !err; i++) err = one(r, v->keys[i], v->items[i]);
	return err;
}

static enum err read_listed(struct reader *r, const struct yaml *root, const char *key, size_t most, void *array, size_t item_bytes,
                            enum err (*one)(struct reader *, const struct yaml *))
{
	const struct yaml *v = yaml_get(root, key);
	if (!v || (v->kind == YAML_TEXT && !*v->text)) return ERR_OK;
	if (v->kind != YAML_LIST) return yaml_wrong(v, r->e, "%s is a list, an item begins with -", key);
	if (v->count > most) return yaml_wrong(v, r->e, "there are at most %zu %s", most, key);
	void *items = arena_alloc(r->arena, v->count * item_bytes);
	memcpy(array, &items, sizeof items);
	enum err err = ERR_OK;
	for (size_t i = 0; i < v->count && !err; i++) err = one(r, v->items[i]);
	return err;
}

static enum err read_version(const struct reader *r, const struct yaml *root)
{
	int64_t version;
	const struct yaml *v = yaml_get(root, "version");
	return v ? yaml_int(v, "version", 1, 1, &version, r->e) : yaml_wrong(root, r->e, "a policy begins with version: 1");
}

enum err policy_read(struct arena *a, const char *file, const char *bytes, size_t n, const struct policy **out, struct error *e)
{
	static const char *const keys[] = {"version", "groups", "services", "windows", "elevations", "people", "rules", "tests", NULL};
	struct yaml *root;
	struct policy *p = arena_alloc(a, sizeof *p);
	struct reader r = {.arena = a, .p = p, .e = e};
	*p = (struct policy){.file = arena_strdup(a, file)};
	digest_sha256_hex(p->digest, bytes, n);
	enum err err = yaml_read(a, file, bytes, n, &root, e);
	if (!err) err = yaml_keys(root, "a policy", keys, e);
	if (!err) err = read_version(&r, root);
	if (!err) err = read_named(&r, root, "services", POLICY_GROUPS_MAX, &p->services, sizeof *p->services, read_service);
	if (!err) err = read_named(&r, root, "groups", POLICY_GROUPS_MAX, &p->groups, sizeof *p->groups, read_group);
	if (!err) err = read_named(&r, root, "windows", POLICY_GROUPS_MAX, &p->windows, sizeof *p->windows, read_window);
	if (!err) err = read_named(&r, root, "elevations", POLICY_GROUPS_MAX, &p->elevations, sizeof *p->elevations, read_elevation);
	if (!err) err = read_named(&r, root, "people", NAMES_MAX, &p->people, sizeof *p->people, read_person);
	if (!err) err = read_listed(&r, root, "rules", POLICY_RULES_MAX, &p->rules, sizeof *p->rules, read_rule);
	if (!err) err = read_listed(&r, root, "tests", NAMES_MAX, &p->tests, sizeof *p->tests, read_test);
	if (!err) *out = p;
	return err;
}
