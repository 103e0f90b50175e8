#ifndef RUNG_SERVICE_POLICY_FILE_H
#define RUNG_SERVICE_POLICY_FILE_H

#include "policy/policy.h"

/* The policy of a workspace as its file is now: looked at before every decision, so that a change takes effect for the next call. Loop thread only. */
struct policy_file;

/* root: the workspace's folder; NULL: there is none, and so no policy. */
struct policy_file *policy_file_new(const char *root);
void policy_file_free(struct policy_file *f);

/* Between two rounds of the loop: policies that were replaced go. */
void policy_file_sweep(struct policy_file *f);

/* ERR_OK with the policy (until the next sweep), or with NULL where there is no file. Where the file cannot be read or is wrong, that error: nothing is
 * allowed then. */
enum err policy_file_now(struct policy_file *f, const struct policy **out, struct error *e);

#endif
