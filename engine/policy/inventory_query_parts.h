#ifndef RUNG_POLICY_INVENTORY_QUERY_PARTS_H
#define RUNG_POLICY_INVENTORY_QUERY_PARTS_H

#include "policy/inventory_query.h"

/* What a query is made of, between its reader and its answer. */

enum node_kind { NODE_OR, NODE_AND, NODE_NOT, NODE_LABEL, NODE_NAME, NODE_GROUP, NODE_WORD, NODE_RANGE };

struct node {
	enum node_kind kind;
	const struct node *left, *right; /* NODE_NOT has left alone */
	const char *key;                 /* NODE_LABEL */
	const char **values;             /* of a condition: one of them; of NODE_NAME and NODE_RANGE in their one spelling */
	size_t value_count;
	const char *word, *name;        /* NODE_WORD: as it stands; as the name of a host, NULL where none has such a name */
	const struct name_index *names; /* NODE_RANGE: its values */
	size_t at;                      /* character, from 1 */
};

struct inventory_query {
	const struct node **parts;
	size_t count;
	const char *text;
};

#endif
