#include "alert/normaliser.h"
#include "alert/body.h"

/* In the order of enum alert_source_kind. */
static const struct normaliser *const table[ALERT_SOURCE_KIND_N] = {
    [ALERT_SOURCE_ALERTMANAGER] = &normaliser_alertmanager,
    [ALERT_SOURCE_GENERIC] = &normaliser_generic,
};

const struct normaliser *normaliser_of(enum alert_source_kind kind)
{
	must(kind < ALERT_SOURCE_KIND_N);
	return table[kind];
}

void normaliser_make_room(struct arena *a, const json_t *v, struct alert_delivery *d)
{
	size_t count = json_is_array(v) ? json_array_size(v) : 1;
	d->count = count > ALERTS_MAX ? ALERTS_MAX : count;
	d->truncated += (int64_t)(count - d->count);
	d->alerts = arena_alloc(a, d->count * sizeof *d->alerts);
}

const json_t *normaliser_item(const json_t *v, size_t i)
{
	return json_is_array(v) ? json_array_get(v, i) : v;
}

enum err alert_read(struct arena *a, const struct alert_source *s, const char *bytes, size_t n, struct alert_delivery *out, struct error *e)
{
	*out = (struct alert_delivery){.source = s->name, .receiver = "", .bytes = n};
	json_t *body = body_parse(bytes, n, e);
	if (!body) return e->kind;
	digest_sha256_hex(out->digest, bytes, n);
	enum err err = normaliser_of(s->kind)->read(a, s, body, out, e);
	json_decref(body);
	return err;
}
