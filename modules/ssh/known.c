#include "modules/ssh/known.h"
#include "base/arena.h"
#include "base/encode.h"
#include "base/fs.h"
#include "modules/ssh/route.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	BUCKETS = 4096,
	HASH_BYTES = 20,       /* of HMAC-SHA1, salt and hash alike */
	NAME_BYTES_MAX = 1024, /* of a host, with brackets and port */
	LINE_BYTES_MAX = 65536
};

enum mark { MARK_NONE, MARK_REVOKED, MARK_AUTHORITY };

struct line {
	const char *names; /* comma-separated; NULL: hashed */
	unsigned char salt[HASH_BYTES], hash[HASH_BYTES];
	const char *type, *key, *where;
	enum mark mark;
};

/* A line under a name that stands for itself alone. */
struct named {
	const char *name;
	const struct line *line;
	struct named *next;
};

/* Lines that must be asked one by one: hashed, or with patterns. */
struct known {
	struct arena *arena;
	struct named *buckets[BUCKETS];
	const struct line **others;
	size_t other_count, other_capacity;
};

struct known *known_new(void)
{
	struct known *k = mem_zero(sizeof *k);
	k->arena = arena_new();
	return k;
}

void known_free(struct known *k)
{
	if (!k) return;
	arena_free(k->arena);
	free(k);
}

/* ---- reading ---- */

/* The next word of a line; NULL at its end. */
static char *take_word(char **at)
{
	char *word = *at + strspn(*at, " \t");
	size_t n = strcspn(word, " \t");
	if (n == 0) return NULL;
	*at = word + n;
	if (**at) *(*at)++ = 0;
	return word;
}

static bool decode_exactly(const char *text, size_t n, unsigned char out[HASH_BYTES])
{
	struct buf b;
	buf_init(&b, HASH_BYTES);
	bool ok = decode_base64(&b, text, n) && b.len == HASH_BYTES;
	if (ok) memcpy(out, b.data, HASH_BYTES);
	buf_clear(&b);
	return ok;
}

/* "|1|salt|hash" */
static bool read_hashed(const char *text, struct line *l)
{
	if (strncmp(text, "|1|", 3) != 0) return false;
	const char *salt = text + 3, *bar = strchr(salt, '|');
	return bar && decode_exactly(salt, (size_t)(bar - salt), l->salt) && decode_exactly(bar + 1, strlen(bar + 1), l->hash);
}

static enum mark read_mark(const char *word)
{
	if (strcmp(word, "@revoked") == 0) return MARK_REVOKED;
	return MARK_AUTHORITY; /* or one that nobody knows: it says nothing here */
}

/* Under each of its names; once among the others where one of them is a pattern. */
static void keep(struct known *k, const struct line *l)
{
	bool is_asked = !l->names || strpbrk(l->names, "*?!") != NULL;
	if (is_asked) {
		k->others = arena_grow(k->arena, k->others, k->other_count, &k->other_capacity, sizeof *k->others);
		k->others[k->other_count++] = l;
		return;
	}
	for (const char *at = l->names; *at;) {
		size_t n = strcspn(at, ",");
		struct named *name = arena_alloc(k->arena, sizeof *name);
		char *text = arena_strndup(k->arena, at, n);
		for (char *c = text; *c; c++) *c = (char)tolower((unsigned char)*c);
		struct named **bucket = &k->buckets[route_hash(text) % BUCKETS];
		*name = (struct named){.name = text, .line = l, .next = *bucket};
		*bucket = name;
		at += n + (at[n] == ',');
	}
}

static void read_line(struct known *k, const char *file, unsigned number, char *text)
{
	struct line l = {.mark = MARK_NONE};
	char *names = take_word(&text);
	if (!names || *names == '#') return;
	if (*names == '@') {
		l.mark = read_mark(names);
		names = take_word(&text);
	}
	const char *type = take_word(&text), *key = take_word(&text);
	struct buf blob;
	if (!names || !type || !key || l.mark == MARK_AUTHORITY) return;
	buf_init(&blob, LINE_BYTES_MAX);
	bool is_key = decode_base64(&blob, key, strlen(key));
	buf_clear(&blob);
	if (!is_key || (*names == '|' && !read_hashed(names, &l))) return;
	if (*names != '|') l.names = arena_strdup(k->arena, names);
	l.type = arena_strdup(k->arena, type);
	l.key = arena_strdup(k->arena, key);
	l.where = arena_printf(k->arena, "%s:%u", file, number);
	struct line *kept = arena_alloc(k->arena, sizeof *kept);
	*kept = l;
	keep(k, kept);
}

void known_add(struct known *k, const char *file, const char *text, size_t n)
{
	unsigned number = 0;
	for (size_t at = 0; at < n;) {
		const char *end = memchr(text + at, '\n', n - at);
		size_t len = end ? (size_t)(end - text) - at : n - at;
		char *line = mem_alloc(len + 1);
		memcpy(line, text + at, len);
		line[len] = 0;
		if (len && line[len - 1] == '\r') line[len - 1] = 0;
		number++;
		if (len <= LINE_BYTES_MAX && !memchr(line, 0, len ? len - 1 : 0)) read_line(k, file, number, line);
		free(line);
		at += len + 1;
	}
}

void known_add_file(struct known *k, const char *path)
{
	struct buf b;
	buf_init(&b, KNOWN_FILE_BYTES_MAX);
	if (fs_read(path, &b, NULL) == ERR_OK) known_add(k, path, b.data ? b.data : "", b.len);
	buf_clear(&b);
}

/* ---- asking ---- */

/* A glob of * and ?, without regard to case. Linear in the product of the lengths. */
static bool glob_is(const char *glob, size_t n, const char *text)
{
	size_t g = 0, star = SIZE_MAX;
	const char *resume = NULL;
	while (*text) {
		if (g < n && glob[g] == '*') {
			star = g++;
			resume = text;
		} else if (g < n && (glob[g] == '?' || tolower((unsigned char)glob[g]) == tolower((unsigned char)*text))) {
			g++;
			text++;
		} else if (star != SIZE_MAX) {
			g = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (g < n && glob[g] == '*') g++;
	return g == n;
}

/* One of the patterns matches, and no negated one does. */
static bool list_has(const char *names, const char *name)
{
	bool has = false;
	for (const char *at = names; *at;) {
		size_t n = strcspn(at, ",");
		bool is_negated = *at == '!';
		if (glob_is(at + is_negated, n - is_negated, name)) {
			if (is_negated) return false;
			has = true;
		}
		at += n + (at[n] == ',');
	}
	return has;
}

static bool hash_is(const struct line *l, const char *name)
{
	unsigned char out[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	return HMAC(EVP_sha1(), l->salt, HASH_BYTES, (const unsigned char *)name, strlen(name), out, &n) && n == HASH_BYTES && memcmp(out, l->hash, n) == 0;
}

/* Calls found for each line of one spelling of a host's name. */
static void each_line(const struct known *k, const char *name, void (*found)(void *arg, const struct line *l), void *arg)
{
	for (const struct named *n = k->buckets[route_hash(name) % BUCKETS]; n; n = n->next)
		if (strcmp(n->name, name) == 0) found(arg, n->line);
	for (size_t i = 0; i < k->other_count; i++) {
		const struct line *l = k->others[i];
		if (l->names ? list_has(l->names, name) : hash_is(l, name)) found(arg, l);
	}
}

static void each_of(const struct known *k, const char *const *names, size_t count, unsigned port, void (*found)(void *arg, const struct line *l), void *arg)
{
	char spelled[NAME_BYTES_MAX];
	for (size_t i = 0; i < count; i++) {
		int n = snprintf(spelled, sizeof spelled, port == 22 ? "%s" : "[%s]:%u", names[i], port);
		if (n > 0 && (size_t)n < sizeof spelled) each_line(k, spelled, found, arg);
	}
}

struct checking {
	const char *key, *where;
	enum known_verdict verdict;
};

/* Revoked stays revoked; else one that is its key decides. */
static void check_line(void *arg, const struct line *l)
{
	struct checking *c = arg;
	bool is_key = strcmp(l->key, c->key) == 0;
	if (c->verdict == KNOWN_REVOKED) return;
	if (l->mark == MARK_REVOKED && !is_key) return;
	enum known_verdict verdict = l->mark == MARK_REVOKED ? KNOWN_REVOKED : is_key ? KNOWN_IS : KNOWN_CHANGED;
	if (verdict == KNOWN_CHANGED && c->verdict != KNOWN_UNKNOWN) return;
	if (verdict == c->verdict) return;
	c->verdict = verdict;
	c->where = l->where;
}

enum known_verdict known_check(const struct known *k, const char *const *names, size_t count, unsigned port, const char *key_base64, const char **where)
{
	struct checking c = {.key = key_base64, .verdict = KNOWN_UNKNOWN};
	each_of(k, names, count, port, check_line, &c);
	*where = c.where;
	return c.verdict;
}

struct typing {
	const char **out;
	size_t count, max;
};

static void type_line(void *arg, const struct line *l)
{
	struct typing *t = arg;
	if (l->mark != MARK_NONE) return;
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->out[i], l->type) == 0) return;
	if (t->count < t->max) t->out[t->count++] = l->type;
}

size_t known_types(const struct known *k, const char *const *names, size_t count, unsigned port, const char **out, size_t max)
{
	struct typing t = {.out = out, .max = max};
	each_of(k, names, count, port, type_line, &t);
	return t.count;
}
