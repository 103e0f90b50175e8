#ifndef RUNG_REPORT_REPORT_H
#define RUNG_REPORT_REPORT_H

#include "base/json.h"

/* The report of an execution for the review after it: what was done, by whom, when, with what outcome; from the records alone. */

/* Reads a blob's bytes: allocated, "" where it was erased. */
typedef char *report_blob_fn(void *arg, const char *name, size_t *n);

/* Builds the report from an execution's view (service/protocol.h) and its records in order. checkpoint: the signed note that covers them.
 * {"execution","book":{...},"state","driver","started_us","finished_us","duration_us","manual_share","steps":[{id,title,phase,manual,state,attempts,duration_us,why,note}],
 *  "fleets":[{"step","attempt","command","hosts","groups","not_started",...}...]
 * (report/fleet.h),"timeline":[{"t","seq","kind","step","by","text","fleet"?}...],"notes":[...],"trigger","parent","findings":[...],"conclusion","children":[...],
 *  "checkpoint":text}. New reference. */
json_t *report_build(const json_t *view, const json_t *records, const char *checkpoint, report_blob_fn *blob, void *arg);

/* What one record of an execution says, as a line of its timeline; nothing for a kind that says nothing. */
void report_say(const json_t *record, report_blob_fn *blob, void *arg, struct buf *out);

/* The report as Markdown; everything that a person, host or author wrote is made inert. */
void report_markdown(const json_t *report, struct buf *out);

#endif
