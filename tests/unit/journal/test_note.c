#include "base/arena.h"
#include "base/encode.h"
#include "base/fs.h"
#include "journal/checkpoint.h"
#include "journal/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Bytes, hashes and signatures that are fixed for ever: tests/golden/journal. */

static struct buf vectors;

static char *read_text(const char *path)
{
	struct buf b;
	struct error e;
	buf_init(&b, 1 << 20);
	if (fs_read(path, &b, &e)) fail_msg("%s", e.text);
	return buf_take(&b);
}

/* The rest of the line that starts with key. */
static char *vector(const char *key)
{
	size_t n = strlen(key);
	for (const char *line = vectors.data; line && *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, key, n) == 0 && line[n] == ' ') return strndup(line + n + 1, strcspn(line, "\n") - n - 1);
	fail_msg("no vector %s", key);
	return NULL;
}

static struct tree_hash hex_vector(const char *key)
{
	struct tree_hash h;
	char *hex = vector(key);
	assert_true(decode_hex(h.bytes, hex, TREE_HASH_BYTES));
	free(hex);
	return h;
}

static struct note_key key_vector(const char *key)
{
	struct note_key k;
	struct error e;
	char *text = vector(key), again[NOTE_VKEY_BYTES];
	if (note_key_parse(text, &k, &e)) fail_msg("%s", e.text);
	note_key_text(&k, again);
	assert_string_equal(again, text);
	free(text);
	return k;
}

static struct note_signer *signer_vector(const struct note_key *k, unsigned char first)
{
	unsigned char seed[NOTE_SEED_BYTES];
	struct note_signer *s;
	struct error e;
	for (unsigned char i = 0; i < NOTE_SEED_BYTES; i++) seed[i] = (unsigned char)(first + i);
	assert_int_equal(note_signer_new(k->name, k->algorithm, seed, &s, &e), ERR_OK);
	assert_int_equal(note_signer_key(s)->id, k->id);
	assert_memory_equal(note_signer_key(s)->key, k->key, NOTE_KEY_BYTES);
	return s;
}

static void leaves_root_and_proof_are_those_of_the_vectors(void **state)
{
	struct tree t;
	struct tree_hash leaf[3], root, want;
	char name[8] = "rec0", leaf_name[8] = "leaf0";
	(void)state;
	tree_init(&t);
	for (int i = 0; i < 3; i++) {
		name[3] = leaf_name[4] = (char)('0' + i);
		char *record = vector(name);
		tree_leaf(&leaf[i], record, strlen(record));
		want = hex_vector(leaf_name);
		assert_memory_equal(&leaf[i], &want, sizeof want);
		tree_append(&t, &leaf[i]);
		free(record);
	}
	tree_root(&t, &root);
	want = hex_vector("root3");
	assert_memory_equal(&root, &want, sizeof want);
	struct tree_leaves all = {leaf, 3};
	struct tree_proof p;
	struct buf text;
	buf_init(&text, 1000);
	assert_true(tree_prove_inclusion(1, 3, tree_fetch_leaves, &all, &p));
	for (int i = 0; i < p.n; i++) {
		if (i) buf_char(&text, ' ');
		encode_base64(&text, p.hashes[i].bytes, TREE_HASH_BYTES);
	}
	char *proof = vector("proof1");
	assert_string_equal(text.data, proof);
	assert_true(tree_verify_inclusion(1, 3, &leaf[1], &p, &root));
	free(proof);
	buf_clear(&text);
}

static void the_published_example_verifies(void **state)
{
	char *bytes = read_text("tests/golden/journal/example.note");
	struct note_key k = key_vector("example"), other = key_vector("log");
	struct note note;
	struct error e;
	(void)state;
	assert_int_equal(note_parse(bytes, strlen(bytes), &note, &e), ERR_OK);
	assert_int_equal(note.text_len, strlen("This is an example message.\n"));
	assert_int_equal(note_verify(&note, &k, NULL, &e), ERR_OK);
	assert_int_equal(note_verify(&note, &other, NULL, &e), ERR_NOT_FOUND);
	bytes[3] ^= 1;
	assert_int_equal(note_verify(&note, &k, NULL, &e), ERR_VERIFY);
	free(bytes);
}

static void the_checkpoint_and_its_cosignature_verify_and_are_made_again_byte_for_byte(void **state)
{
	char *bytes = read_text("tests/golden/journal/cosigned.note");
	struct note_key log = key_vector("log"), witness = key_vector("witness");
	struct checkpoint c;
	struct note note;
	struct error e;
	struct buf again;
	uint64_t time_s;
	(void)state;
	assert_int_equal(checkpoint_open(bytes, strlen(bytes), &log, &c, &e), ERR_OK);
	struct tree_hash root = hex_vector("root3");
	assert_int_equal(c.size, 3);
	assert_memory_equal(&c.root, &root, sizeof root);
	assert_false(c.has_rows);
	assert_int_equal(note_parse(bytes, strlen(bytes), &note, &e), ERR_OK);
	assert_int_equal(note.n, 2);
	assert_int_equal(note_verify(&note, &witness, &time_s, &e), ERR_OK);
	assert_int_equal(time_s, 1795388400);
	struct note_signer *log_signer = signer_vector(&log, 0x00), *witness_signer = signer_vector(&witness, 0x20);
	buf_init(&again, NOTE_BYTES_MAX);
	assert_int_equal(checkpoint_sign(&c, log_signer, &again, &e), ERR_OK);
	assert_int_equal(note_cosign(witness_signer, note.text, note.text_len, time_s, &again, &e), ERR_OK);
	assert_string_equal(again.data, bytes);
	note_signer_free(log_signer);
	note_signer_free(witness_signer);
	buf_clear(&again);
	free(bytes);
}

static void a_proof_of_one_record_is_checked_away_from_its_log(void **state)
{
	char *note = read_text("tests/golden/journal/cosigned.note"), *golden = read_text("tests/golden/journal/record1.tlog-proof"), *record = vector("rec1"),
	     *other = vector("rec2");
	struct note_key log = key_vector("log"), witness = key_vector("witness");
	struct tree_hash leaf[3] = {hex_vector("leaf0"), hex_vector("leaf1"), hex_vector("leaf2")};
	struct tree_leaves all = {leaf, 3};
	struct proof p = {.index = 1, .note = note, .note_len = strlen(note)}, back;
	struct buf text;
	struct error e;
	(void)state;
	assert_true(tree_prove_inclusion(1, 3, tree_fetch_leaves, &all, &p.path));
	buf_init(&text, 4096);
	assert_int_equal(proof_write(&p, &text, &e), ERR_OK);
	assert_string_equal(text.data, golden);
	assert_int_equal(proof_parse(text.data, text.len, &back, &e), ERR_OK);
	assert_int_equal(proof_verify(&back, &log, record, strlen(record), &e), ERR_OK);
	assert_int_equal(proof_verify(&back, &log, other, strlen(other), &e), ERR_VERIFY);
	assert_int_equal(proof_verify(&back, &witness, record, strlen(record), &e), ERR_VERIFY);
	back.index = 0;
	assert_int_equal(proof_verify(&back, &log, record, strlen(record), &e), ERR_VERIFY);
	/* With extra data it is the same proof; with any bit changed it is none. */
	char *extra = mem_printf("c2sp.org/tlog-proof@v1\nextra aGk=\n%s", strchr(golden, '\n') + 1);
	assert_int_equal(proof_parse(extra, strlen(extra), &back, &e), ERR_OK);
	assert_int_equal(proof_verify(&back, &log, record, strlen(record), &e), ERR_OK);
	size_t log_part = (size_t)(strstr(text.data, "\xe2\x80\x94 witness") - text.data);
	for (size_t bit = 0; bit < 8 * log_part; bit++) {
		text.data[bit / 8] = (char)(text.data[bit / 8] ^ 1 << bit % 8);
		if (proof_parse(text.data, text.len, &back, &e) == ERR_OK) assert_int_equal(proof_verify(&back, &log, record, strlen(record), &e), ERR_VERIFY);
		text.data[bit / 8] = (char)(text.data[bit / 8] ^ 1 << bit % 8);
	}
	for (size_t n = 0; n <= log_part; n++) {
		if (proof_parse(text.data, n, &back, &e) == ERR_OK && n < log_part)
			assert_int_equal(proof_verify(&back, &log, record, strlen(record), &e), ERR_VERIFY);
	}
	free(extra);
	buf_clear(&text);
	free(note);
	free(golden);
	free(record);
	free(other);
}

static void any_bit_of_a_signed_checkpoint_that_changes_is_found(void **state)
{
	struct note_key log = key_vector("log");
	struct note_signer *s = signer_vector(&log, 0);
	struct checkpoint c = {.size = 12345, .has_rows = true}, got;
	struct buf note;
	struct error e;
	(void)state;
	memcpy(c.origin, log.name, sizeof c.origin);
	c.root = hex_vector("leaf0"), c.rows = hex_vector("leaf1");
	buf_init(&note, NOTE_BYTES_MAX);
	assert_int_equal(checkpoint_sign(&c, s, &note, &e), ERR_OK);
	assert_int_equal(checkpoint_open(note.data, note.len, &log, &got, &e), ERR_OK);
	assert_memory_equal(&got, &c, sizeof c);
	for (size_t bit = 0; bit < note.len * 8; bit++) {
		note.data[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(checkpoint_open(note.data, note.len, &log, &got, &e), ERR_VERIFY);
		note.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t n = 0; n < note.len; n++) assert_int_equal(checkpoint_open(note.data, n, &log, &got, &e), ERR_VERIFY);
	note_signer_free(s);
	buf_clear(&note);
}

static void what_is_no_note_is_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "\n",
	    "text\n",
	    "text\n\n",
	    "text\n\n\n",
	    "\n\n\xe2\x80\x94 a AAAAAAA=\n",
	    "text\n\n\xe2\x80\x94 a AAAAAAA=",
	    "text\n\n\xe2\x80\x94 a+b AAAAAAA=\n",
	    "text\n\n\xe2\x80\x94 a AAAAAA==\n",
	    "text\n\n\xe2\x80\x94  AAAAAAA=\n",
	    "text\n\n- a AAAAAAA=\n",
	    "text\n\n\xe2\x80\x94 a AAAAAAA\n",
	    "te\rxt\n\n\xe2\x80\x94 a AAAAAAA=\n",
	    "te\xffxt\n\n\xe2\x80\x94 a AAAAAAA=\n",
	    "text\n\n\xe2\x80\x94 a AAAAAAA=\n\n\xe2\x80\x94\n",
	};
	struct note note;
	struct error e;
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		bool is_blank_text = strncmp(bad[i], "\n\n", 2) == 0; /* an empty line of text is text */
		if (!is_blank_text) assert_int_equal(note_parse(bad[i], strlen(bad[i]), &note, &e), ERR_INVALID);
	}
	static const char *const bad_keys[] = {"",
	                                       "a",
	                                       "a+00000000",
	                                       "a+00000000+",
	                                       "a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	                                       "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	                                       "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"};
	struct note_key k;
	for (size_t i = 0; i < sizeof bad_keys / sizeof *bad_keys; i++) assert_int_equal(note_key_parse(bad_keys[i], &k, &e), ERR_INVALID);
	static const char *const bad_checkpoints[] = {"",
	                                              "o\n",
	                                              "o\n1\n",
	                                              "o\n01\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
	                                              "o\n-1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
	                                              "o\n1\nAAAA\n",
	                                              "o\n9223372036854775808\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
	                                              "\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
	                                              "o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n",
	                                              "o\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nrung.rows/v1 AAAA\n"};
	struct checkpoint c;
	for (size_t i = 0; i < sizeof bad_checkpoints / sizeof *bad_checkpoints; i++)
		assert_int_equal(checkpoint_parse(bad_checkpoints[i], strlen(bad_checkpoints[i]), &c, &e), ERR_INVALID);
}

/* The same vectors where they come from, when that folder is there. */
static void the_shared_vectors_are_the_same(void **state)
{
	const char *shared = getenv("RUNG_SHARED");
	char *path = mem_printf("%s/fixtures/journal-vectors.txt", shared ? shared : "../shared");
	(void)state;
	if (!fs_exists(path)) {
		free(path);
		skip();
	}
	char *all = read_text(path), *example = read_text("tests/golden/journal/example.note"), *cosigned = read_text("tests/golden/journal/cosigned.note");
	assert_non_null(strstr(all, example));
	assert_non_null(strstr(all, cosigned));
	static const char *const keys[] = {"rec0", "rec1", "rec2", "leaf0", "leaf1", "leaf2", "root3", "log", "witness", "example"};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		char *v = vector(keys[i]);
		assert_non_null(strstr(all, v));
		free(v);
	}
	free(all);
	free(example);
	free(cosigned);
	free(path);
}

static int read_vectors(void **state)
{
	struct error e;
	(void)state;
	buf_init(&vectors, 1 << 20);
	return fs_read("tests/golden/journal/vectors.txt", &vectors, &e) == ERR_OK ? 0 : -1;
}

static int free_vectors(void **state)
{
	(void)state;
	buf_clear(&vectors);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(leaves_root_and_proof_are_those_of_the_vectors),
	    cmocka_unit_test(the_published_example_verifies),
	    cmocka_unit_test(the_checkpoint_and_its_cosignature_verify_and_are_made_again_byte_for_byte),
	    cmocka_unit_test(a_proof_of_one_record_is_checked_away_from_its_log),
	    cmocka_unit_test(any_bit_of_a_signed_checkpoint_that_changes_is_found),
	    cmocka_unit_test(what_is_no_note_is_refused),
	    cmocka_unit_test(the_shared_vectors_are_the_same),
	};
	return cmocka_run_group_tests(tests, read_vectors, free_vectors);
}
