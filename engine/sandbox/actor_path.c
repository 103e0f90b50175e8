#include "sandbox/actor_path.h"
#include "base/arena.h"
#include "base/fs.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};

/* Whose program files are run: root's, our own, and those of the one the engine trusts: its own user. */
static bool is_trusted(uid_t owner, uid_t trusted)
{
	return owner == 0 || owner == geteuid() || owner == trusted;
}

/* Such a user's; a group may write (Debian's /usr/local/bin belongs to the group staff), the world may not. */
static bool is_ours(const struct stat *st, uid_t trusted)
{
	return is_trusted(st->st_uid, trusted) && !(st->st_mode & S_IWOTH);
}

static enum err check_folder(const char *path, uid_t trusted, struct error *e)
{
	struct stat st;
	char *folder = fs_dirname(path);
	enum err err = ERR_OK;
	if (stat(folder, &st) != 0)
		err = error_errno(e, "%s", folder);
	else if (!is_ours(&st, trusted))
		err = error_set(e, ERR_DENIED, "%s lies in %s, which others can write: a command must come from a folder that only root or its owner changes",
		                path, folder);
	free(folder);
	return err;
}

/* The folder where the name stands and the one where the file lies, which a symbolic link makes two. */
static enum err check_file(const char *path, uid_t trusted, struct error *e)
{
	struct stat st;
	char real[PATH_MAX];
	if (!realpath(path, real) || stat(real, &st) != 0) return error_errno(e, "%s", path);
	if (!S_ISREG(st.st_mode)) return error_set(e, ERR_INVALID, "%s is not a file that can be run", path);
	if (access(real, X_OK) != 0) return error_set(e, ERR_DENIED, "%s is not executable for this user", path);
	if (!is_ours(&st, trusted)) return error_set(e, ERR_DENIED, "%s can be written by others, or belongs to another user: it is not run", path);
	enum err err = check_folder(path, trusted, e);
	return err ? err : check_folder(real, trusted, e);
}

static enum err search(const char *name, uid_t trusted, char **path, struct error *e)
{
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char *candidate = mem_printf("%s/%s", folders[i], name);
		if (access(candidate, X_OK) == 0) {
			enum err err = check_file(candidate, trusted, e);
			if (!err)
				*path = candidate;
			else
				free(candidate);
			return err;
		}
		free(candidate);
	}
	return error_set(e, ERR_NOT_FOUND,
	                 "there is no command %s in /usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin, /bin: install it, or write its absolute path",
	                 name);
}

enum err actor_path_resolve(const char *name, uid_t trusted, char **path, struct error *e)
{
	*path = NULL;
	if (*name == 0) return error_set(e, ERR_INVALID, "the name of a command is empty");
	if (!strchr(name, '/')) return search(name, trusted, path, e);
	if (name[0] != '/')
		return error_set(e, ERR_INVALID, "%s: write a bare name or an absolute path; what a relative path means depends on the folder", name);
	enum err err = check_file(name, trusted, e);
	if (!err) *path = mem_strdup(name);
	return err;
}
