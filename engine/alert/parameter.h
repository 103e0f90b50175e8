#ifndef RUNG_ALERT_PARAMETER_H
#define RUNG_ALERT_PARAMETER_H

#include "alert/binding.h"

/* The name of the first parameter whose expression takes more steps on this alert than one may, or NULL: neither its value nor its default is what it means. */
const char *parameter_in_doubt(const struct alert_binding *rule, const struct alert *al);

/* Fills the decision's parameters from what the rule says and the alert holds. For binding.c. */
void parameter_values(struct arena *a, const struct alert_binding *rule, const struct alert *al, struct binding_decision *out);

#endif
