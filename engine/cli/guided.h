#ifndef RUNG_CLI_GUIDED_H
#define RUNG_CLI_GUIDED_H

#include "base/buf.h"
#include "cli/client.h"
#include "cli/screen.h"
#include "cli/session.h"
#include "cli/spawn.h"
#include "cli/terminal.h"

/* A person at the terminal and an execution: guided mode, and the live list of one that runs by itself. */

enum leaving { STAYS, LEAVES, HAS_ENDED, HUNG_UP, ENGINE_GONE };

struct guided {
	struct client *client; /* owned: replaced where the engine has to be started again */
	const char *state_dir;
	struct session session;
	struct terminal terminal;
	bool is_watching; /* auto mode: the list is live, and the client leaves where a person is needed */
	enum leaving leaving;
	bool is_engine_gone;
	char *current; /* id of the step in front of the person */
	char *notice;
	json_t *chosen; /* step id -> index of its next shell command */
	struct spawn_carry carry;

	/* A command of a shell fence that runs now. */
	struct spawn *command;
	struct tail *command_tail;
	bool (*on_command)(struct guided *g); /* takes in what the command printed; true when it is over */
	bool is_lent;                         /* the terminal is the command's: draw nothing, read no keys */

	/* What is drawn. */
	struct arena *arena; /* of the permanent lines that wait */
	struct lines permanent;
	const struct screen_dialog *dialog;
	const struct lines *page; /* the pager's; NULL: the panel */
	bool is_dirty;
	int64_t drawn_us;
	unsigned spin;
	char *drawn_key; /* lines only: what the block was about */

	/* What was typed. */
	char input[4096];
	size_t input_len;
	bool is_line_wanted; /* lines only: the whole line is the answer */
	char *line;
	bool is_input_closed;
};

/* Attaches to an execution and stays until it ends, the person leaves, or (watching) a person is needed. Gives the exit status. Takes the client. */
int guided_run(struct client *c, const char *state_dir, const char *execution, bool is_watching);

/* For its parts. */

/* Waits for a key, drawing and taking in events meanwhile; KEY_CHANGED when the execution has moved, KEY_NONE when so many ms have passed (-1: never). */
int guided_wait(struct guided *g, int timeout_ms);
const json_t *guided_step(const struct guided *g); /* the step in front of the person, or NULL */
size_t guided_next_command(const struct guided *g, const json_t *step);
struct screen guided_screen(const struct guided *g);
void guided_notice(struct guided *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The error as a notice; an engine that is gone ends the loop. */
void guided_trouble(struct guided *g, const struct error *e);
void guided_flush(struct guided *g);  /* prints what waits to be kept and takes the panel off the screen */
void guided_redraw(struct guided *g); /* everything, on an empty screen */

/* Asks for a line. Gives allocated text, or NULL where the person went back (Esc, Ctrl-C, the end). */
char *guided_ask_line(struct guided *g, const char *title, const char *const *text, const char *typed);
/* Asks for one of the keys; KEY_ESCAPE where the person went back. Enter is only an answer where it is listed. */
int guided_ask_key(struct guided *g, const char *title, const char *const *text, const struct choice *choices);

/* Shows lines in a pager; dumb terminals get them one after another. */
void guided_page(struct guided *g, const struct lines *all, const char *title, bool at_end);

void guided_act(struct guided *g, enum action action);
void guided_question_key(struct guided *g, int key); /* a digit, y or n as the answer to an open question */
bool guided_takes_question_key(const struct guided *g, int key);
void guided_interrupt(struct guided *g);
void guided_resolve(struct guided *g);     /* says what became of the unknown calls of the step in front of the person */
void guided_take_up(struct guided *g);     /* goes on with what was paused, or left open by an engine's end */
void guided_show_output(struct guided *g); /* of the step in front of the person, or of the last that printed */
/* Gives the values of the book's inputs to the commands, once. */
void guided_carry_inputs(struct guided *g);
void guided_run_command(struct guided *g, bool with_terminal, bool edit);

#endif
