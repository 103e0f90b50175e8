#ifndef RUNG_SERVICE_SERVE_H
#define RUNG_SERVICE_SERVE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* What makes an engine a service: it has no idle end, tells the manager that started it how it stands, and ends in order. A part of a higher layer (HTTP) runs
 * in its loop. source: DESIGN.md 2 */

struct engine;

/* What a higher layer adds to the loop of `rung serve`. All are called on the loop thread. */
struct engine_part {
	enum err (*start)(struct engine *en, struct error *e); /* everything else is ready; en->part_data is its own */
	void (*drain)(struct engine *en);                      /* the engine is told to end: lets nobody new in */
	bool (*is_busy)(const struct engine *en);              /* somebody waits for an answer */
	void (*stop)(struct engine *en);                       /* also where start failed, or was not reached */
};

/* As the command line of `rung serve` says; NULL: what the configuration says. Borrowed. */
struct serve_options {
	const char *listen, *tls_certificate, *tls_key;
};

struct drain {
	bool is_begun;
	int64_t since_us; /* on the monotonic clock */
	uv_timer_t timer;
};

/* The service is ready: says so, and from now on that its loop turns. */
void serve_ready(struct engine *en);

/* Told to end: nothing new begins, what runs gets the time of the configuration, then the engine ends. Told again, it ends at once. */
void serve_end(struct engine *en);

#endif
