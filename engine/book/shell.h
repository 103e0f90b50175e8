#ifndef RUNG_BOOK_SHELL_H
#define RUNG_BOOK_SHELL_H

#include "book/book.h"

/* What rung reads from shell fences. Nothing here runs or expands anything: it finds the borders of commands and the names they need. */

/* Is this a language of shell fences (sh, bash, shell, console, zsh, ...)? */
bool shell_is_language(const char *language);

/* Does an unlabelled block look like commands? Its first line that is no comment begins with a prompt or a command that is usual in runbooks. */
bool shell_looks_like_commands(const char *source);

/* Fills commands, command_lines, command_count and expected of a fence from its source. A command goes on over continuation lines, heredocs, open quotes,
 * brackets and if/for/while/case/function blocks; comments between commands are left out. With "$ " prompts, the lines with a prompt are the
 * commands and all others are expected output. A fence that begins with #! is one command. */
void shell_split(struct arena *a, struct book_fence *fence);

enum shell_name_kind {
	SHELL_PLACEHOLDER, /* <virt-operator>: an input */
	SHELL_VARIABLE,    /* $NODE in upper case, used */
	SHELL_ASSIGNED,    /* NODE=..., export, read, for */
};

typedef void shell_name_found(enum shell_name_kind kind, const char *name, size_t n, size_t offset, void *arg);

/* Tells every name in a text of commands, in order. Variables in single quotes are not the shell's. offset: of the name in source. */
void shell_each_name(const char *source, shell_name_found *found, void *arg);

/* The environment variable that stands for a placeholder: <virt-operator> is VIRT_OPERATOR. */
const char *shell_input_name(struct arena *a, const char *placeholder, size_t n);

/* Appends a command with each <placeholder> replaced by a quoted reference to its environment variable, so that a value stays data. */
void shell_fill(struct buf *out, const struct book *b, const char *command);

/* Is this name usual in an environment (PATH, HOME, ...)? A fixed table, so that a book means the same everywhere. */
bool shell_is_environment(const char *name);

/* Why a command would wait for a terminal ("vi edits a file"), or NULL. */
const char *shell_interactive(const char *command);

#endif
