#ifndef RUNG_SSH_KNOWN_H
#define RUNG_SSH_KNOWN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Files of known hosts, as sshd(8) describes them: names with * and ?, negated ones, [host]:port, hashed names, @revoked. Certificates of hosts are not
 * offered by the client library, so @cert-authority says nothing here. What is no such line is passed over, as OpenSSH does. */

struct known;

enum known_verdict {
	KNOWN_UNKNOWN, /* no line names the host */
	KNOWN_IS,
	KNOWN_CHANGED, /* lines name it, with other keys */
	KNOWN_REVOKED
};

enum { KNOWN_FILE_BYTES_MAX = 16 << 20, KNOWN_NAMES_MAX = 4 };

struct known *known_new(void);
void known_free(struct known *k); /* NULL is fine */

/* Adds the lines of a file; file is for messages. */
void known_add(struct known *k, const char *file, const char *text, size_t n);

/* The same from a path; a file that is not there has no lines. */
void known_add_file(struct known *k, const char *path);

/* Is key_base64 (a public key, as such a file has it) that of a host with one of these names? names: as people write them, in lower case; at most
 * KNOWN_NAMES_MAX. *where: "file:line" of the line that decided, or NULL; borrowed. */
enum known_verdict known_check(const struct known *k, const char *const *names, size_t count, unsigned port, const char *key_base64, const char **where);

/* Types of the keys that lines have for the host, each once: for asking it for one of those. At most max; gives how many. Borrowed. */
size_t known_types(const struct known *k, const char *const *names, size_t count, unsigned port, const char **out, size_t max);

#endif
