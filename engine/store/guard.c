#include "store/guard.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOT_BYTES = 4096, SLOTS = 2, FILE_NAME_DIGITS = 32 };

struct guard {
	int fd, turn;
	char *path;
};

char *guard_folder(const char *given, struct error *e)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (given) return mem_strdup(given);
	if (state && state[0] == '/') return mem_printf("%s/rung/guard", state);
	if (home && home[0] == '/') return mem_printf("%s/.local/state/rung/guard", home);
	error_set(e, ERR_INVALID, "the guard needs a folder outside the state directory: set XDG_STATE_HOME or HOME");
	return NULL;
}

static char *file_of(const char *folder, const char *key, const char *suffix)
{
	char hex[DIGEST_HEX_BYTES];
	digest_sha256_hex(hex, key, strlen(key));
	return mem_printf("%s/%.*s%s", folder, FILE_NAME_DIGITS, hex, suffix);
}

static char *path_file_of(const char *folder, const char *dir)
{
	char *real = realpath(dir, NULL), *path = file_of(folder, real ? real : dir, ".path");
	free(real);
	return path;
}

/* The digest behind a note and its NUL: a slot that was torn within does not have the right one, whatever its note looks like. */
static bool is_slot_whole(const char *slot, size_t bytes, size_t n)
{
	unsigned char digest[DIGEST_BYTES];
	if (bytes < n + 1 + DIGEST_BYTES) return false;
	digest_sha256(digest, slot, n);
	return memcmp(slot + n + 1, digest, DIGEST_BYTES) == 0;
}

/* The size that a slot's checkpoint states, or -1 where the slot holds none. Signatures are the caller's to check. */
static int64_t slot_size(const char *slot, size_t n)
{
	struct note *note = mem_zero(sizeof *note);
	struct checkpoint c;
	int64_t size = -1;
	if (note_parse(slot, n, note, NULL) == ERR_OK && checkpoint_parse(note->text, note->text_len, &c, NULL) == ERR_OK) size = (int64_t)c.size;
	free(note);
	return size;
}

/* The slot with the newest checkpoint, or -1; where both say the same size, the first. */
static int newest_slot(const struct buf *file, size_t *n)
{
	int best = -1;
	int64_t best_size = -1;
	for (int i = 0; i < SLOTS; i++) {
		size_t from = (size_t)i * SLOT_BYTES;
		if (file->len <= from) break;
		size_t bytes = file->len - from < SLOT_BYTES ? file->len - from : SLOT_BYTES, len = strnlen(file->data + from, bytes);
		int64_t size = is_slot_whole(file->data + from, bytes, len) ? slot_size(file->data + from, len) : -1;
		if (size > best_size) best = i, best_size = size, *n = len;
	}
	return best;
}

/* An engine at work writes while others read: what was read twice the same was not torn. */
static enum err read_settled(const char *path, struct buf *file, struct error *e)
{
	struct buf again;
	buf_init(&again, SLOTS * SLOT_BYTES);
	enum err err = fs_read(path, file, e);
	for (int tries = 0; tries < 100 && !err; tries++) {
		buf_reset(&again);
		err = fs_read(path, &again, e);
		if (!err && again.len == file->len && (file->len == 0 || memcmp(again.data, file->data, file->len) == 0)) break;
		buf_reset(file);
		if (!err) buf_add(file, again.data, again.len);
	}
	buf_clear(&again);
	return err;
}

enum err guard_read(const char *folder, const char *origin, struct buf *note, struct error *e)
{
	char *path = file_of(folder, origin, ".guard");
	struct buf file;
	size_t n = 0;
	buf_init(&file, SLOTS * SLOT_BYTES);
	enum err err = read_settled(path, &file, e);
	int slot = err ? -1 : newest_slot(&file, &n);
	if (!err && slot < 0) err = error_set(e, ERR_NOT_FOUND, "%s holds no checkpoint", path);
	if (!err) buf_add(note, file.data + (size_t)slot * SLOT_BYTES, n);
	buf_clear(&file);
	free(path);
	return err;
}

enum err guard_read_path(const char *folder, const char *dir, struct buf *origin, struct error *e)
{
	char *path = path_file_of(folder, dir);
	enum err err = fs_read(path, origin, e);
	if (!err) {
		size_t n = origin->len ? strcspn(origin->data, "\n") : 0;
		if (n)
			origin->data[n] = 0, origin->len = n;
		else
			err = error_set(e, ERR_NOT_FOUND, "%s is empty", path);
	}
	free(path);
	return err;
}

static enum err write_path(const char *folder, const char *dir, const char *origin, struct error *e)
{
	char *path = path_file_of(folder, dir), *real = realpath(dir, NULL), *text = mem_printf("%s\n%s\n", origin, real ? real : dir);
	enum err err = fs_exists(path) ? ERR_OK : fs_write_atomic(path, text, strlen(text), 0600, e);
	free(path);
	free(real);
	free(text);
	return err;
}

enum err guard_open(const char *folder, const char *dir, const char *origin, struct guard **out, struct error *e)
{
	*out = NULL;
	enum err err = failpoint(GUARD_OPEN) ? error_set(e, ERR_IO, "made to fail") : fs_mkdirs(folder, 0700, e);
	if (!err) err = write_path(folder, dir, origin, e);
	if (err) return error_context(e, "the guard of this log cannot be kept in %s", folder);
	struct guard *g = mem_zero(sizeof *g);
	struct buf file;
	size_t n;
	g->path = file_of(folder, origin, ".guard");
	g->fd = open(g->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	buf_init(&file, SLOTS * SLOT_BYTES);
	err = g->fd < 0 ? error_errno(e, "%s", g->path) : fs_read_fd(g->fd, g->path, &file, e);
	/* Its blocks are there from the start, so that a full disk does not stop the guard. */
	if (!err && file.len < SLOTS * SLOT_BYTES && (errno = posix_fallocate(g->fd, 0, SLOTS * SLOT_BYTES)) != 0) err = error_errno(e, "%s", g->path);
	if (!err) err = fs_sync_dir(folder, e);
	g->turn = err || newest_slot(&file, &n) != 0 ? 0 : 1;
	buf_clear(&file);
	if (err)
		guard_close(g);
	else
		*out = g;
	return err;
}

void guard_close(struct guard *g)
{
	if (!g) return;
	if (g->fd >= 0) {
		fdatasync(g->fd);
		close(g->fd);
	}
	free(g->path);
	free(g);
}

enum err guard_write(struct guard *g, const char *note, size_t n, struct error *e)
{
	char slot[SLOT_BYTES] = {0};
	must(n + 1 + DIGEST_BYTES <= sizeof slot);
	memcpy(slot, note, n);
	digest_sha256((unsigned char *)slot + n + 1, note, n);
	if (failpoint(GUARD_WRITE)) return error_set(e, ERR_IO, "%s: made to fail", g->path);
	if (pwrite(g->fd, slot, sizeof slot, (off_t)g->turn * SLOT_BYTES) != (ssize_t)sizeof slot) return error_errno(e, "%s", g->path);
	g->turn = !g->turn;
	failpoint(GUARD_WRITTEN);
	return ERR_OK;
}

static enum err rename_aside(char *path, const char *suffix, struct error *e)
{
	char *aside = mem_printf("%s.%s", path, suffix);
	enum err err = ERR_OK;
	if (rename(path, aside) != 0 && errno != ENOENT) err = error_errno(e, "%s", path);
	free(aside);
	free(path);
	return err;
}

enum err guard_set_aside(const char *folder, const char *dir, const char *origin, const char *suffix, struct error *e)
{
	enum err err = rename_aside(path_file_of(folder, dir), suffix, e);
	if (!err && origin) err = rename_aside(file_of(folder, origin, ".guard"), suffix, e);
	return err ? err : fs_sync_dir(folder, e);
}
