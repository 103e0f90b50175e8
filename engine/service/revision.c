#include "service/revision.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fs.h"
#include "book/book.h"
#include "service/policy_file.h"

#include <stdlib.h>
#include <string.h>

enum { BOOKS_MAX = 1000 };

/* ---- what is known ---- */

static bool remember(void *arg, uint64_t seq, const char *line, size_t n)
{
	struct engine *en = arg;
	struct record r;
	json_t *hold = NULL;
	(void)seq;
	if (record_decode(line, n, &r, &hold, NULL) == ERR_OK && r.kind == RECORD_BOOK_APPROVED)
		json_object_set_new(en->revisions, json_str(r.data, "digest", ""), json_true());
	json_decref(hold);
	return true;
}

enum err revisions_load(struct engine *en, struct error *e)
{
	en->revisions = json_object();
	en->starts = json_object();
	return store_log_records(en->reader, remember, en, e);
}

void revisions_free(struct engine *en)
{
	json_decref(en->revisions);
	json_decref(en->starts);
}

bool revision_is_approved(const struct engine *en, const char *digest)
{
	return json_object_get(en->revisions, digest) != NULL;
}

/* ---- approving ---- */

struct approving {
	struct engine *engine;
	uint64_t client;
	json_int_t id;
	json_t *digests;
	struct store_batch *batch;
};

static void approved(void *arg, enum err err, uint64_t first_seq, int64_t t_us, const struct error *e)
{
	struct approving *p = arg;
	struct client *c = engine_client(p->engine, p->client);
	size_t i;
	json_t *v;
	(void)first_seq, (void)t_us;
	if (!err) json_array_foreach(p->digests, i, v) json_object_set_new(p->engine->revisions, json_string_value(v), json_true());
	struct request q = {.client = c, .engine = p->engine, .id = p->id};
	if (c && err)
		request_fail(&q, e);
	else if (c)
		request_answer(&q, json_pack("{s:O}", "digests", p->digests), NULL, 0);
	json_decref(p->digests);
	free(p);
}

static const char *authors_of(const struct book *b)
{
	for (size_t i = 0; i < b->meta_count; i++)
		if (strcmp(b->meta[i].key, "author") == 0) return b->meta[i].value;
	return NULL;
}

static enum err may_approve(const struct request *q, const struct policy *p, const char *name, const struct book *b, struct error *e)
{
	struct arena *a = arena_new();
	struct policy_request ask = {.who = q->client->principal, .verb = VERB_APPROVE_BOOK, .book = name, .targets = POLICY_TARGETS_OF_NO_STEP};
	ask.now_us = clock_now_us();
	enum err err = ERR_OK;
	if (policy_decide(p, &ask, a).outcome != POLICY_IS_ALLOWED) err = error_set(e, ERR_DENIED, "%s", policy_explain_line(p, &ask, a));
	if (!err && strncmp(ask.who, "user:", 5) != 0) err = error_set(e, ERR_DENIED, "%s is no person: books are approved by people", ask.who);
	if (!err && policy_is_author(p, ask.who, authors_of(b))) err = error_set(e, ERR_DENIED, "%s wrote %s: a second person approves it", ask.who, name);
	arena_free(a);
	return err;
}

/* One book's record into the batch. */
static enum err approve_one(const struct request *q, struct approving *p, const struct policy *policy, const char *path, const char *reason, struct error *e)
{
	const char *root = q->engine->root;
	size_t n = root ? strlen(root) : 0;
	struct book *b = NULL;
	struct buf bytes;
	buf_init(&bytes, BOOK_BYTES_MAX);
	enum err err = ERR_OK;
	if (!root || strncmp(path, root, n) != 0 || path[n] != '/')
		err = error_set(e, ERR_USAGE, "%s is not beneath the workspace %s: only its own books are approved", path, root ? root : "(none)");
	if (!err) err = fs_read_beneath(root, path + n + 1, &bytes, e);
	if (!err) err = book_parse(path + n + 1, NULL, bytes.data ? bytes.data : "", bytes.len, &b, e);
	if (!err) err = may_approve(q, policy, path + n + 1, b, e);
	if (!err) {
		char name[STORE_BLOB_NAME_BYTES];
		store_batch_blob(p->batch, NULL, reason, strlen(reason), name);
		struct record r = {.t_us = clock_now_us(), .kind = RECORD_BOOK_APPROVED, .by = q->client->principal};
		json_t *d = json_pack("{s:s,s:s,s:s}", "book", path + n + 1, "digest", b->digest, "reason", name);
		r.data = d;
		err = store_batch_record(p->batch, &r, e);
		json_array_append_new(p->digests, json_string(b->digest));
		json_decref(d);
	}
	book_free(b);
	buf_clear(&bytes);
	return err;
}

void op_book_approve(struct request *q)
{
	const json_t *books = json_arr(q->args, "books"), *v;
	const char *reason = json_str(q->args, "reason", "");
	const struct policy *policy = NULL;
	struct error e;
	size_t i;
	enum err err = policy_file_now(engine_policy(q->engine, q->engine->root), &policy, &e);
	if (!err && !policy) err = error_set(&e, ERR_CONFLICT, "there is no policy here, so no service runs books and none needs approving");
	if (!err && (json_array_size(books) == 0 || json_array_size(books) > BOOKS_MAX)) err = error_set(&e, ERR_USAGE, "name 1 to %d books", BOOKS_MAX);
	if (!err && !*reason) err = error_set(&e, ERR_USAGE, "an approval needs a reason");
	struct approving *p = mem_zero(sizeof *p);
	*p = (struct approving){.engine = q->engine, .client = q->client->id, .id = q->id, .digests = json_array(), .batch = store_batch_new()};
	json_array_foreach(books, i, v)
	{
		if (!err) err = approve_one(q, p, policy, json_is_string(v) ? json_string_value(v) : "", reason, &e);
	}
	if (!err) {
		store_submit(q->engine->store, p->batch, approved, p);
		return;
	}
	request_fail(q, &e);
	store_batch_free(p->batch);
	json_decref(p->digests);
	free(p);
}

/* ---- rates ---- */

/* Times of a service's starts, the oldest first; those that are too old to count go. */
enum err service_rate_take(struct engine *en, const struct policy_service *s, struct error *e)
{
	if (!s->rate) return ERR_OK;
	int64_t now = clock_now_us();
	json_t *times = json_object_get(en->starts, s->name);
	if (!times) json_object_set_new(en->starts, s->name, times = json_array());
	while (json_array_size(times) && json_integer_value(json_array_get(times, 0)) <= now - s->rate_us) json_array_remove(times, 0);
	if ((int64_t)json_array_size(times) >= s->rate)
		return error_set(e, ERR_DENIED, "service:%s has started %lld executions in the last %lld s, the most that the policy gives it (line %d)",
		                 s->name, (long long)s->rate, (long long)(s->rate_us / 1000000), s->line);
	json_array_append_new(times, json_integer(now));
	return ERR_OK;
}
