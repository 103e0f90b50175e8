#ifndef RUNG_REPORT_MARKDOWN_PARTS_H
#define RUNG_REPORT_MARKDOWN_PARTS_H

#include "base/buf.h"
#include "base/json.h"

/* What reports in Markdown are made of. Everything that a person, host or author wrote is made inert. */

/* A member of o, which may be a text or bytes that are none; nothing where it is not there. */
void markdown_member(struct buf *out, const json_t *o, const char *key, bool in_cell);
void markdown_cell(struct buf *out, const json_t *o, const char *key);

/* Rows of a table of two columns; none where there is nothing to say (0). */
void markdown_field(struct buf *out, const char *name, const char *value);
void markdown_time(struct buf *out, const char *name, json_int_t us);
void markdown_duration(struct buf *out, const char *name, json_int_t us);

/* The section with the signed checkpoint, in a fence that nothing in it can end. */
void markdown_proof(struct buf *out, const char *checkpoint);

#endif
