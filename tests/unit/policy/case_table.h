/* A table of files in a text, each a case with what is said of it:
 *
 *   === name of the case
 *   > what is said
 *   the file; \xNN is a byte, \uNNNN a character, \\ a backslash, \n a new line, \*N{TEXT} the text N times, \# in it which time; \c: no new line */
#ifndef CASE_TABLE_H
#define CASE_TABLE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
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

static inline struct line next_line(const char **p)
{
	const char *end = strchrnul(*p, '\n');
	struct line l = {*p, (size_t)(end - *p)};
	*p = *end ? end + 1 : end;
	return l;
}

static inline uint32_t hex(const char *at, int digits)
{
	char text[5] = "";
	memcpy(text, at, (size_t)digits);
	return (uint32_t)strtoul(text, NULL, 16);
}

static inline void add(struct buf *b, const char *at, const char *end, int time);

/* *N{TEXT}: behind it. */
static inline const char *add_many(struct buf *b, const char *at)
{
	char *text;
	long times = strtol(at, &text, 10);
	const char *end = strchr(text, '}');
	for (int i = 0; i < times; i++) add(b, text + 1, end, i);
	return end + 1;
}

/* What one backslash says; behind it. */
static inline const char *add_escape(struct buf *b, const char *at, int time)
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

static inline void add(struct buf *b, const char *at, const char *end, int time)
{
	while (at < end) {
		if (*at != '\\') {
			buf_char(b, *at++);
		} else {
			at = add_escape(b, at + 1, time);
		}
	}
}

static inline void add_line(struct buf *b, struct line l)
{
	bool is_cut = l.n >= 2 && l.at[l.n - 1] == 'c' && l.at[l.n - 2] == '\\';
	add(b, l.at, l.at + l.n - (is_cut ? 2 : 0), 0);
	if (!is_cut) buf_char(b, '\n');
}

/* The next case; false where there is none. Empty lines and what begins with "# ----" between cases belong to none. */
static inline bool next_case(const char **p, struct test_case *c)
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

static inline void read_table(const char *path, struct buf *b)
{
	struct error e;
	buf_init(b, TABLE_BYTES_MAX);
	if (fs_read(path, b, &e)) fail_msg("%s", e.text);
	buf_char(b, 0);
}

/* Reads a file of the table; e says why it cannot be read. */
typedef enum err read_case(const struct buf *file, struct error *e);

/* "FILE:LINE:COLUMN: "; what stands behind FILE: is what the table says. */
static inline bool has_place(const char *text, const char *file)
{
	int line = 0, column = 0, n = 0;
	size_t named = strlen(file);
	if (strncmp(text, file, named) != 0) return false;
	return sscanf(text + named, "%d:%d: %n", &line, &column, &n) == 2 && n > 0 && line > 0 && column > 0;
}

/* Each is refused with just what the table says behind `file`; with RUNG_GOLDEN the table is written anew with what is said now. */
static inline void check_refused(const char *path, const char *file, size_t least, read_case *read)
{
	struct buf table, written;
	struct test_case c = {0};
	size_t count = 0, wrong = 0;
	read_table(path, &table);
	buf_init(&written, TABLE_BYTES_MAX);
	buf_init(&c.file, FILE_BYTES_MAX);
	for (const char *p = table.data, *from = p; next_case(&p, &c); count++, from = p) {
		struct error e = {ERR_OK, ""};
		enum err err = read(&c.file, &e);
		bool is_placed = strchr(file, ' ') ? strncmp(e.text, file, strlen(file)) == 0 : has_place(e.text, file);
		const char *said = is_placed ? e.text + strlen(file) : e.text;
		/* The table with what is said now. */
		const char *rest = c.said.at + c.said.n + (c.said.n ? 1 : 0);
		buf_add(&written, from, (size_t)(c.said.at - from));
		buf_printf(&written, "> %s\n", err ? said : "it is read");
		buf_add(&written, rest, (size_t)(p - rest));
		bool is_expected = err && is_placed && c.said.n == strlen(said) + 2 && memcmp(c.said.at + 2, said, strlen(said)) == 0;
		if (is_expected) continue;
		print_error("%.*s: %s\n", (int)c.name.n, c.name.at, err ? e.text : "it is read");
		wrong++;
	}
	struct error e;
	if (getenv("RUNG_GOLDEN") && fs_write_atomic(path, written.data, written.len, 0644, &e)) fail_msg("%s", e.text);
	buf_clear(&c.file), buf_clear(&table), buf_clear(&written);
	assert_true(count >= least);
	assert_int_equal(wrong, 0);
}

static inline void check_accepted(const char *path, size_t least, read_case *read)
{
	struct buf table;
	struct test_case c = {0};
	size_t count = 0, wrong = 0;
	read_table(path, &table);
	buf_init(&c.file, FILE_BYTES_MAX);
	for (const char *p = table.data; next_case(&p, &c); count++) {
		struct error e;
		if (!read(&c.file, &e)) continue;
		print_error("%.*s: %s\n", (int)c.name.n, c.name.at, e.text);
		wrong++;
	}
	buf_clear(&c.file), buf_clear(&table);
	assert_true(count >= least);
	assert_int_equal(wrong, 0);
}

#endif
