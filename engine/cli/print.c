#include "cli/print.h"
#include "base/buf.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/lines.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TEXT_BYTES_MAX = 64 << 20, JSON_BYTES_MAX = 1 << 30 };

struct style style_of(int fd)
{
	const char *term = getenv("TERM"), *none = getenv("NO_COLOR");
	struct style s = {.is_terminal = isatty(fd), .unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0, .columns = 80, .rows = 24};
	s.color = s.is_terminal && term && strcmp(term, "dumb") != 0 && !(none && *none);
	struct winsize size;
	if (s.is_terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) s.columns = size.ws_col, s.rows = size.ws_row;
	return s;
}

static void write_visible(const char *text, enum text_keep keep)
{
	struct buf b;
	buf_init(&b, TEXT_BYTES_MAX);
	text_visible(&b, text, strlen(text), keep);
	fwrite(b.data ? b.data : "", 1, b.len, stdout);
	buf_clear(&b);
}

void print_wrapped(FILE *to, const char *left, const char *text)
{
	struct style style = style_of(fileno(to));
	struct arena *a = arena_new();
	struct lines lines;
	size_t margin = line_columns(left), columns = (size_t)style.columns;
	lines_init(&lines, a);
	if (style.is_terminal)
		lines_wrap(&lines, text, columns > margin + 20 ? columns - 1 - margin : 20, "", "");
	else
		lines_add(&lines, text);
	for (size_t i = 0; i < lines.count; i++)
		if (i == 0)
			fprintf(to, "%s%s\n", left, lines.line[i]);
		else
			fprintf(to, "%*s%s\n", (int)margin, "", lines.line[i]);
	arena_free(a);
}

/* On a terminal: broken between words, and a command at its end on a line of its own, so that it can be copied. */
static void write_message(char *text)
{
	size_t columns = (size_t)style_of(STDERR_FILENO).columns;
	char *command = NULL;
	for (char *at = text; line_columns(text) + 6 >= columns && (at = strstr(at, ": rung ")); at++) command = at;
	if (command) command[1] = 0;
	print_wrapped(stderr, "rung: ", text);
	if (command) print_wrapped(stderr, "        ", command + 2);
}

/* What a message says, on one line. Allocated. */
static char *message_text(const char *fmt, va_list ap)
{
	char text[2 * ERROR_TEXT_BYTES];
	struct buf safe;
	vsnprintf(text, sizeof text, fmt, ap);
	buf_init(&safe, TEXT_BYTES_MAX);
	text_visible(&safe, text, strlen(text), TEXT_KEEP_NOTHING);
	return buf_take(&safe);
}

void message(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = message_text(fmt, ap);
	va_end(ap);
	fflush(stdout);
	if (isatty(STDERR_FILENO))
		write_message(text);
	else
		fprintf(stderr, "rung: %s\n", text);
	free(text);
}

void message_more(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = message_text(fmt, ap);
	va_end(ap);
	print_wrapped(stderr, "      ", text);
	free(text);
}

int fail(const struct error *e, bool json)
{
	if (json) {
		json_t *v = json_pack("{s:{s:s,s:o}}", "error", "kind", err_info(e->kind)->name, "text", json_text(e->text));
		print_json_line(v);
		json_decref(v);
	}
	message("%s", e->text);
	return err_info(e->kind)->exit_status;
}

static void write_json(const json_t *v, size_t flags)
{
	struct buf b;
	buf_init(&b, JSON_BYTES_MAX);
	json_inert(v, flags | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17) | (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0), &b);
	fwrite(b.data ? b.data : "", 1, b.len, stdout);
	putchar('\n');
	buf_clear(&b);
}

void print_json(const json_t *v)
{
	write_json(v, isatty(STDOUT_FILENO) ? JSON_INDENT(2) : JSON_COMPACT);
}

void print_json_line(const json_t *v)
{
	write_json(v, JSON_COMPACT);
}

void print_text(const char *text)
{
	write_visible(text, TEXT_KEEP_NOTHING);
}

void print_page(const char *text)
{
	write_visible(text, TEXT_KEEP_NEWLINE);
}

static void print_options(const struct option *o)
{
	for (; o && o->name; o++) {
		char left[64];
		snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
		printf("  %-22s %s\n", left, o->help);
	}
}

int print_command_help(const struct command *c)
{
	static const struct option json_only[] = {{"json", NULL, false, "the result as JSON on standard output"}, {NULL, NULL, false, NULL}};
	printf("rung %s%s%s\n\n%s\n", c->name, *c->arguments ? " " : "", c->arguments, c->help);
	if (c->longer) printf("\n%s\n", c->longer);
	printf("\n");
	print_options(c->options);
	print_options(json_only);
	return 0;
}
