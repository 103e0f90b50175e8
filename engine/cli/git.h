#ifndef RUNG_CLI_GIT_H
#define RUNG_CLI_GIT_H

#include "base/buf.h"
#include "base/error.h"

/* Runs git in a folder with those arguments (ends with NULL; no shell) and adds what it prints to out. ERR_NOT_FOUND where there is no git, ERR_FAILED where it
 * says no: why, it says itself on standard error. */
enum err git_run(const char *folder, const char *const *arguments, struct buf *out, struct error *e);

#endif
