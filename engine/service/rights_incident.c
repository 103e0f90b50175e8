#include "base/clock.h"
#include "service/engine_state.h"
#include "service/escalation.h"
#include "service/rights.h"

#include <string.h>

/* Who may see an incident and respond to it. source: DESIGN.md 7, 8 */

enum err rights_respond(struct engine *en, const char *book, const char *who, struct error *e)
{
	const struct policy *p;
	enum policy_outcome outcome;
	enum err err = policy_file_now(engine_policy(en, en->root), &p, e);
	if (err) return err;
	if (!p && strcmp(who, en->principal) == 0) return ERR_OK;
	if (!p) return error_set(e, ERR_DENIED, "this is the engine of %s, and there is no policy that lets others in", en->principal);
	struct policy_request q = {.who = who, .verb = VERB_RESPOND, .book = book ? book : "incidents", .targets = POLICY_TARGETS_OF_NO_STEP};
	q.now_us = clock_now_us();
	struct arena *a = arena_new();
	err = rights_decide(p, &q, a, &outcome, e);
	arena_free(a);
	return err;
}

enum err rights_see_incident(const struct incident *inc, const char *who, struct error *e)
{
	return escalation_concerns(inc, who) ? ERR_OK : rights_respond(inc->engine, inc->book, who, e);
}
