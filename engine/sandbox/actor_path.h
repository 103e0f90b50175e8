#ifndef RUNG_SANDBOX_ACTOR_PATH_H
#define RUNG_SANDBOX_ACTOR_PATH_H

#include "base/error.h"

#include <sys/types.h>

/* The file that argv[0] means: a bare name is looked for in a fixed path (never the environment's), an absolute path is taken as written. The file must be an
 * executable regular file that belongs to root, to the actor's user or to trusted (the engine's user), and that others cannot write, and so must the folders
 * that name it. *path is allocated. ERR_NOT_FOUND, ERR_DENIED, ERR_INVALID. source: DESIGN.md 7 (capability patterns). */
enum err actor_path_resolve(const char *name, uid_t trusted, char **path, struct error *e);

#endif
