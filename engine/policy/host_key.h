#ifndef RUNG_POLICY_HOST_KEY_H
#define RUNG_POLICY_HOST_KEY_H

#include "base/arena.h"
#include "base/error.h"

/* A pinned key of a host: the key as a public key file has it ("ssh-ed25519 AAAA...", a comment behind it is dropped), or its fingerprint ("SHA256:" and 43
 * characters, as ssh-keygen -l prints it). The one spelling of it, in the arena; ERR_INVALID: what is wrong and what to write. */
enum err host_key_normal(struct arena *a, const char *text, const char **out, struct error *e);

#endif
