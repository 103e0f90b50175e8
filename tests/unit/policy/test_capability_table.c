/* Every case of tests/fixtures/policy/capabilities.txt is decided as it is written there. */
#include "base/fs.h"
#include "base/json.h"
#include "policy/capability.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HOSTILE_CASES_LEAST = 300 };

/* <0A> is one byte. */
static void decode(char *s)
{
	char *to = s;
	for (char *from = s; *from; to++) {
		bool is_byte = from[0] == '<' && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2]) && from[3] == '>';
		*to = is_byte ? (char)strtol((char[]){from[1], from[2], 0}, NULL, 16) : *from;
		from += is_byte ? 4 : 1;
	}
	*to = 0;
}

static char *cut(char *s, const char *at)
{
	char *found = strstr(s, at);
	if (!found) return NULL;
	*found = 0;
	return found + strlen(at);
}

struct call {
	const char *kind, *const *words;
	size_t count;
	json_t *params;
};

static bool decide(struct arena *a, const struct capability *c, const struct call *q)
{
	bool allows = capability_allows(c, q->kind, q->words, q->count, q->params);
	const struct capability_request *r = capability_request_make(a, q->kind, q->words, q->count);
	assert_int_equal(allows, capability_allows_request(c, r, q->params));
	if (allows) assert_null(capability_request_fault(r));
	return allows;
}

/* Whatever can be asked for can be allowed: by its exact pattern, and by no other. */
static bool exact_is_exact(struct arena *a, const struct call *q)
{
	struct capability *exact;
	struct error e;
	const struct capability_request *r = capability_request_make(a, q->kind, q->words, q->count);
	if (capability_request_fault(r)) return true;
	if (capability_parse(a, capability_exact(a, q->kind, q->words, q->count), &exact, &e)) return strcmp(q->kind, "http") == 0;
	return decide(a, exact, q);
}

static bool line_is_right(struct arena *a, char *text, bool wanted)
{
	struct capability *c;
	struct call q = {0};
	struct error e = {0};
	char *call = cut(text, " <- "), *params = call ? cut(call, " with ") : NULL;
	decode(text);
	if (!call || capability_parse(a, text, &c, &e)) {
		printf("# %s\n", call ? e.text : "no call");
		return false;
	}
	if (params) assert_non_null(q.params = json_loads(params, JSON_ALLOW_NUL, NULL));
	enum err err = capability_words(a, call, &q.kind, &q.words, &q.count, &e);
	const char **words = arena_alloc(a, (q.count + 1) * sizeof *words);
	for (size_t i = 0; i < q.count && !err; i++) {
		char *word = arena_strdup(a, q.words[i]);
		decode(word);
		words[i] = word;
	}
	q.words = words;
	bool is_right = (!err && decide(a, c, &q)) == wanted && (err || exact_is_exact(a, &q));
	json_decref(q.params);
	return is_right;
}

static bool is_refused(struct arena *a, char *text)
{
	struct capability *c;
	struct error e = {0};
	decode(text);
	return capability_parse(a, text, &c, &e) == ERR_INVALID && strlen(e.text) > 20;
}

static void the_table_is_decided_as_written(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 1 << 20);
	assert_int_equal(fs_read("tests/fixtures/policy/capabilities.txt", &b, NULL), ERR_OK);
	int number = 0, wrong = 0, denied = 0;
	for (char *line = b.data, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next) *next++ = 0;
		number++;
		if (!*line || *line == '#') continue;
		struct arena *a = arena_new();
		char *shown = arena_strdup(a, line), *text = line + 4;
		bool wants_yes = strncmp(line, "yes ", 4) == 0, wants_no = strncmp(line, "no  ", 4) == 0;
		assert_true(wants_yes || wants_no || strncmp(line, "bad ", 4) == 0);
		bool is_right = wants_yes || wants_no ? line_is_right(a, text, wants_yes) : is_refused(a, text);
		if (!is_right) printf("# capabilities.txt:%d: %s\n", number, shown);
		wrong += !is_right;
		denied += wants_no;
		arena_free(a);
	}
	buf_clear(&b);
	assert_int_equal(wrong, 0);
	assert_true(denied >= HOSTILE_CASES_LEAST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_table_is_decided_as_written)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
