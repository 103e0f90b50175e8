#include "base/json.h"
#include "service/client.h"
#include "service/inventory.h"
#include "service/operations.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>

/* Requests that need the inventory, and the one that asks for it. */

enum { HOSTS_IN_PAGE = 1000, FOLDER_BYTES_MAX = 4096 };

/* A request that waits for the inventory's command. */
struct awaiting {
	struct engine *engine;
	uint64_t client;
	json_int_t id;
	json_t *args;
	void (*op)(struct request *q);
};

static void told(void *arg, const struct inventory *inv, const struct error *e)
{
	struct awaiting *w = arg;
	struct client *c = inv || e ? engine_client(w->engine, w->client) : NULL;
	struct request q = {.client = c, .engine = w->engine, .id = w->id, .args = w->args, .reader = w->engine->reader};
	if (c) client_identify(c);
	if (c && inv)
		w->op(&q);
	else if (c)
		request_fail(&q, e);
	json_decref(w->args);
	free(w);
}

void request_await_inventory(struct request *q, struct inventory_at *at, void (*op)(struct request *q))
{
	struct awaiting *w = mem_zero(sizeof *w);
	*w = (struct awaiting){q->engine, q->client->id, q->id, json_deep_copy(q->args), op};
	client_say_new(q->client,
	               json_pack("{s:s,s:I,s:s,s:I}", "ev", "waits", "request", q->id, "for", "the command of .rung/inventory.yaml", "us",
	                         (json_int_t)inventory_wait_us(at)),
	               NULL, 0);
	inventory_ask(at, told, w);
}

static json_t *page(const struct inventory_at *at, const struct inventory *inv, size_t from)
{
	json_t *hosts = json_array(), *groups = json_array();
	size_t to = from;
	for (; to < inv->host_count && to - from < HOSTS_IN_PAGE; to++) json_array_append_new(hosts, inventory_host_json(&inv->hosts[to]));
	for (size_t i = 0; i < inv->group_count && from == 0; i++) json_array_append_new(groups, json_string(inv->groups[i]));
	return json_pack("{s:o,s:o,s:o,s:I,s:I}", "hosts", hosts, "groups", groups, "next", to < inv->host_count ? json_integer((json_int_t)to) : json_null(),
	                 "total", (json_int_t)inv->host_count, "of", (json_int_t)inventory_version(at));
}

/* Where an engine serves a team, others than its own user look at the inventory of its workspace only: looking may run the command that it names. */
static bool may_look(const struct request *q, const char *root)
{
	return !q->engine->root || strcmp(root, q->engine->root) == 0 || strcmp(q->client->account, q->engine->principal) == 0;
}

void op_hosts(struct request *q)
{
	const struct inventory *inv = NULL;
	struct error e;
	const char *root = json_str(q->args, "workspace", NULL);
	json_int_t from = json_int(q->args, "from", 0);
	if (!root || root[0] != '/' || strlen(root) > FOLDER_BYTES_MAX || from < 0 || from > INVENTORY_HOSTS_MAX) {
		request_refuse(q, ERR_USAGE, "hosts needs a workspace: its absolute path");
		return;
	}
	if (!may_look(q, root)) {
		request_refuse(q, ERR_DENIED, "this engine serves %s: ask it for the hosts of that", q->engine->root);
		return;
	}
	struct inventory_at *at = engine_inventory(q->engine, root);
	enum err err = inventory_now(at, &inv, &e);
	/* A further page is one of what the first was of, however short its time. */
	if (err == ERR_WAITING && from && inv && inv->is_whole) err = ERR_OK;
	if (!err && from && json_int(q->args, "of", -1) != (json_int_t)inventory_version(at))
		request_refuse(q, ERR_CONFLICT, "the inventory changed while it was read: ask again from the start");
	else if (err == ERR_WAITING)
		request_await_inventory(q, at, op_hosts);
	else if (err)
		request_fail(q, &e);
	else
		request_answer(q, page(at, inv, (size_t)from), NULL, 0);
}
