#include "base/clock.h"
#include "base/log.h"
#include "service/escalation.h"
#include "service/incidents.h"
#include "service/intake_parts.h"
#include "service/intake_start.h"
#include "service/mitigation.h"
#include "service/rail.h"
#include "service/remembered.h"

#include <stdlib.h>
#include <string.h>

/* What becomes of one alert of a delivery: its incident, the decision (alert/binding.h) over what the records say, and the record of both. */

/* Of a group's incident: behind that many alerts each has an incident of its own, and the bound on those holds. */
enum { RULE_BYTES_MAX = 1000, TITLE_WITHOUT_NAME_BYTES = 64, GROUP_ALERTS_MAX = 2000 };

struct fate {
	struct engine *engine;
	const struct intake_around *at;
	const struct alert *alert;
	char key[DIGEST_HEX_BYTES], group[DIGEST_HEX_BYTES];
	struct remembered *before; /* what is remembered of the alert; or NULL */
	struct incident *inc;      /* that it belongs to; NULL: none */
	struct incident_alert_kept *kept;
	struct binding_choice choice;
	struct binding_decision decision;
	const char *rule;           /* the choice's key, as records have it */
	const char *outcome, *rail; /* as records have them */
	const char *blob;           /* of the alert's JSON */
	char execution[ULID_BYTES];
	int64_t now_us;
};

static void key_of(char out[DIGEST_HEX_BYTES], const char *what, const char *source, const char *name)
{
	unsigned char raw[DIGEST_BYTES];
	struct digest *d = digest_new();
	digest_add(d, what, strlen(what) + 1);
	digest_add(d, source, strlen(source) + 1);
	digest_add(d, name, strlen(name));
	digest_finish(d, raw);
	for (int i = 0; i < DIGEST_BYTES; i++) {
		out[2 * i] = "0123456789abcdef"[raw[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
	}
	out[2 * DIGEST_BYTES] = 0;
}

static bool is_open(const struct incident *inc)
{
	return inc && inc->flow->state != INCIDENT_RESOLVED;
}

/* ---- the decision ---- */

static bool is_late(const struct fate *f)
{
	const struct remembered *r = f->before;
	if (!r || f->alert->state != ALERT_FIRING || !f->alert->starts_us || !r->over_starts_us) return false;
	return f->alert->starts_us <= r->over_starts_us;
}

static struct binding_state state_of(const struct fate *f)
{
	struct binding_state s = {.now_us = f->now_us};
	const struct rail *rail = rail_find(f->engine->incidents, f->rule);
	s.running = f->before && *f->before->running ? f->before->running : NULL;
	s.ended_us = remembered_end_us(f->before, f->rule);
	if (!rail) return s;
	s.starts_us = rail->starts_us, s.start_count = rail->start_count;
	s.failures_us = rail->failures_us, s.failure_count = rail->failure_count;
	s.running_count = rail->running;
	return s;
}

/* One that was started once for this episode is not started again, whatever became of it. */
static bool is_repeat(const struct fate *f)
{
	const struct remembered *r = f->before;
	return f->decision.outcome == BINDING_STARTS && r && f->alert->starts_us && f->alert->starts_us <= r->executed_starts_us;
}

static void decide(struct fate *f)
{
	struct arena *a = f->at->arena;
	struct intake_counters *c = &intake_of(f->engine)->counters;
	binding_choose(a, f->at->file, f->at->books, f->alert, &f->choice);
	f->rule = f->choice.key;
	/* A book's path may be longer than what a record's member holds. */
	if (strlen(f->rule) > RULE_BYTES_MAX) {
		char digest[DIGEST_HEX_BYTES];
		digest_sha256_hex(digest, f->rule, strlen(f->rule));
		f->rule = arena_printf(a, "book:%s", digest);
		f->choice.doubt = "the path of its book is longer than what is kept";
	}
	struct binding_state s = state_of(f);
	binding_decide(a, f->at->file, f->alert, &f->choice, &s, &f->decision);
	f->outcome = binding_outcome_word(f->decision.outcome);
	if (is_late(f)) {
		f->outcome = "late";
		f->decision.rail = BINDING_FREE;
		f->decision.reason = "the alert is over already: this delivery of it came late";
		c->late++;
	} else if (is_repeat(f)) {
		f->outcome = "repeat";
		f->decision.reason = arena_printf(a, "%s; it has had its execution", f->choice.how);
		c->repeats++;
	} else {
		c->outcomes[f->decision.outcome]++;
	}
	f->rail = binding_rail_word(f->decision.rail);
	bool starts = strcmp(f->outcome, "starts") == 0;
	if (!starts) return;
	unsigned char random[10];
	random_bytes(random, sizeof random);
	ulid_make(f->execution, f->now_us, random);
}

/* ---- its incident ---- */

/* The one that it belongs to already: open, or the last one where it is over or late. */
static void find_incident(struct fate *f)
{
	f->before = remembered_find(f->engine->incidents, f->key);
	f->inc = f->before ? f->before->last : NULL;
	bool is_new = f->alert->state == ALERT_FIRING && !is_late(f);
	if (is_new && !is_open(f->inc)) f->inc = NULL;
}

static const char *title_of(const struct fate *f)
{
	return *f->alert->name ? f->alert->name : "(an alert without a name)";
}

static void open_incident(struct fate *f)
{
	bool is_by_group = f->choice.rule->is_by_group && *f->alert->group_key;
	if (is_by_group) {
		key_of(f->group, "group", f->alert->source, f->alert->group_key);
		f->inc = incident_of_group(f->engine, f->group);
		if (f->inc && f->inc->flow->alert_count < GROUP_ALERTS_MAX) return;
		is_by_group = !f->inc;
		f->inc = NULL;
	}
	struct incident_opening o = {.origin = INCIDENT_BY_ALERT,
	                             .key = is_by_group ? f->group : f->key,
	                             .source = f->alert->source,
	                             .owner = f->decision.owner,
	                             .escalation = f->decision.escalation,
	                             .title = title_of(f),
	                             .is_title_in_blob = true,
	                             .priority = f->decision.priority,
	                             .by = f->at->by};
	f->inc = incident_open(f->engine, &o);
}

/* ---- what is kept of it ---- */

static void add_text(struct digest *d, const char *s)
{
	digest_add(d, s, strlen(s) + 1);
}

static void add_labels(struct digest *d, const struct alert_label *labels, size_t count)
{
	for (size_t i = 0; i < count; i++) add_text(d, labels[i].name), add_text(d, labels[i].value);
	digest_add(d, &count, sizeof count);
}

/* Of everything that alert_json says. */
static void digest_alert(const struct alert *al, unsigned char out[DIGEST_BYTES])
{
	struct digest *d = digest_new();
	const char *texts[] = {al->source, al->name, al->severity, al->fingerprint, al->group_key, al->link, al->runbook, al->value};
	const int64_t numbers[] = {al->state, al->starts_us, al->ends_us, al->is_cut};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) add_text(d, texts[i]);
	digest_add(d, numbers, sizeof numbers);
	add_labels(d, al->labels, al->label_count);
	add_labels(d, al->annotations, al->annotation_count);
	digest_finish(d, out);
}

static struct incident_alert_kept *kept_of(const struct fate *f)
{
	const struct incident_alert *al = f->inc ? incident_alert_find(f->inc->flow, f->key) : NULL;
	return al ? &f->inc->kept[al - f->inc->flow->alerts] : NULL;
}

/* The JSON is made and stored where it is not what came last. json: gets it where a start needs it. */
static void keep_alert(struct fate *f, unsigned char digest[DIGEST_BYTES], json_t **json)
{
	char name[STORE_BLOB_NAME_BYTES];
	digest_alert(f->alert, digest);
	bool is_same = f->kept && f->kept->blob && memcmp(f->kept->digest, digest, DIGEST_BYTES) == 0;
	if (is_same) f->blob = f->kept->blob;
	if (is_same && !*f->execution) return;
	json_t *v = alert_json(f->alert);
	if (!is_same) {
		struct buf b;
		buf_init(&b, STORE_BLOB_BYTES_MAX);
		bool fits = json_canonical(v, &b);
		if (fits) {
			store_batch_blob(incident_batch(f->engine), f->inc ? f->inc->id : NULL, b.data, b.len, name);
			f->blob = arena_strdup(f->at->arena, name);
		}
		buf_clear(&b);
	}
	if (*f->execution)
		*json = v;
	else
		json_decref(v);
}

/* ---- the record ---- */

static void set_text(json_t *o, const char *key, const char *v)
{
	if (v && *v) json_object_set_new(o, key, json_string(v));
}

static void set_number(json_t *o, const char *key, int64_t v)
{
	if (v) json_object_set_new(o, key, json_integer(v));
}

static const char *blob_of(const struct fate *f, const char *text, size_t n)
{
	char name[STORE_BLOB_NAME_BYTES];
	store_batch_blob(incident_batch(f->engine), f->inc ? f->inc->id : NULL, text, n, name);
	return arena_strdup(f->at->arena, name);
}

/* Why, where it is not what it was the last time. */
static bool is_news(const struct fate *f)
{
	return !f->kept || strcmp(f->kept->outcome, f->outcome) != 0;
}

static json_t *data_of(const struct fate *f, const json_t *parameters)
{
	const struct alert *al = f->alert;
	const struct binding_decision *d = &f->decision;
	bool has_book = *f->execution || strcmp(f->outcome, "proposed") == 0;
	json_t *o = json_pack("{s:s,s:s,s:s,s:s}", "source", al->source, "key", f->key, "state", alert_state_word(al->state), "outcome", f->outcome);
	if (d->rail != BINDING_FREE) set_text(o, "rail", f->rail);
	if (al->starts_us > 0) set_number(o, "starts_us", al->starts_us);
	set_text(o, "execution", f->execution);
	if (f->rule && strlen(f->rule) <= RULE_BYTES_MAX) set_text(o, "rule", f->rule);
	set_number(o, "again_us", d->again_us);
	set_text(o, "alert", f->blob);
	if (json_array_size(f->at->body)) json_object_set(o, "body", f->at->body);
	if (al->is_cut) json_object_set_new(o, "is_cut", json_true());
	if ((has_book || is_news(f)) && d->book && strlen(d->book) <= RULE_BYTES_MAX) set_text(o, "book", d->book);
	if (has_book) set_text(o, "as", d->as);
	if (has_book) set_number(o, "within_us", d->resolves_within_us);
	if (has_book && json_object_size(parameters)) {
		struct buf b;
		buf_init(&b, STORE_BLOB_BYTES_MAX);
		if (json_canonical(parameters, &b)) set_text(o, "parameters", blob_of(f, b.data, b.len));
		buf_clear(&b);
	}
	if (!is_news(f)) return o;
	set_number(o, "line", d->line);
	set_text(o, "owner", d->owner);
	set_text(o, "escalation", d->escalation);
	set_number(o, "priority", d->priority);
	set_text(o, "reason", intake_reason(f->engine, d->reason));
	if (*f->at->file->digest) set_text(o, "alerts", f->at->file->digest);
	return o;
}

static void record_on_log(const struct fate *f, json_t *d)
{
	struct record r = {.t_us = f->now_us, .kind = RECORD_ALERT_RECEIVED, .by = f->at->by, .data = d};
	struct error why;
	if (store_batch_record(incident_batch(f->engine), &r, &why)) die("the record of an alert could not be encoded: %s", why.text);
	json_decref(d);
}

static void start_later(struct incident *inc, json_t *decision)
{
	intake_start(inc, decision);
}

static void record(struct fate *f)
{
	unsigned char digest[DIGEST_BYTES];
	json_t *alert = NULL, *parameters = binding_parameters_json(&f->decision);
	struct error e;
	keep_alert(f, digest, &alert);
	json_t *d = data_of(f, parameters);
	if (!f->inc) {
		record_on_log(f, d);
	} else {
		if (incident_emit(f->inc, (struct incident_emit){.kind = RECORD_ALERT_RECEIVED, .by = f->at->by, .data = d, .t_us = f->now_us}, &e))
			die("the decision about an alert and the state of its incident disagree: %s", e.text);
		f->kept = kept_of(f);
		memcpy(f->kept->digest, digest, sizeof digest);
		if (*f->execution)
			incident_later(f->inc, start_later,
			               intake_decision(f->execution, f->decision.book, f->decision.as, json_incref(parameters), json_incref(alert)));
	}
	json_decref(parameters);
	json_decref(alert);
}

/* ---- what follows at once ---- */

static void follow(struct fate *f, bool was_proposed)
{
	struct incident *inc = f->inc;
	if (!is_open(inc)) return;
	if (strcmp(f->outcome, "proposed") == 0 && !was_proposed) escalation_raise(inc, RAISED_BY_DENIED, NULL, NULL, f->decision.reason);
	if (!incident_is_over(inc->flow)) return;
	mitigation_alerts_over(inc);
	incident_emit(inc, (struct incident_emit){.kind = RECORD_INCIDENT_RESOLVED, .data = json_pack("{s:s}", "how", "alert"), .t_us = f->now_us}, NULL);
}

static json_t *answer_of(const struct fate *f)
{
	json_t *o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "name", f->alert->name, "fingerprint", f->alert->fingerprint, "state",
	                      alert_state_word(f->alert->state), "outcome", f->outcome, "rail", f->rail, "reason", f->decision.reason);
	if (f->inc) set_text(o, "incident", f->inc->id);
	set_text(o, "execution", *f->execution ? f->execution : f->decision.running);
	return o;
}

static json_t *decide_one(struct engine *en, const struct intake_around *at, const struct alert *al, int64_t now_us)
{
	struct fate f = {.engine = en, .at = at, .alert = al, .now_us = now_us};
	key_of(f.key, "alert", al->source, al->fingerprint);
	find_incident(&f);
	decide(&f);
	if (!f.inc && al->state == ALERT_FIRING && !is_late(&f)) open_incident(&f);
	f.kept = kept_of(&f);
	const struct incident_alert *before = f.inc ? incident_alert_find(f.inc->flow, f.key) : NULL;
	bool was_proposed = before && before->is_firing && f.kept->was_proposed;
	record(&f);
	follow(&f, was_proposed);
	return answer_of(&f);
}

bool intake_opens(struct engine *en, const struct alert_delivery *d)
{
	char key[DIGEST_HEX_BYTES];
	for (size_t i = 0; i < d->count; i++) {
		if (d->alerts[i].state != ALERT_FIRING) continue;
		key_of(key, "alert", d->alerts[i].source, d->alerts[i].fingerprint);
		if (!is_open(incident_of_alert(en, key))) return true;
	}
	return false;
}

json_t *intake_decide_all(struct engine *en, const struct intake_around *at)
{
	json_t *decisions = json_array();
	int64_t now_us = clock_now_us();
	for (size_t i = 0; i < at->delivery->count; i++) json_array_append_new(decisions, decide_one(en, at, &at->delivery->alerts[i], now_us));
	return decisions;
}
