#ifndef RUNG_CLI_POLICY_USE_H
#define RUNG_CLI_POLICY_USE_H

#include "cli/command.h"
#include "cli/workspace.h"
#include "policy/policy_example.h"

/* What the commands of `rung policy` share: the workspace, its policy, its books. */
struct policy_use {
	struct arena *arena;
	const struct invocation *in;
	bool json;
	struct workspace w;
	struct policy_book *books;
	size_t book_count;
};

/* Reads FILE, or the workspace's policy where it is NULL. ERR_NOT_FOUND says what a missing one means. */
enum err policy_use_read(const struct policy_use *u, const char *file, const struct policy **out, struct error *e);

/* Opens the books of the workspace, if there is one; those that cannot be read are left out (rung check speaks of them). */
enum err policy_use_books(struct policy_use *u, struct error *e);

/* Each runs one command of rung policy and gives its exit status; the arguments begin with args[1]. */
int policy_explain_command(struct policy_use *u);
int policy_diff_command(struct policy_use *u);

#endif
