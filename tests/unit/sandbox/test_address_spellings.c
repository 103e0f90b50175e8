/* However a host is written in a URL, it is refused or is the address that it says; fixtures/http/addresses.txt has the spellings, and what a resolver would
 * make of them. */
#include "base/arena.h"
#include "base/error.h"
#include "policy/url.h"
#include "sandbox/address.h"

#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SPELLINGS_MIN = 120 };

struct spelling {
	char host[200], what[20], read[20];
};

/* "<20>" is one byte. */
static void unescape(char *s)
{
	char *out = s;
	for (unsigned byte; *s; out++) {
		int n = 0;
		if (sscanf(s, "<%2x>%n", &byte, &n) == 1 && n == 4)
			*out = (char)byte, s += n;
		else
			*out = *s++;
	}
	*out = 0;
}

static bool next(FILE *f, struct spelling *out)
{
	char line[400];
	while (fgets(line, sizeof line, f)) {
		if (*line == '#' || *line == '\n') continue;
		assert_int_equal(sscanf(line, "%199s %19s %19s", out->host, out->what, out->read), 3);
		unescape(out->host);
		return true;
	}
	return false;
}

/* What getaddrinfo makes of the text alone, without a look at any name. */
static const char *read_by_resolver(const char *host)
{
	static char text[200];
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;
	size_t n = strlen(host);
	bool is_bracketed = *host == '[' && host[n - 1] == ']';
	snprintf(text, sizeof text, "%.*s", (int)(n - 2 * is_bracketed), host + is_bracketed);
	if (getaddrinfo(text, NULL, &hints, &found) != 0) return "none";
	static char word[40];
	snprintf(word, sizeof word, "%s", address_class_word(address_class(found->ai_addr)));
	freeaddrinfo(found);
	for (char *c = word; *c; c++)
		if (*c == ' ') *c = '-';
	return word;
}

static const char *taken_as(const char *host)
{
	struct arena *a = arena_new();
	char text[256];
	struct url url;
	struct error e;
	const char *word = "refused";
	snprintf(text, sizeof text, "http://%s/", host);
	if (url_parse(a, text, &url, &e) == ERR_OK) word = url.host_kind == HOST_NAME ? "name" : read_by_resolver(url.host);
	arena_free(a);
	return word;
}

static void every_spelling_is_refused_or_what_it_says(void **state)
{
	(void)state;
	FILE *f = fopen("tests/fixtures/http/addresses.txt", "re");
	struct spelling s;
	int spellings = 0, wrong = 0;
	assert_non_null(f);
	for (; next(f, &s); spellings++) {
		const char *what = taken_as(s.host);
		if (strcmp(what, s.what) != 0) {
			print_message("%s is %s, not %s\n", s.host, what, s.what);
			wrong++;
		}
		const char *read = read_by_resolver(s.host);
		if (*s.read != '-' && strcmp(read, s.read) != 0) {
			print_message("%s is read as %s, not %s\n", s.host, read, s.read);
			wrong++;
		}
	}
	fclose(f);
	assert_int_equal(wrong, 0);
	assert_true(spellings >= SPELLINGS_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_spelling_is_refused_or_what_it_says)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
