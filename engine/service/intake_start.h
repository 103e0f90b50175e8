#ifndef RUNG_SERVICE_INTAKE_START_H
#define RUNG_SERVICE_INTAKE_START_H

#include "service/incident.h"

/* What was decided is done: the execution that an alert starts, once its decision is durable; after a restart, too. source: DESIGN.md 5.6 */

/* A decision in full, for incident_later: {"execution","book","as","parameters","alert"}. New reference. */
json_t *intake_decision(const char *execution, const char *book, const char *as, json_t *parameters, json_t *alert);

/* Starts it. Where it cannot begin, its incident says why, and somebody is asked. */
void intake_start(struct incident *inc, json_t *decision);

/* The same from the record: the decision was durable when its engine ended. */
void intake_start_again(struct incident *inc, const char *execution);

#endif
