#include "service/receipt.h"
#include "base/clock.h"
#include "base/json.h"
#include "service/engine_state.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORGET_DESCRIPTORS = 8 };

#define DAY_US (INT64_C(86400) * 1000000)

static char *key_of(const struct execution *x, size_t step, uint32_t attempt, uint32_t number, uint32_t tries)
{
	const char *id = x->book->steps[step].id;
	return tries ? mem_printf("%s.%u.%u.%u", id, attempt, number, tries) : mem_printf("%s.%u.%u", id, attempt, number);
}

/* Where receipts are kept, as the record says it: another user for commands cannot enter the state directory. */
static const char *place(const struct execution *x, char out[64])
{
	const struct sandbox_user *user = x->engine->commands_as;
	if (user)
		snprintf(out, 64, "receipts:home:%d", (int)user->uid);
	else
		snprintf(out, 64, "receipts:state");
	return out;
}

void receipt_record(struct execution *x, enum step_effect effect, size_t step, uint32_t attempt, uint32_t number, json_t *data)
{
	char where[64];
	if (effect != EFFECT_KEYED && effect != EFFECT_RECEIPT) return;
	const struct call *c = execution_call(x, step, attempt, number);
	/* To the target a keyed call is the same one, even where a person has it made again. */
	char *name = key_of(x, step, attempt, number, c && effect == EFFECT_RECEIPT ? c->again : 0), *key = mem_printf("%s.%s", x->id, name);
	json_object_set_new(data, "key", json_string(key));
	if (effect == EFFECT_RECEIPT) json_object_set_new(data, "target", json_string(place(x, where)));
	free(key);
	free(name);
}

void receipt_provide(struct execution *x, const struct call *c, json_t *head)
{
	if (c->effect != EFFECT_RECEIPT) return;
	char *name = key_of(x, c->step, c->attempt, c->number, c->again);
	char *folder = x->engine->commands_as ? NULL : mem_printf("%s/receipts", x->engine->state_dir);
	json_object_set_new(head, "receipt", json_pack("{s:b,s:s*,s:s,s:s}", "is_repeat", c->intents > 1, "folder", folder, "execution", x->id, "name", name));
	free(folder);
	free(name);
}

bool receipt_can_be_asked(const struct execution *x, const struct call *c)
{
	char where[64];
	if (c->effect != EFFECT_RECEIPT) return true;
	int64_t age_us = clock_now_us() - c->intended_us;
	return c->place && strcmp(c->place, place(x, where)) == 0 && age_us >= -DAY_US && age_us < RECEIPT_DAYS * DAY_US;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	remove(path); /* what stays is removed when it is old */
	return 0;
}

void receipt_forget(const struct execution *x)
{
	char *path = mem_printf("%s/receipts/%s", x->engine->state_dir, x->id);
	nftw(path, remove_one, FORGET_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
	free(path);
}
