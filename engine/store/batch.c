#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "store/internal.h"

#include <stdlib.h>
#include <string.h>

struct store_batch *store_batch_new(void)
{
	struct store_batch *b = mem_zero(sizeof *b);
	b->arena = arena_new();
	b->last = &b->first;
	return b;
}

void store_batch_free(struct store_batch *b)
{
	if (!b) return;
	arena_free(b->arena);
	free(b);
}

static struct op *add(struct store_batch *b, enum op_kind kind, const char *execution)
{
	struct op *o = arena_alloc(b->arena, sizeof *o);
	o->kind = kind;
	o->execution = arena_strdup(b->arena, execution);
	*b->last = o;
	b->last = &o->next;
	return o;
}

enum err store_batch_record(struct store_batch *b, const struct record *r, struct error *e)
{
	struct buf tail;
	buf_init(&tail, JOURNAL_RECORD_BYTES_MAX);
	/* The writer cannot refuse one batch of a group for its time, so it is looked at here. */
	if (!record_encode_head(0, r->t_us, &tail)) return error_set(e, ERR_INVALID, "the time of a record must be between the years 0000 and 9999");
	buf_reset(&tail);
	enum err err = record_encode_tail(r, &tail, e);
	if (!err) {
		struct op *o = add(b, OP_RECORD, r->execution);
		o->record.tail = arena_strndup(b->arena, tail.data, tail.len);
		o->record.n = tail.len;
		o->record.t_us = r->t_us;
		o->record.epoch = r->epoch;
		o->record.kind = r->kind;
		o->record.word = arena_strdup(b->arena, stats_word(r));
		b->bytes += tail.len;
		b->records++;
	}
	buf_clear(&tail);
	return err;
}

void store_batch_execution(struct store_batch *b, const struct store_execution *x)
{
	must(x->id && ulid_is_valid(x->id) && x->epoch <= INT64_MAX);
	struct op *o = add(b, OP_EXECUTION, x->id);
	struct arena *a = b->arena;
	o->row = *x;
	o->row.id = o->execution;
	o->row.book = arena_strdup(a, x->book), o->row.title = arena_strdup(a, x->title), o->row.state = arena_strdup(a, x->state);
	o->row.driver = arena_strdup(a, x->driver), o->row.parent = arena_strdup(a, x->parent), o->row.plan = arena_strdup(a, x->plan);
}

void store_batch_incident(struct store_batch *b, const struct store_incident *i)
{
	must(i->id && ulid_is_valid(i->id));
	struct op *o = add(b, OP_INCIDENT, i->id);
	struct arena *a = b->arena;
	o->incident = *i;
	o->incident.id = o->execution;
	o->incident.key = arena_strdup(a, i->key), o->incident.title = arena_strdup(a, i->title), o->incident.state = arena_strdup(a, i->state);
	o->incident.assigned_to = arena_strdup(a, i->assigned_to);
}

void store_batch_chain(struct store_batch *b, struct store_chain *chain)
{
	b->chain = chain;
}

void store_batch_lease(struct store_batch *b, const char *execution, struct lease_claim claim)
{
	add(b, OP_LEASE, execution)->claim = claim;
}

void store_batch_plan(struct store_batch *b, const char *digest, const void *bytes, size_t n)
{
	char hex[DIGEST_HEX_BYTES];
	digest_sha256_hex(hex, bytes, n);
	must(strcmp(hex, digest) == 0 && n <= STORE_PLAN_BYTES_MAX);
	struct op *o = add(b, OP_PLAN, NULL);
	o->plan.digest = arena_strdup(b->arena, digest);
	o->plan.bytes = arena_strndup(b->arena, bytes, n);
	o->plan.n = n;
	b->bytes += n;
}

void store_batch_timer(struct store_batch *b, const char *execution, const char *step, const char *kind, int64_t due_us)
{
	struct op *o = add(b, OP_TIMER, execution ? execution : "");
	o->timer.step = arena_strdup(b->arena, step ? step : "");
	o->timer.kind = arena_strdup(b->arena, kind);
	o->timer.due_us = due_us;
}

static void name_text(const unsigned char raw[BLOB_RAW_BYTES], char name[STORE_BLOB_NAME_BYTES])
{
	struct buf b;
	buf_init(&b, STORE_BLOB_NAME_BYTES - 1);
	must(buf_str(&b, "hmac-sha256:") && encode_hex(&b, raw, BLOB_RAW_BYTES) && b.len == STORE_BLOB_NAME_BYTES - 1);
	memcpy(name, b.data, STORE_BLOB_NAME_BYTES);
	buf_clear(&b);
}

static void take_salt(struct store_batch *b, unsigned char salt[BLOB_SALT_BYTES])
{
	if (b->salts_left == 0) {
		random_bytes(b->salts, sizeof b->salts);
		b->salts_left = SALTS_AT_ONCE;
	}
	memcpy(salt, b->salts[--b->salts_left], BLOB_SALT_BYTES);
}

void store_batch_blob(struct store_batch *b, const char *execution, const void *bytes, size_t n, char name[STORE_BLOB_NAME_BYTES])
{
	must(n <= STORE_BLOB_BYTES_MAX);
	struct op *o = add(b, OP_BLOB, execution);
	take_salt(b, o->blob.salt);
	digest_hmac(o->blob.name, o->blob.salt, BLOB_SALT_BYTES, bytes, n);
	o->blob.bytes = arena_strndup(b->arena, bytes, n);
	o->blob.n = n;
	b->bytes += n;
	name_text(o->blob.name, name);
}

enum err store_batch_erase(struct store_batch *b, const char *name, struct error *e)
{
	if (!record_is_blob_name(name, strlen(name))) return error_set(e, ERR_INVALID, "\"%.80s\" is not the name of a blob", name);
	struct op *o = add(b, OP_ERASE, NULL);
	b->has_erase = true;
	must(decode_hex(o->blob.name, name + strlen("hmac-sha256:"), BLOB_RAW_BYTES));
	return ERR_OK;
}

void queue_init(struct batch_queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

void queue_add(struct batch_queue *q, struct store_batch *b)
{
	b->next = NULL;
	*q->last = b;
	q->last = &b->next;
}

struct store_batch *queue_take(struct batch_queue *q)
{
	struct store_batch *b = q->first;
	if (!b) return NULL;
	q->first = b->next;
	if (!q->first) q->last = &q->first;
	return b;
}
