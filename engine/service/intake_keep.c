#include "base/clock.h"
#include "service/alerts_at.h"
#include "service/intake_parts.h"
#include "service/secret.h"

#include <stdlib.h>
#include <string.h>

/* What intake keeps between deliveries: the secrets of its sources for a moment, and which bodies are stored. */

enum { KEY_FRESH_US = 1000000, VALUE_BYTES_MAX = 64 << 10 };

/* ---- secrets ---- */

static struct source_key *find_key(struct intake *in, const char *name)
{
	for (size_t i = 0; i < in->key_count; i++)
		if (strcmp(in->keys[i].name, name) == 0) return &in->keys[i];
	size_t at = in->key_count < SOURCE_KEYS_MAX ? in->key_count++ : in->next_key++ % SOURCE_KEYS_MAX;
	struct source_key *k = &in->keys[at];
	if (k->name) buf_wipe(&k->value);
	free(k->name);
	*k = (struct source_key){.name = mem_strdup(name)};
	buf_init(&k->value, VALUE_BYTES_MAX);
	return k;
}

enum err intake_keys(struct engine *en, const struct alert_source *s, struct alert_key keys[ALERTS_SECRETS_MAX], size_t *count, struct error *e)
{
	struct intake *in = intake_of(en);
	int64_t now_us = clock_monotonic_us();
	*count = 0;
	for (size_t i = 0; i < s->auth.secret_count; i++) {
		struct source_key *k = find_key(in, s->auth.secrets[i]);
		if (!k->read_us || now_us - k->read_us >= KEY_FRESH_US) {
			buf_wipe(&k->value);
			buf_init(&k->value, VALUE_BYTES_MAX);
			k->err = secret_read(en, en->root ? en->root : "", k->name, &k->value, &k->error);
			k->read_us = now_us;
		}
		if (k->err) *e = k->error;
		if (!k->err) keys[(*count)++] = (struct alert_key){k->value.data, k->value.len};
	}
	/* While one is exchanged for another the old one may be gone: those that are there count. */
	return *count || s->auth.secret_count == 0 ? ERR_OK : e->kind;
}

/* ---- bodies ---- */

static void forget_reason(struct intake *in, struct kept_text *k)
{
	if (!k->text) return;
	table_remove(in->by_reason, k->text);
	free(k->text);
	k->text = NULL;
}

void intake_forget_bodies(struct engine *en)
{
	struct intake *in = en->intake;
	for (size_t i = 0; in && i < REASONS_MAX; i++) forget_reason(in, &in->reasons[i]);
	for (size_t i = 0; in && i < BODIES_MAX; i++) {
		struct kept_body *k = &in->bodies[i];
		if (!k->names) continue;
		table_remove(in->by_digest, k->digest);
		json_decref(k->names);
		k->names = NULL;
	}
}

static json_t *store_body(struct engine *en, const char *bytes, size_t n)
{
	json_t *names = json_array();
	char name[STORE_BLOB_NAME_BYTES];
	for (size_t at = 0; at < n;) {
		size_t piece = n - at < STORE_BLOB_BYTES_MAX ? n - at : STORE_BLOB_BYTES_MAX;
		store_batch_blob(incident_batch(en), NULL, bytes + at, piece, name);
		json_array_append_new(names, json_string(name));
		at += piece;
	}
	return names;
}

json_t *intake_body(struct engine *en, const struct alert_delivery *d, const char *bytes)
{
	struct intake *in = intake_of(en);
	struct kept_body *k = table_get(in->by_digest, d->digest);
	if (k) return k->names;
	k = &in->bodies[in->next_body++ % BODIES_MAX];
	if (k->names) table_remove(in->by_digest, k->digest);
	json_decref(k->names);
	memcpy(k->digest, d->digest, sizeof k->digest);
	k->names = store_body(en, bytes, d->bytes);
	table_put(in->by_digest, k->digest, k);
	return k->names;
}

const char *intake_reason(struct engine *en, const char *text)
{
	struct intake *in = intake_of(en);
	struct kept_text *k = table_get(in->by_reason, text);
	if (k) return k->name;
	k = &in->reasons[in->next_reason++ % REASONS_MAX];
	forget_reason(in, k);
	k->text = mem_strdup(text);
	store_batch_blob(incident_batch(en), NULL, text, strlen(text), k->name);
	table_put(in->by_reason, k->text, k);
	return k->name;
}
