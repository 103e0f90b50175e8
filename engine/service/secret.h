#ifndef RUNG_SERVICE_SECRET_H
#define RUNG_SERVICE_SECRET_H

#include "sandbox/callable.h"
#include "service/rights.h"

/* Secrets of a call, by name: the engine knows where a value comes from, not the value. It does where the value comes from its own environment or was given at
 * the start of the execution; and while a call is sent, where it reads the file for an actor of another user. source: DESIGN.md 7 */

/* Takes the values of parameters of type secret out of x->params; they stay in memory only. ERR_INVALID for one that is too short or too long. */
enum err secret_take_params(struct execution *x, struct error *e);

/* Values given again to an execution that is taken up: {name: text}. ERR_INVALID as above, and where one that the book has is not among them: its text names
 * all that are missing. */
enum err secret_give_params(struct execution *x, const json_t *given, struct error *e);

/* The names of those that an execution needs before it can go on, as a list. New reference. */
json_t *secret_missing_params(const struct execution *x);

/* Overwrites and frees them. */
void secret_forget_params(struct execution *x);

/* The names that a call's arguments hold where its row takes a secret, an object {name: true}; empty where there are none. New reference. */
json_t *secret_names(const struct callable *what, const json_t *arguments);

/* May a call of the step have them? As execution_right; of those that it may not have the first. */
struct right secret_right(struct execution *x, size_t step, bool is_read_only, const json_t *names);

/* Records that the call gets them. Nothing where there are none. */
void secret_record(struct execution *x, const struct call *c, const json_t *names);

/* Adds to the frame that makes a call where its secrets come from; for an actor that has just started those of earlier calls too. *wait_us: how long getting
 * them may take at most, before the call is made. ERR_NOT_FOUND for a name
 * that secrets.yaml does not have, ERR_INVALID where that file is not valid; text says what to do. */
enum err secret_provide(struct execution *x, const struct callable *what, const json_t *arguments, json_t *head, int64_t *wait_us, struct error *e);

/* The same for what the engine itself sends for the workspace at root, which belongs to no execution: names {name: true}. Nothing is added where there are
 * none.
 */
enum err secret_provide_engine(const struct engine *en, const char *root, const json_t *names, json_t *head, int64_t *wait_us, struct error *e);

/* The value itself, for who proves with it that a delivery of alerts is its source's: of a file or the environment (others need a process that gets it). The
 * caller wipes it. */
enum err secret_read(const struct engine *en, const char *root, const char *name, struct buf *out, struct error *e);

/* Overwrites the values among the sources of such a frame, once it was sent or is not to be. */
void secret_forget_sources(json_t *sources);

#endif
