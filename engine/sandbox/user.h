#ifndef RUNG_SANDBOX_USER_H
#define RUNG_SANDBOX_USER_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { USER_GROUPS_MAX = 1024 };

/* A user of this host, with all groups that this user's processes have. */
struct sandbox_user {
	const char *name;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* gid among them */
	size_t group_count;
};

/* Looks the user up. ERR_NOT_FOUND where there is none of that name, ERR_INVALID with more than USER_GROUPS_MAX groups. All in the arena. */
enum err user_find(struct arena *a, const char *name, struct sandbox_user *out, struct error *e);

/* May that user write the file or folder, as its mode says? */
bool user_can_write(const struct sandbox_user *user, const struct stat *st);

#endif
