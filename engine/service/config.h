#ifndef RUNG_SERVICE_CONFIG_H
#define RUNG_SERVICE_CONFIG_H

#include "base/arena.h"
#include "base/error.h"
#include "modules/ssh/settings.h"
#include "sandbox/command_rules.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* .rung/config.yaml: what an engine demands of its host, and what commands get. Read strictly: a key that is not in the table is an error. */

enum { CONFIG_NAMES_MAX = 256 };

struct config {
	const char *path;         /* NULL: there is no file, everything is as where nothing is said */
	bool is_sandbox_required; /* sandbox: require */
	const char *sandbox_at;   /* "file:line:column" of it, for messages */
	const char *commands_as;  /* a user's name; NULL: the engine's own user */
	const char *commands_as_at;
	struct command_rules rules;
	const char *socket_path, *socket_group, *socket_at; /* another socket, for a group; NULL: none */
	const char *http_public;                            /* where others reach `rung serve`, without a slash at the end; NULL: no link leads here */
	const char *http_proxy;                             /* host:port of the proxy that requests of steps go through; NULL: none */
	const char *const *http_direct;                     /* names that are asked directly all the same; NULL behind the last */
	const char *http_ca;                                /* a file of certificates in PEM; NULL: the system's */
	const char *listen;                                 /* where `rung serve` listens: "127.0.0.1:7864"; NULL: where nothing is said */
	const char *tls_certificate, *tls_key, *tls_at;     /* files in PEM; NULL: no TLS */
	int64_t rate;                                       /* requests a second that one principal may make over HTTP */
	int64_t drain_us;                                   /* what runs gets that long to finish when `rung serve` is told to end */
	const char **environment;                           /* names that commands get from the engine's environment */
	size_t environment_count;
	struct ssh_settings ssh;
};

/* Reads the file at path; where there is none, that is a configuration that says nothing. All in the arena. ERR_INVALID with file, line, column and what was
 * expected. */
enum err config_read(struct arena *a, const char *path, struct config *out, struct error *e);

/* The configuration of a state directory: DIR/config.yaml where it is DIR/state and DIR is named .rung, else NULL. In the arena. */
const char *config_path_beside(struct arena *a, const char *state_dir);

/* What it says, as an object with the keys of the file; the path is no part of it. New reference. */
json_t *config_json(const struct config *c);

/* One row of the table of keys, for the documentation. */
struct config_key_info {
	const char *name;  /* "commands.as" */
	const char *value; /* "NAME" */
	const char *means;
};

/* The row i; false after the last. */
bool config_key_info(size_t i, struct config_key_info *out);

#endif
