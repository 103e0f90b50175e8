#ifndef RUNG_SERVICE_ESCALATION_STATE_H
#define RUNG_SERVICE_ESCALATION_STATE_H

#include "service/escalation.h"

/* What escalation*.c share. */

/* One time that it was raised. In the incident's arena. */
struct escalation_raise {
	enum escalation_trigger trigger;
	const char *execution, *step; /* or NULL */
	char *reason_blob;            /* or NULL */
	int64_t t_us;
};

struct incident_escalation {
	struct escalation *state;
	const char *policy; /* the name under which it was raised first, or turned to since; or NULL */
	char *root;         /* the workspace whose people it notifies; NULL: not known */
	struct escalation_raise *raises;
	size_t raise_count, raise_capacity;
	char oncall[DIGEST_HEX_BYTES]; /* of the file that its ladder is of; or was tried with */
	bool is_advancing;
};

/* Does what is to be done now. The caller commits. */
void escalation_advance(struct incident *inc);

/* A notification whose intent is durable: sends it, or says that it is not wanted any more. */
void escalation_send(struct incident *inc, uint32_t number, const char *person, uint32_t channel);

/* What became of it: the record, and what follows. why may be NULL. The caller commits. */
void escalation_tell(struct incident *inc, uint32_t number, enum escalation_result result, const char *why);

#endif
