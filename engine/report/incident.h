#ifndef RUNG_REPORT_INCIDENT_H
#define RUNG_REPORT_INCIDENT_H

#include "report/report.h"

/* The report of an incident: what its alerts said, what was found and done, who was told and who answered, on one timeline; from the records alone.
 *
 * row         {"incident","title","state","priority","owner","escalation","assigned_to"}: how it stands now; members that nobody knows may be left out
 * executions  [{"execution","book","title","state","driver","parent","started_us","finished_us"}]
 * records     of the incident and of its executions, in the order of seq
 * checkpoint  the signed note that covers them
 *
 * {row's members, "origin","detected_us","opened_us","acknowledged_us","mitigated_us","resolved_us" (0: not), "acknowledged_by","resolved_by",
 *  "resolved_how":"person"|"alert"|"execution",
 * "alerts":[{"key","name","source","severity","state","labels","link","starts_us","first_us","changed_us","deliveries","outcome"}], "executions":[...,
 * "trigger","cause"], "findings":[{"kind":"cause"|"evidence","name","data","execution","step","t","by"}],
 *  "messages":[{"number","person","channel","attempt","t","result","error","level"}], "notes":[{"by","t","text"}],
 *  "timeline":[{"t","seq","kind","execution","step","by","is_repeat","text"}], "checkpoint"}. New reference. source: DESIGN.md 8 */
json_t *incident_report_build(const json_t *row, const json_t *executions, const json_t *records, const char *checkpoint, report_blob_fn *blob, void *arg);

/* The same as Markdown; everything that an alert, person, host or author wrote is made inert. */
void incident_report_markdown(const json_t *report, struct buf *out);

#endif
