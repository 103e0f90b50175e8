#ifndef RUNG_ESCALATE_LADDER_H
#define RUNG_ESCALATE_LADDER_H

#include "base/arena.h"
#include "flow/escalation.h"

/* A ladder as records keep it: what was climbed can be told, and goes on, whatever oncall.yaml says by then. Pure. */

/* {"policies":[{"name","rounds","levels":[{"wait_us","people":[{"name","channels":N}]}]}],"retry":{"attempts","delay_us","delay_most_us","factor","timeout_us"}}.
 * New reference. */
json_t *ladder_json(const struct escalation_ladder *l);

/* Reads it back, into the arena. ERR_INVALID for what is none, or cannot be climbed. */
enum err ladder_read(struct arena *a, const json_t *v, const struct escalation_ladder **out, struct error *e);

/* The ladder that goes on with another policy: what was climbed of l up to `at` is as it was, and behind the level that is reached comes `then`, without the
 * policies that were climbed. ERR_CONFLICT where there is nothing to climb in that. Lives in the arena, and in l and then. */
enum err ladder_turn(struct arena *a, const struct escalation_ladder *l, struct escalation_place at, const struct escalation_ladder *then,
                     const struct escalation_ladder **out, struct error *e);

#endif
