#ifndef RUNG_CLI_TERMINAL_H
#define RUNG_CLI_TERMINAL_H

#include "cli/lines.h"

#include <stdbool.h>
#include <stddef.h>

/* The person's terminal. The normal screen is kept: what was done is printed once and stays in the scrollback, a block below it is drawn again at each
 * change. On TERM=dumb, and where standard input is no terminal, nothing is drawn over: lines follow each other and keys are read a line at a time.
 * Whatever ends this process (a signal, an abort), the terminal is given back as it was. */
struct terminal {
	bool is_raw; /* keys come one by one and the block can be drawn over */
	bool is_dumb;
	int columns, rows;
	bool color, unicode;
	int wake_fd; /* readable when a signal came: terminal_signals */
	size_t block_rows;
	char *block; /* what the block shows, to leave out drawing the same again */
	char **past; /* the last permanent lines, to print again when the size changes */
	size_t past_count, past_capacity;
	bool is_prompt_open; /* lines only: the cursor stands behind the prompt */
	bool is_block_lost;  /* the block's place is not known: print it below what is there */
};

/* Takes the terminal: raw mode where it can be, handlers for SIGWINCH, SIGHUP, SIGTERM, SIGINT. One at a time in a process. */
void terminal_enter(struct terminal *t);
void terminal_leave(struct terminal *t); /* the block stays on the screen; the cursor stands below it */

/* Signals that came since the last call: bits. */
enum { SIGNAL_RESIZED = 1, SIGNAL_HANGUP = 2, SIGNAL_INTERRUPT = 4 };
unsigned terminal_signals(struct terminal *t);

/* Reads the size again; true where it differs. */
bool terminal_resized(struct terminal *t);

/* Prints lines above the block, for good, and draws the block below them with the cursor at that column of its last line. */
void terminal_draw(struct terminal *t, const struct lines *permanent, const struct lines *block, size_t cursor_column);

/* Takes the block off the screen: what is printed next stands in its place. */
void terminal_clear_block(struct terminal *t);

/* Draws everything again on an empty screen: after the size changed, or another program had the terminal. */
void terminal_redraw(struct terminal *t, const struct lines *block, size_t cursor_column);

/* The alternate screen of a pager, and back. */
void terminal_full_screen(struct terminal *t, bool on);
void terminal_write_page(struct terminal *t, const struct lines *page);

/* Hands the terminal to a command and takes it back: cooked or fully raw mode in between. */
void terminal_lend(struct terminal *t, bool raw);
void terminal_take_back(struct terminal *t, bool is_full_screen); /* did it leave the alternate screen on */

#endif
