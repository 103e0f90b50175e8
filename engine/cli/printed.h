#ifndef RUNG_CLI_PRINTED_H
#define RUNG_CLI_PRINTED_H

#include "base/arena.h"
#include "base/buf.h"
#include "cli/client.h"

/* "call 1.2", "command 1.1", "condition 1.1", "proof 2.1": what a call was made for, the attempt, its number there. call is the view's. */
const char *printed_call_name(struct arena *a, const json_t *call);

/* Is it the first of those made for the same? A view holds the last calls of a step: where its first is not, some have fallen out. */
bool printed_is_first(const json_t *call);

/* Appends one stream of a call ("stdout", "stderr"), as far as the engine kept it, in pieces as the protocol has them. call is the view's. */
enum err printed_read(struct client *c, const char *execution, const char *step, const json_t *call, const char *stream, struct buf *out, struct error *e);

/* Hands out each line of b, safe to show; very long ones are cut, and end with how much was left out. */
void printed_lines(const struct buf *b, void (*line)(void *arg, const char *text), void *arg);

#endif
