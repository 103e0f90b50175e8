#ifndef RUNG_ALERT_PARAMETER_H
#define RUNG_ALERT_PARAMETER_H

#include "alert/binding.h"

/* Fills the decision's parameters from what the rule says and the alert holds. For binding.c. */
void parameter_values(struct arena *a, const struct alert_binding *rule, const struct alert *al, struct binding_decision *out);

#endif
