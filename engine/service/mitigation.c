#include "service/mitigation.h"
#include "base/failpoint.h"
#include "service/escalation.h"

#include <string.h>

/* What the binding says that started it, or all of the time that there is. */
static int64_t within_of_binding(const struct execution *x)
{
	const struct incident *inc = incident_of_execution(x->engine, x->id);
	const struct incident_execution *run = inc ? incident_execution_find(inc->flow, x->id) : NULL;
	int64_t said_us = run && run->alert < inc->kept_count ? inc->kept[run->alert].within_us : 0;
	return said_us ? said_us : CAUSE_WITHIN_US;
}

int64_t mitigation_within(const struct execution *x)
{
	const struct book_cause *row = book_cause_get(x->book, json_str(x->conclusion, "cause", ""));
	if (x->flow->state != RUN_SUCCEEDED || x->parent.execution) return 0;
	if (x->book->kind == BOOK_PLAYBOOK && strcmp(json_str(x->conclusion, "outcome", ""), "mended") != 0) return 0;
	return row && row->within_us ? row->within_us : within_of_binding(x);
}

void mitigation_fold(struct incident *inc, const struct record *r)
{
	struct incident_mitigation *m = &inc->mitigation;
	const char *execution = json_str(r->data, "execution", NULL);
	int64_t within_us = json_int(r->data, "within_us", 0);
	bool is_told = r->kind == RECORD_ESCALATION_RAISED && m->is_awaited && execution && strcmp(execution, m->execution) == 0 &&
	               strcmp(json_str(r->data, "trigger", ""), escalation_trigger_row(RAISED_BY_NOT_RESOLVED)->name) == 0;
	if (is_told || r->kind == RECORD_INCIDENT_MITIGATED || r->kind == RECORD_INCIDENT_RESOLVED) m->is_awaited = false;
	if (r->kind != RECORD_EXECUTION_ENDED || !execution || within_us <= 0 || !inc->flow->firing) return;
	m->execution = arena_strdup(inc->arena, execution);
	m->until = clock_until_make(r->t_us, r->t_us + within_us, inc->is_emitting);
	m->is_awaited = true;
}

void mitigation_alerts_over(struct incident *inc)
{
	struct incident_mitigation *m = &inc->mitigation;
	if (!m->is_awaited || clock_has_passed(&m->until)) return;
	json_t *d = json_pack("{s:s,s:s}", "why", "alert", "execution", m->execution);
	incident_emit(inc, (struct incident_emit){.kind = RECORD_INCIDENT_MITIGATED, .data = d}, NULL);
}

static void tell(struct incident *inc)
{
	struct incident_mitigation *m = &inc->mitigation;
	int minutes = (int)((m->until.us - m->until.from_us) / 60000000);
	char why[160];
	snprintf(why, sizeof why, "the alert still fires %d min after execution %s was to have mended it", minutes, m->execution);
	failpoint(MITIGATION_LATE);
	m->is_awaited = false;
	escalation_raise(inc, RAISED_BY_NOT_RESOLVED, m->execution, NULL, why);
}

void mitigations_tick(struct engine *en)
{
	size_t at = 0;
	struct incident *inc, *late = NULL;
	if (!en->incidents) return;
	do {
		late = NULL;
		/* What is raised may open no other incident, but moves the table all the same. */
		for (at = 0; !late && (inc = incident_next(en, &at)) != NULL;)
			if (inc->mitigation.is_awaited && clock_has_passed(&inc->mitigation.until)) late = inc;
		if (late) tell(late);
	} while (late);
	incident_commit(en);
}

bool mitigations_are_busy(struct engine *en)
{
	size_t at = 0;
	struct incident *inc;
	while (en->incidents && (inc = incident_next(en, &at)) != NULL)
		if (inc->mitigation.is_awaited) return true;
	return false;
}
