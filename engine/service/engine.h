#ifndef RUNG_SERVICE_ENGINE_H
#define RUNG_SERVICE_ENGINE_H

struct engine_part;

/* The main of `rung engine --state DIR [--idle DURATION] [--ready-fd N]`: owns the store, serves engine.sock until it is idle or told to end.
 * On descriptor N it writes "ready\n", or a sentence why it cannot start, and closes it. With `--serve http` it is the engine of `rung serve`: part runs in it,
 * and
 * --listen, --tls-cert and --tls-key are for that. Returns the exit status. */
int engine_main(int argc, char **argv, const struct engine_part *part);

#endif
