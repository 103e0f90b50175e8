#include "service/child.h"
#include "service/operations.h"
#include "service/rights.h"

#include <string.h>

/* Operations on who may do what: a look before the start, handing over, taking a right for a time and looking at it afterwards. */

struct execution_wish wish_of(const struct request *q)
{
	return (struct execution_wish){
	    .book = json_str(q->args, "book", NULL),
	    .params = json_obj(q->args, "params"),
	    .mode = strcmp(json_str(q->args, "mode", "guided"), "auto") == 0 ? FLOW_AUTO : FLOW_GUIDED,
	    .allow = json_arr(q->args, "allow"),
	    .is_all_declared = json_bool(q->args, "declared", false),
	    .driver = q->client->principal,
	    .elevation = json_str(q->args, "elevate", NULL),
	    .reason = json_str(q->args, "reason", NULL),
	};
}

void op_rights(struct request *q)
{
	struct execution *x;
	struct error e;
	const struct policy *p = NULL;
	struct execution_wish w = wish_of(q);
	struct inventory_at *awaited = NULL;
	w.awaited = &awaited;
	if (!w.book) {
		request_refuse(q, ERR_USAGE, "rights needs a book: its absolute path");
		return;
	}
	if (execution_prepare(q->engine, &w, &x, &e)) {
		if (awaited)
			request_await_inventory(q, awaited, op_rights);
		else
			request_fail(q, &e);
		return;
	}
	bool is_governed = rights_policy(x, &p, NULL) != ERR_OK || p;
	request_answer(q, json_pack("{s:b,s:o}", "policy", is_governed, "missing", rights_missing(x)), NULL, 0);
	execution_free(x);
}

static enum err change_driver(struct request *q, const char *to, const char *why, struct error *e)
{
	struct execution *x = q->x;
	json_t *d =
	    json_pack("{s:s,s:s,s:s,s:s?}", "to", to, "from", x->driver, "why", why, "reason", execution_blob_text(x, json_str(q->args, "reason", NULL)));
	enum err err = execution_emit(x, (struct emit){.kind = RECORD_DRIVER_CHANGED, .step = SIZE_MAX, .by = q->client->principal, .data = d}, e);
	if (!err) children_hand_over(x, to, q->client->principal);
	return err;
}

enum err operate_take_over(struct request *q, struct error *e)
{
	if (strcmp(q->client->principal, q->x->driver) == 0) return ERR_OK;
	return change_driver(q, q->client->principal, "resumed", e);
}

void op_handover(struct request *q)
{
	struct error e;
	const char *to = json_str(q->args, "to", "");
	if (strncmp(to, "user:", 5) != 0 || !policy_is_name(to + 5))
		request_refuse(q, ERR_USAGE, "an execution is handed over to a person: user:NAME, as policies name them");
	else if (strcmp(to, q->x->driver) == 0)
		request_refuse(q, ERR_CONFLICT, "%s drives it already", to);
	else if (rights_verb(q->x, to, VERB_RUN, &e) || change_driver(q, to, "handover", &e))
		request_fail(q, &e);
	else
		request_answer_durable(q, json_pack("{s:s}", "driver", to));
}

void op_elevate(struct request *q)
{
	struct error e;
	if (rights_elevate(q->x, json_str(q->args, "elevation", ""), q->client->principal, json_str(q->args, "reason", ""), &e))
		request_fail(q, &e);
	else
		request_answer_durable(q, json_pack("{s:I}", "until_us", (json_int_t)q->x->elevations[q->x->elevation_count - 1].until.us));
}

/* ---- afterwards ---- */

static void leave(struct execution *x, json_t *data)
{
	(void)data;
	engine_remove(x->engine, x);
}

static enum err review(struct request *q, struct error *e)
{
	struct execution *x = q->x;
	const char *reason = json_str(q->args, "reason", "");
	must(x != NULL);
	if (strncmp(q->client->principal, "user:", 5) != 0)
		return error_set(e, ERR_DENIED, "%s is no person: people review what was done", q->client->principal);
	if (x->is_loaded_for_reading && !x->flow->is_finished)
		return error_set(e, ERR_CONFLICT, "execution %s was left open when its engine ended: it is reviewed once somebody has resumed it", x->id);
	if (!x->elevation_count) return error_set(e, ERR_CONFLICT, "nobody took a right for a time in execution %s", x->id);
	if (rights_has_driven(x, q->client->principal))
		return error_set(e, ERR_DENIED, "%s drove this execution: another person reviews it", q->client->principal);
	if (!*reason) return error_set(e, ERR_USAGE, "a review says what was found");
	json_t *d = json_pack("{s:s?}", "reason", execution_blob_text(x, reason));
	return execution_emit(x, (struct emit){.kind = RECORD_ELEVATION_REVIEWED, .step = SIZE_MAX, .by = q->client->principal, .data = d}, e);
}

/* Of an execution that is over, mostly: it is read back for the one record. */
void op_review(struct request *q)
{
	struct error e;
	bool is_stored = !q->x;
	if (is_stored && execution_load(q->engine, q->engine->reader, q->execution, &q->x, &e)) {
		request_fail(q, &e);
		return;
	}
	if (review(q, &e)) {
		request_fail(q, &e);
		if (is_stored) execution_free(q->x);
		return;
	}
	if (is_stored) {
		engine_add(q->engine, q->x);
		execution_later(q->x, leave, NULL);
	}
	request_answer_durable(q, NULL);
}
