#include "service/escalation.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "escalate/ladder.h"
#include "service/escalation_state.h"
#include "service/oncall_file.h"

#include <stdlib.h>
#include <string.h>

/* Records of escalations: folded, and made from what flow/escalation.c decides. Sending is escalation_send.c's. */

enum { PLAN_DEPTH = 64 };

/* ---- the fold ---- */

/* Which event of the machine a record is, plus one; 0: none. */
static const int events[RECORD_KIND_N] = {
    [RECORD_ESCALATION_RAISED] = ESCALATION_RAISED + 1,
    [RECORD_LEVEL_REACHED] = ESCALATION_LEVEL_REACHED + 1,
    [RECORD_NOTIFICATION_STARTED] = ESCALATION_NOTIFIED + 1,
    [RECORD_NOTIFICATION_FINISHED] = ESCALATION_TOLD + 1,
    [RECORD_INCIDENT_ACKNOWLEDGED] = ESCALATION_WAS_ACKNOWLEDGED + 1,
    [RECORD_ESCALATION_POSTPONED] = ESCALATION_PUT_OFF + 1,
    [RECORD_ESCALATION_EXHAUSTED] = ESCALATION_WAS_EXHAUSTED + 1,
    [RECORD_INCIDENT_RESOLVED] = ESCALATION_WAS_RESOLVED + 1,
    [RECORD_LADDER_CHANGED] = ESCALATION_LADDER_CHANGED + 1,
    [RECORD_ESCALATION_RESUMED] = ESCALATION_TAKEN_UP + 1,
};

/* A number that does not fit is one that no state allows. */
static uint32_t number_of(const json_t *d, const char *key)
{
	json_int_t n = json_int(d, key, 0);
	return n >= 0 && n <= UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static enum err read_ladder(struct incident *inc, const char *blob, const struct escalation_ladder **out, struct error *e)
{
	size_t n;
	char *text = incident_read_blob(inc->engine, blob, &n);
	json_t *v = n ? json_parse(text, n, 16, e) : NULL;
	enum err err = v ? ladder_read(inc->arena, v, out, e) : error_set(e, ERR_INVALID, "the ladder of an escalation cannot be read back");
	json_decref(v);
	free(text);
	return err;
}

static enum err event_of(struct incident *inc, const struct record *r, struct escalation_event *ev, struct error *e)
{
	const json_t *d = r->data;
	const char *ladder = json_str(d, "ladder", NULL);
	*ev = (struct escalation_event){.kind = (enum escalation_event_kind)(events[r->kind] - 1), .t_us = r->t_us, .by = r->by ? r->by : "?"};
	ev->ahead_us = inc->is_emitting ? clock_steady_us() - r->t_us : 0;
	ev->hold_us = json_int(d, "hold_us", 0);
	ev->at = (struct escalation_place){
	    .climb = number_of(d, "climb"), .policy = number_of(d, "policy"), .round = number_of(d, "round"), .level = number_of(d, "level")};
	ev->person = number_of(d, "person");
	ev->channel = number_of(d, "channel");
	ev->attempt = number_of(d, "attempt");
	ev->number = number_of(d, "number");
	ev->link = number_of(d, "link");
	ev->alive_us = json_int(d, "alive_us", 0);
	if (r->kind == RECORD_ESCALATION_RAISED && !escalation_trigger_find(json_str(d, "trigger", NULL), &ev->trigger))
		return error_set(e, ERR_INVALID, "\"%.64s\" raises no escalation", json_str(d, "trigger", ""));
	if (r->kind == RECORD_NOTIFICATION_FINISHED && !escalation_result_find(json_str(d, "result", NULL), &ev->result))
		return error_set(e, ERR_INVALID, "\"%.64s\" becomes of no notification", json_str(d, "result", ""));
	return ladder ? read_ladder(inc, ladder, &ev->ladder, e) : ERR_OK;
}

static void keep_raise(struct incident *inc, const struct record *r, enum escalation_trigger trigger)
{
	struct incident_escalation *g = inc->escalating;
	struct arena *a = inc->arena;
	g->raises = arena_grow(a, g->raises, g->raise_count, &g->raise_capacity, sizeof *g->raises);
	g->raises[g->raise_count++] = (struct escalation_raise){.trigger = trigger,
	                                                        .execution = arena_strdup(a, json_str(r->data, "execution", NULL)),
	                                                        .step = arena_strdup(a, json_str(r->data, "step", NULL)),
	                                                        .reason_blob = arena_strdup(a, json_str(r->data, "reason", NULL)),
	                                                        .t_us = r->t_us};
	if (g->raise_count == 1) g->policy = arena_strdup(a, json_str(r->data, "policy", NULL));
}

static bool has_state(const struct incident *inc, unsigned bits)
{
	return inc->escalating && (bits & (1u << inc->escalating->state->state));
}

enum err escalation_fold(struct incident *inc, const struct record *r, struct error *e)
{
	bool is_of_incident = r->kind == RECORD_INCIDENT_ACKNOWLEDGED || r->kind == RECORD_INCIDENT_RESOLVED;
	bool is_over = !inc->escalating || has_state(inc, 1u << ESCALATION_NEW | 1u << ESCALATION_RESOLVED);
	struct escalation_event ev;
	if (!events[r->kind]) return ERR_OK;
	/* With nothing raised there is nothing to stop, and no link that anybody was sent. */
	if (is_of_incident && is_over) {
		bool has_link = json_int(r->data, "link", 0) != 0;
		return has_link ? error_set(e, ERR_CONFLICT, "this link is of something that is over") : ERR_OK;
	}
	if (!inc->escalating) {
		inc->escalating = arena_alloc(inc->arena, sizeof *inc->escalating);
		inc->escalating->state = escalation_new(inc->arena);
	}
	enum err err = event_of(inc, r, &ev, e);
	if (!err) err = escalation_apply(inc->escalating->state, &ev, e);
	if (err) return err;
	if (r->kind == RECORD_ESCALATION_RAISED) keep_raise(inc, r, ev.trigger);
	if (r->kind == RECORD_LADDER_CHANGED && json_str(r->data, "policy", NULL))
		inc->escalating->policy = arena_strdup(inc->arena, json_str(r->data, "policy", NULL));
	if (is_of_incident && inc->is_emitting) store_batch_timer(incident_batch(inc->engine), inc->id, NULL, "escalation", 0);
	if (json_str(r->data, "oncall", NULL)) snprintf(inc->escalating->oncall, DIGEST_HEX_BYTES, "%s", json_str(r->data, "oncall", ""));
	return ERR_OK;
}

void escalation_drop(struct incident *inc)
{
	if (inc->escalating) free(inc->escalating->root);
	inc->escalating = NULL;
}

const struct escalation *escalation_get(const struct incident *inc)
{
	return inc->escalating && inc->escalating->state->state != ESCALATION_NEW ? inc->escalating->state : NULL;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool escalation_was_raised(const struct incident *inc, enum escalation_trigger trigger, const char *execution, const char *step, int64_t since_us)
{
	const struct incident_escalation *g = inc->escalating;
	for (size_t i = 0; g && i < g->raise_count; i++) {
		const struct escalation_raise *r = &g->raises[i];
		if (r->trigger == trigger && r->t_us >= since_us && is_same(r->execution, execution) && is_same(r->step, step)) return true;
	}
	return false;
}

bool escalation_raise_seen(const struct incident *inc, size_t i, struct escalation_seen *out)
{
	const struct incident_escalation *g = inc->escalating;
	if (!g || i >= g->raise_count) return false;
	const struct escalation_raise *r = &g->raises[i];
	*out = (struct escalation_seen){.trigger = r->trigger, .execution = r->execution, .step = r->step, .t_us = r->t_us};
	return true;
}

/* ---- whom it notifies ---- */

static bool keep_plan(void *arg, const struct store_execution *row)
{
	snprintf(arg, DIGEST_HEX_BYTES, "%s", row->plan ? row->plan : "");
	return false;
}

/* The workspace of an execution that is over and not in memory: its plan says so. Allocated; NULL: that is not known. */
static char *stored_root(const struct engine *en, const char *execution)
{
	char plan[DIGEST_HEX_BYTES] = "";
	struct buf b;
	buf_init(&b, STORE_PLAN_BYTES_MAX);
	bool is_there = store_executions(en->reader, false, execution, NULL, 1, keep_plan, plan, NULL) == ERR_OK && *plan &&
	                store_plan(en->reader, plan, &b, NULL) == ERR_OK;
	json_t *v = is_there ? json_parse(b.data, b.len, PLAN_DEPTH, NULL) : NULL;
	const char *root = json_str(v, "governed_by", json_str(v, "workspace", NULL));
	char *out = root ? mem_strdup(root) : NULL;
	json_decref(v);
	buf_clear(&b);
	return out;
}

/* Of an execution of it, where the engine serves no workspace. */
const char *escalation_root(const struct incident *inc)
{
	if (inc->engine->root) return inc->engine->root;
	if (inc->escalating && inc->escalating->root) return inc->escalating->root;
	for (size_t i = inc->flow->execution_count; i-- > 0;) {
		const struct execution *x = engine_find(inc->engine, inc->flow->executions[i].id);
		if (x && x->policy_root) return x->policy_root;
	}
	struct incident_escalation *g = inc->escalating;
	for (size_t i = inc->flow->execution_count; g && !g->root && i-- > 0;) g->root = stored_root(inc->engine, inc->flow->executions[i].id);
	return g ? g->root : NULL;
}

/* Whom a book names for the case that it does not help. */
static const char *named_by_book(const struct engine *en, const char *execution)
{
	const struct execution *x = execution ? engine_find((struct engine *)en, execution) : NULL;
	for (size_t i = 0; x && i < x->book->meta_count; i++)
		if (strcmp(x->book->meta[i].key, "escalation_poc") == 0) return x->book->meta[i].value;
	return NULL;
}

/* The binding's, else the book's, where oncall.yaml has a policy of that name; NULL: the workspace's default. */
static const char *policy_of(const struct incident *inc, const struct oncall *o, const char *execution)
{
	const char *names[] = {inc->escalation, named_by_book(inc->engine, execution)};
	for (size_t i = 0; i < 2; i++)
		if (oncall_policy(o, names[i])) return oncall_policy(o, names[i])->name;
	return NULL;
}

/* ---- what is done ---- */

static bool emit(struct incident *inc, enum record_kind kind, const char *by, json_t *d)
{
	struct error e;
	failpoint(ESCALATION_EMIT);
	if (incident_emit(inc, (struct incident_emit){.kind = kind, .by = by, .data = d}, &e) == ERR_OK) return true;
	log_line(LOG_ERROR, "incident %s: %s cannot be recorded: %s", inc->id, record_kind_name(kind), e.text);
	return false;
}

/* The intent is durable. */
static void send_now(struct incident *inc, json_t *data)
{
	failpoint(ESCALATION_SEND);
	escalation_send(inc, number_of(data, "number"), json_str(data, "name", ""), number_of(data, "channel"));
	incident_commit(inc->engine);
}

static bool notify(struct incident *inc, const struct escalation_command *c)
{
	json_t *d = json_pack("{s:I,s:I,s:I,s:I,s:s}", "number", (json_int_t)c->number, "person", (json_int_t)c->person, "channel", (json_int_t)c->channel,
	                      "attempt", (json_int_t)c->attempt, "name", c->name);
	const struct oncall *o = oncall_now(engine_oncall(inc->engine, escalation_root(inc)), NULL);
	const struct oncall_person *p = oncall_person(o, c->name);
	json_t *data = json_pack("{s:I,s:s,s:I}", "number", (json_int_t)c->number, "name", c->name, "channel", (json_int_t)c->channel);
	if (p && c->channel < p->count) json_object_set_new(d, "kind", json_string(oncall_channel_word(p->channels[c->channel].kind)));
	bool ok = emit(inc, RECORD_NOTIFICATION_STARTED, NULL, d);
	if (ok)
		incident_later(inc, send_now, data);
	else
		json_decref(data);
	return ok;
}

static bool exhaust(struct incident *inc, const struct escalation_command *c)
{
	log_line(LOG_ERROR, "incident %s (%.100s): every level was reached and nobody has acknowledged%s", inc->id, inc->title,
	         c->was_reached ? "" : "; no message is known to have arrived");
	return emit(inc, RECORD_ESCALATION_EXHAUSTED, NULL, json_pack("{s:b}", "reached", c->was_reached));
}

static bool do_command(struct incident *inc, const struct escalation_command *c)
{
	switch (c->kind) {
	case ESCALATION_DO_REACH:
		return emit(inc, RECORD_LEVEL_REACHED, NULL,
		            json_pack("{s:I,s:I,s:I,s:I}", "climb", (json_int_t)c->at.climb, "policy", (json_int_t)c->at.policy, "round",
		                      (json_int_t)c->at.round, "level", (json_int_t)c->at.level));
	case ESCALATION_DO_NOTIFY:
		return notify(inc, c);
	case ESCALATION_DO_LOSE:
		return emit(inc, RECORD_NOTIFICATION_FINISHED, NULL,
		            json_pack("{s:I,s:s,s:s?}", "number", (json_int_t)c->number, "result", escalation_result_name(NOTIFICATION_UNKNOWN), "error",
		                      incident_blob_text(inc, "nobody said in time what became of it")));
	case ESCALATION_DO_EXHAUST:
		return exhaust(inc, c);
	case ESCALATION_DO_WAKE:
		return false;
	}
	return false;
}

/* The moment at which it wants to be asked again, on the wall clock, for whoever looks into the store; 0: none. After a restart the engine goes by the records.
 */
static void write_timer(struct incident *inc, int64_t at_us)
{
	int64_t due_us = at_us ? clock_now_us() + at_us - clock_steady_us() : 0;
	store_batch_timer(incident_batch(inc->engine), inc->id, NULL, "escalation", due_us);
}

/* has_moved: something was recorded just now that may have changed when it wants to be asked. */
static void advance(struct incident *inc, bool has_moved)
{
	struct incident_escalation *g = inc->escalating;
	struct escalation_command commands[ESCALATION_COMMANDS_MAX];
	int64_t wake_us = 0;
	if (!g || g->is_advancing) return;
	g->is_advancing = true;
	/* Bounded: each round answers what the last one asked for, and a ladder ends. */
	for (bool again = true; again;) {
		again = false;
		size_t n = escalation_decide(g->state, clock_steady_us(), commands);
		for (size_t i = 0; i < n; i++) again = do_command(inc, &commands[i]) || again;
		wake_us = n && commands[n - 1].kind == ESCALATION_DO_WAKE ? commands[n - 1].at_us : 0;
		has_moved = has_moved || again;
	}
	incident_wake(inc, wake_us);
	if (has_moved) write_timer(inc, wake_us);
	g->is_advancing = false;
}

void escalation_advance(struct incident *inc)
{
	advance(inc, false);
}

void escalation_tell(struct incident *inc, uint32_t number, enum escalation_result result, const char *why)
{
	if (!inc->escalating) return;
	failpoint(ESCALATION_TOLD);
	emit(inc, RECORD_NOTIFICATION_FINISHED, NULL,
	     json_pack("{s:I,s:s,s:s?}", "number", (json_int_t)number, "result", escalation_result_name(result), "error", incident_blob_text(inc, why)));
	escalation_advance(inc);
}

void escalation_woken(struct incident *inc)
{
	failpoint(ESCALATION_TIMER);
	escalation_advance(inc);
}

/* ---- what raises it ---- */

static const char *ladder_blob(struct incident *inc, const struct escalation_ladder *l)
{
	json_t *v = ladder_json(l);
	const char *name = incident_blob_json(inc, v);
	json_decref(v);
	return name;
}

/* The first one says whom it climbs. */
static void add_ladder(struct incident *inc, const struct oncall *o, const char *policy, json_t *d)
{
	struct arena *a = arena_new();
	json_object_set_new(d, "ladder", json_string(ladder_blob(inc, oncall_ladder(a, o, policy))));
	json_object_set_new(d, "oncall", json_string(o->digest));
	const char *name = policy ? policy : o->otherwise ? o->otherwise->name : NULL;
	if (name) json_object_set_new(d, "policy", json_string(name));
	arena_free(a);
}

static bool raise_it(struct incident *inc, enum escalation_trigger trigger, const char *by, const char *execution, const char *step, const char *policy,
                     const char *reason)
{
	struct error e;
	const struct oncall *o = oncall_now(engine_oncall(inc->engine, escalation_root(inc)), &e);
	if (e.kind) log_line(LOG_ERROR, "incident %s: %s", inc->id, e.text);
	int64_t hold_us = oncall_hold_us(o, policy, clock_now_us());
	json_t *d = json_pack("{s:s,s:s*,s:s*,s:s?}", "trigger", escalation_trigger_row(trigger)->name, "execution", execution, "step", step, "reason",
	                      incident_blob_text(inc, reason));
	if (hold_us > 0 && escalation_trigger_row(trigger)->is_held_by_maintenance) json_object_set_new(d, "hold_us", json_integer((json_int_t)hold_us));
	if (!escalation_get(inc)) add_ladder(inc, o, policy, d);
	if (!emit(inc, RECORD_ESCALATION_RAISED, by, d)) return false;
	if (!inc->engine->root && !inc->escalating->root && escalation_root(inc)) inc->escalating->root = mem_strdup(escalation_root(inc));
	return true;
}

void escalation_raise(struct incident *inc, enum escalation_trigger trigger, const char *execution, const char *step, const char *reason)
{
	if (inc->flow->state == INCIDENT_RESOLVED) return;
	const struct oncall *o = oncall_now(engine_oncall(inc->engine, escalation_root(inc)), NULL);
	if (raise_it(inc, trigger, NULL, execution, step, policy_of(inc, o, execution), reason)) advance(inc, true);
}

/* From here on another policy is climbed. */
static enum err turn(struct incident *inc, const struct oncall *o, const char *by, const char *to, struct error *e)
{
	struct arena *a = arena_new();
	const struct escalation_ladder *l = NULL;
	const struct escalation *x = inc->escalating->state;
	enum err err = ladder_turn(a, x->ladder, x->at, oncall_ladder(a, o, to), &l, e);
	if (!err) {
		json_t *d = json_pack("{s:s,s:s,s:s}", "ladder", ladder_blob(inc, l), "oncall", o->digest, "policy", to);
		err = incident_emit(inc, (struct incident_emit){.kind = RECORD_LADDER_CHANGED, .by = by, .data = d}, e);
	}
	arena_free(a);
	return err;
}

enum err escalation_raise_by_hand(struct incident *inc, const char *by, const char *execution, const char *to, const char *reason, struct error *e)
{
	struct error why;
	const struct oncall *o = oncall_now(engine_oncall(inc->engine, escalation_root(inc)), &why);
	bool is_first = !escalation_get(inc);
	if (inc->flow->state == INCIDENT_RESOLVED) return error_set(e, ERR_CONFLICT, "the incident is resolved");
	if (to && why.kind) return *e = why, why.kind;
	if (to && !oncall_policy(o, to))
		return error_set(e, ERR_NOT_FOUND, "there is no policy \"%.64s\" in .rung/oncall.yaml (`rung oncall` shows which there are)", to);
	/* Where it begins anew it turns behind that, else before: what comes next is the other policy's first level. */
	bool begins_anew = has_state(inc, 1u << ESCALATION_ACKNOWLEDGED | 1u << ESCALATION_EXHAUSTED | 1u << ESCALATION_HELD);
	enum err err = to && !is_first && !begins_anew ? turn(inc, o, by, to, e) : ERR_OK;
	if (err) return err;
	if (!raise_it(inc, RAISED_BY_HAND, by, execution, NULL, to ? to : policy_of(inc, o, execution), reason))
		return error_set(e, ERR_CONFLICT, "this incident cannot be escalated now");
	if (to && begins_anew) err = turn(inc, o, by, to, e);
	advance(inc, true);
	return err;
}

/* To the end of maintenance, too, where that is what would hold all that was raised: who asks to be left alone is called no sooner for it. */
static int64_t with_maintenance(const struct incident *inc, int64_t hold_us)
{
	const struct incident_escalation *g = inc->escalating;
	const struct oncall *o = oncall_now(engine_oncall(inc->engine, escalation_root(inc)), NULL);
	for (int t = 0; t < RAISED_BY_N; t++)
		if (g->state->triggers >> t & 1 && !escalation_trigger_row((enum escalation_trigger)t)->is_held_by_maintenance) return hold_us;
	hold_us += oncall_hold_us(o, g->policy, clock_now_us() + hold_us);
	return hold_us < ESCALATION_HOLD_MAX_US ? hold_us : ESCALATION_HOLD_MAX_US;
}

enum err escalation_put_off(struct incident *inc, const char *by, int64_t *hold_us, const char *reason, struct error *e)
{
	if (!escalation_get(inc)) return error_set(e, ERR_CONFLICT, "incident %s is not escalated: there is nothing to put off", inc->id);
	*hold_us = with_maintenance(inc, *hold_us);
	json_t *d = json_pack("{s:I,s:s*}", "hold_us", (json_int_t)*hold_us, "reason", incident_blob_text(inc, reason));
	enum err err = incident_emit(inc, (struct incident_emit){.kind = RECORD_ESCALATION_POSTPONED, .by = by, .data = d}, e);
	if (!err) advance(inc, true);
	return err;
}

/* ---- a changed file, another engine ---- */

/* What is no other ladder for this one is not recorded. */
static void follow_file(struct incident *inc, const struct oncall *o)
{
	struct incident_escalation *g = inc->escalating;
	struct arena *a = arena_new();
	struct error e;
	const struct escalation_ladder *l = oncall_ladder(a, o, g->policy);
	json_t *was = ladder_json(g->state->ladder), *is = ladder_json(l);
	snprintf(g->oncall, sizeof g->oncall, "%s", o->digest);
	if (!json_equal(was, is)) {
		json_t *d = json_pack("{s:s,s:s}", "ladder", ladder_blob(inc, l), "oncall", o->digest);
		if (incident_emit(inc, (struct incident_emit){.kind = RECORD_LADDER_CHANGED, .data = d}, &e))
			log_line(LOG_WARN, "incident %s: oncall.yaml was written anew: %s", inc->id, e.text);
		else
			escalation_advance(inc);
	}
	json_decref(was);
	json_decref(is);
	arena_free(a);
}

void escalations_tick(struct engine *en)
{
	size_t at = 0;
	struct incident *inc;
	while ((inc = incident_next(en, &at)) != NULL) {
		struct error e;
		if (!has_state(inc, 1u << ESCALATION_HELD | 1u << ESCALATION_CLIMBING)) continue;
		const struct oncall *o = oncall_now(engine_oncall(en, escalation_root(inc)), &e);
		if (!e.kind && strcmp(o->digest, inc->escalating->oncall) != 0) follow_file(inc, o);
	}
	incident_commit(en);
}

bool escalations_are_busy(struct engine *en)
{
	size_t at = 0;
	struct incident *inc;
	while ((inc = incident_next(en, &at)) != NULL)
		if (has_state(inc, 1u << ESCALATION_HELD | 1u << ESCALATION_CLIMBING)) return true;
	return false;
}

void escalation_take_up(struct incident *inc)
{
	if (!has_state(inc, 1u << ESCALATION_HELD | 1u << ESCALATION_CLIMBING)) return;
	/* Read back in the middle of this engine's time it was not interrupted. */
	int64_t alive_us = inc->engine->alive_us ? inc->engine->alive_us : clock_now_us();
	failpoint(ESCALATION_TAKE_UP);
	emit(inc, RECORD_ESCALATION_RESUMED, NULL, json_pack("{s:I}", "alive_us", (json_int_t)alive_us));
	escalation_advance(inc);
}

/* ---- for views ---- */

json_t *escalation_view(const struct incident *inc)
{
	const struct escalation *x = escalation_get(inc);
	if (!x) return NULL;
	const struct escalation_raise *r = &inc->escalating->raises[inc->escalating->raise_count - 1];
	const char *policy = x->at.policy < x->ladder->count ? x->ladder->policies[x->at.policy].name : NULL;
	json_t *people = json_array();
	static const char *const reach[REACH_N] = {"due", "under_way", "delivered", "nowhere"};
	for (size_t i = 0; i < x->recipient_count; i++)
		json_array_append_new(people, json_pack("{s:s,s:s,s:b}", "person", x->recipients[i].name, "reach", reach[x->recipients[i].reach], "perhaps",
		                                        x->recipients[i].is_perhaps_delivered));
	json_t *v = json_pack("{s:s,s:s,s:I,s:I,s:I,s:o,s:b,s:s?}", "state", escalation_state_name(x->state), "trigger",
	                      escalation_trigger_row(r->trigger)->name, "level", (json_int_t)x->at.level, "round", (json_int_t)x->at.round, "notifications",
	                      (json_int_t)x->sent, "people", people, "reached", x->was_reached, "policy", policy);
	if (x->timer.due_us) json_object_set_new(v, "waits_us", json_integer((json_int_t)(x->timer.due_us - clock_steady_us())));
	return v;
}

bool escalation_concerns(const struct incident *inc, const char *who)
{
	const struct escalation *x = escalation_get(inc);
	return x && strncmp(who, "user:", 5) == 0 && escalation_has_called(x, who + 5);
}
