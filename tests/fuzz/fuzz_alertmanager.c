/* Deliveries of Alertmanager: any bytes are read, or refused with a sentence; what is read keeps the limits and is decided, the same twice. */
#include "tests/fuzz/alert_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	const struct alerts_file *f =
	    alerts_of(a, "version: 1\nsources:\n  am: {kind: alertmanager, bearer: {secret: t}}\ndefaults: {as: bot}\nbindings:\n"
	                 "  - {id: a, playbook: a.md, match: {alertname: {regex: \"(.*)(a|b)+\"}}, parameters: {x: {label: job, regex: \"(.)*\"}}}\n");
	check_delivery(a, f, "am", data, n);
	arena_free(a);
	return 0;
}
