#include "service/policy_file.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/yaml.h"
#include "service/file_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { RETIRED_MAX = 64 };

struct policy_file {
	char *path; /* NULL: no workspace */
	struct arena *arena;
	struct arena *retired[RETIRED_MAX]; /* of policies that somebody may still hold, until the next sweep */
	size_t retired_count;
	const struct policy *policy;
	struct file_watch watch;
	enum err err;
	struct error error;
};

struct policy_file *policy_file_new(const char *root)
{
	struct policy_file *f = mem_zero(sizeof *f);
	if (root) f->path = mem_printf("%s/.rung/policy.yaml", root);
	return f;
}

void policy_file_free(struct policy_file *f)
{
	if (!f) return;
	policy_file_sweep(f);
	arena_free(f->arena);
	free(f->path);
	free(f);
}

void policy_file_sweep(struct policy_file *f)
{
	while (f->retired_count) arena_free(f->retired[--f->retired_count]);
}

/* Changed more often between two rounds of the loop than anybody writes a file: then the oldest goes. */
static void retire(struct policy_file *f)
{
	f->policy = NULL;
	if (!f->arena) return;
	if (f->retired_count == RETIRED_MAX) {
		arena_free(f->retired[0]);
		memmove(f->retired, f->retired + 1, --f->retired_count * sizeof *f->retired);
	}
	f->retired[f->retired_count++] = f->arena;
	f->arena = NULL;
}

static void read_it(struct policy_file *f, const struct stat *now)
{
	struct buf b;
	char digest[DIGEST_HEX_BYTES];
	buf_init(&b, YAML_BYTES_MAX + 1);
	enum err err = fs_read(f->path, &b, &f->error);
	digest_sha256_hex(digest, b.data ? b.data : "", b.len);
	if (err || !f->policy || strcmp(digest, f->policy->digest) != 0) {
		retire(f);
		f->err = err;
		f->arena = arena_new();
		if (!err) f->err = policy_read(f->arena, ".rung/policy.yaml", b.data ? b.data : "", b.len, &f->policy, &f->error);
	}
	buf_clear(&b);
	file_watch_was_read(&f->watch, now, !err);
}

enum err policy_file_now(struct policy_file *f, const struct policy **out, struct error *e)
{
	struct stat now;
	*out = NULL;
	if (!f->path) return ERR_OK;
	if (stat(f->path, &now) != 0) {
		f->watch.is_read = false;
		bool is_gone = errno == ENOENT && lstat(f->path, &now) != 0; /* a link that leads nowhere is no policy that nobody wrote */
		return is_gone ? ERR_OK : error_errno(e, "the policy %s", f->path);
	}
	if (!file_watch_is_same(&f->watch, &now)) read_it(f, &now);
	if (f->err && e) *e = f->error;
	*out = f->policy;
	return f->err;
}
