#include "policy/capability.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum token_kind { TOKEN_TEXT, TOKEN_STAR, TOKEN_CHOICE, TOKEN_PARAM };

struct token {
	enum token_kind kind;
	const char *text; /* the text, or the parameter's name */
	const char **choices;
	size_t choice_count, choice_capacity;
};

struct word {
	struct token *tokens;
	size_t count, capacity;
	bool is_rest; /* ** */
};

struct capability {
	const char *text, *kind;
	struct word *words;
	size_t count, capacity;
};

static const char *const kinds[] = {"sh", "ssh", "http", "secret", "notify", "runbook"};

struct parser {
	struct arena *arena;
	const char *at;
	char *literal; /* the text being read, as long as the pattern at most */
	size_t literal_len;
};

static struct token *add_token(struct parser *p, struct word *w, enum token_kind kind)
{
	w->tokens = arena_grow(p->arena, w->tokens, w->count, &w->capacity, sizeof *w->tokens);
	struct token *t = &w->tokens[w->count++];
	*t = (struct token){.kind = kind};
	return t;
}

static void flush_literal(struct parser *p, struct word *w)
{
	if (p->literal_len == 0) return;
	add_token(p, w, TOKEN_TEXT)->text = arena_strndup(p->arena, p->literal, p->literal_len);
	p->literal_len = 0;
}

static enum err parse_braces(struct parser *p, struct word *w, struct error *e)
{
	const char *end = strchr(p->at, '}');
	if (!end) return error_set(e, ERR_INVALID, "\"{\" without \"}\": write {a|b} or {param:name}, or quote it");
	if (strncmp(p->at, "{param:", 7) == 0) {
		if (end == p->at + 7) return error_set(e, ERR_INVALID, "{param:} without a name");
		add_token(p, w, TOKEN_PARAM)->text = arena_strndup(p->arena, p->at + 7, (size_t)(end - p->at - 7));
		p->at = end + 1;
		return ERR_OK;
	}
	struct token *t = add_token(p, w, TOKEN_CHOICE);
	for (const char *from = p->at + 1; from <= end;) {
		const char *to = from;
		while (*to != '|' && *to != '}') to++;
		if (to == from) return error_set(e, ERR_INVALID, "an empty alternative in {a|b}");
		t->choices = arena_grow(p->arena, t->choices, t->choice_count, &t->choice_capacity, sizeof *t->choices);
		t->choices[t->choice_count++] = arena_strndup(p->arena, from, (size_t)(to - from));
		from = to + 1;
	}
	p->at = end + 1;
	return ERR_OK;
}

static enum err parse_quoted(struct parser *p, char quote, struct error *e)
{
	for (p->at++; *p->at && *p->at != quote; p->at++) {
		if (quote == '"' && *p->at == '\\' && p->at[1] && strchr("\"\\$`", p->at[1])) p->at++;
		p->literal[p->literal_len++] = *p->at;
	}
	if (!*p->at) return error_set(e, ERR_INVALID, "a quote %c is not closed", quote);
	p->at++;
	return ERR_OK;
}

static enum err parse_word(struct parser *p, struct word *w, struct error *e)
{
	bool was_quoted = false;
	enum err err = ERR_OK;
	while (!err && *p->at && *p->at != ' ' && *p->at != '\t') {
		char c = *p->at;
		if (c == '\'' || c == '"') {
			was_quoted = true;
			err = parse_quoted(p, c, e);
		} else if (c == '\\') {
			if (!p->at[1]) return error_set(e, ERR_INVALID, "a backslash at the end");
			p->literal[p->literal_len++] = p->at[1];
			p->at += 2;
		} else if (c == '*' && p->at[1] == '*') {
			bool alone = w->count == 0 && p->literal_len == 0 && !was_quoted && (p->at[2] == 0 || p->at[2] == ' ' || p->at[2] == '\t');
			if (!alone) return error_set(e, ERR_INVALID, "** stands for the rest of the arguments: write it alone, as the last word");
			w->is_rest = true;
			p->at += 2;
		} else if (c == '*') {
			flush_literal(p, w);
			add_token(p, w, TOKEN_STAR);
			p->at++;
		} else if (c == '{') {
			flush_literal(p, w);
			err = parse_braces(p, w, e);
		} else {
			p->literal[p->literal_len++] = c;
			p->at++;
		}
	}
	flush_literal(p, w);
	if (!err && w->count == 0 && !w->is_rest) add_token(p, w, TOKEN_TEXT)->text = "";
	return err;
}

static enum err parse_words(struct parser *p, struct capability *c, struct error *e)
{
	for (;;) {
		while (*p->at == ' ' || *p->at == '\t') p->at++;
		if (!*p->at) return ERR_OK;
		if (c->count && c->words[c->count - 1].is_rest) return error_set(e, ERR_INVALID, "** stands for the rest: nothing can follow it");
		c->words = arena_grow(p->arena, c->words, c->count, &c->capacity, sizeof *c->words);
		struct word *w = &c->words[c->count++];
		*w = (struct word){0};
		enum err err = parse_word(p, w, e);
		if (err) return err;
	}
}

enum err capability_parse(struct arena *a, const char *pattern, struct capability **out, struct error *e)
{
	size_t n = strlen(pattern);
	if (n > CAPABILITY_BYTES_MAX) return error_set(e, ERR_TOO_BIG, "a capability is at most %d bytes", CAPABILITY_BYTES_MAX);
	struct capability *c = arena_alloc(a, sizeof *c);
	c->text = arena_strdup(a, pattern);
	size_t kind_len = strcspn(pattern, " \t");
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strlen(kinds[i]) == kind_len && strncmp(kinds[i], pattern, kind_len) == 0) c->kind = kinds[i];
	if (!c->kind)
		return error_set(e, ERR_INVALID,
		                 "\"%.80s\" is no capability: it starts with its kind (sh, ssh, http, secret, notify, runbook), as in `sh systemctl restart *`",
		                 pattern);
	struct parser p = {.arena = a, .at = pattern + kind_len, .literal = arena_alloc(a, n + 1)};
	enum err err = parse_words(&p, c, e);
	if (!err && c->count == 0) err = error_set(e, ERR_INVALID, "the kind alone allows nothing: say which calls, as in `%s ...`", c->kind);
	if (err) return error_context(e, "capability \"%.80s\"", pattern);
	*out = c;
	return ERR_OK;
}

/* From the ends reached so far (bit i: the first i bytes are matched), the ends after one more token. */
struct reach {
	bool *now, *next;
	const char *text;
	size_t len;
};

static void match_text(struct reach *r, const char *t)
{
	size_t n = strlen(t);
	for (size_t i = 0; i + n <= r->len; i++)
		if (r->now[i] && memcmp(r->text + i, t, n) == 0) r->next[i + n] = true;
}

static void match_star(struct reach *r)
{
	bool open = false;
	for (size_t i = 0; i < r->len; i++) {
		open = open || (r->now[i] && !(i == 0 && r->text[0] == '-'));
		if (open) r->next[i + 1] = true;
	}
}

static void match_value(struct reach *r, const json_t *v)
{
	if (json_is_array(v)) {
		size_t i;
		json_t *item;
		json_array_foreach(v, i, item) match_value(r, item);
		return;
	}
	char *dump = json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	const char *text = json_is_string(v) ? json_string_value(v) : dump;
	bool is_option = text && text[0] == '-' && r->now[0] && r->text[0] == '-';
	if (text && *text && !is_option) match_text(r, text);
	free(dump);
}

static void match_token(struct reach *r, const struct token *t, const json_t *params)
{
	switch (t->kind) {
	case TOKEN_TEXT:
		match_text(r, t->text);
		break;
	case TOKEN_STAR:
		match_star(r);
		break;
	case TOKEN_CHOICE:
		for (size_t i = 0; i < t->choice_count; i++) match_text(r, t->choices[i]);
		break;
	case TOKEN_PARAM:
		match_value(r, json_object_get(params, t->text));
		break;
	}
}

static bool match_word(const struct word *w, const char *text, const json_t *params)
{
	struct reach r = {.text = text, .len = strlen(text)};
	bool *both = mem_zero(2 * (r.len + 1));
	r.now = both, r.next = both + r.len + 1;
	r.now[0] = true;
	for (size_t i = 0; i < w->count; i++) {
		memset(r.next, 0, r.len + 1);
		match_token(&r, &w->tokens[i], params);
		bool *swap = r.now;
		r.now = r.next, r.next = swap;
	}
	bool matches = r.now[r.len];
	free(both);
	return matches;
}

bool capability_allows(const struct capability *c, const char *kind, const char *const *words, size_t count, const json_t *params)
{
	if (strcmp(c->kind, kind) != 0) return false;
	for (size_t i = 0; i < c->count; i++) {
		if (c->words[i].is_rest) return true;
		if (i >= count || !match_word(&c->words[i], words[i], params)) return false;
	}
	return c->count == count;
}

const char *capability_text(const struct capability *c)
{
	return c->text;
}

char *capability_exact(struct arena *a, const char *kind, const char *const *words, size_t count)
{
	struct buf b;
	buf_init(&b, SIZE_MAX / 2);
	buf_str(&b, kind);
	for (size_t i = 0; i < count; i++) {
		const char *w = words[i];
		buf_char(&b, ' ');
		if (*w && strspn(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,") == strlen(w)) {
			buf_str(&b, w);
			continue;
		}
		buf_char(&b, '\'');
		for (; *w; w++) *w == '\'' ? buf_str(&b, "'\\''") : buf_char(&b, *w);
		buf_char(&b, '\'');
	}
	char *text = arena_strndup(a, b.data, b.len);
	buf_clear(&b);
	return text;
}

static bool word_is_free(const struct word *w)
{
	return w->is_rest || (w->count == 1 && w->tokens[0].kind == TOKEN_STAR);
}

const char *capability_danger(const struct capability *c)
{
	static const char *const interpreters[] = {"sh",   "bash", "dash", "zsh", "ksh",   "python", "python3", "perl", "ruby",    "node",
	                                           "sudo", "doas", "su",   "env", "xargs", "ssh",    "nohup",   "eval", "busybox", "lua"};
	if (strcmp(c->kind, "sh") != 0) return NULL;
	if (word_is_free(&c->words[0])) return "it allows every command";
	if (c->words[0].tokens[0].kind != TOKEN_TEXT || !word_is_free(&c->words[c->count - 1])) return NULL;
	const char *name = c->words[0].tokens[0].text, *slash = strrchr(name, '/');
	for (size_t i = 0; i < sizeof interpreters / sizeof *interpreters; i++)
		if (strcmp(slash ? slash + 1 : name, interpreters[i]) == 0) return "it allows an interpreter with free arguments, and so every command";
	return NULL;
}
