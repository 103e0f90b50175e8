#ifndef RUNG_FLOW_STATES_H
#define RUNG_FLOW_STATES_H

#include "flow/flow.h"

/* One row for each event of a step: from which states it is legal and where it leads. `to` is STEP_STATE_N where the event's outcome says. */
struct flow_transition {
	const char *name;
	unsigned from; /* bits of enum step_state */
	enum step_state to;
};

#define BIT(s) (1u << (s))

const struct flow_transition *flow_transition(enum flow_event_kind kind);

/* Is nothing under way that a reset of root (by a jump of step by, or SIZE_MAX) would touch? */
bool flow_reset_is_possible(const struct flow *f, size_t root, size_t by);

#endif
