#include "service/evidence.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"
#include "service/engine_state.h"
#include "service/leftover.h"
#include "service/receipt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROCESSES_SHOWN = 5, NAME_BYTES = 64 };

static void add(json_t *facts, const char *from, const char *settles, char *says)
{
	json_array_append_new(facts, json_pack("{s:s,s:o,s:s?}", "from", from, "says", json_text(says), "settles", settles));
	free(says);
}

static void tell_receipt(struct execution *x, struct call *c, json_t *facts)
{
	char when[CLOCK_RFC3339_BYTES];
	struct receipt_look look;
	receipt_look(x, c, &look);
	switch (look.word) {
	case RECEIPT_IS_ELSEWHERE:
		add(facts, "receipt", NULL,
		    mem_printf("its receipt cannot be seen from here; for 7 days it is kept in %s: claim/ is there once it began, finish once it ended",
		               look.path));
		break;
	case RECEIPT_NONE:
		add(facts, "receipt", "not_made", mem_printf("its receipt was never claimed: the command did not start"));
		break;
	case RECEIPT_RUNS:
		add(facts, "receipt", "begun", mem_printf("its receipt was claimed, and the command still runs: process %d", look.pid));
		break;
	case RECEIPT_LOST:
		add(facts, "receipt", "begun", mem_printf("its receipt was claimed: the command began. No end was written down, and it does not run any more"));
		break;
	case RECEIPT_FINISHED:
		clock_rfc3339(when, look.t_us);
		add(facts, "receipt", "ended", mem_printf("its receipt is finished: the command ended with exit status %d at %.19sZ", look.status, when));
		break;
	}
	free(look.path);
}

static void tell_key(struct execution *x, struct call *c, json_t *facts)
{
	(void)x;
	add(facts, "key", NULL,
	    mem_printf("it was sent with the key %s: a target that keeps keys can be asked what it did under that one", c->key ? c->key : "?"));
}

/* "123 (sleep)". Not its arguments: a shell may have put a secret there, which nobody has taken out. */
static void add_process(struct buf *out, pid_t pid)
{
	char path[64];
	struct buf name;
	buf_init(&name, NAME_BYTES);
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	fs_read(path, &name, NULL);
	buf_printf(out, "%s%d (", out->len ? ", " : "", (int)pid);
	if (name.data) text_visible(out, name.data, name.len - (name.len && name.data[name.len - 1] == '\n'), TEXT_KEEP_NOTHING);
	buf_str(out, ")");
	buf_clear(&name);
}

/* Of the execution: whose call started a process is not known. */
static void tell_processes(struct execution *x, struct call *c, json_t *facts)
{
	(void)c;
	pid_t pids[PROCESSES_SHOWN + 1];
	struct buf names;
	int n = leftover_list(x, pids, PROCESSES_SHOWN + 1);
	buf_init(&names, 8192);
	for (int i = 0; i < n && i < PROCESSES_SHOWN; i++) add_process(&names, pids[i]);
	if (n > PROCESSES_SHOWN) buf_str(&names, " and more");
	if (n < 0)
		add(facts, "processes", NULL, mem_printf("commands have another user here: whether something of it still runs cannot be seen"));
	else if (n == 0)
		add(facts, "processes", NULL, mem_printf("nothing that this execution started runs any more on this host"));
	else
		add(facts, "processes", NULL, mem_printf("of this execution these processes still run: %s", names.data));
	buf_clear(&names);
}

/* Who knows something of which calls. module NULL: of any; effect EFFECT_UNSET: of any. */
static const struct source {
	const char *module;
	enum step_effect effect;
	void (*tell)(struct execution *x, struct call *c, json_t *facts);
} sources[] = {
    {"sh", EFFECT_RECEIPT, tell_receipt},
    {NULL, EFFECT_KEYED, tell_key},
    {"sh", EFFECT_UNSET, tell_processes},
};

json_t *evidence_of(struct execution *x, struct call *c)
{
	json_t *facts = json_array();
	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		const struct source *s = &sources[i];
		if ((s->module && strcmp(s->module, c->module) != 0) || (s->effect != EFFECT_UNSET && s->effect != c->effect)) continue;
		s->tell(x, c, facts);
	}
	return facts;
}
