#ifndef RUNG_CLI_FINDING_H
#define RUNG_CLI_FINDING_H

#include "base/json.h"
#include "book/lint.h"

/* What lint finds, as every command shows it: "file:line:column: severity rule: text", the mend below it. */
void print_finding(const char *path, const struct lint_finding *f);

/* The same as {"file","line","column","severity","rule","text","mend"}. New reference. */
json_t *finding_json(const char *path, const struct lint_finding *f);

#endif
