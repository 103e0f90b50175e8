#include "service/client.h"
#include "service/intake.h"
#include "service/operations.h"

#include <stdlib.h>
#include <string.h>

/* Alerts by the engine's socket: for senders on this host, and for people who try a binding out. */

enum { HEADERS_MAX = 64 };

struct asking {
	struct engine *engine;
	uint64_t client;
	json_int_t id;
};

static enum err kind_of(int status)
{
	static const struct {
		int status;
		enum err kind;
	} kinds[] = {{400, ERR_INVALID}, {401, ERR_DENIED}, {404, ERR_NOT_FOUND}, {413, ERR_TOO_BIG}};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (kinds[i].status == status) return kinds[i].kind;
	return ERR_FULL;
}

static void done(void *arg, const struct intake_answer *a)
{
	struct asking *w = arg;
	struct client *c = engine_client(w->engine, w->client);
	struct request q = {.client = c, .engine = w->engine, .id = w->id};
	if (c && a->e)
		request_refuse(&q, kind_of(a->status), "%s", a->e->text);
	else if (c)
		request_answer(&q, json_incref((json_t *)(uintptr_t)a->body), NULL, 0);
	free(w);
}

/* The engine's own user, at its socket, could read the source's secret, and write the journal: to ask for proof would keep nobody out. Others prove that they
 * are the source, and so does who has a token for that user. */
void op_alerts_receive(struct request *q)
{
	struct alert_header headers[HEADERS_MAX];
	size_t count = 0;
	const char *name;
	json_t *v;
	json_object_foreach(json_obj(q->args, "headers"), name, v) if (json_is_string(v) && count < HEADERS_MAX) headers[count++] =
	    (struct alert_header){name, json_string_value(v)};
	struct asking *w = mem_zero(sizeof *w);
	*w = (struct asking){q->engine, q->client->id, q->id};
	struct intake_delivery d = {.source = json_str(q->args, "source", ""),
	                            .headers = headers,
	                            .header_count = count,
	                            .body = q->payload ? q->payload : "",
	                            .n = q->payload_len,
	                            .by = q->client->principal,
	                            .is_trusted = count == 0 && q->client->link && strcmp(q->client->account, q->engine->principal) == 0};
	intake_receive(q->engine, &d, done, w);
}
