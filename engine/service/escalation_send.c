#include "base/clock.h"
#include "base/log.h"
#include "escalate/ack_link.h"
#include "service/channel.h"
#include "service/config.h"
#include "service/escalation_state.h"
#include "service/oncall_file.h"

#include <stdlib.h>
#include <string.h>

/* One notification: what it says, and its way to the channel and back. */

struct under_way {
	struct engine *engine;
	char incident[INCIDENT_ID_BYTES];
	uint32_t number;
};

static void told(void *arg, enum escalation_result result, const char *why)
{
	struct under_way *w = arg;
	struct incident *inc = incident_find(w->engine, w->incident);
	uint32_t number = w->number;
	free(w);
	if (!inc || result == NOTIFICATION_RESULT_N) return;
	escalation_tell(inc, number, result, why);
	incident_commit(inc->engine);
}

/* ---- what it says ---- */

/* What the notice borrows. */
struct said {
	struct arena *arena;
	struct notice notice;
};

static bool keep_book(void *arg, const struct store_execution *row)
{
	struct said *s = arg;
	s->notice.book = arena_strdup(s->arena, row->book);
	return false;
}

static void say_execution(struct said *s, struct engine *en, const char *execution)
{
	const struct execution *x = engine_find(en, execution);
	s->notice.execution = execution;
	if (x)
		s->notice.book = x->book_name;
	else
		store_executions(en->reader, false, execution, NULL, 1, keep_book, s, NULL);
}

/* Of the alert that opened it: where it is, as Prometheus' and its exporters' labels have it. */
static void say_alert(struct said *s, const struct incident *inc)
{
	static const char *const names[] = {"host", "hostname", "node", "instance"};
	size_t n;
	if (!inc->kept_count || !inc->kept[0].blob) return;
	char *text = incident_read_blob(inc->engine, inc->kept[0].blob, &n);
	json_t *alert = n ? json_parse(text, n, 16, NULL) : NULL;
	const json_t *labels = json_obj(alert, "labels");
	for (size_t i = 0; i < sizeof names / sizeof *names && !s->notice.host; i++) s->notice.host = arena_strdup(s->arena, json_str(labels, names[i], NULL));
	json_decref(alert);
	free(text);
}

static const char *link_of(struct said *s, const struct incident *inc, const struct oncall *o, uint32_t number, const char *person)
{
	const struct engine *en = inc->engine;
	struct ack_link l = {.number = number, .expires_s = (clock_now_us() + o->link_us) / 1000000};
	struct buf token;
	if (!en->config->http_public) return NULL;
	snprintf(l.escalation, sizeof l.escalation, "%s", inc->id);
	snprintf(l.person, sizeof l.person, "%s", person);
	buf_init(&token, ACK_LINK_BYTES_MAX + 1);
	const char *link = ack_link_make(en->ack_secret, &l, &token) ? arena_printf(s->arena, "%s/a/%s", en->config->http_public, token.data) : NULL;
	buf_wipe(&token);
	return link;
}

static void say(struct said *s, const struct incident *inc, const struct oncall *o, uint32_t number, const char *person)
{
	const struct incident_escalation *g = inc->escalating;
	const struct escalation *x = g->state;
	const struct escalation_raise *r = &g->raises[g->raise_count - 1];
	const struct escalation_trigger_row *row = escalation_trigger_row(r->trigger);
	struct notice *n = &s->notice;
	*n = (struct notice){.kind = NOTICE_ESCALATION,
	                     .incident = inc->id,
	                     .number = number,
	                     .person = person,
	                     .title = inc->title,
	                     .trigger = row->name,
	                     .means = row->means,
	                     .step = r->step,
	                     .level = x->at.level,
	                     .round = x->at.round,
	                     .since_us = inc->flow->opened_us,
	                     .sent_us = clock_now_us(),
	                     .workspace_host = inc->engine->host};
	if (x->at.policy < x->ladder->count) n->policy = x->ladder->policies[x->at.policy].name;
	if (inc->flow->priority) n->priority = arena_printf(s->arena, "P%d", inc->flow->priority);
	if (r->execution) say_execution(s, inc->engine, r->execution);
	char *reason = r->reason_blob ? incident_read_blob(inc->engine, r->reason_blob, NULL) : NULL;
	n->reason = arena_strdup(s->arena, reason);
	free(reason);
	say_alert(s, inc);
	n->link = link_of(s, inc, o, number, person);
}

/* ---- its way ---- */

void escalation_send(struct incident *inc, uint32_t number, const char *person, uint32_t channel)
{
	struct engine *en = inc->engine;
	const char *root = escalation_root(inc);
	struct error e;
	if (!inc->escalating) return;
	if (!escalation_is_wanted(inc->escalating->state, number)) {
		escalation_tell(inc, number, NOTIFICATION_FAILED, "it was not sent: nobody had to be notified any more");
		return;
	}
	const struct oncall *o = oncall_now(engine_oncall(en, root), NULL);
	const struct oncall_person *p = oncall_person(o, person);
	if (!p || channel >= p->count) {
		escalation_tell(inc, number, NOTIFICATION_FAILED, "oncall.yaml does not have this person, or this channel, any more");
		return;
	}
	struct under_way *w = mem_zero(sizeof *w);
	struct said s = {.arena = arena_new()};
	*w = (struct under_way){.engine = en, .number = number};
	memcpy(w->incident, inc->id, sizeof w->incident);
	say(&s, inc, o, number, person);
	if (channel_send(en, root, o, &p->channels[channel], &s.notice, told, w, &e)) {
		free(w);
		escalation_tell(inc, number, NOTIFICATION_FAILED, e.text);
	}
	arena_free(s.arena);
}
