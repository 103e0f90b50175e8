/* Queries: any text is read, or refused; what it selects is there, none twice, and `not (...)` selects all the others. */
#include "policy/inventory_query.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char file[] = "version: 1\nhosts:\n  gate:\n  web-[01:09]: {groups: [eu-web], labels: {role: web, zone: a}}\n"
                           "  web-[10:15]: {groups: [us-web], labels: {role: web, zone: \"b c\"}}\n  db-[a:c].net: {groups: db, labels: {role: db}}\n"
                           "  \"[2001:db8::1]\": {}\ngroups:\n  web: {children: [eu-web, us-web]}\n";

static void check_others(struct arena *a, const struct inventory *inv, const char *text, const struct inventory_selection *s)
{
	struct inventory_selection others;
	if (strchr(text, ',') || strlen(text) > INVENTORY_QUERY_BYTES_MAX - 8) return;
	/* Machines that the inventory does not have stand by themselves only, and nesting has an end. */
	if (inventory_query(a, inv, arena_printf(a, "not (%s)", text), &others, NULL)) return;
	must(s->count + others.count == inv->host_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct inventory *inv; /* the same for all */
	static struct arena *kept;
	struct arena *a = arena_new();
	struct inventory_selection s;
	struct error e = {0};
	const char *text = arena_strndup(a, (const char *)data, n);
	if (!kept) must(inventory_read(kept = arena_new(), "fuzz.yaml", file, strlen(file), NULL, 0, &inv, &e) == ERR_OK);
	if (inventory_query(a, inv, text, &s, &e)) {
		must(*e.text);
	} else {
		for (size_t i = 0; i < s.count; i++)
			for (size_t k = 0; k < i; k++) must(strcmp(s.names[i], s.names[k]) != 0);
		check_others(a, inv, text, &s);
	}
	arena_free(a);
	return 0;
}
