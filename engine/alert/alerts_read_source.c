#include "alert/alerts_read.h"
#include "alert/normaliser.h"
#include "base/encode.h"
#include "policy/secrets.h"

#include <string.h>

/* sources: of alerts.yaml: kinds, where their fields are, how a delivery proves itself. */

static const char *const field_words[ALERT_FIELD_N + 1] = {
    [ALERT_FIELD_ALERTS] = "alerts",
    [ALERT_FIELD_NAME] = "name",
    [ALERT_FIELD_STATE] = "state",
    [ALERT_FIELD_SEVERITY] = "severity",
    [ALERT_FIELD_FINGERPRINT] = "fingerprint",
    [ALERT_FIELD_GROUP] = "group",
    [ALERT_FIELD_LABELS] = "labels",
    [ALERT_FIELD_ANNOTATIONS] = "annotations",
    [ALERT_FIELD_STARTS] = "starts",
    [ALERT_FIELD_ENDS] = "ends",
    [ALERT_FIELD_LINK] = "link",
    [ALERT_FIELD_RUNBOOK] = "runbook",
    [ALERT_FIELD_VALUE] = "value",
    [ALERT_FIELD_N] = NULL,
};

const char *alert_field_word(size_t id)
{
	return id < ALERT_FIELD_N ? field_words[id] : NULL;
}

/* ---- fields ---- */

static enum err read_pointer(const struct alerts_reader *r, const struct yaml *v, struct pointer *out)
{
	const char *text;
	struct error why;
	enum err err = alerts_read_text(r, v, "a JSON Pointer", true, &text);
	if (!err && pointer_parse(r->arena, text, out, &why)) err = yaml_wrong(v, r->e, "%.400s", why.text);
	return err;
}

/* One pointer, or a list of which the first that is there counts. */
static enum err read_at(const struct alerts_reader *r, const struct yaml *v, struct alert_field *f)
{
	size_t count = v->kind == YAML_LIST ? v->count : 1;
	if (count == 0 || count > ALERTS_POINTERS_MAX) return yaml_wrong(v, r->e, "a field has 1 to %d JSON Pointers", ALERTS_POINTERS_MAX);
	enum err err = ERR_OK;
	f->at = arena_alloc(r->arena, count * sizeof *f->at);
	for (size_t i = 0; i < count && !err; i++, f->at_count++) err = read_pointer(r, v->kind == YAML_LIST ? v->items[i] : v, &f->at[i]);
	return err;
}

static enum err read_map(const struct alerts_reader *r, const struct yaml *v, enum alert_field_id id, struct alert_field *f)
{
	static const char *const states[] = {"firing", "resolved", NULL};
	size_t count, index;
	enum err err = alerts_read_count(r, v, "map", ALERTS_MAP_MAX, &count);
	if (err) return err;
	f->map = arena_alloc(r->arena, count * sizeof *f->map);
	for (size_t i = 0; i < count && !err; i++) {
		f->map[i].from = v->keys[i]->text;
		err = id == ALERT_FIELD_STATE ? yaml_word(v->items[i], "a state", states, &index, r->e) : ERR_OK;
		if (!err) err = alerts_read_text(r, v->items[i], "what a word is mapped to", true, &f->map[i].to);
		f->map_count += !err;
	}
	return err;
}

/* {at: /pointer, map: {theirs: ours}, default: ours} */
static enum err read_rule(const struct alerts_reader *r, const struct yaml *v, enum alert_field_id id, bool has_at, struct alert_field *f)
{
	static const char *const keys[] = {"at", "map", "default", NULL}, *const states[] = {"firing", "resolved", NULL};
	const struct yaml *m;
	size_t index;
	enum err err = yaml_keys(v, field_words[id], has_at ? keys : keys + 1, r->e);
	if (!err && (m = yaml_get(v, "at"))) err = read_at(r, m, f);
	if (!err && (m = yaml_get(v, "map"))) err = read_map(r, m, id, f);
	if (err || !(m = yaml_get(v, "default"))) return err;
	if (id == ALERT_FIELD_STATE) err = yaml_word(m, "the default state", states, &index, r->e);
	return err ? err : alerts_read_text(r, m, "default", false, &f->otherwise);
}

/* {label: /pointer}: gathered one by one. */
static enum err read_members(const struct alerts_reader *r, const struct yaml *v, enum alert_field_id id, struct alert_field *f)
{
	size_t count;
	enum err err = alerts_read_count(r, v, field_words[id], ALERT_LABELS_MAX, &count);
	if (err) return err;
	f->members = arena_alloc(r->arena, count * sizeof *f->members);
	for (size_t i = 0; i < count && !err; i++) {
		if (strlen(v->keys[i]->text) > ALERT_LABEL_NAME_BYTES_MAX)
			return yaml_wrong(v->keys[i], r->e, "a label's name has at most %d bytes", ALERT_LABEL_NAME_BYTES_MAX);
		f->members[i].name = v->keys[i]->text;
		err = read_pointer(r, v->items[i], &f->members[i].at);
		f->member_count += !err;
	}
	return err;
}

static enum err read_field(const struct alerts_reader *r, const struct yaml *v, enum alert_field_id id, struct alert_field *f)
{
	bool is_labels = id == ALERT_FIELD_LABELS || id == ALERT_FIELD_ANNOTATIONS;
	f->is_given = true;
	if (v->kind == YAML_MAP && is_labels) return read_members(r, v, id, f);
	if (v->kind == YAML_MAP && id != ALERT_FIELD_ALERTS) return read_rule(r, v, id, true, f);
	return read_at(r, v, f);
}

enum err alerts_read_fields(const struct alerts_reader *r, const struct yaml *v, struct alert_source *out)
{
	const struct yaml *m;
	enum err err = ERR_OK;
	for (size_t i = 0; i < ALERT_FIELD_N && !err; i++)
		if ((m = yaml_get(v, field_words[i]))) err = read_field(r, m, (enum alert_field_id)i, &out->fields[i]);
	return err;
}

/* ---- how a delivery proves itself ---- */

static enum err read_secrets(const struct alerts_reader *r, const struct yaml *v, struct alert_auth *out)
{
	struct yaml **items;
	size_t count;
	enum err err = yaml_texts(v, "secret", &items, &count, r->arena, r->e);
	if (!err && (count == 0 || count > ALERTS_SECRETS_MAX)) err = yaml_wrong(v, r->e, "secret names 1 to %d secrets of secrets.yaml", ALERTS_SECRETS_MAX);
	for (size_t i = 0; i < count && !err; i++) {
		if (!secret_name_is_valid(items[i]->text))
			return yaml_wrong(items[i], r->e, "a secret's name is letters, digits, and any of - _ ., not \"%.60s\"", items[i]->text);
		out->secrets[out->secret_count++] = items[i]->text;
	}
	return err;
}

static enum err read_bearer(const struct alerts_reader *r, const struct yaml *v, struct alert_auth *out)
{
	static const char *const keys[] = {"secret", "sha256", NULL};
	const struct yaml *m;
	const char *text;
	out->proof = ALERT_PROOF_BEARER;
	enum err err = yaml_keys(v, "bearer", keys, r->e);
	if (!err && !yaml_get(v, "secret") == !yaml_get(v, "sha256"))
		err = yaml_wrong(v, r->e, "bearer has either secret (a name in secrets.yaml) or sha256 (the token's hash)");
	if (!err && (m = yaml_get(v, "secret"))) err = read_secrets(r, m, out);
	if (err || !(m = yaml_get(v, "sha256"))) return err;
	err = yaml_text(m, "sha256", &text, r->e);
	out->has_token_hash = !err && strlen(text) == 2 * DIGEST_BYTES && decode_hex(out->token_hash, text, DIGEST_BYTES);
	return err || out->has_token_hash ? err : yaml_wrong(m, r->e, "sha256 is 64 lower-case hexadecimal digits: the hash of the token, never the token");
}

static bool is_header(const char *s)
{
	size_t n = strlen(s);
	return n > 0 && n <= 128 && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == n;
}

static enum err read_header(const struct alerts_reader *r, const struct yaml *v, const char *what, const char **out)
{
	enum err err = yaml_text(v, what, out, r->e);
	return err || is_header(*out) ? err : yaml_wrong(v, r->e, "%s is the name of a header, such as X-Signature, not \"%.60s\"", what, *out);
}

/* "v0:{timestamp}:{body}": what stands around the two. */
static enum err read_signed(const struct alerts_reader *r, const struct yaml *v, struct alert_auth *out)
{
	static const char time[] = "{timestamp}", body[] = "{body}";
	const char *text;
	enum err err = alerts_read_text(r, v, "signs", false, &text);
	if (err) return err;
	const char *at = strstr(text, time), *end = at ? strstr(at, body) : NULL;
	if (!end || end[strlen(body)] || strpbrk(arena_strndup(r->arena, text, (size_t)(at - text)), "{}"))
		return yaml_wrong(v, r->e, "signs says how time and body are put together, as \"{timestamp}.{body}\" or \"v0:{timestamp}:{body}\"");
	out->signed_before = arena_strndup(r->arena, text, (size_t)(at - text));
	at += strlen(time);
	out->signed_between = arena_strndup(r->arena, at, (size_t)(end - at));
	return ERR_OK;
}

static enum err read_timestamp(const struct alerts_reader *r, const struct yaml *v, struct alert_auth *out)
{
	const struct yaml *m = yaml_get(v, "timestamp");
	enum err err = ERR_OK;
	if (!m) {
		m = yaml_get(v, "within") ? yaml_get(v, "within") : yaml_get(v, "signs");
		return m ? yaml_wrong(m, r->e, "within and signs speak of the signed time: name its header under timestamp") : ERR_OK;
	}
	out->within_us = INT64_C(300000000);
	out->signed_between = ".";
	err = read_header(r, m, "timestamp", &out->timestamp_header);
	if (!err && (m = yaml_get(v, "within"))) {
		err = yaml_duration(m, "within", &out->within_us, r->e);
		if (!err && (out->within_us < 1000000 || out->within_us > INT64_C(3600000000)))
			err = yaml_wrong(m, r->e, "within is at least 1s and at most 1h");
	}
	if (!err && (m = yaml_get(v, "signs"))) err = read_signed(r, m, out);
	return err;
}

static enum err read_hmac(const struct alerts_reader *r, const struct yaml *v, struct alert_auth *out)
{
	static const char *const keys[] = {"secret", "header", "algorithm", "encoding", "prefix", "timestamp", "within", "signs", NULL};
	static const char *const algorithms[] = {"sha256", "sha1", "sha512", NULL}, *const encodings[] = {"hex", "base64", NULL};
	const struct yaml *m;
	size_t index = 0;
	out->proof = ALERT_PROOF_HMAC;
	enum err err = yaml_keys(v, "hmac", keys, r->e);
	if (!err && (!yaml_get(v, "secret") || !yaml_get(v, "header")))
		err = yaml_wrong(v, r->e, "hmac needs secret (the name of its key in secrets.yaml) and header (that has the signature)");
	if (!err) err = read_secrets(r, yaml_get(v, "secret"), out);
	if (!err) err = read_header(r, yaml_get(v, "header"), "header", &out->header);
	if (!err && (m = yaml_get(v, "algorithm"))) err = yaml_word(m, "algorithm", algorithms, &index, r->e);
	if (!err) out->algorithm = (enum alert_algorithm)index;
	index = 0;
	if (!err && (m = yaml_get(v, "encoding"))) err = yaml_word(m, "encoding", encodings, &index, r->e);
	if (!err) out->encoding = (enum alert_encoding)index;
	if (!err && (m = yaml_get(v, "prefix"))) err = alerts_read_text(r, m, "prefix", true, &out->prefix);
	return err ? err : read_timestamp(r, v, out);
}

enum err alerts_read_auth(const struct alerts_reader *r, const struct yaml *v, struct alert_auth *out)
{
	const struct yaml *bearer = yaml_get(v, "bearer"), *hmac = yaml_get(v, "hmac");
	*out = (struct alert_auth){.prefix = "", .signed_before = "", .signed_between = ""};
	if (bearer && hmac) return yaml_wrong(hmac, r->e, "a source has bearer or hmac, not both: line %d has the other", bearer->line);
	if (bearer) return read_bearer(r, bearer, out);
	if (hmac) return read_hmac(r, hmac, out);
	return yaml_wrong(v, r->e, "a source needs bearer or hmac: without one, whoever reaches the engine could start playbooks");
}

/* ---- a source ---- */

static enum err read_kind(const struct alerts_reader *r, const struct yaml *v, enum alert_source_kind *out)
{
	const char *words[ALERT_SOURCE_KIND_N + 1] = {NULL};
	const struct yaml *kind = yaml_get(v, "kind");
	size_t index;
	for (size_t i = 0; i < ALERT_SOURCE_KIND_N; i++) words[i] = normaliser_of((enum alert_source_kind)i)->word;
	if (!kind) return yaml_wrong(v, r->e, "a source needs its kind");
	enum err err = yaml_word(kind, "a source's kind", words, &index, r->e);
	if (!err) *out = (enum alert_source_kind)index;
	return err;
}

enum err alerts_read_source(const struct alerts_reader *r, const struct yaml *key, const struct yaml *v, struct alert_source *out)
{
	static const char *const keys_alertmanager[] = {"kind", "bearer", "hmac", "severity", NULL};
	const char *keys[ALERT_FIELD_N + 4] = {"kind", "bearer", "hmac"};
	const struct yaml *m;
	*out = (struct alert_source){.line = key->line};
	enum err err = alerts_read_name(r, key, "a source's name", &out->name);
	if (!err) err = yaml_map(v, "a source", r->e);
	if (!err) err = read_kind(r, v, &out->kind);
	if (err) return err;
	memcpy(keys + 3, field_words, sizeof field_words);
	bool is_generic = out->kind == ALERT_SOURCE_GENERIC;
	err = yaml_keys(v, is_generic ? "a generic source" : "an alertmanager source", is_generic ? keys : keys_alertmanager, r->e);
	if (!err) err = alerts_read_auth(r, v, &out->auth);
	if (!err && is_generic) return alerts_read_fields(r, v, out);
	if (!err && (m = yaml_get(v, "severity"))) err = read_rule(r, m, ALERT_FIELD_SEVERITY, false, &out->fields[ALERT_FIELD_SEVERITY]);
	return err;
}
