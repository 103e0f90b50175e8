#ifndef RUNG_ALERT_BODY_H
#define RUNG_ALERT_BODY_H

#include "alert/alert.h"

/* From a delivery's bytes to JSON, and from JSON to the fields of an alert: what all normalisers share. */

/* Parses a body within the limits of alert.h. An integer of more than 18 digits becomes a string of them: a 64-bit hash is a name, not a number. A new
 * reference, or NULL with e filled: ERR_TOO_BIG, ERR_INVALID (a key that stands twice, bytes that are not UTF-8). */
json_t *body_parse(const char *bytes, size_t n, struct error *e);

/* A string, number or bool as text of at most max bytes, cut between characters; NULL for anything else. was_cut may be NULL. In the arena. */
const char *body_text(struct arena *a, const json_t *v, size_t max, bool *was_cut);

/* The same, "" for NULL. */
const char *body_text_or_empty(struct arena *a, const json_t *v, size_t max);

/* A text of at most max bytes, cut between characters. In the arena, or text itself. */
const char *body_cut(struct arena *a, const char *text, size_t max);

/* An instant: RFC 3339, or a number since 1970 in seconds, milliseconds, microseconds or nanoseconds, by its size. 0 where it is none, or lies before 1970 or
 * after 9999: so Go's "0001-01-01T00:00:00Z", which means none. */
int64_t body_time_us(const json_t *v);

/* Labels being gathered; sorted and bounded by body_labels_take. */
struct body_labels {
	struct arena *arena;
	struct alert_label *items;
	size_t count, capacity, max_value;
	bool is_cut; /* a name or value was shortened, an item left out */
};

void body_labels_add(struct body_labels *l, const char *name, size_t name_n, const json_t *value);

/* Adds what is there: members of an object, or items {"name": ..., "value": ...} of a list ("key" in place of "name", too). A value that is an object or a list
 * is added as its JSON. */
void body_labels_add_all(struct body_labels *l, const json_t *v);

/* Sorts; of equal names the first stays; over ALERT_LABELS_MAX the last go. */
void body_labels_take(struct body_labels *l, const struct alert_label **out, size_t *count);

/* 32 hex digits of the SHA-256 of name and sorted labels, each with its length. In the arena. */
const char *body_fingerprint(struct arena *a, const char *name, const struct alert_label *labels, size_t count);

/* runbook_url, else runbook, else "". */
const char *body_runbook(const struct alert *al);

#endif
