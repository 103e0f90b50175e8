#ifndef RUNG_CLI_KEYS_H
#define RUNG_CLI_KEYS_H

#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

/* Keys of guided mode: one table that the loop, the line at the bottom, `?` and `rung help run` share. */

/* What read from a terminal: a code point, or one of these. */
enum {
	KEY_NONE = 0,
	KEY_INTERRUPT = 3, /* Ctrl-C */
	KEY_END_OF_INPUT = 4,
	KEY_TAB = 9,
	KEY_ENTER = 13,
	KEY_ESCAPE = 27,
	KEY_SUSPEND = 26,
	KEY_BACKSPACE = 127,
	KEY_UP = 0x110000,
	KEY_DOWN,
	KEY_LEFT,
	KEY_RIGHT,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_HOME,
	KEY_END,
	KEY_DELETE,
	KEY_RESIZED, /* the window's size differs */
	KEY_CHANGED, /* the execution has moved: look again */
	KEY_HANGUP,  /* the terminal has gone, or a signal asks us to end */
	KEY_GONE,    /* the engine has gone */
};

/* Takes the first key off bytes of a terminal. *used gets how many bytes it took; 0 where the sequence is not whole yet. is_last: nothing more will come
 * now, so that a lone ESC is the key. */
int key_decode(const char *bytes, size_t n, bool is_last, size_t *used);

enum action {
	ACTION_NONE,
	ACTION_GO, /* Enter: what is next */
	ACTION_DONE,
	ACTION_FAILED,
	ACTION_SKIP,
	ACTION_AGAIN,
	ACTION_ALLOW,
	ACTION_RUN,
	ACTION_EDIT,
	ACTION_TERMINAL,
	ACTION_NOTE,
	ACTION_OUTPUT,
	ACTION_VIEW,
	ACTION_BACK,
	ACTION_OVERVIEW,
	ACTION_NEXT,
	ACTION_COMMAND_BEFORE,
	ACTION_COMMAND_AFTER,
	ACTION_STOP,
	ACTION_HELP,
	ACTION_QUIT,
	ACTION_INTERRUPT,
};

/* When a key means something. */
enum key_when {
	WHEN_PERSON = 1,       /* a manual step waits to be done */
	WHEN_GO = 2,           /* an automatic step waits for Enter */
	WHEN_ANSWER = 4,       /* a question is open */
	WHEN_RESOLVE = 8,      /* a call's outcome is unknown */
	WHEN_DECISION = 16,    /* a step ended badly */
	WHEN_RUNNING = 32,     /* something runs, or waits for its next try */
	WHEN_TAKE_UP = 64,     /* paused, or left open by an engine's end */
	WHEN_SHELL = 128,      /* the step has a shell command that can be run next */
	WHEN_DENIED = 256,     /* a right is missing */
	WHEN_SEVERAL = 512,    /* more than one step waits */
	WHEN_BEFORE = 1024,    /* a step before this one is over */
	WHEN_PRINTED = 2048,   /* a step has made calls */
	WHEN_OVER = 4096,      /* the execution has ended */
	WHEN_SHELL_ANY = 8192, /* the step has shell commands */
	WHEN_APPROVAL = 16384, /* others must agree before the step begins */
	WHEN_ALWAYS = 0xffff,
};

struct key_info {
	int key;
	const char *label; /* "Enter", "d" */
	enum action action;
	unsigned when;
	const char *what;   /* at the bottom of the screen; NULL: only under ? */
	const char *longer; /* under ? and in the help */
};
extern const struct key_info key_table[]; /* ends with key 0 */

/* One answer of a dialog. */
struct choice {
	int key;
	const char *label;
	const char *what;
};

/* What is the matter with a step of a view (which may be NULL: nothing waits): bits of key_when. */
unsigned keys_when(const json_t *view, const json_t *step, size_t next_command, size_t waiting_count);

/* The action that a key has now, or ACTION_NONE. */
enum action keys_action(int key, unsigned when);

/* The word at the bottom for a key of the table, which may depend on when ("Enter run", "Enter answer"). */
const char *keys_word(const struct key_info *k, unsigned when);

#endif
