#include "policy/lua_calls.h"

#include "base/buf.h"
#include "policy/capability.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- tokens ---- */

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_TEXT, TOKEN_NUMBER, TOKEN_SIGN };

struct token {
	enum token_kind kind;
	const char *text; /* a name, the value of a text, a number as written; signs: one character, or ".." */
	bool is_odd;      /* a text with escapes that are not read here, or with a zero byte */
	int line;
};

struct lexer {
	struct arena *arena;
	const char *at;
	int line;
};

/* [[...]] or [==[...]==]: the number of "=", -1 where there is none. */
static int long_bracket(const char *s)
{
	if (*s != '[') return -1;
	int level = (int)strspn(s + 1, "=");
	return s[1 + level] == '[' ? level : -1;
}

static const char *take_long(struct lexer *l, int level)
{
	const char *from = l->at + level + 2;
	if (*from == '\r') from++;
	if (*from == '\n') from++;
	const char *end = from;
	for (;; end++) {
		end = strchr(end, ']');
		if (!end || ((int)strspn(end + 1, "=") == level && end[1 + level] == ']')) break;
	}
	size_t n = end ? (size_t)(end - from) : strlen(from);
	for (const char *s = l->at; s < from + n; s++) l->line += *s == '\n';
	l->at = from + n + (end ? (size_t)level + 2 : 0);
	return arena_strndup(l->arena, from, n);
}

static void skip_blank(struct lexer *l)
{
	for (;;) {
		if (*l->at == '\n') l->line++;
		if (isspace((unsigned char)*l->at)) {
			l->at++;
		} else if (l->at[0] == '-' && l->at[1] == '-') {
			l->at += 2;
			int level = long_bracket(l->at);
			if (level >= 0)
				take_long(l, level);
			else
				l->at += strcspn(l->at, "\n");
		} else {
			return;
		}
	}
}

static void take_quoted(struct lexer *l, struct token *t)
{
	static const char letters[] = "abfnrtv\\\"'", values[] = "\a\b\f\n\r\t\v\\\"'";
	struct buf b;
	char quote = *l->at++;
	buf_init(&b, 1 << 20);
	while (*l->at && *l->at != quote && *l->at != '\n') {
		char c = *l->at++;
		if (c == '\\') {
			const char *letter = *l->at ? strchr(letters, *l->at) : NULL;
			t->is_odd = t->is_odd || !letter;
			c = letter ? values[letter - letters] : *l->at;
			l->line += *l->at == '\n';
			if (*l->at) l->at++;
		}
		if (c) buf_char(&b, c);
	}
	t->is_odd = t->is_odd || *l->at != quote;
	if (*l->at == quote) l->at++;
	t->text = arena_strdup(l->arena, b.data ? b.data : "");
	buf_clear(&b);
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static struct token next_token(struct lexer *l)
{
	skip_blank(l);
	struct token t = {.line = l->line};
	const char *from = l->at;
	int level = long_bracket(from);
	if (!*from) return t;
	if (*from == '"' || *from == '\'' || level >= 0) {
		t.kind = TOKEN_TEXT;
		if (level >= 0)
			t.text = take_long(l, level);
		else
			take_quoted(l, &t);
		return t;
	}
	if (is_name_char(*from)) {
		t.kind = isdigit((unsigned char)*from) ? TOKEN_NUMBER : TOKEN_NAME;
		while (is_name_char(*l->at) || (t.kind == TOKEN_NUMBER && *l->at == '.' && l->at[1] != '.')) l->at++;
	} else {
		t.kind = TOKEN_SIGN;
		l->at += from[0] == '.' && from[1] == '.' ? 2 : 1;
	}
	t.text = arena_strndup(l->arena, from, (size_t)(l->at - from));
	return t;
}

/* ---- expressions ---- */

struct reader {
	struct arena *arena;
	struct token *tokens; /* ends with a TOKEN_END */
	size_t count, capacity, at;
	struct lua_calls *out;
	struct buf word; /* the word of a pattern being made, quoted */
	bool is_whole;
};

static const struct token *peek(const struct reader *r, size_t ahead)
{
	size_t i = r->at + ahead;
	return &r->tokens[i < r->count ? i : r->count - 1];
}

static bool is_sign(const struct token *t, const char *text)
{
	return t->kind == TOKEN_SIGN && strcmp(t->text, text) == 0;
}

static bool is_name(const struct token *t, const char *text)
{
	return t->kind == TOKEN_NAME && strcmp(t->text, text) == 0;
}

static bool ends_expression(const struct token *t)
{
	return t->kind == TOKEN_END || is_sign(t, ",") || is_sign(t, ";") || is_sign(t, ")") || is_sign(t, "}") || is_sign(t, "]");
}

/* Past the rest of an expression, brackets included. */
static void skip_expression(struct reader *r)
{
	for (int depth = 0; peek(r, 0)->kind != TOKEN_END; r->at++) {
		const struct token *t = peek(r, 0);
		if (depth == 0 && ends_expression(t)) return;
		bool is_function = is_name(t, "function") || is_name(t, "if") || is_name(t, "do") || is_name(t, "repeat");
		if (is_sign(t, "(") || is_sign(t, "{") || is_sign(t, "[") || is_function) depth++;
		if (is_sign(t, ")") || is_sign(t, "}") || is_sign(t, "]") || is_name(t, "end") || is_name(t, "until")) depth--;
	}
}

/* params.x, params["x"]; false where it is something else or goes on. */
static bool read_param(struct reader *r)
{
	const struct token *dot = peek(r, 1), *name = peek(r, 2);
	bool is_field = is_sign(dot, ".") && name->kind == TOKEN_NAME, is_index = is_sign(dot, "[") && name->kind == TOKEN_TEXT && is_sign(peek(r, 3), "]");
	size_t n = is_index ? 4 : 3;
	const struct token *after = peek(r, n);
	if (!is_name(peek(r, 0), "params") || (!is_field && !is_index) || strpbrk(name->text, "{}|* \t\n'\"\\")) return false;
	if (is_sign(after, ".") || is_sign(after, "[") || is_sign(after, "(") || is_sign(after, ":") || after->kind == TOKEN_TEXT || is_sign(after, "{"))
		return false;
	buf_printf(&r->word, "{param:%s}", name->text);
	r->at += n;
	return true;
}

/* A text, a whole number, a parameter, tostring of one. */
static bool read_primary(struct reader *r)
{
	const struct token *t = peek(r, 0);
	if (is_name(t, "tostring") && is_sign(peek(r, 1), "(")) {
		r->at += 2;
		if (!read_primary(r) || !is_sign(peek(r, 0), ")")) return false;
		r->at++;
		return true;
	}
	bool is_number = t->kind == TOKEN_NUMBER && strspn(t->text, "0123456789") == strlen(t->text);
	if (!is_number && (t->kind != TOKEN_TEXT || t->is_odd)) return read_param(r);
	if (*t->text) capability_quote(&r->word, t->text);
	r->at++;
	return true;
}

enum seen { SEEN_ALL, SEEN_PART, SEEN_NOTHING };

/* An expression as one word of a pattern: primaries with ".." between them, `*` for what is something else. */
static enum seen read_word(struct reader *r)
{
	bool is_whole = true, knows = false;
	size_t start = r->at;
	buf_reset(&r->word);
	for (;;) {
		size_t len = r->word.len, from = r->at;
		bool is_seen = read_primary(r) && (ends_expression(peek(r, 0)) || is_sign(peek(r, 0), ".."));
		if (!is_seen) {
			r->word.len = len;
			/* A star of a text is quoted: a bare one is one that was put here. */
			const char *so_far = r->word.data;
			if (len == 0 || !so_far || so_far[len - 1] != '*') buf_char(&r->word, '*');
			is_whole = false;
			r->at = from;
			/* A name with fields may be followed by more of the text; anything harder is left whole. */
			while ((peek(r, 0)->kind == TOKEN_NAME && !is_name(peek(r, 0), "function")) || is_sign(peek(r, 0), ".")) r->at++;
		}
		knows = knows || is_seen;
		if (!is_sign(peek(r, 0), "..")) break;
		r->at++;
	}
	if (!ends_expression(peek(r, 0))) {
		/* An operator, a call: the value can be anything. */
		skip_expression(r);
		is_whole = knows = false;
	}
	if (!knows && r->at > start) {
		buf_reset(&r->word);
		buf_char(&r->word, '*');
		return SEEN_NOTHING;
	}
	if (is_whole && r->word.len == 0) buf_str(&r->word, "''");
	return is_whole ? SEEN_ALL : SEEN_PART;
}

/* ---- calls ---- */

struct call {
	struct buf pattern;
	bool is_whole;
	int line;
};

static void call_begin(struct call *c, const char *kind, int line)
{
	*c = (struct call){.is_whole = true, .line = line};
	buf_init(&c->pattern, 1 << 20);
	buf_str(&c->pattern, kind);
}

static void call_end(struct reader *r, struct call *c)
{
	struct lua_calls *o = r->out;
	o->calls = arena_grow(r->arena, o->calls, o->count, &o->capacity, sizeof *o->calls);
	o->calls[o->count++] = (struct lua_call){arena_strdup(r->arena, c->pattern.data), c->is_whole, c->line};
	buf_clear(&c->pattern);
}

static void add_word(struct reader *r, struct call *c)
{
	c->is_whole = read_word(r) == SEEN_ALL && c->is_whole;
	buf_char(&c->pattern, ' ');
	buf_add(&c->pattern, r->word.data, r->word.len);
}

/* Is the expression here one that may give many values: a call, or "..."? */
static bool may_be_many(const struct reader *r)
{
	for (size_t i = 0; !ends_expression(peek(r, i)); i++)
		if (is_sign(peek(r, i), "(") || is_sign(peek(r, i), "..") || is_sign(peek(r, i), "{")) return true;
	return false;
}

static bool is_pair(const struct reader *r)
{
	return (peek(r, 0)->kind == TOKEN_NAME && is_sign(peek(r, 1), "=") && !is_sign(peek(r, 2), "=")) || is_sign(peek(r, 0), "[");
}

static void add_unseen(struct call *c)
{
	buf_str(&c->pattern, " **");
	c->is_whole = false;
}

static void skip_pair(struct reader *r)
{
	bool is_index = is_sign(peek(r, 0), "[");
	r->at++;
	if (is_index) skip_expression(r);
	while (is_sign(peek(r, 0), "]") || is_sign(peek(r, 0), "=")) r->at++;
	skip_expression(r);
}

/* {"a", params.b, ...}: each item a word; the last may stand for many. */
static void add_list(struct reader *r, struct call *c)
{
	bool is_open = false;
	r->at++;
	while (peek(r, 0)->kind != TOKEN_END && !is_sign(peek(r, 0), "}")) {
		size_t before = r->at, len = c->pattern.len;
		bool many = may_be_many(r);
		is_open = is_open || is_pair(r);
		if (is_pair(r))
			skip_pair(r);
		else
			add_word(r, c);
		if (many && is_sign(peek(r, 0), "}") && strcmp(c->pattern.data + len, " *") == 0) buf_char(&c->pattern, '*');
		if (is_sign(peek(r, 0), ",") || is_sign(peek(r, 0), ";") || r->at == before) r->at++;
	}
	r->at += is_sign(peek(r, 0), "}");
	if (is_open) add_unseen(c);
}

/* The command of sh and ssh: a list, or a text for `sh -c`. */
static void add_command(struct reader *r, struct call *c)
{
	if (is_sign(peek(r, 0), "{")) {
		add_list(r, c);
		if (!ends_expression(peek(r, 0))) skip_expression(r);
		return;
	}
	bool is_text = peek(r, 0)->kind == TOKEN_TEXT;
	for (size_t i = 0; !ends_expression(peek(r, i)); i++) is_text = is_text || is_sign(peek(r, i), "..");
	if (is_text) {
		buf_str(&c->pattern, " sh -c");
		add_word(r, c);
	} else {
		skip_expression(r);
		add_unseen(c);
	}
}

static bool next_argument(struct reader *r)
{
	if (!is_sign(peek(r, 0), ",")) return false;
	r->at++;
	return true;
}

/* At the first argument, behind "(" or at the text or table that stands for it. */
static void read_sh(struct reader *r, int line)
{
	struct call c;
	call_begin(&c, "sh", line);
	add_command(r, &c);
	call_end(r, &c);
}

static void read_ssh(struct reader *r, int line)
{
	struct call c;
	call_begin(&c, "ssh", line);
	add_word(r, &c);
	buf_str(&c.pattern, " --");
	if (next_argument(r))
		add_command(r, &c);
	else
		add_unseen(&c);
	/* Options may name a login or a user to act as. */
	c.is_whole = c.is_whole && !is_sign(peek(r, 0), ",");
	call_end(r, &c);
}

/* The path of a file. A pattern's begins with a slash: where what it begins with is hidden, it may be any. */
static void add_path(struct reader *r, struct call *c)
{
	size_t len = c->pattern.len;
	add_word(r, c);
	if (!strchr("*{", c->pattern.data[len + 1])) return;
	c->pattern.len = len;
	buf_str(&c->pattern, " /**");
	c->is_whole = false;
}

/* ssh.put(host, path, content, options), ssh.get(host, path, options) */
static void read_file(struct reader *r, const char *verb, int line)
{
	struct call c;
	call_begin(&c, "ssh", line);
	add_word(r, &c);
	buf_printf(&c.pattern, " %s", verb);
	if (next_argument(r)) {
		add_path(r, &c);
	} else {
		buf_str(&c.pattern, " /**");
		c.is_whole = false;
	}
	if (strcmp(verb, "put") == 0 && next_argument(r)) skip_expression(r);
	/* Options may name a login. */
	c.is_whole = c.is_whole && !is_sign(peek(r, 0), ",");
	call_end(r, &c);
}

static void read_http(struct reader *r, const char *method, int line)
{
	struct call c;
	call_begin(&c, "http ", line);
	for (const char *m = method; *m; m++) buf_char(&c.pattern, (char)toupper((unsigned char)*m));
	add_word(r, &c);
	call_end(r, &c);
}

/* http.request("GET", url): a method that cannot be seen is no part of a pattern. */
static void read_http_request(struct reader *r, int line)
{
	const struct token *method = peek(r, 0);
	if (method->kind != TOKEN_TEXT || !is_sign(peek(r, 1), ",")) return;
	r->at += 2;
	read_http(r, method->text, line);
}

static void read_name(struct reader *r, const char *kind, int line, bool is_bracketed)
{
	struct call c;
	const struct token *t = peek(r, 0);
	call_begin(&c, kind, line);
	if (!is_bracketed && t->kind == TOKEN_TEXT && !t->is_odd) {
		/* secret "x" or nil: the text is all of the argument, whatever becomes of what the call gives. */
		buf_char(&c.pattern, ' ');
		capability_quote(&c.pattern, t->text);
		r->at++;
	} else {
		add_word(r, &c);
	}
	call_end(r, &c);
}

/* One whole text: what is put together is for the inventory to judge when it is there. */
static void read_query(struct reader *r, int line, bool is_bracketed)
{
	struct lua_calls *o = r->out;
	const struct token *t = peek(r, 0), *after = peek(r, 1);
	if (t->kind != TOKEN_TEXT || t->is_odd || (is_bracketed && !ends_expression(after))) return;
	o->queries = arena_grow(r->arena, o->queries, o->query_count, &o->query_capacity, sizeof *o->queries);
	o->queries[o->query_count++] = (struct lua_query){t->text, is_sign(after, ","), line};
}

static void read_cause(struct reader *r, int line, bool is_bracketed)
{
	struct lua_calls *o = r->out;
	const struct token *t = peek(r, 0);
	if (t->kind != TOKEN_TEXT || t->is_odd || (is_bracketed && !ends_expression(peek(r, 1)))) {
		o->has_hidden_cause = true;
		return;
	}
	o->causes = arena_grow(r->arena, o->causes, o->cause_count, &o->cause_capacity, sizeof *o->causes);
	o->causes[o->cause_count++] = (struct lua_cause){t->text, line};
}

/* Steps over "(", or over "," in pcall(sh, ...); false where no call begins here. */
static bool open_arguments(struct reader *r, bool is_protected)
{
	const struct token *t = peek(r, 0);
	if (is_protected ? is_sign(t, ",") : is_sign(t, "(")) {
		r->at++;
		return true;
	}
	return !is_protected && (t->kind == TOKEN_TEXT || is_sign(t, "{"));
}

static bool is_method(const char *name)
{
	static const char *const methods[] = {"get", "head", "post", "put", "patch", "delete"};
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strcmp(methods[i], name) == 0) return true;
	return false;
}

static bool is_file_verb(const char *name)
{
	return strcmp(name, "put") == 0 || strcmp(name, "get") == 0;
}

/* A name that may begin a call; r stands behind it. */
static void read_call(struct reader *r, const struct token *name, bool is_protected)
{
	const char *field = NULL;
	if (is_sign(peek(r, 0), ".") && peek(r, 1)->kind == TOKEN_NAME) {
		field = peek(r, 1)->text;
		r->at += 2;
	}
	is_protected = is_protected && is_sign(peek(r, 0), ",");
	bool is_bracketed = is_protected || is_sign(peek(r, 0), "(");
	if (!open_arguments(r, is_protected)) return;
	const char *kind = name->text;
	if (!field && strcmp(kind, "sh") == 0)
		read_sh(r, name->line);
	else if (strcmp(kind, "ssh") == 0 && (!field || strcmp(field, "each") == 0))
		read_ssh(r, name->line);
	else if (field && strcmp(kind, "ssh") == 0 && is_file_verb(field))
		read_file(r, field, name->line);
	else if (field && strcmp(kind, "http") == 0 && is_method(field))
		read_http(r, field, name->line);
	else if (field && strcmp(kind, "http") == 0 && strcmp(field, "request") == 0)
		read_http_request(r, name->line);
	else if (!field && (strcmp(kind, "secret") == 0 || strcmp(kind, "notify") == 0 || strcmp(kind, "runbook") == 0))
		read_name(r, kind, name->line, is_bracketed);
	else if (!field && strcmp(kind, "hosts") == 0)
		read_query(r, name->line, is_bracketed);
	else if (!field && strcmp(kind, "cause") == 0)
		read_cause(r, name->line, is_bracketed);
}

static bool is_kind(const char *name)
{
	static const char *const kinds[] = {"sh", "ssh", "http", "secret", "notify", "runbook", "hosts", "cause"};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i], name) == 0) return true;
	return false;
}

/* Does the source give the name another meaning: local sh, function sh, sh = ...? */
static bool is_redefined(const struct reader *r, const char *name)
{
	for (size_t i = 0; i + 1 < r->count; i++) {
		const struct token *before = i ? &r->tokens[i - 1] : NULL, *after = &r->tokens[i + 1];
		if (!is_name(&r->tokens[i], name)) continue;
		if (before && (is_name(before, "local") || is_name(before, "function"))) return true;
		bool is_field = before && (is_sign(before, ".") || is_sign(before, "{") || is_sign(before, ","));
		if (!is_field && is_sign(after, "=") && !is_sign(&r->tokens[i + 1 + (i + 2 < r->count)], "=")) return true;
	}
	return false;
}

static void read_tokens(struct reader *r, const char *source)
{
	struct lexer l = {.arena = r->arena, .at = source, .line = 1};
	do {
		r->tokens = arena_grow(r->arena, r->tokens, r->count, &r->capacity, sizeof *r->tokens);
		r->tokens[r->count++] = next_token(&l);
	} while (r->tokens[r->count - 1].kind != TOKEN_END);
}

void lua_calls_find(struct arena *a, const char *source, struct lua_calls *out)
{
	struct reader r = {.arena = a, .out = out};
	*out = (struct lua_calls){0};
	buf_init(&r.word, 1 << 20);
	read_tokens(&r, source);
	for (size_t i = 0; i + 1 < r.count; i++) {
		const struct token *t = &r.tokens[i], *before = i ? t - 1 : NULL;
		if (t->kind != TOKEN_NAME || !is_kind(t->text) || (before && (is_sign(before, ".") || is_sign(before, ":")))) continue;
		if (is_redefined(&r, t->text)) continue;
		bool is_protected = i >= 2 && is_sign(before, "(") && is_name(before - 1, "pcall");
		r.at = i + 1;
		read_call(&r, t, is_protected);
	}
	buf_clear(&r.word);
}
