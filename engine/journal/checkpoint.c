#include "journal/checkpoint.h"
#include "base/arena.h"
#include "base/encode.h"

#include <stdlib.h>
#include <string.h>

static const char rows_line[] = "rung.rows/v1 ";

void checkpoint_text(const struct checkpoint *c, struct buf *out)
{
	buf_printf(out, "%s\n%llu\n", c->origin, (unsigned long long)c->size);
	encode_base64(out, c->root.bytes, TREE_HASH_BYTES);
	buf_char(out, '\n');
	if (!c->has_rows) return;
	buf_str(out, rows_line);
	encode_base64(out, c->rows.bytes, TREE_HASH_BYTES);
	buf_char(out, '\n');
}

/* A cursor over the lines of a text, each ended by a newline. */
struct lines {
	const char *at, *end;
};

static bool next_line(struct lines *l, const char **line, size_t *n)
{
	const char *newline = l->at < l->end ? memchr(l->at, '\n', (size_t)(l->end - l->at)) : NULL;
	if (!newline || newline == l->at) return false;
	*line = l->at, *n = (size_t)(newline - l->at);
	l->at = newline + 1;
	return true;
}

/* Decimal, no sign, no leading zero, at most 63 bits. */
static bool parse_size(const char *s, size_t n, uint64_t *out)
{
	*out = 0;
	if (n > 19 || (n > 1 && s[0] == '0')) return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9') return false;
		*out = *out * 10 + (uint64_t)(s[i] - '0');
	}
	return *out <= INT64_MAX;
}

static bool parse_hash(const char *s, size_t n, struct tree_hash *out)
{
	struct buf b;
	buf_init(&b, TREE_HASH_BYTES);
	bool is_fine = decode_base64(&b, s, n) && b.len == TREE_HASH_BYTES;
	if (is_fine) memcpy(out->bytes, b.data, TREE_HASH_BYTES);
	buf_clear(&b);
	return is_fine;
}

enum err checkpoint_parse(const char *text, size_t n, struct checkpoint *out, struct error *e)
{
	struct lines l = {text, text + n};
	const char *s;
	size_t len;
	*out = (struct checkpoint){0};
	if (!next_line(&l, &s, &len) || len >= NOTE_NAME_BYTES || memchr(s, 0, len))
		return error_set(e, ERR_INVALID, "the first line of a checkpoint is the origin");
	memcpy(out->origin, s, len);
	if (!next_line(&l, &s, &len) || !parse_size(s, len, &out->size))
		return error_set(e, ERR_INVALID, "the second line of a checkpoint is the size in decimal");
	if (!next_line(&l, &s, &len) || !parse_hash(s, len, &out->root))
		return error_set(e, ERR_INVALID, "the third line of a checkpoint is the root in base64");
	while (l.at < l.end) {
		if (!next_line(&l, &s, &len)) return error_set(e, ERR_INVALID, "lines of a checkpoint are not empty and end in a newline");
		size_t skip = sizeof rows_line - 1;
		if (len <= skip || memcmp(s, rows_line, skip) != 0) continue;
		if (!parse_hash(s + skip, len - skip, &out->rows))
			return error_set(e, ERR_INVALID, "the digest of the rows is not base64 of %d bytes", TREE_HASH_BYTES);
		out->has_rows = true;
	}
	return ERR_OK;
}

enum err checkpoint_sign(const struct checkpoint *c, const struct note_signer *s, struct buf *out, struct error *e)
{
	struct buf text;
	buf_init(&text, 1024);
	checkpoint_text(c, &text);
	enum err err = note_sign(s, text.data, text.len, out, e);
	buf_clear(&text);
	return err;
}

enum err checkpoint_open(const char *bytes, size_t n, const struct note_key *key, struct checkpoint *out, struct error *e)
{
	struct note *note = mem_zero(sizeof *note);
	enum err err = note_parse(bytes, n, note, e);
	if (!err) err = note_verify(note, key, NULL, e);
	if (!err) err = checkpoint_parse(note->text, note->text_len, out, e);
	if (!err && strcmp(out->origin, key->name) != 0) err = error_set(e, ERR_VERIFY, "the checkpoint is of %s, the key of %s", out->origin, key->name);
	free(note);
	if (!err) return ERR_OK;
	if (e) e->kind = ERR_VERIFY;
	return ERR_VERIFY;
}
