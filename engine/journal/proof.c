#include "journal/proof.h"
#include "base/encode.h"
#include "journal/checkpoint.h"

#include <string.h>

static const char first_line[] = "c2sp.org/tlog-proof@v1", extra_word[] = "extra ", index_word[] = "index ";

enum { EXTRA_BYTES_MAX = 65536 };

enum err proof_write(const struct proof *p, struct buf *out, struct error *e)
{
	buf_printf(out, "%s\n%s%llu\n", first_line, index_word, (unsigned long long)p->index);
	for (int i = 0; i < p->path.n; i++) {
		encode_base64(out, p->path.hashes[i].bytes, TREE_HASH_BYTES);
		buf_char(out, '\n');
	}
	buf_char(out, '\n');
	buf_add(out, p->note, p->note_len);
	return out->is_full ? error_set(e, ERR_TOO_BIG, "the proof is larger than %zu bytes", out->max) : ERR_OK;
}

/* The lines of the text, one after another, without their newlines. */
struct cursor {
	const char *at, *end, *line;
	size_t n;
};

static bool next_line(struct cursor *c)
{
	const char *newline = c->at < c->end ? memchr(c->at, '\n', (size_t)(c->end - c->at)) : NULL;
	if (!newline) return false;
	c->line = c->at;
	c->n = (size_t)(newline - c->at);
	c->at = newline + 1;
	return true;
}

static bool starts_with(const struct cursor *c, const char *word)
{
	return c->n >= strlen(word) && memcmp(c->line, word, strlen(word)) == 0;
}

static bool is_base64(const char *text, size_t n)
{
	struct buf b;
	buf_init(&b, EXTRA_BYTES_MAX);
	bool is_fine = decode_base64(&b, text, n);
	buf_clear(&b);
	return is_fine;
}

static bool parse_index(const struct cursor *c, uint64_t *out)
{
	size_t skip = strlen(index_word), n = c->n - skip;
	const char *s = c->line + skip;
	*out = 0;
	if (n == 0 || n > 18 || (n > 1 && s[0] == '0')) return false; /* 18 digits always fit */
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9') return false;
		*out = *out * 10 + (uint64_t)(s[i] - '0');
	}
	return true;
}

static bool parse_hash(const struct cursor *c, struct tree_hash *out)
{
	struct buf b;
	buf_init(&b, TREE_HASH_BYTES);
	bool is_fine = decode_base64(&b, c->line, c->n) && b.len == TREE_HASH_BYTES;
	if (is_fine) memcpy(out->bytes, b.data, TREE_HASH_BYTES);
	buf_clear(&b);
	return is_fine;
}

enum err proof_parse(const char *text, size_t n, struct proof *out, struct error *e)
{
	struct cursor c = {.at = text, .end = text + n};
	memset(out, 0, sizeof *out);
	if (!next_line(&c) || c.n != strlen(first_line) || !starts_with(&c, first_line))
		return error_set(e, ERR_INVALID, "a proof starts with the line %s", first_line);
	if (!next_line(&c)) return error_set(e, ERR_INVALID, "the proof ends after its first line");
	if (starts_with(&c, extra_word)) {
		size_t skip = strlen(extra_word);
		if (!is_base64(c.line + skip, c.n - skip) || !next_line(&c)) return error_set(e, ERR_INVALID, "the extra data of the proof is not base64");
	}
	if (!starts_with(&c, index_word) || !parse_index(&c, &out->index)) return error_set(e, ERR_INVALID, "the proof has no line \"index N\"");
	for (;;) {
		if (!next_line(&c)) return error_set(e, ERR_INVALID, "the proof has no empty line before its checkpoint");
		if (c.n == 0) break;
		if (out->path.n == TREE_PROOF_MAX || !parse_hash(&c, &out->path.hashes[out->path.n]))
			return error_set(e, ERR_INVALID, "hash %d of the proof is not base64 of %d bytes, or one too many", out->path.n + 1, TREE_HASH_BYTES);
		out->path.n++;
	}
	out->note = c.at;
	out->note_len = (size_t)(c.end - c.at);
	return out->note_len ? ERR_OK : error_set(e, ERR_INVALID, "the proof has no checkpoint");
}

enum err proof_verify(const struct proof *p, const struct note_key *key, const void *record, size_t n, struct error *e)
{
	struct checkpoint c;
	struct tree_hash leaf;
	enum err err = checkpoint_open(p->note, p->note_len, key, &c, e);
	if (err) return err;
	tree_leaf(&leaf, record, n);
	if (tree_verify_inclusion(p->index, c.size, &leaf, &p->path, &c.root)) return ERR_OK;
	return error_set(e, ERR_VERIFY, "the record is not number %llu of the %llu under the checkpoint's root", (unsigned long long)p->index,
	                 (unsigned long long)c.size);
}
