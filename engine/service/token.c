#include "service/token.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "service/rights.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_BYTES = 32, PREFIX_BYTES = 5 };
#define EXPIRES_US_MAX (INT64_C(3660) * 86400000000)

static const char prefix[] = "rung_";

struct token {
	char *name, *principal, *by;
	unsigned char hash[DIGEST_BYTES];
	int64_t created_us;
	bool has_end, is_revoked;
	struct clock_until until;
};

struct tokens {
	struct token *of;
	size_t count;
};

/* ---- what is known ---- */

static struct token *add(struct tokens *all)
{
	all->of = mem_realloc(all->of, (all->count + 1) * sizeof *all->of);
	all->of[all->count] = (struct token){.name = NULL};
	return &all->of[all->count++];
}

static bool counts(const struct token *t)
{
	return !t->is_revoked && !(t->has_end && clock_has_passed(&t->until));
}

static size_t live_count(const struct tokens *all)
{
	size_t n = 0;
	for (size_t i = 0; i < all->count; i++) n += counts(&all->of[i]);
	return n;
}

/* The one that counts, or would if it had not expired. */
static struct token *by_name(const struct engine *en, const char *name)
{
	for (size_t i = 0; i < en->tokens->count; i++)
		if (!en->tokens->of[i].is_revoked && strcmp(en->tokens->of[i].name, name) == 0) return &en->tokens->of[i];
	return NULL;
}

static struct token *by_hash(const struct engine *en, const unsigned char hash[DIGEST_BYTES])
{
	for (size_t i = 0; i < en->tokens->count; i++)
		if (memcmp(en->tokens->of[i].hash, hash, DIGEST_BYTES) == 0) return &en->tokens->of[i];
	return NULL;
}

static void clear(struct token *t)
{
	free(t->name);
	free(t->principal);
	free(t->by);
}

/* The fold of a record, live (is_now) and read back. */
static void fold(struct engine *en, const struct record *r, bool is_now)
{
	const char *name = json_str(r->data, "name", "");
	if (r->kind == RECORD_TOKEN_REVOKED) {
		struct token *t = by_name(en, name);
		if (t) t->is_revoked = true;
	}
	if (r->kind != RECORD_TOKEN_CREATED) return;
	struct token *t = add(en->tokens);
	json_int_t expires_us = json_int(r->data, "expires_us", 0);
	*t = (struct token){.name = mem_strdup(name), .principal = mem_strdup(json_str(r->data, "for", "")), .by = mem_strdup(r->by ? r->by : "")};
	t->created_us = r->t_us;
	t->has_end = expires_us != 0;
	t->until = clock_until_make(r->t_us, expires_us, is_now);
	if (!decode_hex(t->hash, json_str(r->data, "hash", ""), DIGEST_BYTES)) t->is_revoked = true;
}

static bool remember(void *arg, uint64_t seq, const char *line, size_t n)
{
	struct record r;
	json_t *hold = NULL;
	(void)seq;
	if (record_decode(line, n, &r, &hold, NULL) == ERR_OK) fold(arg, &r, false);
	json_decref(hold);
	return true;
}

enum err tokens_load(struct engine *en, struct error *e)
{
	en->tokens = mem_zero(sizeof *en->tokens);
	return store_log_records(en->reader, remember, en, e);
}

void tokens_free(struct engine *en)
{
	for (size_t i = 0; i < en->tokens->count; i++) clear(&en->tokens->of[i]);
	free(en->tokens->of);
	free(en->tokens);
}

const struct token *token_find(const struct engine *en, const char *text, size_t n)
{
	unsigned char hash[DIGEST_BYTES];
	const struct token *found = NULL;
	if (n != TOKEN_TEXT_BYTES || memcmp(text, prefix, PREFIX_BYTES) != 0) return NULL;
	digest_sha256(hash, text, n);
	/* All are compared, whichever it is. */
	for (size_t i = 0; i < en->tokens->count; i++)
		if (CRYPTO_memcmp(hash, en->tokens->of[i].hash, DIGEST_BYTES) == 0 && counts(&en->tokens->of[i])) found = &en->tokens->of[i];
	return found;
}

const char *token_principal(const struct token *t)
{
	return t->principal;
}

/* ---- making and revoking ---- */

struct change {
	struct engine *engine;
	uint64_t client;
	json_int_t id;
	json_t *answer;
	enum record_kind kind;
	unsigned char hash[DIGEST_BYTES]; /* of the token that it is about */
};

/* What the journal does not have is not so: a name that nobody has is free, and what the next engine lets in can be revoked again. */
static void unfold(const struct change *c)
{
	struct tokens *all = c->engine->tokens;
	struct token *t = by_hash(c->engine, c->hash);
	if (t && c->kind == RECORD_TOKEN_REVOKED) t->is_revoked = false;
	if (!t || c->kind != RECORD_TOKEN_CREATED) return;
	clear(t);
	memmove(t, t + 1, (size_t)(all->of + all->count - (t + 1)) * sizeof *t);
	all->count--;
}

static void durable(void *arg, enum err err, uint64_t first_seq, int64_t t_us, const struct error *e)
{
	struct change *c = arg;
	(void)first_seq, (void)t_us;
	struct request q = {.client = engine_client(c->engine, c->client), .engine = c->engine, .id = c->id};
	if (err) unfold(c);
	if (q.client && err)
		request_fail(&q, e);
	else if (q.client)
		request_answer(&q, json_incref(c->answer), NULL, 0);
	json_decref(c->answer);
	free(c);
}

/* Records it and folds it; answers when it is durable. data and answer are taken. */
static void record(struct request *q, enum record_kind kind, json_t *data, json_t *answer)
{
	struct error e;
	struct record r = {.t_us = clock_now_us(), .kind = kind, .by = q->client->principal, .data = data};
	struct store_batch *b = store_batch_new();
	if (store_batch_record(b, &r, &e)) {
		request_fail(q, &e);
		store_batch_free(b);
		json_decref(answer);
	} else {
		struct change *c = mem_zero(sizeof *c);
		*c = (struct change){.engine = q->engine, .client = q->client->id, .id = q->id, .answer = answer, .kind = kind};
		const struct token *revoked = kind == RECORD_TOKEN_REVOKED ? by_name(q->engine, json_str(data, "name", "")) : NULL;
		fold(q->engine, &r, true);
		const struct token *about = revoked ? revoked : &q->engine->tokens->of[q->engine->tokens->count - 1];
		memcpy(c->hash, about->hash, DIGEST_BYTES);
		store_submit(q->engine->store, b, durable, c);
	}
	json_decref(data);
}

static bool is_owner(struct request *q)
{
	if (strcmp(q->client->principal, q->engine->principal) == 0) return true;
	request_refuse(q, ERR_DENIED, "tokens are made, listed and revoked by %s, whose engine this is", q->engine->principal);
	return false;
}

static bool is_principal(const char *s)
{
	const char *colon = strchr(s, ':');
	return colon && policy_is_name(colon + 1) && (strncmp(s, "user:", 5) == 0 || strncmp(s, "service:", 8) == 0);
}

/* The text of a new one; 0 bytes of it stand anywhere else. */
static void make_text(char text[TOKEN_TEXT_BYTES + 1])
{
	unsigned char secret[SECRET_BYTES];
	struct buf b;
	buf_init(&b, 64);
	random_bytes(secret, sizeof secret);
	must(encode_base64(&b, secret, sizeof secret));
	snprintf(text, TOKEN_TEXT_BYTES + 1, "%s%.43s", prefix, b.data);
	for (char *p = text + PREFIX_BYTES; *p; p++) *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	buf_wipe(&b);
	OPENSSL_cleanse(secret, sizeof secret);
}

static enum err check_new(const struct request *q, const char *name, const char *who, int64_t *for_us, struct error *e)
{
	const char *expires = json_str(q->args, "expires", NULL);
	*for_us = 0;
	if (!policy_is_name(name)) return error_set(e, ERR_USAGE, "a token's name is letters, digits, and any of _ . @ -, at most 64");
	if (!is_principal(who)) return error_set(e, ERR_USAGE, "a token is for user:NAME or service:NAME, not \"%.80s\"", who);
	if (by_name(q->engine, name)) return error_set(e, ERR_CONFLICT, "there is a token \"%s\": revoke it first, or take another name", name);
	if (live_count(q->engine->tokens) >= TOKENS_MAX)
		return error_set(e, ERR_FULL, "there are %d tokens already: revoke those that nobody uses", TOKENS_MAX);
	enum err err = expires ? clock_parse_duration(expires, for_us, e) : ERR_OK;
	if (!err && expires && (*for_us <= 0 || *for_us > EXPIRES_US_MAX)) err = error_set(e, ERR_USAGE, "a token expires after 1s to 3660d");
	return err;
}

void op_token_create(struct request *q)
{
	const char *name = json_str(q->args, "name", ""), *who = json_str(q->args, "for", q->client->principal);
	char text[TOKEN_TEXT_BYTES + 1], hash[DIGEST_HEX_BYTES];
	int64_t for_us;
	struct error e;
	if (!is_owner(q)) return;
	if (check_new(q, name, who, &for_us, &e)) {
		request_fail(q, &e);
		return;
	}
	make_text(text);
	digest_sha256_hex(hash, text, TOKEN_TEXT_BYTES);
	json_int_t expires_us = for_us ? clock_now_us() + for_us : 0;
	json_t *data = json_pack("{s:s,s:s,s:s}", "name", name, "for", who, "hash", hash);
	if (expires_us) json_object_set_new(data, "expires_us", json_integer(expires_us));
	record(q, RECORD_TOKEN_CREATED, data, json_pack("{s:s,s:s,s:s,s:I}", "token", text, "name", name, "for", who, "expires_us", expires_us));
	OPENSSL_cleanse(text, sizeof text);
}

void op_token_revoke(struct request *q)
{
	const char *name = json_str(q->args, "name", "");
	if (!is_owner(q)) return;
	if (!by_name(q->engine, name)) {
		request_refuse(q, ERR_NOT_FOUND, "there is no token \"%.64s\" (`rung token list` shows them)", name);
		return;
	}
	record(q, RECORD_TOKEN_REVOKED, json_pack("{s:s}", "name", name), json_pack("{s:s}", "name", name));
}

void op_token_list(struct request *q)
{
	json_t *list = json_array();
	if (!is_owner(q)) {
		json_decref(list);
		return;
	}
	for (size_t i = 0; i < q->engine->tokens->count; i++) {
		const struct token *t = &q->engine->tokens->of[i];
		const char *state = t->is_revoked ? "revoked" : counts(t) ? "live" : "expired";
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:I,s:I,s:s}", "name", t->name, "for", t->principal, "by", t->by, "created_us",
		                                      (json_int_t)t->created_us, "expires_us", (json_int_t)(t->has_end ? t->until.us : 0), "state", state));
	}
	request_answer(q, json_pack("{s:o}", "tokens", list), NULL, 0);
}
