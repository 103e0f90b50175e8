#include "cli/new_log.h"
#include "base/encode.h"
#include "journal/checkpoint.h"
#include "store/store.h"

#include <string.h>

/* What log.continued says of the old log; only what its last checkpoint tells. The signature is not judged: the log may be set aside because it is wrong. */
static void add_old(json_t *d, const struct buf *note)
{
	struct checkpoint old;
	struct buf hex;
	const char *end = note->len ? strstr(note->data, "\n\n") : NULL;
	if (!end || checkpoint_parse(note->data, (size_t)(end - note->data) + 1, &old, NULL)) return;
	buf_init(&hex, 100);
	encode_hex(&hex, old.root.bytes, sizeof old.root.bytes);
	json_object_set_new(d, "origin", json_string(old.origin));
	json_object_set_new(d, "size", json_integer((json_int_t)old.size));
	json_object_set_new(d, "root", json_string(hex.data));
	buf_clear(&hex);
}

struct answer {
	enum err err;
	struct error *e;
};

static void stored(void *arg, enum err err, uint64_t first_seq, int64_t t_us, const struct error *e)
{
	(void)first_seq, (void)t_us;
	struct answer *a = arg;
	a->err = err;
	if (err && e) *a->e = *e;
}

static enum err write_first(struct store *s, const struct buf *note, const char *reason, const char *by, struct error *e)
{
	char blob[STORE_BLOB_NAME_BYTES];
	struct answer answer = {ERR_FAILED, e};
	struct store_batch *b = store_batch_new();
	store_batch_blob(b, NULL, reason, strlen(reason), blob);
	json_t *d = json_pack("{s:s,s:s}", "why", "set_aside", "reason", blob);
	add_old(d, note);
	struct record r = {.kind = RECORD_LOG_CONTINUED, .by = by, .data = d};
	enum err err = store_batch_record(b, &r, e);
	json_decref(d);
	if (err) {
		store_batch_free(b);
		return err;
	}
	store_submit(s, b, stored, &answer);
	store_drain(s);
	return answer.err;
}

enum err new_log(const char *state_dir, const char *reason, const char *by, struct error *e)
{
	struct buf note;
	struct store *s = NULL;
	buf_init(&note, 65536);
	enum err err = store_set_aside(state_dir, NULL, &note, e);
	struct store_options o = {.dir = state_dir};
	if (!err) err = store_open(&o, &s, e);
	if (!err) err = write_first(s, &note, reason, by, e);
	store_close(s);
	buf_clear(&note);
	return err;
}
