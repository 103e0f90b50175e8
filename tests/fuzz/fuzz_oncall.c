/* oncall.yaml: any bytes are read, or refused with a place; what is read gives ladders that can be climbed, and one of them is climbed to its end. */
#include "escalate/oncall.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_people(const struct oncall *o)
{
	for (size_t i = 0; i < o->person_count; i++) {
		const struct oncall_person *p = &o->people[i];
		must(oncall_person(o, p->name) == p && p->count > 0);
		for (size_t k = 0; k < p->count; k++) {
			const struct oncall_channel *c = &p->channels[k];
			must(c->kind == CHANNEL_COMMAND ? c->word_count > 0 : *c->address && !strpbrk(c->address, " \r\n"));
		}
	}
}

/* Nobody answers, and each level has its wait. */
static void climb(struct arena *a, const struct escalation_ladder *l)
{
	struct escalation *x = escalation_new(a);
	struct escalation_command c[ESCALATION_COMMANDS_MAX];
	struct escalation_event ev = {.kind = ESCALATION_RAISED, .trigger = RAISED_BY_HAND, .ladder = l};
	int64_t now_us = 1;
	size_t levels = 0, reached = 0;
	for (size_t i = 0; i < l->count; i++) levels += l->policies[i].count * l->policies[i].rounds;
	must(escalation_apply(x, &ev, NULL) == ERR_OK);
	while (x->state == ESCALATION_CLIMBING) {
		must(escalation_decide(x, now_us, c) > 0);
		ev = (struct escalation_event){
		    .kind = c[0].kind == ESCALATION_DO_REACH ? ESCALATION_LEVEL_REACHED : ESCALATION_WAS_EXHAUSTED, .at = c[0].at, .t_us = now_us};
		reached += c[0].kind == ESCALATION_DO_REACH;
		must(escalation_apply(x, &ev, NULL) == ERR_OK);
		now_us = x->timer.due_us;
	}
	must(reached == levels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *a = arena_new();
	const struct oncall *o;
	struct error e;
	int line = 0, column = 0;
	enum err err = oncall_read(a, "fuzz.yaml", (const char *)data, n, &o, &e);
	if (err) {
		must(err == ERR_TOO_BIG || (sscanf(e.text, "fuzz.yaml:%d:%d: ", &line, &column) == 2 && line > 0 && column > 0));
	} else {
		check_people(o);
		for (size_t i = 0; i < o->policy_count; i++) {
			const struct escalation_ladder *l = oncall_ladder(a, o, o->policies[i].name);
			must(l->count > 0 && strcmp(l->policies[0].name, o->policies[i].name) == 0 && escalation_ladder_check(l, &e) == ERR_OK);
			if (i < 4) climb(a, l);
			must(oncall_hold_us(o, o->policies[i].name, INT64_C(1797800400000000)) >= 0);
		}
	}
	arena_free(a);
	return 0;
}
