#ifndef RUNG_POLICY_INVENTORY_H
#define RUNG_POLICY_INVENTORY_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `.rung/inventory.yaml`: the hosts that steps act on, how each is reached and what it is. Pure: the file's bytes, and what the command that it may name has
 * printed, become one list of hosts. `rung help inventory` has the format. source: DESIGN.md 3, 4, 7 */

enum {
	INVENTORY_HOSTS_MAX = 100000,
	INVENTORY_GROUPS_MAX = 10000,
	INVENTORY_MEMBERS_MAX = 2000000, /* memberships of hosts in groups, all together */
	INVENTORY_GROUPS_OF_ONE_MAX = 256,
	INVENTORY_LABELS_MAX = 64, /* of one host */
	INVENTORY_KEY_BYTES_MAX = 63,
	INVENTORY_VALUE_BYTES_MAX = 256,
	INVENTORY_HOST_KEYS_MAX = 16,
	INVENTORY_JUMPS_MAX = 4, /* one behind the other */
	INVENTORY_ANSWER_BYTES_MAX = 64 << 20,
	INVENTORY_COMMAND_WORDS_MAX = 64,
	INVENTORY_PORT = 22
};

struct inventory_label {
	const char *key, *value;
};

/* All of it lives in the arena. */
struct inventory_host {
	const char *name;       /* its one spelling (host.h), an IPv6 address in brackets: what capabilities and people name it by */
	const char *address;    /* where it is reached: a name, or an address without brackets */
	int port;               /* 22 where nothing is said */
	const char *login;      /* NULL: nothing is said */
	const char *jump;       /* the name of the host through which it is reached; NULL: directly */
	const char **host_keys; /* "ssh-ed25519 AAAA..." or "SHA256:..."; none: nothing is pinned */
	size_t host_key_count;
	const struct inventory_label *labels; /* by key */
	size_t label_count;
	const char **groups; /* by name; also those around its own, but for "all" */
	size_t group_count;
	bool is_in_file, is_from_command;
	int line; /* of the file; 0: only the command names it */
};

/* Where more hosts come from. */
struct inventory_command {
	const char **words;
	size_t word_count;
	int64_t cache_us, timeout_us;
	const char **labels; /* names, with stars, of the variables that become labels */
	size_t label_count;
};

struct inventory {
	const char *file; /* for messages */
	char digest[DIGEST_HEX_BYTES];
	struct inventory_host *hosts; /* those of the file as they stand there, then the command's by name */
	size_t host_count;
	const char **groups; /* by name, empty ones too */
	size_t group_count;
	const struct inventory_command *command; /* NULL: there is none */
	bool is_whole;                           /* no command, or what it printed is in it */
	struct name_index *index;
};

/* Reads the file's bytes; file is for messages. answer: what its command printed (Ansible's --list), NULL where nobody ran it. ERR_INVALID with file, line,
 * column and what was expected; of the command's answer with the place in it. */
enum err inventory_read(struct arena *a, const char *file, const char *bytes, size_t n, const char *answer, size_t answer_n, const struct inventory **out,
                        struct error *e);

/* An inventory with no hosts: a workspace without the file. */
const struct inventory *inventory_none(struct arena *a);

/* The host with that name, in any spelling; NULL: it is not in the inventory. */
const struct inventory_host *inventory_find(const struct inventory *inv, const char *name);

/* The host as the inventory has it, or as one that has only its name: the address is the name, the port 22. In the arena. ERR_INVALID: no host has such a
 * name. */
enum err inventory_reach(struct arena *a, const struct inventory *inv, const char *name, const struct inventory_host **out, struct error *e);

/* The value of a label, or NULL. */
const char *inventory_label(const struct inventory_host *h, const char *key);
bool inventory_is_in(const struct inventory_host *h, const char *group);

/* The one spelling of a host's name: as host_normal, an IPv6 address in brackets. */
enum err inventory_name(struct arena *a, const char *text, size_t n, const char **out, struct error *e);

/* The one spelling of an address, without brackets. An IPv6 address may stand without them. */
enum err inventory_address(struct arena *a, const char *text, const char **out, struct error *e);

/* {"name","address","port","login","jump","host_keys","labels","groups","from":["file","command"],"line"}; absent where nothing is said. New reference. */
json_t *inventory_host_json(const struct inventory_host *h);

/* An inventory of what that gave: hosts in this order, groups beside them. For what has asked an engine. ERR_PROTOCOL. */
enum err inventory_from_json(struct arena *a, const json_t *hosts, const json_t *groups, const struct inventory **out, struct error *e);

#endif
