#ifndef RUNG_POLICY_INVENTORY_QUERY_H
#define RUNG_POLICY_INVENTORY_QUERY_H

#include "policy/inventory.h"

/* Which hosts: `role=web and not zone=b`. source: DESIGN.md 4
 *
 *   query  part, part, ...             each part in the inventory's order, no host twice: `web-01, role=web` has web-01 first
 *   part   EXPR or EXPR | EXPR and EXPR | not EXPR | ( EXPR ) | CONDITION | WORD
 *   CONDITION   key=VALUE, key!=VALUE, key in VALUE, key not in VALUE; VALUE is a|b|..., also in quotes, with `*`; behind `in` also (a, b)
 *               the key is a label's, or name, or group; a host without the label has no value: `key!=a` is true of it
 *   WORD        a host, a group, `all`, hosts with a star (which crosses no dot; alone it is all), hosts with a range */

enum { INVENTORY_QUERY_BYTES_MAX = 4096, INVENTORY_TERMS_MAX = 256, INVENTORY_QUERY_DEPTH_MAX = 32, INVENTORY_SELECTED_BYTES_MAX = 256 << 10 };

struct inventory_query;

/* Reads it. ERR_INVALID with the character at which it goes wrong, and what was expected. */
enum err inventory_query_parse(struct arena *a, const char *text, struct inventory_query **out, struct error *e);

struct inventory_selection {
	const char **names;  /* in the arena; none twice */
	size_t count, bytes; /* bytes: of them as a list of JSON */
};

/* Its hosts in a whole inventory; none where nothing matches. ERR_INVALID for a host, group or label that is not there (the sentence names the nearest); a part
 * that is one word with a dot in it, an IPv6 address or localhost, and any name where there is no inventory, stands for itself. */
enum err inventory_select(struct arena *a, const struct inventory *inv, const struct inventory_query *q, struct inventory_selection *out, struct error *e);

/* Both in one, for a list that a step or a plan holds: ERR_TOO_BIG where it is over INVENTORY_SELECTED_BYTES_MAX. */
enum err inventory_query(struct arena *a, const struct inventory *inv, const char *text, struct inventory_selection *out, struct error *e);

/* One host by its name, as a part of one word that is no group; its one spelling. */
enum err inventory_one(struct arena *a, const struct inventory *inv, const char *name, const char **out, struct error *e);

#endif
