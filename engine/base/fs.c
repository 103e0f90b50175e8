#include "base/fs.h"
#include "base/arena.h"
#include "base/failpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum err fs_read_fd(int fd, const char *path, struct buf *out, struct error *e)
{
	struct stat st;
	if (fstat(fd, &st) != 0) return error_errno(e, "%s", path);
	if (S_ISDIR(st.st_mode)) return error_set(e, ERR_INVALID, "%s is a folder, a file was expected", path);
	char chunk[65536];
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n == 0) return ERR_OK;
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return error_errno(e, "%s", path);
		if (!buf_add(out, chunk, (size_t)n)) return error_set(e, ERR_TOO_BIG, "%s is larger than the limit of %zu bytes", path, out->max);
	}
}

enum err fs_read(const char *path, struct buf *out, struct error *e)
{
	/* Non-blocking so that a fifo in the place of a book cannot hold us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) return error_errno(e, "%s", path);
	enum err err = fs_read_fd(fd, path, out, e);
	close(fd);
	return err;
}

enum err fs_read_beneath(const char *folder, const char *path, struct buf *out, struct error *e)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0) return error_errno(e, "%s", folder);
	int fd = (int)syscall(SYS_openat2, at, path, &how, sizeof how), error = errno;
	close(at);
	if (fd < 0 && error == EXDEV) return error_set(e, ERR_DENIED, "%s leads out of %s: a workspace's books lie in it", path, folder);
	errno = error;
	if (fd < 0) return error_errno(e, "%s", path);
	enum err err = fs_read_fd(fd, path, out, e);
	close(fd);
	return err;
}

enum err fs_write_all(int fd, const void *data, size_t n, struct error *e)
{
	const char *p = data;
	while (n) {
		ssize_t done = write(fd, p, n);
		if (done < 0 && errno == EINTR) continue;
		if (done < 0) return error_errno(e, "write");
		p += done, n -= (size_t)done;
	}
	return ERR_OK;
}

char *fs_dirname(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash) return mem_strdup(".");
	if (slash == path) return mem_strdup("/");
	return mem_printf("%.*s", (int)(slash - path), path);
}

enum err fs_sync_dir(const char *path, struct error *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) return error_errno(e, "%s", path);
	int rc = fsync(fd);
	close(fd);
	return rc == 0 ? ERR_OK : error_errno(e, "fsync %s", path);
}

enum err fs_write_atomic(const char *path, const void *data, size_t n, mode_t mode, struct error *e)
{
	char *temporary = mem_printf("%s.new", path), *folder = fs_dirname(path);
	enum err err = ERR_OK;
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) err = error_errno(e, "%s", temporary);
	if (!err && failpoint(FILE_WRITE)) err = error_set(e, ERR_IO, "%s: made to fail", temporary);
	if (!err) err = fs_write_all(fd, data, n, e);
	if (!err && (failpoint(FILE_SYNC) || fsync(fd) != 0)) err = error_errno(e, "fsync %s", temporary);
	if (fd >= 0) close(fd);
	if (!err && (failpoint(FILE_RENAME) || rename(temporary, path) != 0)) err = error_errno(e, "%s", path);
	if (!err && failpoint(FILE_RENAMED)) err = error_set(e, ERR_IO, "%s: made to fail", path);
	if (!err) err = fs_sync_dir(folder, e);
	free(temporary);
	free(folder);
	return err;
}

/* A new folder's name is durable once the folder that it lies in was synced. One that we may write and not read cannot be. */
static enum err sync_name(const char *path, struct error *e)
{
	char *folder = fs_dirname(path);
	enum err err = access(folder, R_OK) == 0 ? fs_sync_dir(folder, e) : ERR_OK;
	free(folder);
	return err;
}

enum err fs_mkdirs(const char *path, mode_t mode, struct error *e)
{
	char *p = mem_strdup(path);
	enum err err = ERR_OK;
	for (char *at = p + 1; !err; at++) {
		char c = *at;
		if (c && c != '/') continue;
		*at = 0;
		if (mkdir(p, mode) == 0)
			err = sync_name(p, e);
		else if (errno != EEXIST)
			err = error_errno(e, "%s", p);
		*at = c;
		if (!c) break;
	}
	if (!err && !fs_is_dir(path)) err = error_set(e, ERR_INVALID, "%s is no folder", path);
	free(p);
	return err;
}

bool fs_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool fs_is_dir(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}
