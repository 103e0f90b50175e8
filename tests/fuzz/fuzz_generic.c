/* Any JSON, with pointers and with the usual places: read, or refused with a sentence; what is read keeps the limits. */
#include "tests/fuzz/alert_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	const struct alerts_file *f =
	    alerts_of(a, "version: 1\nsources:\n  plain: {kind: generic, bearer: {secret: t}}\n  nested:\n    kind: generic\n    bearer: {secret: t}\n"
	                 "    alerts: /data/items\n    name: [/rule/title, /rule/name]\n    state: {at: /on, map: {\"false\": resolved}}\n"
	                 "    severity: {at: /level, default: info}\n    fingerprint: /key\n    labels: {a: /tags/0, all: \"\"}\n    annotations: /rule\n"
	                 "    starts: /at\n    runbook: /rule/a~1b\n");
	check_delivery(a, f, "plain", data, n);
	check_delivery(a, f, "nested", data, n);
	arena_free(a);
	return 0;
}
