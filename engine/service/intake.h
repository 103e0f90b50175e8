#ifndef RUNG_SERVICE_INTAKE_H
#define RUNG_SERVICE_INTAKE_H

#include "alert/authenticate.h"
#include "alert/binding.h"
#include "service/incident.h"

/* Deliveries of alerts: is it its source's, what does it say, what was decided of each, all of that durable, and only then an answer. By HTTP and by the
 * engine's socket the same. Loop thread only. source: DESIGN.md 5.6, 8 */

/* What whoever delivered is told.
 *
 * status   200; 400 what was sent is nothing that the source delivers, 401 it is not proved to be the source's, 404 there is no such source, 413 too big,
 *          503 not now: retry_after_s
 * body     of 200: {"decisions":[{"name","fingerprint","state","outcome","rail","incident","execution","reason"}...],"truncated":N}; else NULL. Borrowed
 * e        what is wrong, in a sentence for the sender; NULL for 200 */
struct intake_answer {
	int status, retry_after_s;
	const json_t *body;
	const struct error *e;
};
typedef void intake_done(void *arg, const struct intake_answer *answer);

struct intake_delivery {
	const char *source; /* its name in alerts.yaml */
	const struct alert_header *headers;
	size_t header_count;
	const char *body;
	size_t n;
	const char *by;  /* the principal that delivers, where that is known; NULL: the source itself */
	bool is_trusted; /* the engine's own user: no proof is asked for */
};

/* Receives one. done is called once: at once where it is refused, else when everything is durable or could not be stored. Nothing of d is needed afterwards. */
void intake_receive(struct engine *en, const struct intake_delivery *d, intake_done *done, void *arg);

/* Since the engine started. */
struct intake_counters {
	uint64_t deliveries, alerts;                                      /* taken, and durable or on the way */
	uint64_t forged, unknown_source, malformed, too_big, unavailable; /* refused */
	uint64_t outcomes[BINDING_OUTCOME_N], late, repeats;              /* alerts */
};
const struct intake_counters *intake_counters(struct engine *en);

void intake_free(struct engine *en);

#endif
