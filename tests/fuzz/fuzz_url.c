#include "policy/url.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken is in one spelling: read again it is the same, and it holds no trick. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct url u, again;
	struct error e;
	if (url_parse(a, arena_strndup(a, (const char *)data, size), &u, &e) == ERR_OK) {
		must(url_parse(a, u.text, &again, &e) == ERR_OK && strcmp(u.text, again.text) == 0);
		must(strcmp(u.host, again.host) == 0 && u.port == again.port && strcmp(u.path, again.path) == 0);
		must((u.query == NULL) == (again.query == NULL) && (!u.query || strcmp(u.query, again.query) == 0));
		must(!strpbrk(u.text, "@#\\ \t\r\n") || strchr(u.path, '@') || (u.query && strchr(u.query, '@')));
		must(!strpbrk(u.host, "@#\\/?% ") && u.path[0] == '/' && !strstr(u.path, "//") && !strstr(u.path, "/../") && !strstr(u.path, "/./"));
		must(u.port > 0 && u.port < 65536);
		for (const char *s = u.text; *s; s++) must(*s > ' ' && *s < 127);
	}
	arena_free(a);
	return 0;
}
