#ifndef RUNG_CLI_PRINTED_H
#define RUNG_CLI_PRINTED_H

#include "base/buf.h"
#include "cli/client.h"

/* Appends one stream of a call ("stdout", "stderr"), as far as the engine kept it, in pieces as the protocol has them. call is the view's. */
enum err printed_read(struct client *c, const char *execution, const char *step, const json_t *call, const char *stream, struct buf *out, struct error *e);

/* Hands out each line of b, safe to show; very long ones are cut. */
void printed_lines(const struct buf *b, void (*line)(void *arg, const char *text), void *arg);

#endif
