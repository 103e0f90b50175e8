#ifndef RUNG_SERVICE_ACK_PAGE_H
#define RUNG_SERVICE_ACK_PAGE_H

#include "service/engine_state.h"

/* What stands behind the link of a notification, for whoever serves HTTP: a GET shows a page and changes nothing, since programs that look at mail open links;
 * its POST acknowledges as the person of the link, once. No session, no script, nothing from elsewhere. source: escalate/ack_link.h, DESIGN.md 8 */

struct ack_answer {
	int status;       /* 200; 404 no link of this log; 405; 409 used, or somebody else has it; 410 expired, or over; 503 it could not be stored */
	const char *body; /* HTML, UTF-8 */
	size_t n;
	const char *const *headers; /* name, value, name, value, ..., NULL */
};

/* Valid in it only. */
typedef void ack_done(void *arg, const struct ack_answer *answer);

/* method: "GET", "HEAD", "POST" or any other; token: what stands behind /a/ in the path, as it came. done is called once, perhaps from within this: a POST is
 * answered when it is durable. The loop only. */
void ack_page(struct engine *en, const char *method, const char *token, ack_done *done, void *arg);

#endif
