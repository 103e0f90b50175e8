#include "alert/normaliser.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "service/alerts_at.h"
#include "service/incidents.h"
#include "service/intake_parts.h"

#include <stdlib.h>
#include <string.h>

enum { RETRY_FULL_S = 60, RETRY_SOON_S = 5 };
#define LOG_EVERY_US INT64_C(10000000)

struct intake *intake_of(struct engine *en)
{
	if (en->intake) return en->intake;
	en->intake = mem_zero(sizeof *en->intake);
	en->intake->by_digest = table_new();
	en->intake->by_reason = table_new();
	return en->intake;
}

const struct intake_counters *intake_counters(struct engine *en)
{
	return &intake_of(en)->counters;
}

/* ---- refused ---- */

/* One line in ten seconds: whoever sends what is refused must not fill the log. */
static void log_refused(struct intake *in, const char *source, const char *why)
{
	int64_t now_us = clock_monotonic_us();
	if (in->told_us && now_us - in->told_us < LOG_EVERY_US) {
		in->untold++;
		return;
	}
	log_line(LOG_WARN, "alerts of %.64s: %s (%llu more were refused since the last line)", source, why, (unsigned long long)in->untold);
	in->told_us = now_us;
	in->untold = 0;
}

struct refusing {
	struct engine *engine;
	const struct intake_delivery *delivery;
	intake_done *done;
	void *arg;
};

static void refuse(const struct refusing *r, int status, uint64_t *counter, const struct error *told)
{
	static const int retries[] = {RETRY_SOON_S, RETRY_FULL_S};
	struct intake_answer a = {.status = status, .e = told};
	if (status == 503) a.retry_after_s = retries[told->kind == ERR_FULL];
	++*counter;
	r->done(r->arg, &a);
}

/* ---- taken ---- */

struct answering {
	struct engine *engine;
	json_t *body;
	intake_done *done;
	void *arg;
};

static void answer(void *arg, const struct error *failed)
{
	struct answering *w = arg;
	struct intake_answer a = {.status = 200, .body = w->body};
	failpoint(INTAKE_ANSWER);
	if (failed) {
		a = (struct intake_answer){.status = 503, .retry_after_s = RETRY_FULL_S, .e = failed};
		intake_of(w->engine)->counters.unavailable++;
	}
	w->done(w->arg, &a);
	json_decref(w->body);
	free(w);
}

static void take(const struct refusing *r, const struct alerts_file *f, const struct alert_delivery *delivery, struct arena *a)
{
	struct engine *en = r->engine;
	struct intake *in = intake_of(en);
	struct intake_around at = {.file = f, .books = alerts_books(en), .delivery = delivery, .arena = a};
	failpoint(INTAKE_RECEIVED);
	at.by = r->delivery->by ? r->delivery->by : arena_printf(a, "source:%s", delivery->source);
	at.body = intake_body(en, delivery, r->delivery->body);
	json_t *decisions = intake_decide_all(en, &at);
	in->counters.deliveries++;
	in->counters.alerts += delivery->count;
	struct answering *w = mem_zero(sizeof *w);
	*w = (struct answering){en, json_pack("{s:o,s:I}", "decisions", decisions, "truncated", (json_int_t)delivery->truncated), r->done, r->arg};
	incidents_when_durable(en, answer, w);
	failpoint(INTAKE_DECIDED);
	incident_commit_soon(en);
}

/* What stands against taking anything now. */
static bool is_closed(struct engine *en, struct error *e)
{
	if (store_is_reserve_spent(en->store))
		return error_set(e, ERR_FULL, "the disk of this engine is full: what runs goes on, new alerts are not taken"), true;
	if (en->incidents->is_reset) return error_set(e, ERR_FULL, "the last delivery could not be stored: try again"), true;
	return en->is_ending && (error_set(e, ERR_CLOSED, "this engine is ending"), true);
}

/* What opens no incident is taken also then: alerts that are over make room. */
static bool is_too_much(struct engine *en, const struct alert_delivery *d, struct error *e)
{
	if (incidents_open(en) < INCIDENTS_OPEN_MAX || !intake_opens(en, d)) return false;
	return error_set(e, ERR_FULL, "%d incidents are open, the most that this engine has", INCIDENTS_OPEN_MAX), true;
}

static enum err prove(struct engine *en, const struct intake_delivery *d, const struct alert_source *s, bool *is_ours, struct error *e)
{
	struct alert_key keys[ALERTS_SECRETS_MAX];
	size_t count = 0;
	*is_ours = false;
	if (d->is_trusted) return ERR_OK;
	enum err err = intake_keys(en, s, keys, &count, e);
	*is_ours = err != ERR_OK; /* a fault of this engine, not of who sends */
	return err ? err : alert_authenticate(s, d->headers, d->header_count, keys, count, d->body, d->n, clock_now_us(), e);
}

void intake_receive(struct engine *en, const struct intake_delivery *d, intake_done *done, void *arg)
{
	struct refusing r = {en, d, done, arg};
	struct intake *in = intake_of(en);
	struct intake_counters *c = &in->counters;
	const struct alerts_file *f;
	struct error e, told = {ERR_DENIED, "the delivery is not proved to be its source's"};
	static const struct error not_now = {ERR_INVALID, "this engine cannot receive alerts now: its log says why"};
	bool is_ours;
	if (alerts_now(en, &f, &e)) {
		log_refused(in, d->source, e.text);
		refuse(&r, 503, &c->unavailable, &not_now);
		return;
	}
	const struct alert_source *s = alerts_source_find(f, d->source);
	if (!s) {
		error_set(&told, ERR_NOT_FOUND, "there is no source of that name in alerts.yaml");
		log_refused(in, d->source, told.text);
		refuse(&r, 404, &c->unknown_source, &told);
		return;
	}
	if (d->n > ALERT_BODY_BYTES_MAX) {
		error_set(&told, ERR_TOO_BIG, "a delivery has at most %d bytes", ALERT_BODY_BYTES_MAX);
		refuse(&r, 413, &c->too_big, &told);
		return;
	}
	if (prove(en, d, s, &is_ours, &e)) {
		log_refused(in, d->source, e.text);
		refuse(&r, is_ours ? 503 : 401, is_ours ? &c->unavailable : &c->forged, is_ours ? &not_now : &told);
		return;
	}
	if (is_closed(en, &e)) {
		refuse(&r, 503, &c->unavailable, &e);
		return;
	}
	struct arena *a = arena_new();
	struct alert_delivery delivery;
	enum err err = alert_read(a, s, d->body, d->n, &delivery, &e);
	if (err)
		refuse(&r, err == ERR_TOO_BIG ? 413 : 400, err == ERR_TOO_BIG ? &c->too_big : &c->malformed, &e);
	else if (is_too_much(en, &delivery, &e))
		refuse(&r, 503, &c->unavailable, &e);
	else
		take(&r, f, &delivery, a);
	arena_free(a);
}

void intake_free(struct engine *en)
{
	struct intake *in = en->intake;
	if (!in) return;
	intake_forget_bodies(en);
	for (size_t i = 0; i < in->key_count; i++) {
		free(in->keys[i].name);
		buf_wipe(&in->keys[i].value);
	}
	table_free(in->by_digest);
	table_free(in->by_reason);
	free(in);
	en->intake = NULL;
}
