#include "service/owned_file.h"
#include "base/fs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err check_owner(const struct sandbox_user *commands_as, int fd, const char *path, struct error *e)
{
	struct stat st;
	if (fstat(fd, &st) != 0) return error_errno(e, "%s", path);
	bool others_can_write =
	    (st.st_mode & S_IWOTH) || ((st.st_mode & S_IWGRP) && st.st_gid != getegid()) || (commands_as && user_can_write(commands_as, &st));
	if ((st.st_uid == 0 || st.st_uid == geteuid()) && !others_can_write) return ERR_OK;
	return error_set(e, ERR_DENIED, "%s can be written by others than the engine's user and root: it is not used", path);
}

enum err owned_file_read(const char *path, const struct sandbox_user *commands_as, struct buf *out, struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) return error_errno(e, "%s", path);
	enum err err = check_owner(commands_as, fd, path, e);
	if (!err) err = fs_read_fd(fd, path, out, e);
	close(fd);
	return err;
}
