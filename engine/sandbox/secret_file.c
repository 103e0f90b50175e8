#include "sandbox/secret_file.h"
#include "base/failpoint.h"
#include "base/fs.h"
#include "sandbox/redact.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_owner_fine(const struct stat *st, uid_t trusted)
{
	return st->st_uid == 0 || st->st_uid == geteuid() || st->st_uid == trusted;
}

/* Whoever can change a folder on the way can put another file in this one's place. A sticky folder (/tmp) lets nobody replace what is another's. */
static enum err check_folders(const char *path, uid_t trusted, struct error *e)
{
	char real[PATH_MAX];
	struct stat st;
	char *folder = fs_dirname(path), *found = realpath(folder, real);
	enum err err = found ? ERR_OK : error_errno(e, "%s", folder);
	free(folder);
	while (!err) {
		if (stat(real, &st) != 0) return error_errno(e, "%s", real);
		bool others_can_write = (st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX);
		if (!is_owner_fine(&st, trusted) || others_can_write)
			err = error_set(e, ERR_DENIED, "%s lies below %s, which others can change: keep a secret where only root or its owner can", path, real);
		char *slash = strrchr(real, '/');
		if (slash == real && real[1] == 0) break;
		slash[slash == real] = 0;
	}
	return err;
}

static enum err check_file(int fd, const char *path, uid_t trusted, struct error *e)
{
	struct stat st;
	if (fstat(fd, &st) != 0) return error_errno(e, "%s", path);
	if (!S_ISREG(st.st_mode)) return error_set(e, ERR_INVALID, "%s is not a regular file", path);
	if (!is_owner_fine(&st, trusted))
		return error_set(e, ERR_DENIED, "%s belongs to another user (id %d): a secret's file is root's or the engine's user's, who reads it", path,
		                 (int)st.st_uid);
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return error_set(e, ERR_DENIED, "%s has mode %04o, so that others can use it: `chmod 600` it", path, (unsigned)(st.st_mode & 07777));
	return ERR_OK;
}

/* Into memory that is there already, so that out holds the only copy. One that is longer than a secret can be fills it: secret_check says so. */
static enum err read_value(int fd, const char *path, struct buf *out, struct error *e)
{
	buf_reserve(out, out->max - out->len);
	while (out->len < out->max) {
		ssize_t n = read(fd, out->data + out->len, out->max - out->len);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return error_errno(e, "%s", path);
		if (n == 0) return ERR_OK;
		out->len += (size_t)n;
		out->data[out->len] = 0;
	}
	char more;
	out->is_full = read(fd, &more, 1) != 0;
	return ERR_OK;
}

enum err secret_file_read(const char *path, uid_t trusted, struct buf *out, struct error *e)
{
	if (failpoint(HAND_SECRET)) return error_set(e, ERR_IO, "%s: made to fail", path);
	if (path[0] != '/') return error_set(e, ERR_INVALID, "%s: the file of a secret is named by an absolute path", path);
	enum err err = check_folders(path, trusted, e);
	if (err) return err;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP) return error_set(e, ERR_DENIED, "%s is a symbolic link: name the file itself", path);
	if (fd < 0) return error_errno(e, "%s", path);
	err = check_file(fd, path, trusted, e);
	if (!err) err = read_value(fd, path, out, e);
	close(fd);
	return err;
}

void secret_cut_newline(struct buf *value)
{
	if (value->len && value->data[value->len - 1] == '\n') value->data[--value->len] = 0;
	if (value->len && value->data[value->len - 1] == '\r') value->data[--value->len] = 0;
}

enum err secret_check(const char *name, const struct buf *value, struct error *e)
{
	if (value->is_full || value->len > REDACT_VALUE_BYTES_MAX)
		return error_set(e, ERR_TOO_BIG, "the secret %s is longer than %d KiB", name, REDACT_VALUE_BYTES_MAX >> 10);
	if (value->len == 0) return error_set(e, ERR_INVALID, "the secret %s is empty", name);
	if (value->len < REDACT_VALUE_BYTES_MIN)
		return error_set(e, ERR_INVALID, "the secret %s has fewer than %d bytes: one as short cannot be taken out of what commands print", name,
		                 REDACT_VALUE_BYTES_MIN);
	return ERR_OK;
}
