#ifndef RUNG_POLICY_SECRETS_H
#define RUNG_POLICY_SECRETS_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `.rung/secrets.yaml`: names of secrets, and where each value comes from. The file holds no value, and neither does anything here. source: DESIGN.md 7
 *
 *   version: 1
 *   secrets:
 *     db-admin: {file: /etc/rung/db-admin}
 *     api-token: {environment: API_TOKEN}
 *     signing: {command: [pass, show, signing], timeout: 10s}
 *     queue: {vault: {address: "https://vault.example.net:8200", path: secret/data/queue, field: password, token: vault-token}} */

enum { SECRETS_MAX = 1000, SECRET_NAME_BYTES_MAX = 64, SECRET_COMMAND_WORDS_MAX = 64 };

enum secret_kind { SECRET_FILE, SECRET_ENVIRONMENT, SECRET_COMMAND, SECRET_VAULT };

/* One entry; lives in the arena. */
struct secret_source {
	const char *name;
	enum secret_kind kind;
	const char *place;  /* the path of a file (absolute, or from the workspace's folder), or the name of a variable */
	const char **words; /* of a command */
	size_t word_count;
	int64_t timeout_us; /* of a command, and of Vault */
	/* of Vault: place is the URL of the path, normalised */
	const char *field, *vault_namespace; /* namespace: NULL where none is named */
	const char *token;                   /* the name of the secret that it is asked for with */
	int line;
};

struct secrets {
	struct secret_source *sources;
	size_t count;
};

/* Reads the file's bytes; file is for messages. ERR_INVALID with file, line, column and what was expected. */
enum err secrets_parse(struct arena *a, const char *file, const char *bytes, size_t n, struct secrets **out, struct error *e);

/* The entry with that name, or NULL. */
const struct secret_source *secrets_find(const struct secrets *s, const char *name);

/* "file", "environment", "command", "vault". */
const char *secret_kind_word(enum secret_kind kind);

/* Is it a name that a secret can have: letters, digits, "-", "_" and "."? */
bool secret_name_is_valid(const char *name);

#endif
