#ifndef RUNG_BASE_FS_H
#define RUNG_BASE_FS_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* Reads a regular file whole into out (whose maximum is the limit: ERR_TOO_BIG over it). Errors name the path. */
enum err fs_read(const char *path, struct buf *out, struct error *e);

/* The same of a path relative to a folder, which no symbolic link and no .. leads out of: ERR_DENIED where one does. */
enum err fs_read_beneath(const char *folder, const char *path, struct buf *out, struct error *e);

/* The same from a descriptor; path is for the messages. */
enum err fs_read_fd(int fd, const char *path, struct buf *out, struct error *e);

/* Writes a file so that after a crash it holds either the old bytes or the new: temporary file, fsync, rename, fsync of the folder. */
enum err fs_write_atomic(const char *path, const void *data, size_t n, mode_t mode, struct error *e);

/* mkdir -p; a folder that is there already is fine, one that was made is durable. */
enum err fs_mkdirs(const char *path, mode_t mode, struct error *e);

/* fsync of a folder. */
enum err fs_sync_dir(const char *path, struct error *e);

bool fs_exists(const char *path);
bool fs_is_dir(const char *path);

/* The folder that holds path ("." where there is no slash); allocated. */
char *fs_dirname(const char *path);

/* Writes all n bytes to a blocking descriptor. */
enum err fs_write_all(int fd, const void *data, size_t n, struct error *e);

#endif
