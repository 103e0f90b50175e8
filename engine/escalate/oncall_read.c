#include "base/clock.h"
#include "base/text.h"
#include "escalate/oncall_reader.h"
#include "policy/policy.h"
#include "policy/secrets.h"
#include "policy/url.h"

#include <string.h>

/* The file. Strict: a person who is silently not there is one whom nobody wakes. */

#define SECOND_US INT64_C(1000000)
#define MAINTENANCE_MOST_US (90 * 86400 * SECOND_US)
enum { WAIT_DEFAULT_S = 300, REPEATS_DEFAULT = 1, FACTOR_MOST = 10 };
static const char wait_most[] = "7d", timeout_most[] = "5m", delay_most[] = "1d", links_most[] = "7d";

static enum err read_name(const struct reader *r, const struct yaml *v, const char *what, const char **out)
{
	enum err err = yaml_text(v, what, out, r->e);
	if (!err && !policy_is_name(*out)) err = yaml_wrong(v, r->e, "%s is letters, digits, and any of _ . @ -, at most 64, not \"%.60s\"", what, *out);
	return err;
}

enum err oncall_read_seconds(const struct reader *r, const struct yaml *v, const char *what, const char *most, int64_t *us)
{
	int64_t most_us = 0;
	must(clock_parse_duration(most, &most_us, NULL) == ERR_OK);
	enum err err = yaml_duration(v, what, us, r->e);
	if (!err && (*us < SECOND_US || *us > most_us)) err = yaml_wrong(v, r->e, "%s is a duration from 1s to %s", what, most);
	return err;
}

/* What stands behind a name that may be left empty. */
static bool is_absent(const struct yaml *v)
{
	return !v || (v->kind == YAML_TEXT && !*v->text && !v->is_quoted);
}

static const char *const *names_of(const struct reader *r, const void *items, size_t count, size_t item_bytes)
{
	const char **names = arena_alloc(r->arena, (count + 1) * sizeof *names);
	for (size_t i = 0; i < count; i++) names[i] = *(const char *const *)((const char *)items + i * item_bytes); /* the name stands first in each */
	return names;
}

static enum err unknown(const struct reader *r, const struct yaml *at, const char *kind, const char *section, const char *name, const char *const *known)
{
	const char *near = text_nearest(name, known);
	return near ? yaml_wrong(at, r->e, "there is no %s \"%.60s\": did you mean \"%s\"?", kind, name, near)
	            : yaml_wrong(at, r->e, "there is no %s \"%.60s\": name it under %s:", kind, name, section);
}

/* ---- people ---- */

static bool is_mail_text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] >= 0x7f || strchr("<>()[]\\,;:\"@", s[i])) return false;
	return n > 0 && s[0] != '-';
}

enum err oncall_read_address(const struct reader *r, const struct yaml *v, const char **out)
{
	char *host;
	enum host_kind kind = HOST_IPV4;
	enum err err = yaml_text(v, "a mail address", out, r->e);
	if (err) return err;
	const char *at = strchr(*out, '@');
	bool is_good = at && strlen(*out) <= ONCALL_MAIL_BYTES_MAX && is_mail_text(*out, (size_t)(at - *out)) &&
	               host_normal(r->arena, at + 1, strlen(at + 1), &host, &kind, NULL) == ERR_OK && kind == HOST_NAME;
	return is_good ? ERR_OK : yaml_wrong(v, r->e, "a mail address was expected, one, as ana@example.net, with no name around it");
}

static enum err read_mail(const struct reader *r, const struct yaml *v, struct oncall_channel *c)
{
	return oncall_read_address(r, v, &c->address);
}

/* The host in its one spelling: what begins with 127. and is digits and dots is an address. */
bool oncall_is_loopback(const char *host)
{
	size_t n = strspn(host, "0123456789.");
	return (strncmp(host, "127.", 4) == 0 && !host[n]) || strcmp(host, "::1") == 0 || strcmp(host, "localhost") == 0;
}

static enum err read_webhook(const struct reader *r, const struct yaml *v, struct oncall_channel *c)
{
	struct url u;
	struct error why;
	enum err err = yaml_text(v, "the URL of a webhook", &c->address, r->e);
	if (err) return err;
	if (url_parse(r->arena, c->address, &u, &why)) return yaml_wrong(v, r->e, "the URL of a webhook: %s", why.text);
	if (strcmp(u.scheme, "https") != 0 && !oncall_is_loopback(u.host))
		return yaml_wrong(v, r->e, "a webhook on another host begins with https://: what is sent names the incident and a link that acknowledges it");
	c->address = u.text;
	return ERR_OK;
}

static enum err read_command(const struct reader *r, const struct yaml *v, struct oncall_channel *c)
{
	struct yaml **items;
	if (v->kind != YAML_LIST) return yaml_wrong(v, r->e, "the command of a channel is a list of its arguments, as [page, --to, ana]: there is no shell");
	enum err err = yaml_texts(v, "an argument of a command", &items, &c->word_count, r->arena, r->e);
	if (!err && (c->word_count == 0 || c->word_count > ONCALL_COMMAND_WORDS_MAX))
		err = yaml_wrong(v, r->e, "the command of a channel has 1 to %d arguments", ONCALL_COMMAND_WORDS_MAX);
	if (err) return err;
	c->words = arena_alloc(r->arena, c->word_count * sizeof *c->words);
	for (size_t i = 0; i < c->word_count; i++) c->words[i] = items[i]->text;
	return ERR_OK;
}

enum err oncall_read_secret(const struct reader *r, const struct yaml *v, const char **out)
{
	enum err err = yaml_text(v, "the name of a secret", out, r->e);
	if (!err && !secret_name_is_valid(*out))
		err = yaml_wrong(
		    v, r->e, "the name of a secret of secrets.yaml was expected, letters, digits, \"-\", \"_\" and \".\"; its value never stands in this file");
	return err;
}

static enum err read_signing(const struct reader *r, const struct yaml *v, struct oncall_channel *c)
{
	if (c->kind != CHANNEL_WEBHOOK) return yaml_wrong(v, r->e, "only a webhook has a secret, which signs what is sent");
	return oncall_read_secret(r, v, &c->secret);
}

static enum err read_channel(const struct reader *r, const struct yaml *v, struct oncall_channel *c)
{
	static const char *const keys[] = {"command", "webhook", "mail", "secret", "timeout", NULL};
	static enum err (*const read[CHANNEL_N])(const struct reader *, const struct yaml *, struct oncall_channel *) = {read_command, read_webhook, read_mail};
	const struct yaml *m;
	size_t found = 0;
	if (v->kind != YAML_MAP) return yaml_wrong(v, r->e, "a channel is one of {mail: ADDRESS}, {webhook: URL} and {command: [WORD, ...]}");
	enum err err = yaml_keys(v, "a channel", keys, r->e);
	if (err) return err;
	c->line = v->line;
	for (int k = 0; k < CHANNEL_N; k++)
		if (yaml_get(v, oncall_channel_word((enum oncall_channel_kind)k))) c->kind = (enum oncall_channel_kind)k, found++;
	if (found != 1) return yaml_wrong(v, r->e, "a channel needs one of mail, webhook and command");
	err = read[c->kind](r, yaml_get(v, oncall_channel_word(c->kind)), c);
	if (!err && (m = yaml_get(v, "secret"))) err = read_signing(r, m, c);
	if (!err && (m = yaml_get(v, "timeout"))) err = oncall_read_seconds(r, m, "the timeout of a channel", timeout_most, &c->timeout_us);
	return err;
}

static enum err read_person(struct reader *r, const struct yaml *key, const struct yaml *v)
{
	static const char *const keys[] = {"channels", NULL};
	struct oncall_person *p = &r->o->people[r->o->person_count];
	enum err err = read_name(r, key, "the name of a person", &p->name);
	if (err) return err;
	if (v->kind != YAML_MAP) return yaml_wrong(v, r->e, "a person has channels, as {channels: [{mail: %.60s@example.net}]}", p->name);
	err = yaml_keys(v, "a person", keys, r->e);
	const struct yaml *list = err ? NULL : yaml_get(v, "channels");
	if (err) return err;
	if (!list || list->kind != YAML_LIST || list->count == 0 || list->count > ESCALATION_CHANNELS_MAX)
		return yaml_wrong(list ? list : v, r->e, "a person has a list of 1 to %d channels, the one that is used first before the others",
		                  ESCALATION_CHANNELS_MAX);
	p->line = key->line;
	p->channels = arena_alloc(r->arena, list->count * sizeof *p->channels);
	for (; p->count < list->count && !err; p->count++) err = read_channel(r, list->items[p->count], &p->channels[p->count]);
	r->o->person_count++;
	return err;
}

/* ---- who ---- */

static void add_person(const struct oncall_person **people, size_t *count, const struct oncall_person *p)
{
	for (size_t i = 0; i < *count; i++)
		if (people[i] == p) return;
	people[(*count)++] = p;
}

static enum err add_named(const struct reader *r, const struct yaml *v, const struct oncall_person **people, size_t *count)
{
	const struct oncall_person *p = oncall_person(r->o, v->text);
	if (!p) return unknown(r, v, "person", "people", v->text, names_of(r, r->o->people, r->o->person_count, sizeof *r->o->people));
	add_person(people, count, p);
	return ERR_OK;
}

static enum err add_team(const struct reader *r, const struct yaml *v, const char *name, const struct oncall_person **people, size_t *count)
{
	for (size_t i = 0; i < r->o->team_count; i++) {
		const struct oncall_team *t = &r->o->teams[i];
		if (strcmp(t->name, name) != 0) continue;
		for (size_t k = 0; k < t->count; k++) add_person(people, count, t->people[k]);
		return ERR_OK;
	}
	return unknown(r, v, "team", "teams", name, names_of(r, r->o->teams, r->o->team_count, sizeof *r->o->teams));
}

/* Names of people; of teams where is_level, as team:NAME. Another kind of name has its own word before the colon. */
static enum err read_who(const struct reader *r, const struct yaml *v, const char *what, bool is_level, const struct oncall_person ***people, size_t *count)
{
	struct yaml **items;
	size_t n;
	enum err err = yaml_texts(v, what, &items, &n, r->arena, r->e);
	if (!err && n == 0) err = yaml_wrong(v, r->e, "%s was expected: with nobody there, nobody is notified", what);
	*people = arena_alloc(r->arena, (r->o->person_count + 1) * sizeof **people);
	for (size_t i = 0; i < (err ? 0 : n) && !err; i++) {
		const char *colon = strchr(items[i]->text, ':');
		if (!colon)
			err = add_named(r, items[i], *people, count);
		else if (is_level && strncmp(items[i]->text, "team:", 5) == 0)
			err = add_team(r, items[i], colon + 1, *people, count);
		else
			err = yaml_wrong(items[i], r->e, "%s is a person's name%s, not \"%.60s\"", what, is_level ? " or team:NAME" : "", items[i]->text);
	}
	if (!err && *count > ESCALATION_PEOPLE_MAX)
		err = yaml_wrong(v, r->e, "%zu people were named, at most %d are notified at once", *count, ESCALATION_PEOPLE_MAX);
	return err;
}

static enum err read_team(struct reader *r, const struct yaml *key, const struct yaml *v)
{
	struct oncall_team *t = &r->o->teams[r->o->team_count];
	enum err err = read_name(r, key, "the name of a team", &t->name);
	if (!err) err = read_who(r, v, "a member of a team", false, &t->people, &t->count);
	r->o->team_count++;
	return err;
}

/* ---- policies ---- */

static enum err read_level(const struct reader *r, const struct yaml *v, struct oncall_level *l)
{
	static const char *const keys[] = {"who", "wait", NULL};
	const struct yaml *m;
	enum err err = yaml_keys(v, "a level", keys, r->e);
	l->wait_us = r->wait_us;
	if (!err && !yaml_get(v, "who")) return yaml_wrong(v, r->e, "a level says who is notified, as {who: [ana, team:web], wait: 5m}");
	if (!err) err = read_who(r, yaml_get(v, "who"), "who is notified", true, &l->people, &l->count);
	if (!err && (m = yaml_get(v, "wait"))) err = oncall_read_seconds(r, m, "the wait of a level", wait_most, &l->wait_us);
	return err;
}

static enum err read_repeats(const struct reader *r, const struct yaml *v, uint32_t *out)
{
	int64_t repeats = *out;
	enum err err = v ? yaml_int(v, "repeats", 0, ESCALATION_ROUNDS_MAX - 1, &repeats, r->e) : ERR_OK;
	*out = (uint32_t)repeats;
	return err;
}

static enum err read_policy(struct reader *r, const struct yaml *key, const struct yaml *v)
{
	static const char *const keys[] = {"levels", "repeats", "finally", NULL};
	struct oncall_policy *p = &r->o->policies[r->o->policy_count];
	enum err err = read_name(r, key, "the name of a policy", &p->name);
	if (!err && (strcmp(p->name, "default") == 0 || strcmp(p->name, "nobody") == 0))
		return yaml_wrong(key, r->e, "a policy cannot be named %s: that is a word of finally", p->name);
	if (!err && v->kind != YAML_MAP) return yaml_wrong(v, r->e, "a policy has levels, as {levels: [{who: ana, wait: 5m}, {who: bo}]}");
	if (!err) err = yaml_keys(v, "a policy", keys, r->e);
	const struct yaml *list = err ? NULL : yaml_get(v, "levels");
	if (err) return err;
	if (!list || list->kind != YAML_LIST || list->count == 0 || list->count > ESCALATION_LEVELS_MAX)
		return yaml_wrong(list ? list : v, r->e, "a policy has a list of 1 to %d levels, as [{who: ana, wait: 5m}, {who: bo}]", ESCALATION_LEVELS_MAX);
	p->line = key->line;
	p->repeats = r->repeats;
	p->levels = arena_alloc(r->arena, list->count * sizeof *p->levels);
	for (; p->count < list->count && !err; p->count++) err = read_level(r, list->items[p->count], &p->levels[p->count]);
	if (!err) err = read_repeats(r, yaml_get(v, "repeats"), &p->repeats);
	r->ends[r->o->policy_count++] = yaml_get(v, "finally");
	return err;
}

static enum err find_policy(const struct reader *r, const struct yaml *v, const char *what, const struct oncall_policy **out)
{
	const char *name;
	enum err err = yaml_text(v, what, &name, r->e);
	if (err) return err;
	*out = oncall_policy(r->o, name);
	return *out ? ERR_OK : unknown(r, v, "policy", "policies", name, names_of(r, r->o->policies, r->o->policy_count, sizeof *r->o->policies));
}

/* Known once all policies are read. */
static enum err read_end(const struct reader *r, const struct yaml *v, struct oncall_policy *p)
{
	enum err err = ERR_OK;
	if (!v || (v->kind == YAML_TEXT && strcmp(v->text, "default") == 0)) return ERR_OK;
	if (v->kind == YAML_TEXT && strcmp(v->text, "nobody") == 0) {
		p->finally = FINALLY_NOBODY;
		return ERR_OK;
	}
	p->finally = FINALLY_POLICY;
	err = find_policy(r, v, "what comes in the end", &p->behind);
	size_t steps = 0;
	for (const struct oncall_policy *q = p->behind; !err && q && steps <= ESCALATION_POLICIES_MAX; q = q->behind, steps++)
		if (q == p)
			return yaml_wrong(v, r->e, "behind %.60s comes %.60s, which leads back to it: each policy is climbed once", p->name, p->behind->name);
	if (!err && steps > ESCALATION_POLICIES_MAX - 2)
		err = yaml_wrong(v, r->e, "at most %d policies are climbed one behind the other", ESCALATION_POLICIES_MAX - 1);
	return err;
}

/* ---- defaults and maintenance ---- */

static enum err read_retries(const struct reader *r, const struct yaml *v)
{
	static const char *const keys[] = {"attempts", "delay", "longest_delay", "factor", "timeout", NULL};
	struct escalation_retry *t = &r->o->retry;
	const struct yaml *m;
	int64_t attempts = t->attempts, factor = t->factor;
	enum err err = yaml_keys(v, "retries", keys, r->e);
	if (!err && (m = yaml_get(v, "attempts"))) err = yaml_int(m, "attempts", 1, ESCALATION_ATTEMPTS_MAX, &attempts, r->e);
	if (!err && (m = yaml_get(v, "factor"))) err = yaml_int(m, "the factor of a delay", 1, FACTOR_MOST, &factor, r->e);
	if (!err && (m = yaml_get(v, "delay"))) err = oncall_read_seconds(r, m, "the delay", delay_most, &t->delay_us);
	if (!err && t->delay_most_us < t->delay_us) t->delay_most_us = t->delay_us;
	if (!err && (m = yaml_get(v, "longest_delay"))) err = oncall_read_seconds(r, m, "the longest delay", delay_most, &t->delay_most_us);
	if (!err && t->delay_most_us < t->delay_us) err = yaml_wrong(m, r->e, "the longest delay is no shorter than the first one");
	if (!err && (m = yaml_get(v, "timeout"))) err = oncall_read_seconds(r, m, "the timeout of a channel", timeout_most, &t->timeout_us);
	t->attempts = (uint32_t)attempts;
	t->factor = (uint32_t)factor;
	return err;
}

/* All but the policy, which is known later. */
static enum err read_defaults(struct reader *r, const struct yaml *v)
{
	static const char *const keys[] = {"policy", "wait", "repeats", "retries", "links", NULL};
	const struct yaml *m;
	enum err err = yaml_keys(v, "defaults", keys, r->e);
	if (!err && (m = yaml_get(v, "wait"))) err = oncall_read_seconds(r, m, "the wait of a level", wait_most, &r->wait_us);
	if (!err) err = read_repeats(r, yaml_get(v, "repeats"), &r->repeats);
	if (!err && (m = yaml_get(v, "retries"))) err = read_retries(r, m);
	if (!err && (m = yaml_get(v, "links"))) err = oncall_read_seconds(r, m, "how long a link acknowledges", links_most, &r->o->link_us);
	return err;
}

static enum err read_maintenance(const struct reader *r, const struct yaml *v, struct oncall_maintenance *m)
{
	static const char *const keys[] = {"from", "to", "policies", "why", NULL};
	struct yaml **items;
	size_t n = 0;
	enum err err = yaml_keys(v, "maintenance", keys, r->e);
	const struct yaml *from = err ? NULL : yaml_get(v, "from"), *to = err ? NULL : yaml_get(v, "to");
	if (!err && (!from || !to)) err = yaml_wrong(v, r->e, "maintenance has from: and to:, as {from: 2026-12-20T22:00:00Z, to: 2026-12-21T02:00:00Z}");
	if (!err) err = yaml_instant(from, "from", false, &m->from_us, r->e);
	if (!err) err = yaml_instant(to, "to", true, &m->to_us, r->e);
	if (!err && (m->to_us <= m->from_us || m->to_us - m->from_us > MAINTENANCE_MOST_US))
		err = yaml_wrong(to, r->e, "maintenance ends after it begins, within 90 days");
	if (!err && yaml_get(v, "why")) err = yaml_text(yaml_get(v, "why"), "why there is maintenance", &m->why, r->e);
	if (!err && m->why && strlen(m->why) > ONCALL_WHY_BYTES_MAX)
		err = yaml_wrong(yaml_get(v, "why"), r->e, "why there is maintenance is said in at most %d bytes", ONCALL_WHY_BYTES_MAX);
	if (err || !yaml_get(v, "policies")) return err;
	err = yaml_texts(yaml_get(v, "policies"), "a policy", &items, &n, r->arena, r->e);
	if (!err && n == 0) return yaml_wrong(yaml_get(v, "policies"), r->e, "the policies that it concerns were expected; without the key it concerns all");
	m->policies = arena_alloc(r->arena, n * sizeof *m->policies);
	for (; m->count < n && !err; m->count++) err = find_policy(r, items[m->count], "a policy", &m->policies[m->count]);
	return err;
}

static enum err read_maintenances(struct reader *r, const struct yaml *v)
{
	struct oncall *o = r->o;
	if (is_absent(v)) return ERR_OK;
	if (v->kind != YAML_LIST || v->count > ONCALL_MAINTENANCE_MAX)
		return yaml_wrong(v, r->e, "maintenance is a list of at most %d windows, as [{from: 2026-12-20T22:00:00Z, to: 2026-12-21T02:00:00Z}]",
		                  ONCALL_MAINTENANCE_MAX);
	enum err err = ERR_OK;
	o->maintenance = arena_alloc(r->arena, v->count * sizeof *o->maintenance);
	for (; o->maintenance_count < v->count && !err; o->maintenance_count++)
		err = read_maintenance(r, v->items[o->maintenance_count], &o->maintenance[o->maintenance_count]);
	return err;
}

/* ---- the whole ---- */

static enum err read_map(struct reader *r, const struct yaml *root, const char *key, size_t most, void **items, size_t item_bytes,
                         enum err (*one)(struct reader *, const struct yaml *, const struct yaml *))
{
	const struct yaml *v = yaml_get(root, key);
	if (is_absent(v)) return ERR_OK;
	enum err err = yaml_map(v, key, r->e);
	if (!err && v->count > most) err = yaml_wrong(v, r->e, "there are at most %zu %s", most, key);
	if (err) return err;
	*items = arena_alloc(r->arena, v->count * item_bytes);
	for (size_t i = 0; i < v->count && !err; i++) err = one(r, v->keys[i], v->items[i]);
	return err;
}

static enum err read_policies(struct reader *r, const struct yaml *root)
{
	const struct yaml *v = yaml_get(root, "policies"), *defaults = yaml_get(root, "defaults");
	struct oncall *o = r->o;
	r->ends = arena_alloc(r->arena, (v ? v->count : 0) * sizeof *r->ends);
	enum err err = read_map(r, root, "policies", ONCALL_POLICIES_MAX, (void **)&o->policies, sizeof *o->policies, read_policy);
	for (size_t i = 0; i < o->policy_count && !err; i++) err = read_end(r, r->ends[i], &o->policies[i]);
	if (!err && !is_absent(defaults) && yaml_get(defaults, "policy"))
		err = find_policy(r, yaml_get(defaults, "policy"), "the default policy", &o->otherwise);
	return err;
}

static enum err read_version(const struct reader *r, const struct yaml *root)
{
	int64_t version;
	const struct yaml *v = yaml_get(root, "version");
	return v ? yaml_int(v, "version", 1, 1, &version, r->e) : yaml_wrong(root, r->e, "oncall.yaml begins with version: 1");
}

enum err oncall_read(struct arena *a, const char *file, const char *bytes, size_t n, const struct oncall **out, struct error *e)
{
	static const char *const keys[] = {"version", "people", "teams", "policies", "defaults", "maintenance", "mail", "after", NULL};
	struct error unused;
	struct yaml *root;
	struct oncall *o = oncall_none(a);
	struct reader r = {.arena = a, .o = o, .e = e ? e : &unused, .wait_us = WAIT_DEFAULT_S * SECOND_US, .repeats = REPEATS_DEFAULT};
	o->file = arena_strdup(a, file);
	digest_sha256_hex(o->digest, bytes, n);
	enum err err = yaml_read(a, file, bytes, n, &root, r.e);
	if (!err) err = yaml_keys(root, "oncall.yaml", keys, r.e);
	if (!err) err = read_version(&r, root);
	if (!err && !is_absent(yaml_get(root, "defaults"))) err = read_defaults(&r, yaml_get(root, "defaults"));
	if (!err) err = read_map(&r, root, "people", ONCALL_PEOPLE_MAX, (void **)&o->people, sizeof *o->people, read_person);
	if (!err) err = read_map(&r, root, "teams", ONCALL_TEAMS_MAX, (void **)&o->teams, sizeof *o->teams, read_team);
	if (!err) err = read_policies(&r, root);
	if (!err) err = read_maintenances(&r, yaml_get(root, "maintenance"));
	if (!err && !is_absent(yaml_get(root, "mail"))) err = oncall_read_mail(&r, yaml_get(root, "mail"));
	if (!err && !is_absent(yaml_get(root, "after"))) err = oncall_read_after(&r, yaml_get(root, "after"));
	if (!err) *out = o;
	return err;
}
