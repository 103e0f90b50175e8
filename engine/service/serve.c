#include "service/serve.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "service/config.h"
#include "service/engine_state.h"

enum { DRAIN_LOOK_MS = 50 };

/* Answers to requests hold the end up for so long: a sender that is in the middle of one must not hold it longer. */
#define DRAIN_ANSWERS_US INT64_C(5000000)

/* ---- the watchdog ---- */

/* In the loop, so that a loop that stands still is one that says nothing. */
static void alive(uv_timer_t *t)
{
	(void)t;
	notify_say("WATCHDOG=1");
}

void serve_ready(struct engine *en)
{
	int64_t every_us = notify_watchdog_us();
	notify_say("READY=1\nSTATUS=running");
	if (!every_us) return;
	uint64_t ms = every_us >= 4000 ? (uint64_t)every_us / 2000 : 2;
	uv_timer_init(&en->loop, &en->watchdog);
	uv_timer_start(&en->watchdog, alive, ms, ms);
}

/* ---- the end ---- */

static bool is_running(const struct engine *en)
{
	for (const struct execution *x = en->executions; x; x = x->next)
		if (x->flow->state == RUN_RUNNING || x->commits) return true;
	return false;
}

static void look(uv_timer_t *t)
{
	struct engine *en = t->data;
	int64_t since_us = clock_monotonic_us() - en->drain.since_us;
	bool runs = is_running(en) && since_us < en->config->drain_us;
	bool answers = en->part->is_busy(en) && since_us < DRAIN_ANSWERS_US;
	if (!runs && !answers) engine_end(en, 0);
}

void serve_end(struct engine *en)
{
	if (en->drain.is_begun) {
		log_line(LOG_WARN, "told to end again: what runs is left as it is");
		engine_end(en, 0);
		return;
	}
	log_line(LOG_INFO, "ending: nothing new begins, what runs has %lld s", (long long)(en->config->drain_us / 1000000));
	notify_say("STOPPING=1\nSTATUS=ending: what runs may finish");
	en->drain.is_begun = true;
	en->drain.since_us = clock_monotonic_us();
	en->part->drain(en);
	uv_timer_init(&en->loop, &en->drain.timer);
	en->drain.timer.data = en;
	uv_timer_start(&en->drain.timer, look, 0, DRAIN_LOOK_MS);
}
