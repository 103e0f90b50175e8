#include "service/policy_file.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct policy_file {
	char *path; /* NULL: no workspace */
	struct arena *arena;
	const struct policy *policy;
	struct stat seen;
	bool is_read, is_young; /* young: it was written so lately that another write may bear the same time */
	enum err err;
	struct error error;
};

enum { YOUNG_S = 2 };

struct policy_file *policy_file_new(const char *root)
{
	struct policy_file *f = mem_zero(sizeof *f);
	if (root) f->path = mem_printf("%s/.rung/policy.yaml", root);
	return f;
}

void policy_file_free(struct policy_file *f)
{
	if (!f) return;
	arena_free(f->arena);
	free(f->path);
	free(f);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void read_it(struct policy_file *f, const struct stat *now)
{
	struct buf b;
	arena_free(f->arena);
	f->arena = arena_new();
	f->policy = NULL;
	buf_init(&b, YAML_BYTES_MAX + 1);
	f->err = fs_read(f->path, &b, &f->error);
	if (!f->err) f->err = policy_read(f->arena, ".rung/policy.yaml", b.data ? b.data : "", b.len, &f->policy, &f->error);
	buf_clear(&b);
	f->seen = *now;
	f->is_read = true;
	f->is_young = clock_now_us() / 1000000 - now->st_ctim.tv_sec < YOUNG_S;
}

enum err policy_file_now(struct policy_file *f, const struct policy **out, struct error *e)
{
	struct stat now;
	*out = NULL;
	if (!f->path) return ERR_OK;
	if (stat(f->path, &now) != 0) {
		f->is_read = false;
		return errno == ENOENT ? ERR_OK : error_errno(e, "the policy %s", f->path);
	}
	if (!f->is_read || f->is_young || !is_same(&now, &f->seen)) read_it(f, &now);
	if (f->err && e) *e = f->error;
	*out = f->policy;
	return f->err;
}
