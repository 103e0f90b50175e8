#ifndef RUNG_SERVICE_CALL_H
#define RUNG_SERVICE_CALL_H

#include "sandbox/callable.h"
#include "sandbox/wire.h"
#include "service/execution.h"

/* Calls: right, intent, effect, outcome, answer; in this order, each durable before the next. */

/* As the decisions of flow/ see it. */
struct flow_call call_seen(const struct call *c);

/* The worker asked for a call. ERR_PROTOCOL where it asks what no good one would; the attempt may be gone behind it. */
enum err call_asked(struct attempt *a, const struct wire_message *m, struct error *e);

/* What the call does, in one line for people; in the execution's arena. */
const char *call_words(struct execution *x, struct call *c);

/* The same of a call that is in no record: of its {"arguments"}. */
const char *call_words_of(struct arena *a, const json_t *form);

/* Where the calls of a step are made. */
void call_site_make(struct execution *x, size_t step, struct call_site *out);

/* The recorded arguments and options: {"arguments","options"}. New reference, never NULL. */
json_t *call_arguments(struct execution *x, const struct call *c);

/* It did not leave, or the actor could not start it: the outcome says so, or it is unknown where an earlier try did leave. */
void call_not_made(struct execution *x, struct call *c, const char *outcome, const char *why);

/* To the actor, once the intent that was just recorded is durable. */
void call_dispatch_later(struct execution *x, struct call *c);

/* Ends an actor that does not do its part; what was in flight is settled as where it had died. */
void call_end_actor(struct execution *x, const char *why);

/* Asks the actor to end a command, or those of a step; their outcomes follow. */
void call_cancel(struct execution *x, struct call *c);
void call_cancel_open(struct execution *x, size_t step);

/* Is a call of the step's attempts with the actor, or about to be? */
bool call_any_under_way(const struct execution *x, size_t step);

/* Calls in flight of a step whose process is gone, by effect class; loss is LOSS_ENGINE or LOSS_STEP. */
void call_settle_open(struct execution *x, size_t step, const char *why, enum call_loss loss);

/* The outcome's record, with what the call printed. data (code, signal, error, ...) is taken. */
void call_finish(struct execution *x, struct call *c, const char *outcome, json_t *data);
void call_unknown(struct execution *x, struct call *c, const char *why);

/* The same with what was said of it, for people. */
void call_unknown_because(struct execution *x, struct call *c, const char *why, const char *sentence);

/* A person's answer to a question. */
enum err call_answered(struct execution *x, struct call *c, const json_t *value, const char *by, struct error *e);

void call_drop_actor(struct execution *x);
void call_release(struct call *c);

/* What a command printed. */
void call_output(struct execution *x, struct call *c, int stream, const void *data, size_t n); /* a piece came */
void output_whole(struct call *c);                                                             /* no more comes */
json_t *output_blobs(struct execution *x, struct call *c, int stream);                         /* names of its pieces, or NULL */
size_t output_add(struct execution *x, const struct call *c, int stream, struct buf *out);     /* appends what was kept */
void output_begin(struct call *c);                                                             /* nothing yet: it is made, or made again */
void output_recover(struct execution *x, struct call *c);                                      /* from the spool, after a crash */
void output_forget(struct execution *x, struct call *c);                                       /* the spool, once its blobs are durable */

/* At the engine's start: what an engine that was killed left in the spool of executions that are over goes. Of those that are open it is read when they are
 * taken up. */
enum err output_sweep(struct engine *en, struct error *e);

#endif
