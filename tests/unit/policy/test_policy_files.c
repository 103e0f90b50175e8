/* Policies in the two tables of tests/fixtures/policy/: each of refused.txt is refused with just the place and the sentence that stand there, each of
 * accepted.txt is read. */
#include "base/buf.h"
#include "base/fs.h"
#include "base/text.h"
#include "policy/policy.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TABLE_BYTES_MAX = 1 << 20, FILE_BYTES_MAX = 4 << 20 };

struct line {
	const char *at;
	size_t n;
};

struct test_case {
	struct line name, said;
	struct buf file;
};

static struct line next_line(const char **p)
{
	const char *end = strchrnul(*p, '\n');
	struct line l = {*p, (size_t)(end - *p)};
	*p = *end ? end + 1 : end;
	return l;
}

static uint32_t hex(const char *at, int digits)
{
	char text[5] = "";
	memcpy(text, at, (size_t)digits);
	return (uint32_t)strtoul(text, NULL, 16);
}

static void add(struct buf *b, const char *at, const char *end, int time);

/* *N{TEXT}: behind it. */
static const char *add_many(struct buf *b, const char *at)
{
	char *text;
	long times = strtol(at, &text, 10);
	const char *end = strchr(text, '}');
	for (int i = 0; i < times; i++) add(b, text + 1, end, i);
	return end + 1;
}

/* What one backslash says; behind it. */
static const char *add_escape(struct buf *b, const char *at, int time)
{
	switch (*at++) {
	case 'x':
		buf_char(b, (char)hex(at, 2));
		return at + 2;
	case 'u':
		text_encode(b, hex(at, 4));
		return at + 4;
	case 'n':
		buf_char(b, '\n');
		return at;
	case '#':
		buf_printf(b, "%d", time);
		return at;
	case '*':
		return add_many(b, at);
	case '\\':
		buf_char(b, '\\');
		return at;
	default:
		fail_msg("the table has an escape that is none: \\%.20s", at - 1);
		return at;
	}
}

static void add(struct buf *b, const char *at, const char *end, int time)
{
	while (at < end) {
		if (*at != '\\') {
			buf_char(b, *at++);
		} else {
			at = add_escape(b, at + 1, time);
		}
	}
}

static void add_line(struct buf *b, struct line l)
{
	bool is_cut = l.n >= 2 && l.at[l.n - 1] == 'c' && l.at[l.n - 2] == '\\';
	add(b, l.at, l.at + l.n - (is_cut ? 2 : 0), 0);
	if (!is_cut) buf_char(b, '\n');
}

/* The next case; false where there is none. Empty lines and what begins with "# ----" between cases belong to none. */
static bool next_case(const char **p, struct test_case *c)
{
	while (**p && strncmp(*p, "=== ", 4) != 0) next_line(p);
	if (!**p) return false;
	c->name = next_line(p);
	c->said = (struct line){*p, 0};
	if (strncmp(*p, "> ", 2) == 0) c->said = next_line(p);
	buf_reset(&c->file);
	while (**p && strncmp(*p, "=== ", 4) != 0 && strncmp(*p, "\n# ----", 7) != 0) add_line(&c->file, next_line(p));
	return true;
}

static void read_table(const char *path, struct buf *b)
{
	struct error e;
	buf_init(b, TABLE_BYTES_MAX);
	if (fs_read(path, b, &e)) fail_msg("%s", e.text);
	buf_char(b, 0);
}

static enum err read_policy(const struct buf *file, struct error *e)
{
	struct arena *a = arena_new();
	const struct policy *p;
	char *exact = malloc(file->len + 1); /* so that reading beyond it is found */
	if (file->len) memcpy(exact, file->data, file->len);
	enum err err = policy_read(a, "policy.yaml", exact, file->len, &p, e);
	free(exact);
	arena_free(a);
	return err;
}

/* "policy.yaml:LINE:COLUMN: " */
static bool has_place(const char *text)
{
	int line = 0, column = 0, n = 0;
	return sscanf(text, "policy.yaml:%d:%d: %n", &line, &column, &n) == 2 && n > 0 && line > 0 && column > 0;
}

static void refused_with_a_place_and_what_was_expected(void **state)
{
	static const char path[] = "tests/fixtures/policy/refused.txt";
	(void)state;
	struct buf table, written;
	struct test_case c = {0};
	size_t count = 0, wrong = 0;
	read_table(path, &table);
	buf_init(&written, TABLE_BYTES_MAX);
	buf_init(&c.file, FILE_BYTES_MAX);
	for (const char *p = table.data, *from = p; next_case(&p, &c); count++, from = p) {
		struct error e = {ERR_OK, ""};
		enum err err = read_policy(&c.file, &e);
		const char *said = has_place(e.text) ? e.text + strlen("policy.yaml:") : e.text;
		/* The table with what is said now. */
		const char *file = c.said.at + c.said.n + (c.said.n ? 1 : 0);
		buf_add(&written, from, (size_t)(c.said.at - from));
		buf_printf(&written, "> %s\n", err ? said : "it is read");
		buf_add(&written, file, (size_t)(p - file));
		bool is_expected = err && has_place(e.text) && c.said.n == strlen(said) + 2 && memcmp(c.said.at + 2, said, strlen(said)) == 0;
		if (is_expected) continue;
		print_error("%.*s: %s\n", (int)c.name.n, c.name.at, err ? e.text : "it is read");
		wrong++;
	}
	struct error e;
	if (getenv("RUNG_GOLDEN") && fs_write_atomic(path, written.data, written.len, 0644, &e)) fail_msg("%s", e.text);
	buf_clear(&c.file), buf_clear(&table), buf_clear(&written);
	assert_true(count >= 200);
	assert_int_equal(wrong, 0);
}

static void accepted(void **state)
{
	(void)state;
	struct buf table;
	struct test_case c = {0};
	size_t count = 0, wrong = 0;
	read_table("tests/fixtures/policy/accepted.txt", &table);
	buf_init(&c.file, FILE_BYTES_MAX);
	for (const char *p = table.data; next_case(&p, &c); count++) {
		struct error e;
		if (!read_policy(&c.file, &e)) continue;
		print_error("%.*s: %s\n", (int)c.name.n, c.name.at, e.text);
		wrong++;
	}
	buf_clear(&c.file), buf_clear(&table);
	assert_true(count >= 40);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refused_with_a_place_and_what_was_expected),
	    cmocka_unit_test(accepted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
