#include "sandbox/privilege.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORDS = _LINUX_CAPABILITY_U32S_3 };

static struct __user_cap_header_struct header(void)
{
	return (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
}

bool privilege_has(uint64_t mask)
{
	struct __user_cap_header_struct h = header();
	struct __user_cap_data_struct d[WORDS] = {{0}};
	if (syscall(SYS_capget, &h, d) != 0) return false;
	return ((d[0].effective | (uint64_t)d[1].effective << 32) & mask) == mask;
}

/* Leaves the capabilities of these masks. Ambient ones go with the inheritable: the kernel keeps them within those. */
static bool reduce(uint64_t held, uint64_t inherited)
{
	struct __user_cap_header_struct h = header();
	struct __user_cap_data_struct d[WORDS] = {{0}};
	if (syscall(SYS_capget, &h, d) != 0) return false;
	for (int i = 0; i < WORDS; i++) {
		d[i].permitted &= (uint32_t)(held >> (32 * i));
		d[i].effective &= d[i].permitted;
		d[i].inheritable &= (uint32_t)(inherited >> (32 * i));
	}
	return syscall(SYS_capset, &h, d) == 0;
}

bool privilege_keep(uint64_t mask)
{
	return reduce(mask, 0);
}

bool privilege_drop(uint64_t mask)
{
	return reduce(~mask, ~mask);
}

bool privilege_become(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count)
{
	if (setgroups(group_count, groups) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) return false;
	/* From one user who is not root to another, capabilities stay unless they are given up. */
	return privilege_keep(0) && getuid() == uid && geteuid() == uid && getgid() == gid && getegid() == gid;
}
