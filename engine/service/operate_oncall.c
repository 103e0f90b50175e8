#include "base/clock.h"
#include "base/json.h"
#include "service/channel.h"
#include "service/client.h"
#include "service/oncall_file.h"
#include "service/operations.h"

#include <stdlib.h>
#include <string.h>

/* A message that a person asks for, to see whether one arrives: on every channel that somebody has. */

enum { FOLDER_BYTES_MAX = 4096, TEST_TIMEOUT_US = 20000000 /* a client waits for half a minute */ };

struct trial {
	struct engine *engine;
	uint64_t client;
	json_int_t id;
	json_t *results; /* one object a channel */
	size_t open;
};

/* One channel of it. */
struct trial_channel {
	struct trial *trial;
	size_t at;
};

static void answer(struct trial *t)
{
	struct client *c = engine_client(t->engine, t->client);
	struct request q = {.client = c, .engine = t->engine, .id = t->id};
	if (c) request_answer(&q, json_pack("{s:O}", "channels", t->results), NULL, 0);
	json_decref(t->results);
	free(t);
}

static void put_result(struct trial *t, size_t at, enum escalation_result result, const char *why)
{
	json_t *o = json_array_get(t->results, at);
	json_object_set_new(o, "result", json_string(escalation_result_name(result)));
	if (why) json_object_set_new(o, "why", json_text(why));
}

static void told(void *arg, enum escalation_result result, const char *why)
{
	struct trial_channel *c = arg;
	struct trial *t = c->trial;
	if (result != NOTIFICATION_RESULT_N) put_result(t, c->at, result, why);
	free(c);
	if (--t->open == 0) answer(t);
}

static const char *address_of(struct arena *a, const struct oncall_channel *c)
{
	return c->kind == CHANNEL_COMMAND ? c->words[0] : arena_strdup(a, c->address);
}

static void try_channel(struct trial *t, const char *root, const struct oncall *o, const struct oncall_person *p, size_t i)
{
	struct arena *a = arena_new();
	struct trial_channel *c = mem_zero(sizeof *c);
	struct oncall_channel channel = p->channels[i];
	unsigned char random[10];
	char id[ULID_BYTES];
	struct error e;
	*c = (struct trial_channel){t, i};
	random_bytes(random, sizeof random);
	ulid_make(id, clock_now_us(), random);
	if (channel.timeout_us == 0 || channel.timeout_us > TEST_TIMEOUT_US) channel.timeout_us = TEST_TIMEOUT_US;
	json_array_append_new(t->results, json_pack("{s:s,s:s}", "channel", oncall_channel_word(channel.kind), "address", address_of(a, &channel)));
	struct notice n = {.kind = NOTICE_TEST, .incident = id, .number = (uint32_t)i + 1, .person = p->name, .sent_us = clock_now_us()};
	if (channel_send(t->engine, root, o, &channel, &n, told, c, &e)) {
		put_result(t, i, NOTIFICATION_FAILED, e.text);
		free(c);
	} else {
		t->open++;
	}
	arena_free(a);
}

/* Sends them all, and answers when all are over. */
static void try_all(struct engine *en, uint64_t client, json_int_t id, const char *root, const struct oncall *o, const struct oncall_person *p)
{
	struct trial *t = mem_zero(sizeof *t);
	*t = (struct trial){.engine = en, .client = client, .id = id, .results = json_array(), .open = 1};
	for (size_t i = 0; i < p->count; i++) try_channel(t, root, o, p, i);
	if (--t->open == 0) answer(t);
}

/* What was asked, until its record is durable. */
struct asked {
	struct engine *engine;
	uint64_t client;
	json_int_t id;
	char *root, *name;
};

/* The person in the file as it stands now; NULL with the request refused. */
static const struct oncall_person *find_person(struct request *q, const char *root, const char *name, const struct oncall **o)
{
	struct error e;
	*o = oncall_now(engine_oncall(q->engine, root), &e);
	const struct oncall_person *p = e.kind ? NULL : oncall_person(*o, name);
	if (e.kind)
		request_fail(q, &e);
	else if (!p)
		request_refuse(q, ERR_NOT_FOUND, "there is no person \"%.64s\" in .rung/oncall.yaml (`rung oncall` shows who is there)", name);
	return p;
}

/* Nothing is sent that the journal does not tell of. Who asked may have gone meanwhile, and the file may say something else. */
static void recorded(void *arg, enum err err, uint64_t first_seq, int64_t t_us, const struct error *e)
{
	struct asked *a = arg;
	const struct oncall *o;
	(void)first_seq, (void)t_us;
	struct request q = {.client = engine_client(a->engine, a->client), .engine = a->engine, .id = a->id};
	const struct oncall_person *p = q.client && !err ? find_person(&q, a->root, a->name, &o) : NULL;
	if (q.client && err) request_fail(&q, e);
	if (p) try_all(a->engine, a->client, a->id, a->root, o, p);
	free(a->root);
	free(a->name);
	free(a);
}

static void record(struct request *q, const char *root, const struct oncall_person *p)
{
	struct error e;
	json_t *d = json_pack("{s:s,s:I}", "person", p->name, "channels", (json_int_t)p->count);
	struct record r = {.t_us = clock_now_us(), .kind = RECORD_ONCALL_TESTED, .by = q->client->principal, .data = d};
	struct store_batch *b = store_batch_new();
	if (store_batch_record(b, &r, &e)) {
		request_fail(q, &e);
		store_batch_free(b);
	} else {
		struct asked *a = mem_zero(sizeof *a);
		*a = (struct asked){q->engine, q->client->id, q->id, mem_strdup(root), mem_strdup(p->name)};
		store_submit(q->engine->store, b, recorded, a);
	}
	json_decref(d);
}

/* As for the inventory: where an engine serves a team, others than its own user have its workspace's people only. */
static bool may_reach(const struct request *q, const char *root)
{
	return !q->engine->root || strcmp(root, q->engine->root) == 0 || strcmp(q->client->account, q->engine->principal) == 0;
}

void op_oncall_test(struct request *q)
{
	const char *root = json_str(q->args, "workspace", NULL), *name = json_str(q->args, "person", "");
	if (!root || root[0] != '/' || strlen(root) > FOLDER_BYTES_MAX) {
		request_refuse(q, ERR_USAGE, "oncall.test needs a workspace, its absolute path, and a person");
		return;
	}
	if (!may_reach(q, root)) {
		request_refuse(q, ERR_DENIED, "this engine serves %s: ask it for the people of that", q->engine->root);
		return;
	}
	const struct oncall *o;
	const struct oncall_person *p = find_person(q, root, name, &o);
	if (p) record(q, root, p);
}
