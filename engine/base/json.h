#ifndef RUNG_BASE_JSON_H
#define RUNG_BASE_JSON_H

#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>
#include <stdint.h>

/* Plain data is jansson's json_t throughout. These are the few things that jansson leaves to its callers. */

/* Once, before any JSON is made: where there is no memory for it the process ends, as mem_alloc does, instead of a value with something left out. */
void json_prepare(void);

/* Parses one JSON text of n bytes: UTF-8, no duplicate keys, no trailing bytes, nesting at most max_depth. A new reference, or NULL with e filled. */
json_t *json_parse(const char *text, size_t n, size_t max_depth, struct error *e);

/* Canonical bytes: sorted keys, no space, floats with 17 digits. Appends to b; false where b's maximum is passed. For digests and comparisons. */
bool json_canonical(const json_t *v, struct buf *b);

/* Appends v as jansson writes it with those flags, every hidden code point (text_is_hidden) as a \u escape: the exact text, and no terminal or editor is
 * steered by it. False where b's maximum is passed. */
bool json_inert(const json_t *v, size_t flags, struct buf *b);

/* Appends \uXXXX, two of them beyond the first plane. */
bool json_escape(struct buf *b, uint32_t code);

/* Deepest nesting of v: 0 for a scalar, 1 for a flat object or array. */
size_t json_depth(const json_t *v);

/* Members with a default where the key is absent or of another type. Strings are borrowed. */
const char *json_str(const json_t *o, const char *key, const char *otherwise);
json_int_t json_int(const json_t *o, const char *key, json_int_t otherwise);
bool json_bool(const json_t *o, const char *key, bool otherwise);
json_t *json_arr(const json_t *o, const char *key); /* borrowed array or NULL */
json_t *json_obj(const json_t *o, const char *key); /* borrowed object or NULL */

/* Takes the members of o that are null out of it: as keys without a value are left out of a record. Gives o back. */
json_t *json_drop_nulls(json_t *o);

/* A JSON string of a text for people; what is not UTF-8 in it is made visible. null for NULL. New reference. */
json_t *json_text(const char *s);

/* A JSON string of n bytes where they are UTF-8, else {"b64": "..."}: how bytes from outside stand in JSON. New reference. */
json_t *json_bytes(const void *data, size_t n);

/* The other way: bytes of a string or of {"b64"}. Appends to b; false where v is neither or b is full. */
bool json_bytes_get(const json_t *v, struct buf *b);

/* Overwrites the bytes of a string or of {"b64"}, of one that held a secret; nothing for other values. */
void json_wipe(json_t *v);

#endif
