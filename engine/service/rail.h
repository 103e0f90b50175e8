#ifndef RUNG_SERVICE_RAIL_H
#define RUNG_SERVICE_RAIL_H

#include "service/incidents.h"

/* What guard rails ask of one rule ("binding:disk", "book:playbooks/disk.md"): when it started something, when that ended badly, how many run. Derived from the
 * records of incidents, by their fold. */
struct rail {
	char *rule;
	int64_t *starts_us, *failures_us; /* ascending */
	size_t start_count, start_capacity, failure_count, failure_capacity;
	int64_t running;
};

/* NULL: nothing was ever started by that rule, as far as the engine remembers. */
struct rail *rail_find(const struct incidents *all, const char *rule);

void rail_started(struct incidents *all, const char *rule, int64_t t_us);
void rail_ended(struct incidents *all, const char *rule, int64_t t_us, bool is_failure);

/* Forgets times before since_us. */
void rails_sweep(struct incidents *all, int64_t since_us);

void rails_free(struct incidents *all);

#endif
