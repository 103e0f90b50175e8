#include "policy/capability_parts.h"
#include "policy/url.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

/* A pattern's words as the parts that are matched: login, host and arguments of ssh; method, scheme, host, port, path and query of http. */

static void glob_add(struct arena *a, struct glob *g, struct piece p)
{
	g->pieces = arena_grow(a, g->pieces, g->count, &g->capacity, sizeof *g->pieces);
	g->pieces[g->count++] = p;
}

static void glob_add_text(struct arena *a, struct glob *g, const char *s, size_t n)
{
	if (n) glob_add(a, g, (struct piece){.kind = PIECE_TEXT, .text = arena_strndup(a, s, n)});
}

/* Splits at the first of the delimiters that stands in plain text; it goes to neither side. False where there is none: then all is left. */
static bool glob_split(struct arena *a, const struct glob *g, const char *delimiters, struct glob *left, struct glob *right, char *found)
{
	bool is_split = false;
	*left = *right = (struct glob){0};
	for (size_t i = 0; i < g->count; i++) {
		const struct piece *p = &g->pieces[i];
		size_t n = !is_split && p->kind == PIECE_TEXT ? strcspn(p->text, delimiters) : 0;
		if (is_split || p->kind != PIECE_TEXT || !p->text[n]) {
			bool is_empty = p->kind == PIECE_TEXT && !*p->text;
			if (!is_empty) glob_add(a, is_split ? right : left, *p);
			continue;
		}
		is_split = true;
		*found = p->text[n];
		glob_add_text(a, left, p->text, n);
		glob_add_text(a, right, p->text + n + 1, strlen(p->text + n + 1));
	}
	return is_split;
}

static const struct glob *keep(struct arena *a, struct glob g)
{
	struct glob *copy = arena_alloc(a, sizeof *copy);
	if (g.count == 0 && !g.is_rest) glob_add(a, &g, (struct piece){.kind = PIECE_TEXT, .text = ""});
	*copy = g;
	return copy;
}

static bool has_piece(const struct glob *g, enum piece_kind kind)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->pieces[i].kind == kind) return true;
	return false;
}

/* Turns a `**` at the end into is_rest; it is an error anywhere else. */
static enum err take_rest(struct glob *g, struct error *e)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->pieces[i].kind == PIECE_REST && i + 1 < g->count) return error_set(e, ERR_INVALID, "** stands for the rest: nothing can follow it");
	g->is_rest = g->count && g->pieces[g->count - 1].kind == PIECE_REST;
	g->count -= g->is_rest;
	return ERR_OK;
}

/* The text that the glob matches where every star and parameter is `filler`, and where piece `at` takes its alternative `choice` (others the first). */
static char *sample(struct arena *a, const struct glob *g, const char *filler, size_t at, size_t choice)
{
	struct buf b;
	buf_init(&b, CAPABILITY_BYTES_MAX * 2);
	for (size_t i = 0; i < g->count; i++) {
		const struct piece *p = &g->pieces[i];
		if (p->kind == PIECE_TEXT)
			buf_str(&b, p->text);
		else if (p->kind == PIECE_CHOICE)
			buf_str(&b, p->choices[i == at ? choice : 0]);
		else
			buf_str(&b, filler);
	}
	char *text = arena_strdup(a, b.data ? b.data : "");
	buf_clear(&b);
	return text;
}

typedef enum err part_check(struct arena *a, const char *text, struct error *e);

/* Checks a sample of the glob for each of its alternatives: what could never match is an error of the pattern. */
static enum err check_samples(struct arena *a, const struct glob *g, const char *filler, part_check *check, struct error *e)
{
	enum err err = check(a, sample(a, g, filler, SIZE_MAX, 0), e);
	for (size_t i = 0; i < g->count && !err; i++)
		for (size_t k = 1; g->pieces[i].kind == PIECE_CHOICE && k < g->pieces[i].choice_count && !err; k++)
			err = check(a, sample(a, g, filler, i, k), e);
	return err;
}

static enum err check_host(struct arena *a, const char *text, struct error *e)
{
	char *host;
	enum host_kind kind;
	if (strchr(text, '[')) return error_set(e, ERR_INVALID, "an IPv6 address is written out alone, without stars and alternatives");
	return host_normal(a, text, strlen(text), &host, &kind, e);
}

static enum err check_login(struct arena *a, const char *text, struct error *e)
{
	(void)a;
	return login_is_valid(text, strlen(text)) ? ERR_OK : error_set(e, ERR_INVALID, "\"%.64s\" is no user: letters, digits and . _ - + $", text);
}

static enum err check_path(struct arena *a, const char *text, struct error *e)
{
	(void)a;
	return url_check_path(text, e);
}

static const char *lower(struct arena *a, const char *s)
{
	char *copy = arena_strdup(a, s);
	for (char *c = copy; *c; c++) *c = (char)tolower((unsigned char)*c);
	return copy;
}

static enum err read_host(struct arena *a, struct glob *g, const struct glob **out, struct error *e)
{
	const char *literal = g->count ? glob_literal(g) : NULL;
	char *host;
	enum host_kind kind;
	enum err err;
	if (literal) {
		must(g->pieces);
		err = host_normal(a, literal, strlen(literal), &host, &kind, e);
		if (!err) g->pieces[0].text = host;
	} else {
		struct error ignored;
		err = g->count == 0 ? error_set(e, ERR_INVALID, "the host is missing") : ERR_OK;
		/* "10.0.*.5" is fine with a number, "*.example.net" with a name. */
		if (!err && check_samples(a, g, "1", check_host, &ignored)) err = check_samples(a, g, "x", check_host, e);
		for (size_t i = 0; i < g->count; i++) {
			struct piece *p = &g->pieces[i];
			if (p->kind == PIECE_TEXT) p->text = lower(a, p->text);
			for (size_t k = 0; k < p->choice_count; k++) p->choices[k] = lower(a, p->choices[k]);
		}
	}
	*out = keep(a, *g);
	return err;
}

static enum err refuse_rest(const struct glob *g, const char *where, struct error *e)
{
	return has_piece(g, PIECE_REST) ? error_set(e, ERR_INVALID, "** cannot stand in %s: write * for one part of it", where) : ERR_OK;
}

static enum err read_login(struct arena *a, struct glob *g, const struct glob **out, struct error *e)
{
	enum err err = check_samples(a, g, "x", check_login, e);
	*out = keep(a, *g);
	return err;
}

static bool is_word(const struct glob *words, size_t count, size_t i, const char *text)
{
	const char *literal = i < count ? glob_literal(&words[i]) : NULL;
	return literal && strcmp(literal, text) == 0;
}

static enum err read_command(struct capability *c, struct glob *words, size_t count, struct error *e)
{
	c->words = words;
	c->count = count;
	for (size_t i = 0; i < count; i++) {
		bool is_alone = words[i].count == 1 && i + 1 == count;
		if (!has_piece(&words[i], PIECE_REST)) continue;
		if (!is_alone) return error_set(e, ERR_INVALID, "** stands for the rest of the arguments: write it alone, as the last word");
		words[i] = (struct glob){.is_rest = true};
	}
	return ERR_OK;
}

static bool ends_in_slash(const struct glob *g);

/* What stands before `**`: a folder's path, and whatever follows. */
static enum err check_folder(struct arena *a, const char *text, struct error *e)
{
	return file_path_check(arena_printf(a, "%sx", text), e);
}

static enum err check_file(struct arena *a, const char *text, struct error *e)
{
	(void)a;
	return file_path_check(text, e);
}

/* put PATH, get PATH: a file on the host. */
static enum err read_file(struct arena *a, struct capability *c, struct glob *verb, struct glob *path, struct error *e)
{
	enum err err = take_rest(path, e);
	c->parts[PART_METHOD] = keep(a, *verb);
	c->parts[PART_BOOK] = keep(a, *path);
	if (!err && path->is_rest && !(path->count && ends_in_slash(path)))
		err = error_set(e, ERR_INVALID, "** stands for the rest of a path: write it behind a \"/\"");
	if (err || path->is_rest) return err ? err : check_samples(a, path, "x", check_folder, e);
	return check_samples(a, path, "x", check_file, e);
}

static enum err read_ssh(struct arena *a, struct capability *c, struct glob *words, size_t count, struct error *e)
{
	static const char form[] = "write it as `ssh deploy@web-* -- systemctl restart *`, `ssh deploy@web-* as root -- systemctl restart *`, "
	                           "`ssh deploy@web-* put /etc/app/*` or `ssh deploy@web-* get /var/log/app/**`";
	bool has_as = is_word(words, count, 1, "as") && !is_word(words, count, 0, "--");
	bool has_file = count == 3 && (is_word(words, count, 1, "put") || is_word(words, count, 1, "get"));
	size_t dashes = has_as ? 3 : 1;
	struct glob left, right;
	char found;
	if (!has_file && (!is_word(words, count, dashes, "--") || count < dashes + 2))
		return error_set(e, ERR_INVALID, "a host, and -- and a command or a file were expected; %s", form);
	enum err err = refuse_rest(&words[0], "a host", e);
	if (!err && has_as) err = refuse_rest(&words[2], "a user", e);
	bool has_login = glob_split(a, &words[0], "@", &left, &right, &found);
	if (!err && has_login) err = read_login(a, &left, &c->parts[PART_LOGIN], e);
	if (!err) err = read_host(a, has_login ? &right : &left, &c->parts[PART_HOST], e);
	if (!err && has_as) err = read_login(a, &words[2], &c->parts[PART_AS], e);
	if (!err && has_file) return read_file(a, c, &words[1], &words[2], e);
	return err ? err : read_command(c, words + dashes + 1, count - dashes - 1, e);
}

static enum err check_method(struct arena *a, const char *text, struct error *e)
{
	(void)a;
	if (*text && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(text)) return ERR_OK;
	return error_set(e, ERR_INVALID, "a method was expected, in capitals, as GET or {GET|HEAD}; \"%.40s\" came", text);
}

static enum err check_port(struct arena *a, const char *text, struct error *e)
{
	(void)a;
	if (*text && *text != '0' && strspn(text, "0123456789") == strlen(text) && strlen(text) <= 5) return ERR_OK;
	return error_set(e, ERR_INVALID, "the port is a number from 1 to 65535");
}

/* The port behind the host; an IPv6 address has colons of its own, between brackets. */
static enum err read_authority(struct arena *a, struct capability *c, struct glob *g, unsigned port, struct error *e)
{
	struct glob host, after;
	char found;
	const char *literal = glob_literal(g);
	if (has_piece(g, PIECE_REST)) return refuse_rest(g, "a host", e);
	if (literal && *literal == '[') {
		size_t n = strcspn(literal, "]");
		n += literal[n] == ']';
		host = after = (struct glob){0};
		glob_add_text(a, &host, literal, n);
		if (literal[n] && literal[n] != ':') return error_set(e, ERR_INVALID, "behind ] only a port can follow");
		bool has_port = literal[n] == ':';
		glob_add_text(a, &after, has_port ? literal + n + 1 : "", has_port ? strlen(literal + n + 1) : 0);
		found = has_port ? ':' : 0;
	} else if (!glob_split(a, g, ":", &host, &after, &found)) {
		found = 0;
	}
	enum err err = read_host(a, &host, &c->parts[PART_HOST], e);
	if (found && has_piece(&after, PIECE_STAR)) return error_set(e, ERR_INVALID, "write the port out, as :8443 or :{8080|8443}");
	if (!found) glob_add(a, &after, (struct piece){.kind = PIECE_TEXT, .text = arena_printf(a, "%u", port)});
	if (!err) err = check_samples(a, &after, "1", check_port, e);
	c->parts[PART_PORT] = keep(a, after);
	return err;
}

static enum err normalise(struct arena *a, struct glob *g, bool is_query, struct error *e)
{
	enum err err = ERR_OK;
	char *text;
	for (size_t i = 0; i < g->count && !err; i++) {
		struct piece *p = &g->pieces[i];
		if (p->kind == PIECE_TEXT && !(err = url_escapes_normal(a, p->text, is_query, &text, e))) p->text = text;
		for (size_t k = 0; k < p->choice_count && !err; k++)
			if (!(err = url_escapes_normal(a, p->choices[k], is_query, &text, e))) p->choices[k] = text;
	}
	return err;
}

static bool ends_in_slash(const struct glob *g)
{
	const struct piece *last = &g->pieces[g->count - 1];
	return last->kind == PIECE_TEXT && *last->text && last->text[strlen(last->text) - 1] == '/';
}

static enum err read_path(struct arena *a, struct capability *c, struct glob *g, struct error *e)
{
	struct glob path = {0};
	bool has_text = g->count && g->pieces[0].kind == PIECE_TEXT;
	glob_add(a, &path, (struct piece){.kind = PIECE_TEXT, .text = arena_printf(a, "/%s", has_text ? g->pieces[0].text : "")});
	for (size_t i = has_text; i < g->count; i++) glob_add(a, &path, g->pieces[i]);
	enum err err = take_rest(&path, e);
	if (!err) err = normalise(a, &path, false, e);
	if (err) return err;
	if (path.is_rest && !ends_in_slash(&path)) return error_set(e, ERR_INVALID, "** stands for the rest of a path: write it behind a \"/\"");
	c->parts[PART_PATH] = keep(a, path);
	return check_samples(a, &path, "x", check_path, e);
}

static enum err read_query(struct arena *a, struct capability *c, struct glob *g, struct error *e)
{
	enum err err = take_rest(g, e);
	if (!err && g->is_rest && g->count) return error_set(e, ERR_INVALID, "a query is written out, or `?**` for any or none");
	if (!err) err = normalise(a, g, true, e);
	c->parts[PART_QUERY] = keep(a, *g);
	return err;
}

static enum err read_scheme(struct arena *a, struct capability *c, struct glob *url, unsigned *port, struct error *e)
{
	static const char *const schemes[] = {"http", "https"};
	const char *text = url->count && url->pieces[0].kind == PIECE_TEXT ? url->pieces[0].text : "";
	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(schemes[i]);
		if (strncmp(text, schemes[i], n) != 0 || strncmp(text + n, "://", 3) != 0) continue;
		struct glob scheme = {0};
		glob_add_text(a, &scheme, schemes[i], n);
		c->parts[PART_SCHEME] = keep(a, scheme);
		url->pieces[0].text = text + n + 3;
		*port = i ? 443 : 80;
		return ERR_OK;
	}
	return error_set(e, ERR_INVALID, "the address begins with http:// or https://, written out");
}

static enum err read_http(struct arena *a, struct capability *c, struct glob *words, size_t count, struct error *e)
{
	struct glob authority, rest, path, query;
	char found = 0, question = 0;
	unsigned port = 0;
	if (count != 2) return error_set(e, ERR_INVALID, "a method and an address were expected, as in `http GET https://api.example.net/v1/**`");
	if (has_piece(&words[0], PIECE_STAR) || has_piece(&words[0], PIECE_REST) || has_piece(&words[0], PIECE_PARAM))
		return error_set(e, ERR_INVALID, "write the methods out, as GET or {GET|HEAD}");
	enum err err = check_samples(a, &words[0], "", check_method, e);
	c->parts[PART_METHOD] = keep(a, words[0]);
	if (!err) err = read_scheme(a, c, &words[1], &port, e);
	if (err) return err;
	glob_split(a, &words[1], "/?", &authority, &rest, &found);
	if (found == '?')
		path = (struct glob){0}, query = rest, question = '?';
	else
		glob_split(a, &rest, "?", &path, &query, &question);
	err = read_authority(a, c, &authority, port, e);
	if (!err) err = read_path(a, c, &path, e);
	return !err && question ? read_query(a, c, &query, e) : err;
}

static enum err check_name(struct arena *a, const char *text, struct error *e)
{
	(void)a;
	for (const char *s = text; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 127) return error_set(e, ERR_INVALID, "a name has no spaces and no control characters");
	return *text ? ERR_OK : error_set(e, ERR_INVALID, "the name is empty");
}

static enum err check_book(struct arena *a, const char *text, struct error *e)
{
	enum err err = url_check_path(arena_printf(a, "/%s", text), e);
	if (!err && strchr(text, '\\')) err = error_set(e, ERR_INVALID, "the path holds a backslash");
	return err ? err : check_name(a, text, e);
}

static enum err read_name(struct arena *a, struct capability *c, struct glob *words, size_t count, enum part part, struct error *e)
{
	if (count != 1) return error_set(e, ERR_INVALID, "one word was expected behind `%s`; %zu came", c->kind, count);
	enum err err = part == PART_BOOK ? take_rest(&words[0], e) : refuse_rest(&words[0], "a name", e);
	const struct glob *g = &words[0];
	if (!err && g->is_rest && g->count && !ends_in_slash(g)) err = error_set(e, ERR_INVALID, "** stands for the rest of a path: write it behind a \"/\"");
	c->parts[part] = keep(a, words[0]);
	return err || (g->is_rest && g->count == 0) ? err : check_samples(a, g, "x", part == PART_BOOK ? check_book : check_name, e);
}

enum err capability_read_parts(struct arena *a, struct capability *c, struct glob *words, size_t count, struct error *e)
{
	if (count == 0) return error_set(e, ERR_INVALID, "the kind alone allows nothing: say which calls, as in `%s ...`", c->kind);
	if (strcmp(c->kind, "sh") == 0) return read_command(c, words, count, e);
	if (strcmp(c->kind, "ssh") == 0) return read_ssh(a, c, words, count, e);
	if (strcmp(c->kind, "http") == 0) return read_http(a, c, words, count, e);
	return read_name(a, c, words, count, strcmp(c->kind, "runbook") == 0 ? PART_BOOK : PART_NAME, e);
}
