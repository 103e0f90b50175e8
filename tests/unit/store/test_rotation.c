#include "store_fixture.h"

#include "base/encode.h"
#include "journal/checkpoint.h"
#include "journal/rowset.h"

#include <sqlite3.h>

/* A log whose key was rotated is verified with each epoch's own key. The log is continued by hand here, over the tables. */

struct hand {
	sqlite3 *db;
	struct tree tree;
	struct checkpoint checkpoint;
	struct note_signer *old, *new;
};

static void bind_and_run(sqlite3 *db, const char *sql, int64_t number, const void *a, size_t a_len, const void *b, size_t b_len, bool is_text)
{
	sqlite3_stmt *q;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	sqlite3_bind_int64(q, 1, number);
	if (is_text)
		sqlite3_bind_text(q, 2, a, (int)a_len, SQLITE_STATIC);
	else
		sqlite3_bind_blob(q, 2, a, (int)a_len, SQLITE_STATIC);
	if (b) sqlite3_bind_blob(q, 3, b, (int)b_len, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(q), SQLITE_DONE);
	sqlite3_finalize(q);
}

static void append(struct hand *h, enum record_kind kind, json_t *d, const struct note_signer *signer)
{
	struct record r = {.seq = h->tree.size, .t_us = clock_now_us(), .kind = kind, .by = "system:engine", .data = d};
	struct buf line, note;
	struct error e;
	struct tree_hash leaf;
	buf_init(&line, JOURNAL_RECORD_BYTES_MAX);
	buf_init(&note, NOTE_BYTES_MAX);
	if (record_encode(&r, &line, &e)) fail_msg("%s", e.text);
	tree_leaf(&leaf, line.data, line.len);
	tree_append(&h->tree, &leaf);
	bind_and_run(h->db, "INSERT INTO record (seq, leaf, line) VALUES (?, ?, ?)", (int64_t)r.seq, leaf.bytes, sizeof leaf, line.data, line.len, false);
	h->checkpoint.size = h->tree.size;
	tree_root(&h->tree, &h->checkpoint.root);
	assert_int_equal(checkpoint_sign(&h->checkpoint, signer, &note, &e), ERR_OK);
	bind_and_run(h->db, "INSERT INTO checkpoint (size, note) VALUES (?, ?)", (int64_t)h->tree.size, note.data, note.len, NULL, 0, true);
	bind_and_run(h->db, "UPDATE head SET nodes = ?2 WHERE id = ?1", 0, h->tree.nodes, (size_t)tree_nodes(h->tree.size) * TREE_HASH_BYTES, NULL, 0, false);
	buf_clear(&line);
	buf_clear(&note);
	json_decref(d);
}

/* Opens the tables of a new log, with the key that made it and another. */
static void hand_open(struct hand *h, struct place *p)
{
	unsigned char seed[NOTE_SEED_BYTES];
	char path[128];
	struct buf text;
	struct error e;
	struct rowset none;
	sqlite3_stmt *q;
	store_close(place_open(p));
	snprintf(path, sizeof path, "%s/keys/log.seed", p->dir);
	buf_init(&text, 100);
	assert_int_equal(fs_read(path, &text, &e), ERR_OK);
	text.data[64] = 0;
	assert_true(decode_hex(seed, text.data, sizeof seed));
	buf_clear(&text);
	assert_int_equal(note_signer_new("test.example/journal", NOTE_ED25519, seed, &h->old, &e), ERR_OK);
	seed[0] ^= 1;
	assert_int_equal(note_signer_new("test.example/journal", NOTE_ED25519, seed, &h->new, &e), ERR_OK);
	snprintf(path, sizeof path, "%s/store.db", p->dir);
	assert_int_equal(sqlite3_open(path, &h->db), SQLITE_OK);
	h->checkpoint = (struct checkpoint){.origin = "test.example/journal", .has_rows = true};
	rowset_init(&none);
	rowset_digest(&none, &h->checkpoint.rows);
	tree_init(&h->tree);
	sqlite3_prepare_v2(h->db, "SELECT leaf FROM record", -1, &q, NULL);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	struct tree_hash leaf;
	memcpy(&leaf, sqlite3_column_blob(q, 0), sizeof leaf);
	tree_append(&h->tree, &leaf);
	sqlite3_finalize(q);
}

static void hand_close(struct hand *h)
{
	sqlite3_close(h->db);
	note_signer_free(h->old);
	note_signer_free(h->new);
}

static json_t *step_back(void)
{
	return json_pack("{s:i}", "back_us", 1);
}

/* What the verifier says of a log where these three keys signed: the record before the rotation, the rotation itself, the one after it. */
static struct store_verdict verdict_with(bool before_is_old, bool rotation_is_old, bool after_is_old)
{
	struct place p;
	struct hand h;
	struct store_verdict v;
	struct error e;
	char vkey[NOTE_VKEY_BYTES];
	place_make(&p);
	hand_open(&h, &p);
	note_key_text(note_signer_key(h.new), vkey);
	append(&h, RECORD_CLOCK_STEPPED, step_back(), before_is_old ? h.old : h.new);
	append(&h, RECORD_KEY_ROTATED, json_pack("{s:s}", "key", vkey), rotation_is_old ? h.old : h.new);
	append(&h, RECORD_CLOCK_STEPPED, step_back(), after_is_old ? h.old : h.new);
	hand_close(&h);
	store_verify(p.dir, p.guard, &v, &e);
	place_remove(&p);
	return v;
}

static void each_epoch_has_its_own_key(void **state)
{
	(void)state;
	struct store_verdict v = verdict_with(true, true, false);
	if (!v.is_whole) fail_msg("%s", v.reason);
	assert_int_equal(v.records, 4);
	assert_int_equal(v.checkpoints, 4);
}

static void a_checkpoint_by_the_key_of_another_epoch_is_found(void **state)
{
	(void)state;
	assert_non_null(strstr(verdict_with(false, true, false).reason, "checkpoint of size 2"));
	assert_non_null(strstr(verdict_with(true, false, false).reason, "checkpoint of size 3"));
	assert_non_null(strstr(verdict_with(true, true, true).reason, "checkpoint of size 4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_epoch_has_its_own_key),
	    cmocka_unit_test(a_checkpoint_by_the_key_of_another_epoch_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
