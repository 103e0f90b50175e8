/* Paths and numbers of events: what is taken has plain parts only, which put together are the path again, and leads to one route or none. */
#include "base/arena.h"
#include "http/route.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_parts(const char *text, const struct target *t)
{
	char *whole = mem_alloc(HTTP_TARGET_MAX + 16), *at = whole;
	*at = 0;
	for (size_t i = 0; i < t->part_count; i++) {
		must(*t->part[i] && strcmp(t->part[i], "..") != 0 && strcmp(t->part[i], ".") != 0);
		at = stpcpy(stpcpy(at, "/"), t->part[i]);
	}
	must(strncmp(t->part_count ? whole : "/", text, strcspn(text, "?")) == 0);
	must(!strchr(whole, '%') && !strchr(whole, '\\'));
	free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct target t;
	const struct route *route;
	const char *allow;
	struct error e;
	uint64_t id;
	char *text = mem_alloc(n + 1);
	memcpy(text, data, n);
	text[n] = 0;
	if (target_read(text, &t, &e) == ERR_OK) {
		check_parts(text, &t);
		int status = route_find(&t, "GET", &route, &allow);
		must(status == 404 || status == 405 || (status == 0 && route->method == HTTP_GET));
	}
	json_t *args = json_object();
	if (target_read_query(text, args, &e) == ERR_OK) must(strlen(text) == 0 || json_object_size(args) > 0 || strspn(text, "&") == strlen(text));
	json_decref(args);
	if (target_read_event_id(text, strlen(text), &id, &e) == ERR_OK) must(id < UINT64_C(1000000000000000000));
	free(text);
	return 0;
}
