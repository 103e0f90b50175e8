#include "service/receipt.h"
#include "base/clock.h"
#include "base/json.h"
#include "sandbox/holders.h"
#include "service/call.h"
#include "service/engine_state.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORGET_DESCRIPTORS = 8 };

#define DAY_US (INT64_C(86400) * 1000000)

static char *key_of(const struct execution *x, size_t step, uint32_t attempt, uint32_t number, uint32_t tries)
{
	const char *id = x->book->steps[step].id;
	return tries ? mem_printf("%s.%u.%u.%u", id, attempt, number, tries) : mem_printf("%s.%u.%u", id, attempt, number);
}

/* Where the receipt of a call is kept, as the record says it: another user for commands cannot enter the state directory; a command on another host has it
 * there. In the arena. */
static const char *place(struct arena *a, struct execution *x, size_t step, const struct callable *what, const json_t *arguments)
{
	const struct sandbox_user *user = x->engine->commands_as;
	struct call_site site;
	if (what && what->place) {
		call_site_make(x, step, &site);
		return what->place(a, arguments, &site);
	}
	return user ? arena_printf(a, "receipts:home:%d", (int)user->uid) : "receipts:state";
}

static bool is_remote(const struct call *c)
{
	const struct module *module;
	const struct callable *what = callable_find(c->module, c->function, &module);
	return what && what->place;
}

void receipt_record(struct execution *x, const struct callable *what, const json_t *arguments, enum step_effect effect, size_t step, uint32_t attempt,
                    uint32_t number, json_t *data)
{
	if (effect != EFFECT_KEYED && effect != EFFECT_RECEIPT) return;
	const struct call *c = execution_call(x, step, attempt, number);
	/* To the target a keyed call is the same one, even where a person has it made again. */
	char *name = key_of(x, step, attempt, number, c && effect == EFFECT_RECEIPT ? c->again : 0), *key = mem_printf("%s.%s", x->id, name);
	json_object_set_new(data, "key", json_string(key));
	if (effect == EFFECT_RECEIPT) {
		struct arena *a = arena_new();
		json_object_set_new(data, "target", json_string(place(a, x, step, what, arguments)));
		arena_free(a);
	}
	free(key);
	free(name);
}

void receipt_provide(struct execution *x, const struct call *c, json_t *head)
{
	if (c->effect != EFFECT_RECEIPT) return;
	char *name = key_of(x, c->step, c->attempt, c->number, c->again);
	char *folder = x->engine->commands_as || is_remote(c) ? NULL : mem_printf("%s/receipts", x->engine->state_dir);
	json_object_set_new(head, "receipt", json_pack("{s:b,s:s*,s:s,s:s}", "is_repeat", c->intents > 1, "folder", folder, "execution", x->id, "name", name));
	free(folder);
	free(name);
}

/* Would it be looked for where it was left? */
static bool is_in_place(struct execution *x, const struct call *c)
{
	const struct module *module;
	const struct callable *what = callable_find(c->module, c->function, &module);
	json_t *form = call_arguments(x, c);
	struct arena *a = arena_new();
	bool is = c->place && strcmp(c->place, place(a, x, c->step, what, json_obj(form, "arguments"))) == 0;
	arena_free(a);
	json_decref(form);
	return is;
}

bool receipt_can_be_asked(struct execution *x, const struct call *c)
{
	if (c->effect != EFFECT_RECEIPT) return true;
	int64_t age_us = clock_now_us() - c->intended_us;
	return age_us >= -DAY_US && age_us < RECEIPT_DAYS * DAY_US && is_in_place(x, c);
}

/* Where it is kept, for people: another user's home is written as a shell would. */
static char *path_of(const struct execution *x, const struct call *c)
{
	const struct sandbox_user *user = x->engine->commands_as;
	char *name = key_of(x, c->step, c->attempt, c->number, c->again), *path;
	if (is_remote(c))
		path = mem_printf("~/.local/state/rung/receipts/%s/%s on the host", x->id, name);
	else if (user)
		path = mem_printf("~%s/.local/state/rung/receipts/%s/%s", user->name, x->id, name);
	else
		path = mem_printf("%s/receipts/%s/%s", x->engine->state_dir, x->id, name);
	free(name);
	return path;
}

static bool read_line(const char *folder, const char *name, char *out, size_t n, struct stat *st)
{
	char *path = mem_printf("%s/%s", folder, name);
	FILE *f = fopen(path, "re");
	bool found = f && fstat(fileno(f), st) == 0 && fgets(out, (int)n, f);
	if (f) fclose(f);
	free(path);
	return found;
}

/* "PID START BOOT" of a process that still is that one; 0: it has gone. */
static int runs(const char *folder, const char *name)
{
	char line[160], boot[64], is[64] = "-";
	unsigned long long start;
	struct stat st;
	int pid;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (f && fscanf(f, "%63s", is) != 1) is[0] = 0;
	if (f) fclose(f);
	if (!read_line(folder, name, line, sizeof line, &st) || sscanf(line, "%d %llu %63s", &pid, &start, boot) != 3) return 0;
	return strcmp(boot, is) == 0 && start && holders_start_of(pid) == start ? pid : 0;
}

void receipt_look(struct execution *x, const struct call *c, struct receipt_look *out)
{
	char line[80];
	struct stat st;
	*out = (struct receipt_look){.word = RECEIPT_IS_ELSEWHERE, .path = path_of(x, c)};
	if (!receipt_can_be_asked(x, c) || x->engine->commands_as || is_remote(c)) return;
	if (read_line(out->path, "finish", line, sizeof line, &st) && sscanf(line, "%d", &out->status) == 1) {
		out->word = RECEIPT_FINISHED;
		out->t_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
		return;
	}
	char *claim = mem_printf("%s/claim", out->path);
	out->word = access(claim, F_OK) == 0 ? RECEIPT_LOST : errno == ENOENT ? RECEIPT_NONE : RECEIPT_IS_ELSEWHERE;
	out->pid = runs(claim, "runs");
	if (!out->pid) out->pid = runs(claim, "who");
	if (out->word == RECEIPT_LOST && out->pid) out->word = RECEIPT_RUNS;
	free(claim);
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
