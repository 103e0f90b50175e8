/* Inventories: any bytes are read, or refused with a place; in what is read every host is found by its name, and queries answer. */
#include "policy/inventory_query.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_hosts(struct arena *a, const struct inventory *inv)
{
	struct inventory_selection s;
	struct error e;
	size_t most = inv->host_count < 200 ? inv->host_count : 200; /* ranges make many */
	for (size_t i = 0; i < most; i++) {
		const struct inventory_host *h = &inv->hosts[i];
		must(inventory_find(inv, h->name) == h && *h->address && h->port > 0 && h->port < 65536);
		must(!inv->is_whole || !h->jump || inventory_find(inv, h->jump));
		must(inventory_is_in(h, "all"));
		for (size_t g = 0; g < h->group_count; g++) must(inventory_is_in(h, h->groups[g]));
		for (size_t l = 0; l < h->label_count; l++) must(strcmp(inventory_label(h, h->labels[l].key), h->labels[l].value) == 0);
	}
	if (!inv->is_whole) return;
	enum err err = inventory_query(a, inv, "all", &s, &e);
	must(err == ERR_TOO_BIG || (err == ERR_OK && s.count == inv->host_count));
	must(inventory_query(a, inv, "not all", &s, &e) == ERR_OK && s.count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	const struct inventory *inv;
	struct error e;
	int line = 0, column = 0;
	enum err err = inventory_read(a, "fuzz.yaml", (const char *)data, n, NULL, 0, &inv, &e);
	if (!err)
		check_hosts(a, inv);
	else
		must(err == ERR_TOO_BIG || (sscanf(e.text, "fuzz.yaml:%d:%d: ", &line, &column) == 2 && line > 0 && column > 0));
	arena_free(a);
	return 0;
}
