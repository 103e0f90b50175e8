#include "service/oncall_file.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/yaml.h"
#include "service/file_watch.h"
#include "service/owned_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct oncall_at {
	struct oncall_at *next;
	const struct engine *engine;
	char *root, *path; /* path NULL: no workspace */
	struct arena *arena, *old;
	const struct oncall *oncall;
	struct file_watch watch;
	struct error error; /* of the last reading */
};

struct oncall_at *engine_oncall(struct engine *en, const char *root)
{
	for (struct oncall_at *at = en->oncalls; at; at = at->next)
		if (strcmp(at->root, root ? root : "") == 0) return at;
	struct oncall_at *at = mem_zero(sizeof *at);
	at->engine = en;
	at->root = mem_strdup(root ? root : "");
	at->path = root ? mem_printf("%s/.rung/oncall.yaml", strcmp(root, "/") == 0 ? "" : root) : NULL;
	at->arena = arena_new();
	at->oncall = oncall_none(at->arena);
	at->next = en->oncalls;
	return en->oncalls = at;
}

const char *oncall_root(const struct oncall_at *at)
{
	return *at->root ? at->root : NULL;
}

/* What somebody may still hold lives until the next sweep, or the next change. */
static void adopt(struct oncall_at *at, struct arena *a, const struct oncall *o)
{
	if (at->old) arena_free(at->old);
	at->old = at->arena;
	at->arena = a;
	at->oncall = o;
}

static void read_it(struct oncall_at *at, const struct stat *now)
{
	struct buf b;
	struct arena *a = arena_new();
	const struct oncall *o = NULL;
	buf_init(&b, YAML_BYTES_MAX + 1);
	/* It names commands, which need no right of their own. */
	enum err err = owned_file_read(at->path, at->engine->commands_as, &b, &at->error);
	bool is_whole = !err;
	if (!err) err = oncall_read(a, ".rung/oncall.yaml", b.data ? b.data : "", b.len, &o, &at->error);
	buf_clear(&b);
	file_watch_was_read(&at->watch, now, is_whole);
	if (err) {
		log_line(LOG_ERROR, "%s: %s; what was known before goes on", at->root, at->error.text);
		arena_free(a);
		return;
	}
	at->error.kind = ERR_OK;
	adopt(at, a, o);
}

const struct oncall *oncall_now(struct oncall_at *at, struct error *e)
{
	struct stat now;
	if (!at->path) {
		error_set(e, ERR_OK, "%s", "");
		return at->oncall;
	}
	bool is_there = stat(at->path, &now) == 0;
	if (!is_there && errno == ENOENT && lstat(at->path, &now) != 0) {
		/* Taken away on purpose: then nobody is on call. */
		struct arena *a = at->watch.is_read ? arena_new() : NULL;
		at->watch.is_read = false;
		at->error.kind = ERR_OK;
		if (a) adopt(at, a, oncall_none(a));
	} else if (!is_there) {
		at->watch.is_read = false;
		error_errno(&at->error, "%s", at->path);
	} else if (!file_watch_is_same(&at->watch, &now)) {
		read_it(at, &now);
	}
	if (e) *e = at->error;
	return at->oncall;
}

void engine_oncalls_sweep(struct engine *en)
{
	for (struct oncall_at *at = en->oncalls; at; at = at->next) {
		if (at->old) arena_free(at->old);
		at->old = NULL;
	}
}

void engine_oncalls_free(struct engine *en)
{
	while (en->oncalls) {
		struct oncall_at *at = en->oncalls;
		en->oncalls = at->next;
		if (at->old) arena_free(at->old);
		arena_free(at->arena);
		free(at->root);
		free(at->path);
		free(at);
	}
}
