#ifndef RUNG_SERVICE_CONSEQUENCE_H
#define RUNG_SERVICE_CONSEQUENCE_H

#include "service/execution.h"

/* Which unknown calls of a step an answer is about: all of them, those on one host, or one. */
struct selection {
	size_t step;
	uint32_t call;    /* 0: any */
	const char *host; /* NULL: any */
};

/* Is it an unknown call of the step's attempt, and selected? What was run on a terminal settles nothing of the attempt. */
bool selection_has(struct execution *x, const struct selection *s, const struct call *c);

/* The host that the call was sent to, as its arguments name it ("host", or that of "url"); NULL: it has none. In the execution's arena. */
const char *call_host(struct execution *x, const struct call *c);

/* Steps to come whose code may ask for the result of that one: their ids. New reference. */
json_t *result_readers(const struct execution *x, size_t step);

/* What each answer would bring for the selected calls, in this execution as it stands: {"again": [sentences], "failed": [...], "done": [...]}. What follows in
 * the book is found by trying it out on a copy of the state machine, not by saying its rules again. New reference. */
json_t *consequences_of(struct execution *x, const struct selection *s);

#endif
