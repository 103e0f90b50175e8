#include "base/failpoint.h"
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Space that is held so that open executions can still be recorded on a full disk. source: DESIGN.md 5.8. */
enum { RESERVE_BYTES = 64 << 20 };

enum err reserve_make(const char *dir, struct error *e)
{
	char *path = mem_printf("%s/reserve", dir);
	enum err err = ERR_OK;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) err = error_errno(e, "%s", path);
	bool is_missing = !err && lseek(fd, 0, SEEK_END) < RESERVE_BYTES;
	if (is_missing && (errno = failpoint(RESERVE_MAKE) ? ENOSPC : posix_fallocate(fd, 0, RESERVE_BYTES)) != 0) {
		err = error_errno(e, "%s", path);
		unlink(path); /* half a reserve would only eat what is left */
	}
	if (fd >= 0) close(fd);
	free(path);
	return err;
}

bool reserve_has_room(const char *dir)
{
	struct statvfs fs;
	return statvfs(dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize >= (uint64_t)2 * RESERVE_BYTES;
}

bool reserve_release(const char *dir)
{
	char *path = mem_printf("%s/reserve", dir);
	bool is_released = unlink(path) == 0;
	free(path);
	return is_released;
}
