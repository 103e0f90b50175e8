#ifndef RUNG_SERVICE_ENGINE_H
#define RUNG_SERVICE_ENGINE_H

/* The main of `rung engine --state DIR [--idle DURATION] [--ready-fd N]`: owns the store, serves engine.sock until it is idle or told to end.
 * On descriptor N it writes "ready\n", or a sentence why it cannot start, and closes it. Returns the exit status. */
int engine_main(int argc, char **argv);

#endif
