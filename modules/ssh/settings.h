#ifndef RUNG_SSH_SETTINGS_H
#define RUNG_SSH_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

/* What .rung/config.yaml says of SSH. Absent lists are what OpenSSH's client takes too. */
struct ssh_settings {
	const char *login;             /* where neither the call nor the inventory names one; NULL: the engine's own user */
	const char *files;             /* the folder on hosts that put and get are bound to; NULL: none */
	const char *const *identities; /* files of private keys, in the order in which they are tried; NULL: the usual ones below the home */
	size_t identity_count;
	const char *const *known_hosts; /* files; NULL: the user's and the system's */
	size_t known_host_count;
	bool has_identities, has_known_hosts;
	const char *agent; /* the socket of the agent; NULL: none is asked */
};

#endif
