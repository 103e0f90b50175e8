#ifndef RUNG_CLI_SESSION_H
#define RUNG_CLI_SESSION_H

#include "base/error.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/tail.h"

#include <stdbool.h>

/* One execution as this client sees it: the view that `attach` answered, kept up to date by the events, and the last lines of output of each step. */
struct session {
	struct client *client; /* borrowed */
	json_t *view;
	char execution[32];
	struct step_tail *tails; /* one for each step that has printed */
	size_t tail_count, tail_capacity;
	bool is_changed; /* since whoever draws last set it to false */
	bool is_ended;   /* "ended" came */
	const struct session_hooks *hooks;
	void *arg;
};

struct step_tail {
	char *step;
	json_int_t attempt;
	struct tail tail;
};

/* Called while events are taken in; each may be NULL. Everything is borrowed. */
struct session_hooks {
	/* A step's state, attempt or waiting differs from what it was; the view has the new one. */
	void (*step_changed)(void *arg, const json_t *step, const char *was, json_int_t attempt_was);
	void (*output)(void *arg, const json_t *head, const char *data, size_t n);
	void (*logged)(void *arg, const char *step, const char *level, const char *text);
	void (*noted)(void *arg, const char *step, const char *by, const char *text);
};

/* Attaches to an execution (its id, or the start of it) and keeps s in step with it from then on. */
enum err session_attach(struct session *s, struct client *c, const char *execution, struct error *e);
void session_set_hooks(struct session *s, const struct session_hooks *hooks, void *arg);
void session_clear(struct session *s);

/* Reads the whole view again, with the hooks called for what differs: at the end of an execution, so that nothing of its last moment is missing. */
enum err session_refresh(struct session *s, struct error *e);

/* One request about this execution (and a step, where step is not NULL); more is taken and merged into the arguments (or NULL). */
enum err session_request(struct session *s, const char *op, const char *step, json_t *more, struct answer *out, struct error *e);

/* What the view says. Borrowed. */
const char *session_state(const struct session *s);
struct tail *session_tail(const struct session *s, const char *step); /* NULL where it has printed nothing */

/* The parts that know no socket, for tests: takes a view, takes an event. */
void session_init(struct session *s, json_t *view);
void session_event(void *session, const json_t *head, const char *payload, size_t n);

/* A step of a view by its id, or NULL. Is a state of an execution, of a step, a last one? The exit status that a view's state has. */
const json_t *view_step(const json_t *view, const char *id);
bool view_is_over(const json_t *view);
bool step_is_over(const json_t *step);
int view_exit_status(const json_t *view);

/* The step given where it has made calls, else the one that made calls last; NULL where none has. */
const json_t *view_last_called(const json_t *view, const json_t *step);

/* What stands against something that was denied in a step, so that nobody can allow it while it runs: "book" or "policy"; NULL: nothing. */
const char *view_forbidden_by(const json_t *view, const char *step);

/* The patterns that would allow what was denied in a step and is not allowed by now, each once: an array of strings, a new reference. */
json_t *view_denied(const json_t *view, const char *step);

#endif
