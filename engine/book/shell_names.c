#include "book/shell.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Names in commands: placeholders, variables that are used and variables that are assigned. */

enum { PLACEHOLDER_BYTES_MAX = 48, MARKUP_BYTES = 1000 };

static bool is_upper_name(char c)
{
	return isupper((unsigned char)c) || isdigit((unsigned char)c) || c == '_';
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* <lower-case words>: bytes between the angle brackets, or 0. A redirection has a space, a sign or nothing that closes it. */
static size_t placeholder_at(const char *s)
{
	size_t n = 0;
	if (!islower((unsigned char)s[1])) return 0;
	while (n < PLACEHOLDER_BYTES_MAX && (islower((unsigned char)s[1 + n]) || isdigit((unsigned char)s[1 + n]) || (s[1 + n] && strchr(" _-./", s[1 + n]))))
		n++;
	if (s[1 + n] != '>' || strchr(" -./", s[n])) return 0;
	char close[PLACEHOLDER_BYTES_MAX + 4];
	int len = snprintf(close, sizeof close, "</%.*s", (int)n, s + 1);
	if (memmem(s, strnlen(s, MARKUP_BYTES), close, (size_t)len)) return 0; /* <name>...</name> is markup of a file that is written */
	return n;
}

/* $NAME or ${NAME}: where the name begins after '$' and its length, or 0. A default (${X:-y}) makes it no input. */
static size_t variable_at(const char *s, size_t *from)
{
	size_t at = s[1] == '{' ? 2 : 1, n = 0;
	while (is_name(s[at + n])) n++;
	if (n < 2 || isdigit((unsigned char)s[at])) return 0;
	for (size_t i = 0; i < n; i++)
		if (!is_upper_name(s[at + i])) return 0;
	if (at == 2 && s[at + n] != '}' && s[at + n] != '[' && s[at + n] != '%' && s[at + n] != '#' && s[at + n] != '/') return 0;
	*from = at;
	return n;
}

/* A word that assigns: NAME=, at the start of a word. */
static size_t assignment_at(const char *s)
{
	size_t n = 0;
	if (isdigit((unsigned char)s[0])) return 0;
	while (is_name(s[n])) n++;
	return n && (s[n] == '=' || (s[n] == '+' && s[n + 1] == '=')) && s[n + 1] != '=' ? n : 0;
}

/* Names that follow `export`, `read`, `for`, ... up to the end of the command. */
static size_t declared(const char *source, size_t at, shell_name_found *found, void *arg)
{
	static const char *const words[] = {"export", "read", "for", "local", "declare", "readonly", "typeset", "select", "mapfile", "readarray"};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		size_t n = strlen(words[i]);
		if (strncmp(source + at, words[i], n) != 0 || (source[at + n] != ' ' && source[at + n] != '\t')) continue;
		size_t p = at + n;
		for (int count = 0; count < 8; count++) {
			while (source[p] == ' ' || source[p] == '\t') p++;
			if (source[p] == '-') {
				p += strcspn(source + p, " \t\n;");
				continue;
			}
			size_t len = 0;
			while (is_name(source[p + len])) len++;
			if (!len) break;
			found(SHELL_ASSIGNED, source + p, len, p, arg);
			p += len;
			if (source[p] != ' ') break;
			if (strcmp(words[i], "for") == 0 || strcmp(words[i], "select") == 0) break;
		}
		return n;
	}
	return 0;
}

void shell_each_name(const char *source, shell_name_found *found, void *arg)
{
	char quote = 0;
	bool is_word_start = true;
	for (size_t i = 0; source[i]; i++) {
		char c = source[i];
		size_t n, from;
		if (c == '<' && (n = placeholder_at(source + i))) {
			found(SHELL_PLACEHOLDER, source + i + 1, n, i + 1, arg);
			i += n + 1;
			is_word_start = false;
			continue;
		}
		if (c == '\\' && quote != '\'' && source[i + 1]) {
			i++;
			is_word_start = false;
			continue;
		}
		if (c == '\n' && quote == 0) is_word_start = true;
		if (quote == 0 && is_word_start && c == '#') { /* an apostrophe in a comment opens no quote */
			i += strcspn(source + i, "\n") - 1;
			continue;
		}
		if (quote == 0 && is_word_start) {
			if ((n = assignment_at(source + i))) found(SHELL_ASSIGNED, source + i, n, i, arg);
			declared(source, i, found, arg);
		}
		if (c == '$' && quote != '\'' && (n = variable_at(source + i, &from))) found(SHELL_VARIABLE, source + i + from, n, i + from, arg);
		if (quote ? c == quote : c == '\'' || c == '"') quote = quote ? 0 : c;
		is_word_start = quote == 0 && (isspace((unsigned char)c) || strchr(";|&(){", c) != NULL);
	}
}

const char *shell_input_name(struct arena *a, const char *placeholder, size_t n)
{
	char *name = arena_strndup(a, placeholder, n);
	for (size_t i = 0; i < n; i++) name[i] = isalnum((unsigned char)name[i]) ? (char)toupper((unsigned char)name[i]) : '_';
	return name;
}

/* Is `name` an input of the book, and under which variable? A book that assigns the variable itself gets NAME_INPUT. */
static const char *input_for(const struct book *b, struct arena *a, const char *placeholder, size_t n)
{
	const char *name = shell_input_name(a, placeholder, n), *longer = arena_printf(a, "%s_INPUT", name), *found = NULL;
	for (size_t i = 0; i < b->param_count; i++) {
		if (!b->params[i].is_input) continue;
		if (strcmp(b->params[i].name, longer) == 0) return longer;
		if (strcmp(b->params[i].name, name) == 0) found = name;
	}
	return found;
}

struct filler {
	struct buf *out;
	const struct book *book;
	struct arena *arena;
	const char *command;
	size_t copied;
	char quote;
};

/* Copies up to `to`, following the quotes. */
static void copy_to(struct filler *f, size_t to)
{
	for (; f->copied < to; f->copied++) {
		char c = f->command[f->copied];
		buf_char(f->out, c);
		if (c == '\\' && f->quote != '\'' && f->copied + 1 < to)
			buf_char(f->out, f->command[++f->copied]);
		else if (f->quote ? c == f->quote : c == '\'' || c == '"')
			f->quote = f->quote ? 0 : c;
	}
}

static void fill_name(enum shell_name_kind kind, const char *name, size_t n, size_t offset, void *arg)
{
	struct filler *f = arg;
	if (kind != SHELL_PLACEHOLDER) return;
	const char *variable = input_for(f->book, f->arena, name, n);
	if (!variable) return;
	copy_to(f, offset - 1);
	if (f->quote == '"')
		buf_printf(f->out, "${%s}", variable);
	else if (f->quote == '\'')
		buf_printf(f->out, "'\"${%s}\"'", variable);
	else
		buf_printf(f->out, "\"${%s}\"", variable);
	f->copied = offset + n + 1;
}

void shell_fill(struct buf *out, const struct book *b, const char *command)
{
	struct filler f = {.out = out, .book = b, .arena = arena_new(), .command = command};
	shell_each_name(command, fill_name, &f);
	copy_to(&f, strlen(command));
	arena_free(f.arena);
}
