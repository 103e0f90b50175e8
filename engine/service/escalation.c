#include "service/escalation.h"
#include "base/log.h"

void escalation_raise(struct incident *inc, enum escalation_trigger trigger, const char *execution, const char *step, const char *reason)
{
	(void)execution, (void)step, (void)reason;
	log_line(LOG_WARN, "incident %s: somebody must look (%s)", inc->id, escalation_trigger_row(trigger)->name);
}

enum err escalation_fold(struct incident *inc, const struct record *r, struct error *e)
{
	(void)inc, (void)r, (void)e;
	return ERR_OK;
}

void escalation_woken(struct incident *inc)
{
	(void)inc;
}

void escalation_take_up(struct incident *inc)
{
	(void)inc;
}

void escalation_drop(struct incident *inc)
{
	(void)inc;
}
