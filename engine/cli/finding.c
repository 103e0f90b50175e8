#include "cli/finding.h"
#include "cli/print.h"

void print_finding(const char *path, const struct lint_finding *f)
{
	print_text(path);
	printf(":%d:%d: %s %s: ", f->line, f->column ? f->column : 1, lint_severity_word(f->severity), f->rule);
	print_text(f->text);
	if (f->mend && *f->mend) {
		printf("\n    ");
		print_text(f->mend);
	}
	printf("\n");
}

json_t *finding_json(const char *path, const struct lint_finding *f)
{
	return json_pack("{s:o,s:i,s:i,s:s,s:s,s:o,s:o}", "file", json_text(path), "line", f->line, "column", f->column, "severity",
	                 lint_severity_word(f->severity), "rule", f->rule, "text", json_text(f->text), "mend", json_text(f->mend));
}
