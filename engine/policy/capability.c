#include "policy/capability.h"

#include "policy/capability_parts.h"
#include "policy/url.h"

#include <stdint.h>
#include <string.h>

static const char *const kinds[] = {"sh", "ssh", "http", "secret", "notify", "runbook"};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

const char *capability_kind_word(size_t i)
{
	return i < KINDS ? kinds[i] : NULL;
}

enum err capability_parse(struct arena *a, const char *pattern, struct capability **out, struct error *e)
{
	if (strlen(pattern) > CAPABILITY_BYTES_MAX) return error_set(e, ERR_TOO_BIG, "a capability is at most %d bytes", CAPABILITY_BYTES_MAX);
	struct capability *c = arena_alloc(a, sizeof *c);
	*c = (struct capability){.text = arena_strdup(a, pattern)};
	const char *from = c->text + strspn(c->text, " \t");
	size_t kind_len = strcspn(from, " \t"), count = 0;
	struct glob *words = NULL;
	for (size_t i = 0; i < KINDS; i++)
		if (strlen(kinds[i]) == kind_len && strncmp(kinds[i], from, kind_len) == 0) c->kind = kinds[i];
	if (!c->kind)
		return error_set(e, ERR_INVALID,
		                 "\"%.80s\" is no capability: it starts with its kind (sh, ssh, http, secret, notify, runbook), as in `sh systemctl restart *`",
		                 url_masked(a, pattern));
	enum err err = capability_read_words(a, from + kind_len, &words, &count, e);
	if (!err) err = capability_read_parts(a, c, words, count, e);
	if (err && e) error_context(e, "capability \"%.80s\"", url_masked(a, pattern));
	if (err) return err;
	c->danger = c->count ? command_danger(c->words, c->count) : NULL;
	*out = c;
	return ERR_OK;
}

const char *capability_text(const struct capability *c)
{
	return c->text;
}

const char *capability_kind(const struct capability *c)
{
	return c->kind;
}

const char *capability_danger(const struct capability *c)
{
	return c->danger;
}

void capability_quote(struct buf *b, const char *text)
{
	bool is_plain = *text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,") == strlen(text);
	if (is_plain) {
		buf_str(b, text);
		return;
	}
	buf_char(b, '\'');
	for (const char *s = text; *s; s++) *s == '\'' ? buf_str(b, "'\\''") : buf_char(b, *s);
	buf_char(b, '\'');
}

char *capability_exact(struct arena *a, const char *kind, const char *const *words, size_t count)
{
	struct buf b;
	buf_init(&b, SIZE_MAX / 2);
	buf_str(&b, kind);
	for (size_t i = 0; i < count; i++) {
		buf_char(&b, ' ');
		capability_quote(&b, words[i]);
	}
	char *text = arena_strndup(a, b.data, b.len);
	buf_clear(&b);
	return text;
}

static void params_of(const struct glob *g, void (*found)(const char *name, void *arg), void *arg)
{
	for (size_t i = 0; g && i < g->count; i++)
		if (g->pieces[i].kind == PIECE_PARAM) found(g->pieces[i].text, arg);
}

void capability_each_param(const struct capability *c, void (*found)(const char *name, void *arg), void *arg)
{
	for (size_t i = 0; i < PARTS; i++) params_of(c->parts[i], found, arg);
	for (size_t i = 0; i < c->count; i++) params_of(&c->words[i], found, arg);
}
