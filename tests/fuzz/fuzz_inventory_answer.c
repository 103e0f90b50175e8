/* What the command of an inventory prints: any bytes are read, or refused; a host has what the file says whatever the command does. */
#include "policy/inventory_query.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char file[] = "version: 1\nhosts:\n  web-1: {address: 10.0.0.1, port: 2222, login: deploy, labels: {role: web}}\n"
                           "groups: {web: {labels: {tier: front}}}\ndynamic: {command: [x], labels: [\"*\"]}\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	const struct inventory *inv;
	struct error e = {0};
	if (inventory_read(a, "fuzz.yaml", file, strlen(file), (const char *)data, n, &inv, &e)) {
		must(*e.text);
	} else {
		const struct inventory_host *h = inventory_find(inv, "web-1");
		must(h && h->port == 2222 && strcmp(h->address, "10.0.0.1") == 0 && strcmp(h->login, "deploy") == 0);
		must(strcmp(inventory_label(h, "role"), "web") == 0);
		for (size_t i = 0; i < inv->host_count; i++) {
			must(inventory_find(inv, inv->hosts[i].name) == &inv->hosts[i]);
			must(!inventory_label(&inv->hosts[i], "ansible_password"));
			json_decref(inventory_host_json(&inv->hosts[i]));
		}
	}
	arena_free(a);
	return 0;
}
