#ifndef RUNG_POLICY_INVENTORY_DRAFT_H
#define RUNG_POLICY_INVENTORY_DRAFT_H

#include "policy/inventory.h"
#include "policy/name_index.h"

/* An inventory while it is put together: what the file says and what its command printed, before hosts get what their groups say. */

enum draft_origin { DRAFT_FILE, DRAFT_COMMAND };

/* What can be said of a host and of a group; NULL and 0: nothing is said. */
struct draft_settings {
	const char *address, *login, *jump;
	int port;
	const char **host_keys;
	size_t host_key_count;
	struct inventory_label *labels;
	size_t label_count, label_capacity;
};

/* A list of numbers of groups. */
struct draft_list {
	size_t *items, count, capacity;
};

struct draft_host {
	const char *name;
	struct draft_settings said[2]; /* by enum draft_origin; the file's wins */
	struct draft_list groups;      /* its own */
	bool is_in[2];
	int line, column;
	size_t entry; /* hosts of one entry of the file are alike */
};

struct draft_group {
	const char *name;
	struct draft_settings said[2];
	struct draft_list parents, around; /* around: all parents, theirs too, with itself; but for "all" */
	size_t depth;                      /* how far it is from "all" at most */
	int line, column;
	bool is_in_file, is_walked, is_done;
};

struct draft {
	struct arena *arena;
	const char *file;
	struct draft_host *hosts;
	struct draft_group *groups; /* the first is "all" */
	size_t host_count, host_capacity, group_count, group_capacity;
	struct name_index *host_index, *group_index;
	size_t file_hosts; /* how many the file names: they stand first */
	struct error *e;
};

enum { DRAFT_ALL = 0 };

void draft_init(struct draft *d, struct arena *a, const char *file, struct error *e);

/* The host with that name (one spelling), made where it is not there. ERR_TOO_BIG. */
enum err draft_host(struct draft *d, const char *name, enum draft_origin origin, struct draft_host **out);

/* The number of a group, made where it is not there. ERR_TOO_BIG, ERR_INVALID for what cannot name one. */
enum err draft_group(struct draft *d, const char *name, size_t *out);

bool draft_is_group_name(const char *name);
bool draft_is_label_key(const char *key);
bool draft_is_label_value(const char *value);

/* Adds a number that is not in the list. */
void draft_list_add(struct arena *a, struct draft_list *l, size_t number);

/* A label that is there already keeps its value. False: it is one too many. */
bool draft_label(struct arena *a, struct draft_settings *s, const char *key, const char *value);

/* Groups get their parents' parents, hosts what their groups say; jump hosts are looked up where all hosts are here. */
enum err draft_finish(struct draft *d, bool is_whole, struct inventory *out);

/* The two readers (inventory_read.c, inventory_ansible.c). command: gets what the file says of one. */
enum err draft_read_ansible(struct draft *d, const struct inventory_command *command, const char *answer, size_t n);

#endif
