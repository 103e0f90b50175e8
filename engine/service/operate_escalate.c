#include "base/json.h"
#include "base/text.h"
#include "service/client.h"
#include "service/escalation.h"
#include "service/operations.h"
#include "service/rights.h"

#include <string.h>

/* A person asks for another one. */

/* The incident, or that of the execution, whose id begins so: for those who may see the one, or read the other. NULL: the request is refused. */
static struct incident *find(struct request *q, const char **execution)
{
	const char *name = json_str(q->args, "id", "");
	char id[27];
	struct error e, of_execution;
	struct incident *inc = incident_lookup(q->engine, name, id, &e);
	if (inc && rights_see_incident(inc, q->client->principal, &e)) {
		request_fail(q, &e);
		return NULL;
	}
	if (inc) return inc;
	if (id[0]) {
		request_refuse(q, ERR_CONFLICT, "incident %s is over", id);
		return NULL;
	}
	struct execution *x = e.kind == ERR_NOT_FOUND ? engine_lookup(q->engine, name, id, &of_execution) : NULL;
	if (!x && id[0] && rights_read_stored(q->engine, id, q->client->principal, &e)) {
		request_fail(q, &e);
		return NULL;
	}
	if (!x && id[0]) {
		inc = incident_of_execution(q->engine, id);
		if (inc) return inc;
		request_refuse(q, ERR_CONFLICT, "execution %s is not under way in this engine, and has no incident: `rung resume %s` takes it up", id, id);
		return NULL;
	}
	if (!x) {
		request_refuse(q, e.kind == ERR_NOT_FOUND ? ERR_NOT_FOUND : e.kind,
		               e.kind == ERR_NOT_FOUND ? "there is no incident and no execution %.26s" : "%s", e.kind == ERR_NOT_FOUND ? name : e.text);
		return NULL;
	}
	if (rights_verb(x, q->client->principal, VERB_READ, &e)) {
		request_fail(q, &e);
		return NULL;
	}
	*execution = x->id;
	return incident_open_for_execution(x);
}

void op_escalate(struct request *q)
{
	const char *reason = json_str(q->args, "reason", ""), *to = json_str(q->args, "to", NULL), *execution = NULL;
	struct error e;
	if (!*reason) {
		request_refuse(q, ERR_USAGE, "who is woken wants to know why: escalate takes a reason");
		return;
	}
	struct incident *inc = find(q, &execution);
	if (!inc) return;
	if (escalation_raise_by_hand(inc, q->client->principal, execution, to, reason, &e)) {
		incident_commit(q->engine); /* it may be one that was opened for this */
		request_fail(q, &e);
		return;
	}
	request_answer_incident(q, json_pack("{s:s,s:o}", "incident", inc->id, "escalation", escalation_view(inc)));
}
