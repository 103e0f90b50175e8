#ifndef RUNG_SERVICE_REMEMBERED_H
#define RUNG_SERVICE_REMEMBERED_H

#include "service/incidents.h"

/* What is remembered of one alert beyond the incident that it belongs to: when it last ran by which rule (cooldown), and up to which episode it is over (late
 * deliveries). Derived from the records of incidents, by their fold. */
struct remembered {
	char key[INCIDENT_KEY_BYTES];
	struct incident *last;      /* that had it last; NULL: forgotten */
	int64_t over_starts_us;     /* beginning of the latest episode that is over; 0: none is known */
	int64_t executed_starts_us; /* of the latest one that had its execution */
	int64_t changed_us;
	char running[INCIDENT_ID_BYTES]; /* the execution that was started for it last, while it runs; "" */
	struct remembered_end {
		char *rule;
		int64_t ended_us;
	} * ends;
	size_t end_count;
};

/* NULL: never seen, as far as the engine remembers. */
struct remembered *remembered_find(const struct incidents *all, const char *alert_key);

/* The alert stands in its incident as it does: takes over what outlives that. */
void remembered_take(struct incidents *all, struct incident *inc, const struct incident_alert *al, int64_t t_us);

void remembered_began(struct incidents *all, const char *alert_key, const char *execution);

/* An execution of that rule for the alert ended. */
void remembered_ended(struct incidents *all, const char *alert_key, const char *rule, const char *execution, int64_t t_us);

/* When the last one of that rule did; 0: none. */
int64_t remembered_end_us(const struct remembered *r, const char *rule);

/* The incident is forgotten. */
void remembered_forget(struct incidents *all, const struct incident *inc, const char *alert_key);

/* Forgets what has not changed since, and belongs to no incident. */
void remembered_sweep(struct incidents *all, int64_t since_us);

void remembered_free(struct incidents *all);

#endif
