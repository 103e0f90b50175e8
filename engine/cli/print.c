#include "cli/print.h"
#include "base/buf.h"
#include "base/text.h"
#include "cli/command.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TEXT_BYTES_MAX = 64 << 20 };

struct style style_of(int fd)
{
	const char *term = getenv("TERM"), *none = getenv("NO_COLOR");
	struct style s = {.is_terminal = isatty(fd), .unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0, .columns = 80, .rows = 24};
	s.color = s.is_terminal && term && strcmp(term, "dumb") != 0 && !(none && *none);
	struct winsize size;
	if (s.is_terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) s.columns = size.ws_col, s.rows = size.ws_row;
	return s;
}

static void write_visible(FILE *to, const char *text)
{
	struct buf b;
	buf_init(&b, TEXT_BYTES_MAX);
	text_visible(&b, text, strlen(text), TEXT_KEEP_NEWLINE | TEXT_KEEP_TAB);
	fwrite(b.data ? b.data : "", 1, b.len, to);
	buf_clear(&b);
}

void message(const char *fmt, ...)
{
	char text[2 * ERROR_TEXT_BYTES];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	fflush(stdout);
	fputs("rung: ", stderr);
	write_visible(stderr, text);
	fputc('\n', stderr);
}

int fail(const struct error *e, bool json)
{
	if (json) {
		json_t *v = json_pack("{s:{s:s,s:s}}", "error", "kind", err_info(e->kind)->name, "text", e->text);
		if (v) print_json_line(v);
		json_decref(v);
	}
	message("%s", e->text);
	return err_info(e->kind)->exit_status;
}

void print_json(const json_t *v)
{
	if (!isatty(STDOUT_FILENO)) {
		print_json_line(v);
		return;
	}
	/* C1 and bidirectional characters steer a terminal too; only escapes are safe there. */
	json_dumpf(v, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
	putchar('\n');
}

void print_json_line(const json_t *v)
{
	json_dumpf(v, stdout, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17) | (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0));
	putchar('\n');
}

void print_text(const char *text)
{
	write_visible(stdout, text);
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
