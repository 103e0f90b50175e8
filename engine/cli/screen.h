#ifndef RUNG_CLI_SCREEN_H
#define RUNG_CLI_SCREEN_H

#include "base/json.h"
#include "cli/keys.h"
#include "cli/lines.h"
#include "cli/tail.h"

#include <stdint.h>

/* What guided mode and the live list show, as pure functions: the engine's view of an execution (service/protocol.h), a size, a time -> lines.
 * Above stands what was done, printed once and left to the terminal's scrollback; below the panel, drawn again at each change. */

struct screen {
	int columns, rows;
	bool color, unicode;
	int64_t now_us;
};

/* Title, id, owner, age, the engine: printed once at the start. hello is the engine's. */
void screen_header(struct lines *out, const json_t *view, const json_t *hello, const struct screen *s);

/* A step that is over, as it stays in the scrollback: one line, and below it why it did not succeed, and the last lines that it printed (tail may be NULL). */
void screen_finished_step(struct lines *out, const json_t *view, const json_t *step, struct tail *tail, const struct screen *s);

/* Every step with its state. */
void screen_overview(struct lines *out, const json_t *view, const struct screen *s);

/* The last line of an execution: how it ended, after how long. */
void screen_ending(struct lines *out, const json_t *view, const struct screen *s);

/* Everything about a step: its text, its sources, rights, calls, results: for the pager. */
void screen_step_in_full(struct lines *out, const json_t *view, const json_t *step, const struct screen *s);

/* What a person is asked for within the panel, in place of the keys. */
struct screen_dialog {
	const char *title;            /* NULL: there is no dialog */
	const char *const *text;      /* lines below the title, NULL-terminated; NULL: none */
	const struct choice *choices; /* keys and what each means; ends with key 0; NULL: none */
	bool is_typing;               /* a line is being typed */
	const char *typed;
	size_t cursor; /* bytes of typed before the cursor */
};

struct panel {
	const json_t *view;
	const json_t *step; /* the step in front of the person; NULL: nothing waits */
	struct tail *tail;  /* what it prints; NULL: nothing yet */
	const char *notice; /* what has just happened, or went wrong; NULL: nothing */
	const struct screen_dialog *dialog;
	bool is_watching;     /* no keys that decide: the live list */
	bool command_runs;    /* a command that the person started: its output is watched, Ctrl-C reaches it */
	size_t next_command;  /* of the step's shell commands: the next one to run */
	size_t waiting_count; /* steps that wait for this person */
	unsigned spin;        /* turns the mark of what runs */
};

/* The panel: never more than s->rows - 1 lines. *cursor_column gets where the cursor belongs on the last line. */
void screen_panel(struct lines *out, const struct panel *p, const struct screen *s, size_t *cursor_column);

/* The shell commands of a step, counted over its fences in order: how many there are, and the i-th with the index of its fence (NULL: no such). */
size_t step_commands(const json_t *step);
const char *step_command(const json_t *step, size_t i, size_t *fence);

/* "0.2 s" since the step started, or as long as it took; "" where it has not started. */
const char *screen_duration(struct arena *a, const json_t *step, int64_t now_us);

/* A result on one line: strings as they are, `key value` pairs of an object. */
const char *screen_result(struct arena *a, const json_t *result);

/* The mark of a state, coloured where s says so. */
const char *screen_mark(struct arena *a, const char *state, const char *waiting, const struct screen *s, unsigned spin);

#endif
