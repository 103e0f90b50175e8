#include "service/intake_start.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "service/escalation.h"
#include "service/inventory.h"

#include <stdlib.h>
#include <string.h>

json_t *intake_decision(const char *execution, const char *book, const char *as, json_t *parameters, json_t *alert)
{
	return json_pack("{s:s,s:s,s:s,s:o,s:o}", "execution", execution, "book", book, "as", as, "parameters", parameters, "alert", alert);
}

/* It is over before it began. The words are for people: they may hold what an alert said. */
static void refuse(struct incident *inc, const char *execution, const struct error *e)
{
	const char *state = e->kind == ERR_DENIED ? "denied" : "invalid";
	log_line(LOG_WARN, "incident %s: execution %s does not begin (%s)", inc->id, execution, state);
	failpoint(INTAKE_REFUSED);
	json_t *d = json_pack("{s:s,s:s,s:s*}", "execution", execution, "state", state, "reason", incident_blob_text(inc, e->text));
	if (incident_emit(inc, (struct incident_emit){.kind = RECORD_EXECUTION_ENDED, .data = d}, NULL) == ERR_OK)
		escalation_raise(inc, RAISED_BY_DENIED, execution, NULL, e->text);
	incident_commit(inc->engine);
}

/* One that waits for the command of the inventory. */
struct awaiting {
	struct engine *engine;
	char incident[INCIDENT_ID_BYTES];
	json_t *decision;
};

static void told(void *arg, const struct inventory *inv, const struct error *e)
{
	struct awaiting *w = arg;
	struct incident *inc = inv || e ? incident_find(w->engine, w->incident) : NULL;
	if (inc && inv) intake_start(inc, w->decision);
	if (inc && e) refuse(inc, json_str(w->decision, "execution", ""), e);
	json_decref(w->decision);
	free(w);
}

static void await(struct incident *inc, struct inventory_at *at, json_t *decision)
{
	struct awaiting *w = mem_zero(sizeof *w);
	*w = (struct awaiting){.engine = inc->engine, .decision = json_incref(decision)};
	memcpy(w->incident, inc->id, sizeof w->incident);
	inventory_ask(at, told, w);
}

/* Is it still to be started? Not where it is there already, or somebody has ended it meanwhile; and by the next engine, where this one is ending. */
static bool is_wanted(const struct incident *inc, const char *execution)
{
	if (inc->engine->is_ending) return false;
	const struct incident_execution *run = incident_execution_find(inc->flow, execution);
	return run && !run->ended_us && !engine_find(inc->engine, execution);
}

void intake_start(struct incident *inc, json_t *decision)
{
	struct engine *en = inc->engine;
	const char *execution = json_str(decision, "execution", "");
	struct execution *x;
	struct error e;
	struct inventory_at *awaited = NULL;
	if (!is_wanted(inc, execution)) return;
	failpoint(INTAKE_START);
	char *book = mem_printf("%s/%s", en->root ? en->root : "", json_str(decision, "book", "")),
	     *driver = mem_printf("service:%s", json_str(decision, "as", "?"));
	struct execution_wish w = {.id = execution,
	                           .incident = inc->id,
	                           .alert = json_object_get(decision, "alert"),
	                           .trigger = "alert",
	                           .book = book,
	                           .params = json_object_get(decision, "parameters"),
	                           .mode = FLOW_AUTO,
	                           .driver = driver,
	                           .is_start = true,
	                           .awaited = &awaited};
	enum err err = execution_new(en, &w, &x, &e);
	if (err && awaited)
		await(inc, awaited, decision);
	else if (err)
		refuse(inc, execution, &e);
	else {
		engine_add(en, x);
		failpoint(INTAKE_STARTED);
		execution_step_on(x);
	}
	free(book);
	free(driver);
}

/* ---- from the record ---- */

struct looking {
	struct engine *engine;
	const char *execution;
	json_t *decision;
};

static json_t *read_json(struct engine *en, const char *name)
{
	size_t n;
	char *text = incident_read_blob(en, name, &n);
	json_t *v = n ? json_loadb(text, n, JSON_ALLOW_NUL, NULL) : NULL;
	free(text);
	return v ? v : json_object();
}

static bool look(void *arg, uint64_t seq, const char *line, size_t n)
{
	struct looking *l = arg;
	struct record r;
	json_t *hold = NULL;
	(void)seq;
	if (record_decode(line, n, &r, &hold, NULL) == ERR_OK && r.kind == RECORD_ALERT_RECEIVED &&
	    strcmp(json_str(r.data, "execution", ""), l->execution) == 0)
		l->decision =
		    intake_decision(l->execution, json_str(r.data, "book", ""), json_str(r.data, "as", ""),
		                    read_json(l->engine, json_str(r.data, "parameters", NULL)), read_json(l->engine, json_str(r.data, "alert", NULL)));
	json_decref(hold);
	return !l->decision;
}

void intake_start_again(struct incident *inc, const char *execution)
{
	struct looking l = {.engine = inc->engine, .execution = execution};
	struct error e;
	failpoint(INTAKE_START_AGAIN);
	enum err err = store_records(inc->engine->reader, inc->id, 0, 0, look, &l, &e);
	if (!err && !l.decision) err = error_set(&e, ERR_INVALID, "no alert of the incident has started it");
	if (err)
		refuse(inc, execution, &e);
	else
		intake_start(inc, l.decision);
	json_decref(l.decision);
}
