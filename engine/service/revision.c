#include "service/revision.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/text.h"
#include "book/book.h"
#include "service/policy_file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { BOOKS_MAX = 1000 };

/* ---- what is known ---- */

static char *key_of(const char *digest, const char *book)
{
	return mem_printf("%s %s", digest, book);
}

static void know(struct engine *en, const char *digest, const char *book)
{
	char *key = key_of(digest, book);
	json_object_set_new(en->revisions, key, json_true());
	free(key);
}

static bool remember(void *arg, uint64_t seq, const char *line, size_t n)
{
	struct engine *en = arg;
	struct record r;
	json_t *hold = NULL;
	(void)seq;
	/* The log may hold very many records of alerts that belong to no incident. */
	if (!memmem(line, n, "\"k\":\"book.approved\"", 19)) return true;
	if (record_decode(line, n, &r, &hold, NULL) == ERR_OK && r.kind == RECORD_BOOK_APPROVED)
		know(en, json_str(r.data, "digest", ""), json_str(r.data, "book", ""));
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

bool revision_is_approved(const struct engine *en, const char *digest, const char *book)
{
	char *key = key_of(digest, book);
	bool is_approved = json_object_get(en->revisions, key) != NULL;
	free(key);
	return is_approved;
}

/* ---- approving ---- */

struct approving {
	struct engine *engine;
	uint64_t client;
	json_int_t id;
	json_t *digests, *books;
	struct store_batch *batch;
};

static void approved(void *arg, enum err err, uint64_t first_seq, int64_t t_us, const struct error *e)
{
	struct approving *p = arg;
	struct client *c = engine_client(p->engine, p->client);
	size_t i;
	json_t *v;
	(void)first_seq, (void)t_us;
	if (!err) json_array_foreach(p->digests, i, v) know(p->engine, json_string_value(v), json_string_value(json_array_get(p->books, i)));
	struct request q = {.client = c, .engine = p->engine, .id = p->id};
	if (c && err)
		request_fail(&q, e);
	else if (c)
		request_answer(&q, json_pack("{s:O}", "digests", p->digests), NULL, 0);
	json_decref(p->digests);
	json_decref(p->books);
	free(p);
}

static bool is_author_of(const struct policy *p, const char *who, const struct book *b)
{
	for (size_t i = 0; i < b->meta_count; i++)
		if (strcmp(b->meta[i].key, "author") == 0 && policy_is_author(p, who, b->meta[i].value)) return true;
	return false;
}

static enum err may_approve(const struct request *q, const struct policy *p, const char *name, const struct book *b, struct error *e)
{
	struct arena *a = arena_new();
	struct policy_request ask = {.who = q->client->principal, .verb = VERB_APPROVE_BOOK, .book = name, .targets = POLICY_TARGETS_OF_NO_STEP};
	ask.now_us = clock_now_us();
	enum err err = ERR_OK;
	if (policy_decide(p, &ask, a).outcome != POLICY_IS_ALLOWED) err = error_set(e, ERR_DENIED, "%s", policy_explain_line(p, &ask, a));
	if (!err && strncmp(ask.who, "user:", 5) != 0) err = error_set(e, ERR_DENIED, "%s is no person: books are approved by people", ask.who);
	if (!err && is_author_of(p, ask.who, b)) err = error_set(e, ERR_DENIED, "%s wrote %s: a second person approves it", ask.who, name);
	arena_free(a);
	return err;
}

/* The book's path beneath the workspace, by the file that it leads to: rules speak of no other. */
static enum err find_book(const struct engine *en, const char *path, char whole[PATH_MAX], const char **name, struct error *e)
{
	const char *root = en->root ? en->root : "(none)";
	size_t n = strlen(root);
	if (!realpath(path, whole)) return error_errno(e, "%s", path);
	if (strncmp(whole, root, n) != 0 || whole[n] != '/')
		return error_set(e, ERR_USAGE, "%s is not beneath the workspace %s: only its own books are approved", path, root);
	*name = whole + n + 1;
	return text_is_utf8(whole, strlen(whole)) ? ERR_OK : error_set(e, ERR_INVALID, "a book's path is UTF-8: rename or move it");
}

static enum err record_one(const struct request *q, struct approving *p, const char *name, const char *digest, const char *reason, struct error *e)
{
	char blob[STORE_BLOB_NAME_BYTES];
	store_batch_blob(p->batch, NULL, reason, strlen(reason), blob);
	json_t *d = json_pack("{s:s,s:s,s:s}", "book", name, "digest", digest, "reason", blob);
	struct record r = {.t_us = clock_now_us(), .kind = RECORD_BOOK_APPROVED, .by = q->client->principal, .data = d};
	enum err err = store_batch_record(p->batch, &r, e);
	json_array_append_new(p->digests, json_string(digest));
	json_array_append_new(p->books, json_string(name));
	json_decref(d);
	return err;
}

/* One book's record into the batch. */
static enum err approve_one(const struct request *q, struct approving *p, const struct policy *policy, const char *path, const char *reason, struct error *e)
{
	char whole[PATH_MAX];
	const char *name = "";
	struct book *b = NULL;
	struct buf bytes;
	buf_init(&bytes, BOOK_BYTES_MAX);
	enum err err = find_book(q->engine, path, whole, &name, e);
	if (!err) err = fs_read_beneath(q->engine->root, name, &bytes, e);
	if (!err) err = book_parse(name, NULL, bytes.data ? bytes.data : "", bytes.len, &b, e);
	if (!err) err = may_approve(q, policy, name, b, e);
	if (!err) err = record_one(q, p, name, b->digest, reason, e);
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
	*p = (struct approving){
	    .engine = q->engine, .client = q->client->id, .id = q->id, .digests = json_array(), .books = json_array(), .batch = store_batch_new()};
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
	json_decref(p->books);
	free(p);
}

/* ---- rates ---- */

struct starts {
	const char *driver;
	int64_t since_us;
	json_t *times;
};

static bool count_start(void *arg, const struct store_execution *x)
{
	struct starts *s = arg;
	if (x->started_us < s->since_us) return false; /* newest first */
	if (x->driver && strcmp(x->driver, s->driver) == 0) json_array_insert_new(s->times, 0, json_integer(x->started_us));
	return true;
}

/* What engines before this one started counts too, as long as the service drives it. */
static json_t *starts_of_store(struct engine *en, const struct policy_service *s, int64_t now)
{
	char *driver = mem_printf("service:%s", s->name);
	struct starts found = {.driver = driver, .since_us = now - s->rate_us, .times = json_array()};
	store_executions(en->reader, false, NULL, NULL, 0, count_start, &found, NULL);
	free(driver);
	return found.times;
}

/* Times of a service's starts, the oldest first; those that are too old to count go. */
enum err service_rate_take(struct engine *en, const struct policy_service *s, struct error *e)
{
	if (!s->rate) return ERR_OK;
	int64_t now = clock_now_us();
	json_t *times = json_object_get(en->starts, s->name);
	if (!times) json_object_set_new(en->starts, s->name, times = starts_of_store(en, s, now));
	while (json_array_size(times) && json_integer_value(json_array_get(times, 0)) <= now - s->rate_us) json_array_remove(times, 0);
	if ((int64_t)json_array_size(times) >= s->rate)
		return error_set(e, ERR_DENIED, "service:%s has started %lld executions in the last %lld s, the most that the policy gives it (line %d)",
		                 s->name, (long long)s->rate, (long long)(s->rate_us / 1000000), s->line);
	json_array_append_new(times, json_integer(now));
	return ERR_OK;
}
