#ifndef RUNG_REPORT_FLEET_H
#define RUNG_REPORT_FLEET_H

#include "report/report.h"

/* The same command on several hosts, of one attempt: hosts whose outcome and output are the very same stand together. */

/* From the records in order: a list of
 * {"step","attempt","command","hosts":N,"first_seq","last_seq","groups":[{"state","code"?,"signal"?,"hosts":[names],"said":text}...],"not_started":[names]},
 * groups with more hosts first; and in *members {"STEP ATTEMPT CALL": position of its fleet in that list}. Two new references. */
json_t *fleets_build(const json_t *records, report_blob_fn *blob, void *arg, json_t **members);

/* What a record of a call stands for in members: its fleet's position, or -1. */
json_int_t fleet_of(const json_t *members, const json_t *record);

/* Names, in which runs of numbers are one: web-[01:40], db-1. As the inventory reads them. */
void fleet_hosts(struct buf *out, const json_t *names);

/* "38 ok, 1 failed, 1 not started". */
void fleet_summary(struct buf *out, const json_t *fleet);

#endif
