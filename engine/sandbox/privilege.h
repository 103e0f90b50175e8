#ifndef RUNG_SANDBOX_PRIVILEGE_H
#define RUNG_SANDBOX_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Linux capabilities of this process, and becoming another user. Linked into rung and into rung-forkd. source: capabilities(7) */

#define PRIVILEGE_BIT(capability) (UINT64_C(1) << (capability))

/* Has this process these in effect? A mask of PRIVILEGE_BIT. */
bool privilege_has(uint64_t mask);

/* Gives up all but these of what it has, and everything that a program it executes would inherit. */
bool privilege_keep(uint64_t mask);

/* Gives up these, for this process and for what it executes, and keeps the rest. */
bool privilege_drop(uint64_t mask);

/* Becomes that user for good, without any capability. Needs CAP_SETUID and CAP_SETGID; false where any part of it was refused: the caller ends then. */
bool privilege_become(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count);

#endif
