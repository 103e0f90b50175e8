#include "service/alerts_at.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/yaml.h"
#include "book/paths.h"
#include "service/file_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { YOUNG_AGAIN_US = 20000, LOOK_US = 2000000, LOOKS_COST_AT_MOST = 50 }; /* the books are looked at that often, and a share of the time at most */

struct alerts_at {
	struct arena *arena; /* of what was read last */
	const struct alerts_file *file;
	struct file_watch watch;
	uint64_t round; /* of the loop in which the file was looked at */
	bool is_there;
	enum err err;
	struct error error;
	struct arena *books_arena;
	const struct book_index *books;
	unsigned char books_digest[DIGEST_BYTES]; /* of paths, sizes and times */
	int64_t look_again_us, read_us;
	int64_t longest_us; /* the longest window of the file when it could be read last; 0: it could not yet */
};

static struct alerts_at *at_of(struct engine *en)
{
	if (!en->alerts) en->alerts = mem_zero(sizeof *en->alerts);
	return en->alerts;
}

void alerts_free(struct engine *en)
{
	if (!en->alerts) return;
	arena_free(en->alerts->arena);
	arena_free(en->alerts->books_arena);
	free(en->alerts);
	en->alerts = NULL;
}

static void begin_anew(struct alerts_at *at)
{
	arena_free(at->arena);
	at->arena = arena_new();
	at->file = NULL;
	at->err = ERR_OK;
}

static void none(struct alerts_at *at)
{
	if (at->file && !at->is_there && !at->err) return;
	begin_anew(at);
	at->is_there = at->watch.is_read = false;
	at->file = alerts_file_none(at->arena);
}

static void read_it(struct alerts_at *at, const char *path, const struct stat *now)
{
	struct buf b;
	buf_init(&b, YAML_BYTES_MAX + 1);
	begin_anew(at);
	at->is_there = true;
	at->err = fs_read(path, &b, &at->error);
	file_watch_was_read(&at->watch, now, !at->err);
	if (!at->err) at->err = alerts_file_read(at->arena, ".rung/alerts.yaml", b.data ? b.data : "", b.len, &at->file, &at->error);
	if (at->err) log_line(LOG_WARN, "no alerts are received: %s", at->error.text);
	buf_clear(&b);
}

/* One that was written a moment ago may be written again and bear the same time: it is read often for a while, but not for each of a thousand deliveries a
 * second.
 */
static bool is_to_be_read(struct alerts_at *at, const struct stat *now)
{
	struct file_watch old = at->watch;
	int64_t now_us = clock_monotonic_us();
	if (file_watch_is_same(&at->watch, now)) return false;
	old.is_young = false;
	if (file_watch_is_same(&old, now) && now_us - at->read_us < YOUNG_AGAIN_US) return false;
	at->read_us = now_us;
	return true;
}

static void look(struct engine *en, struct alerts_at *at)
{
	struct stat now;
	char *path = en->root ? mem_printf("%s/.rung/alerts.yaml", en->root) : NULL;
	bool is_seen = path && stat(path, &now) == 0;
	if (!path || (!is_seen && errno == ENOENT && lstat(path, &now) != 0))
		none(at);
	else if (!is_seen)
		begin_anew(at), at->is_there = true, at->watch.is_read = false, at->err = error_errno(&at->error, "%s", path);
	else if (is_to_be_read(at, &now))
		read_it(at, path, &now);
	free(path);
}

enum err alerts_now(struct engine *en, const struct alerts_file **out, struct error *e)
{
	struct alerts_at *at = at_of(en);
	bool is_new_round = at->round != en->round || (!at->file && !at->err);
	if (is_new_round) look(en, at);
	at->round = en->round;
	if (at->err && e) *e = at->error;
	*out = at->file;
	return at->err;
}

static int64_t longest(const struct alert_guards *g)
{
	int64_t most = g->cooldown_us;
	if (g->runs_us > most) most = g->runs_us;
	return g->breaker_us > most ? g->breaker_us : most;
}

int64_t alerts_longest_window_us(struct engine *en)
{
	const struct alerts_file *f;
	struct alerts_at *at = at_of(en);
	/* While nobody can read it nothing that it may ask for is forgotten. */
	if (alerts_now(en, &f, NULL)) return at->longest_us ? at->longest_us : ALERTS_WINDOW_MAX_US;
	int64_t most = longest(&f->defaults.guards);
	for (size_t i = 0; i < f->binding_count; i++)
		if (longest(&f->bindings[i].guards) > most) most = longest(&f->bindings[i].guards);
	at->longest_us = most;
	return most;
}

/* ---- books ---- */

static void digest_of(const struct paths *paths, unsigned char out[DIGEST_BYTES])
{
	struct digest *d = digest_new();
	for (size_t i = 0; i < paths->count; i++) {
		struct stat st;
		int64_t seen[4] = {0};
		if (stat(paths->path[i], &st) == 0) {
			seen[0] = (int64_t)st.st_ino, seen[1] = st.st_size;
			seen[2] = st.st_mtim.tv_sec, seen[3] = st.st_mtim.tv_nsec;
		}
		digest_add(d, paths->path[i], strlen(paths->path[i]) + 1);
		digest_add(d, seen, sizeof seen);
	}
	digest_finish(d, out);
}

/* Books that cannot be read are not there: a run of one says why. */
static void build(struct engine *en, struct alerts_at *at, const struct paths *paths)
{
	size_t root = strlen(en->root) + 1;
	arena_free(at->books_arena);
	at->books_arena = arena_new();
	struct book_index *ix = book_index_new(at->books_arena);
	for (size_t i = 0; i < paths->count; i++) {
		struct book *b = NULL;
		struct buf bytes;
		const char *name = paths->path[i] + root;
		buf_init(&bytes, BOOK_BYTES_MAX);
		if (fs_read_beneath(en->root, name, &bytes, NULL) == ERR_OK &&
		    book_parse(name, NULL, bytes.data ? bytes.data : "", bytes.len, &b, NULL) == ERR_OK)
			book_index_add(ix, name, b);
		book_free(b);
		buf_clear(&bytes);
	}
	book_index_close(ix);
	at->books = ix;
}

static void no_books(struct alerts_at *at)
{
	if (at->books) return;
	at->books_arena = arena_new();
	struct book_index *ix = book_index_new(at->books_arena);
	book_index_close(ix);
	at->books = ix;
}

const struct book_index *alerts_books(struct engine *en)
{
	struct alerts_at *at = at_of(en);
	int64_t now_us = clock_monotonic_us();
	unsigned char digest[DIGEST_BYTES];
	if (at->books && now_us < at->look_again_us) return at->books;
	struct arena *a = arena_new();
	struct paths paths = {0};
	if (en->root && paths_of_books(a, en->root, &paths, NULL) == ERR_OK) {
		digest_of(&paths, digest);
		if (!at->books || memcmp(digest, at->books_digest, sizeof digest) != 0) build(en, at, &paths);
		memcpy(at->books_digest, digest, sizeof digest);
	} else {
		no_books(at);
	}
	arena_free(a);
	int64_t took_us = clock_monotonic_us() - now_us;
	at->look_again_us = now_us + took_us + (took_us * LOOKS_COST_AT_MOST > LOOK_US ? took_us * LOOKS_COST_AT_MOST : LOOK_US);
	return at->books;
}
