#include "sandbox/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

enum err user_find(struct arena *a, const char *name, struct sandbox_user *out, struct error *e)
{
	errno = 0;
	const struct passwd *p = getpwnam(name);
	if (!p && errno != 0 && errno != ENOENT && errno != ESRCH) return error_errno(e, "the user %s", name);
	if (!p) return error_set(e, ERR_NOT_FOUND, "there is no user %s on this host: make one (useradd --system %s), or name another", name, name);
	int count = USER_GROUPS_MAX;
	*out = (struct sandbox_user){.name = arena_strdup(a, name), .uid = p->pw_uid, .gid = p->pw_gid};
	out->groups = arena_alloc(a, sizeof *out->groups * USER_GROUPS_MAX);
	if (getgrouplist(name, p->pw_gid, out->groups, &count) < 0)
		return error_set(e, ERR_INVALID, "the user %s is in more than %d groups", name, USER_GROUPS_MAX);
	out->group_count = (size_t)count;
	return ERR_OK;
}

bool user_can_write(const struct sandbox_user *user, const struct stat *st)
{
	if (user->uid == 0 || st->st_uid == user->uid) return true; /* an owner can change the mode */
	if (st->st_mode & S_IWOTH) return true;
	for (size_t i = 0; i < user->group_count; i++)
		if (user->groups[i] == st->st_gid && (st->st_mode & S_IWGRP)) return true;
	return false;
}
