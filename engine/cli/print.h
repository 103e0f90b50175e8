#ifndef RUNG_CLI_PRINT_H
#define RUNG_CLI_PRINT_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stdio.h>

/* What a command says: results on standard output, messages on standard error, nothing that could steer a terminal. */

/* How a stream may be written to. */
struct style {
	bool is_terminal;
	bool color;   /* a terminal, not TERM=dumb, no NO_COLOR */
	bool unicode; /* the locale's character set is UTF-8 */
	int columns;  /* of the terminal, else 80 */
	int rows;
};
struct style style_of(int fd);

/* "rung: sentence" on standard error, on one line: whatever the arguments hold, line feeds too, is made visible. */
void message(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A further line below a message, made visible in the same way. */
void message_more(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* left and a text that is safe to show behind it; on a terminal its further lines stand below the first, broken between words. */
void print_wrapped(FILE *to, const char *left, const char *text);

/* The same sentence for an error, and {"error":{"kind","text"}} on standard output with --json. Gives the exit status of its kind. */
int fail(const struct error *e, bool json);

/* A JSON value and a line feed on standard output: indented for a terminal, with escapes for all that is not ASCII there; one line elsewhere. What could steer
 * or hide is escaped everywhere. */
void print_json(const json_t *v);

/* One JSON value on one line, whatever standard output is. */
void print_json_line(const json_t *v);

/* Text of books, hosts and people on standard output, made visible: on the line that it stands in, or a page whose line feeds are kept. */
void print_text(const char *text);
void print_page(const char *text);

struct command;
int print_command_help(const struct command *c); /* 0 */

#endif
