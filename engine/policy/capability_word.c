#include "policy/capability_parts.h"

#include <stdint.h>
#include <string.h>

/* A pattern's words: split as POSIX shell quotes them, without expansion. */

enum { PARAM_NAME_BYTES_MAX = 64 };

struct reader {
	struct arena *arena;
	const char *at;
	char *literal; /* the text being read: as long as the pattern at most */
	size_t literal_len;
	size_t special; /* pieces of this word that are no text */
	bool is_call;   /* the words of a call: no character stands for others */
	struct glob *words;
	size_t count, capacity;
};

static struct piece *add_piece(struct reader *r, struct glob *g, enum piece_kind kind)
{
	g->pieces = arena_grow(r->arena, g->pieces, g->count, &g->capacity, sizeof *g->pieces);
	struct piece *p = &g->pieces[g->count++];
	*p = (struct piece){.kind = kind};
	r->special += kind != PIECE_TEXT;
	return p;
}

static const char *take_literal(struct reader *r)
{
	const char *text = arena_strndup(r->arena, r->literal, r->literal_len);
	r->literal_len = 0;
	return text;
}

static void flush_literal(struct reader *r, struct glob *g)
{
	if (r->literal_len) add_piece(r, g, PIECE_TEXT)->text = take_literal(r);
}

static enum err read_quoted(struct reader *r, struct error *e)
{
	char quote = *r->at++;
	for (; *r->at && *r->at != quote; r->at++) {
		if (quote == '"' && *r->at == '\\' && r->at[1] && strchr("\"\\$`", r->at[1])) r->at++;
		r->literal[r->literal_len++] = *r->at;
	}
	if (!*r->at) return error_set(e, ERR_INVALID, "a quote %c is not closed", quote);
	r->at++;
	return ERR_OK;
}

/* One character, a quoted stretch or an escaped character, into the literal. */
static enum err read_literal(struct reader *r, struct error *e)
{
	unsigned char c = (unsigned char)*r->at;
	if (c == '\'' || c == '"') return read_quoted(r, e);
	if (c < ' ' || c == 127) return error_set(e, ERR_INVALID, "a control character (0x%02x) outside quotes: one pattern is one line of words", c);
	if (c == '\\') {
		c = (unsigned char)*++r->at;
		if (!c) return error_set(e, ERR_INVALID, "a backslash at the end");
		if (c == '\n') return error_set(e, ERR_INVALID, "a backslash before a line break: write the pattern on one line");
	}
	r->literal[r->literal_len++] = *r->at++;
	return ERR_OK;
}

static enum err read_param(struct reader *r, struct glob *g, struct error *e)
{
	const char *name = r->at + strlen("{param:");
	size_t n = strcspn(name, "}");
	if (!name[n]) return error_set(e, ERR_INVALID, "\"{param:\" without \"}\"");
	if (n == 0) return error_set(e, ERR_INVALID, "{param:} without a name");
	if (n > PARAM_NAME_BYTES_MAX || strcspn(name, " \t\n*{|'\"\\") < n)
		return error_set(e, ERR_INVALID, "{param:%.*s} holds no name of a parameter", (int)(n > 80 ? 80 : n), name);
	add_piece(r, g, PIECE_PARAM)->text = arena_strndup(r->arena, name, n);
	r->at = name + n + 1;
	return ERR_OK;
}

/* {a|b}: texts, which may be quoted. */
static enum err read_choice(struct reader *r, struct glob *g, struct error *e)
{
	struct piece *p = add_piece(r, g, PIECE_CHOICE);
	r->at++;
	for (;;) {
		if (!*r->at) return error_set(e, ERR_INVALID, "\"{\" without \"}\": write {a|b} or {param:name}, or quote it");
		if (*r->at != '|' && *r->at != '}') {
			if (*r->at == '*' || *r->at == '{' || *r->at == ' ')
				return error_set(e, ERR_INVALID, "alternatives in {a|b} are plain texts: quote the \"%c\"", *r->at);
			enum err err = read_literal(r, e);
			if (err) return err;
			continue;
		}
		if (r->literal_len == 0) return error_set(e, ERR_INVALID, "an empty alternative in {a|b}");
		if (p->choice_count == CAPABILITY_CHOICES_MAX) return error_set(e, ERR_TOO_BIG, "more than %d alternatives in {a|b}", CAPABILITY_CHOICES_MAX);
		p->choices = arena_grow(r->arena, p->choices, p->choice_count, &p->choice_capacity, sizeof *p->choices);
		p->choices[p->choice_count++] = take_literal(r);
		if (*r->at++ == '}') return ERR_OK;
	}
}

static enum err read_piece(struct reader *r, struct glob *g, struct error *e)
{
	if (r->is_call || (*r->at != '*' && *r->at != '{')) return read_literal(r, e);
	flush_literal(r, g);
	if (*r->at == '{') return strncmp(r->at, "{param:", 7) == 0 ? read_param(r, g, e) : read_choice(r, g, e);
	bool is_rest = r->at[1] == '*';
	add_piece(r, g, is_rest ? PIECE_REST : PIECE_STAR);
	r->at += is_rest ? 2 : 1;
	return ERR_OK;
}

static enum err read_word(struct reader *r, struct glob *g, struct error *e)
{
	enum err err = ERR_OK;
	r->special = 0;
	while (!err && *r->at && *r->at != ' ' && *r->at != '\t') err = read_piece(r, g, e);
	if (err) return err;
	flush_literal(r, g);
	if (r->special > CAPABILITY_PIECES_MAX)
		return error_set(e, ERR_TOO_BIG, "a word has %zu stars, alternatives and parameters; at most %d are allowed", r->special,
		                 CAPABILITY_PIECES_MAX);
	if (g->count == 0) add_piece(r, g, PIECE_TEXT)->text = "";
	return ERR_OK;
}

static enum err read_words(struct reader *r, const char *text, struct error *e)
{
	enum err err = ERR_OK;
	r->at = text;
	r->literal = arena_alloc(r->arena, strlen(text) + 1);
	for (;;) {
		while (*r->at == ' ' || *r->at == '\t') r->at++;
		if (err || !*r->at) return err;
		if (r->count == CAPABILITY_WORDS_MAX) return error_set(e, ERR_TOO_BIG, "more than %d words", CAPABILITY_WORDS_MAX);
		r->words = arena_grow(r->arena, r->words, r->count, &r->capacity, sizeof *r->words);
		r->words[r->count] = (struct glob){.from = r->at};
		err = read_word(r, &r->words[r->count++], e);
	}
}

enum err capability_read_words(struct arena *a, const char *text, struct glob **words, size_t *count, struct error *e)
{
	struct reader r = {.arena = a};
	enum err err = read_words(&r, text, e);
	*words = r.words;
	*count = r.count;
	return err;
}

enum err capability_words(struct arena *a, const char *text, const char **kind, const char *const **words, size_t *count, struct error *e)
{
	struct reader r = {.arena = a, .is_call = true};
	enum err err = read_words(&r, text, e);
	if (!err && r.count < 2) err = error_set(e, ERR_INVALID, "write its kind and words, as in sh systemctl restart nginx");
	if (err && e) error_context(e, "call \"%.80s\"", text);
	if (err) return err;
	const char **list = arena_alloc(a, r.count * sizeof *list);
	for (size_t i = 0; i < r.count; i++) list[i] = glob_literal(&r.words[i]);
	*kind = list[0];
	*words = list + 1;
	*count = r.count - 1;
	return ERR_OK;
}
