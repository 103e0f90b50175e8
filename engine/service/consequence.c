#include "service/consequence.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "policy/url.h"
#include "service/attempt.h"
#include "service/engine_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_SHOWN = 6, WORDS_SHOWN = 200 };

const char *call_host(struct execution *x, const struct call *c)
{
	json_t *form = call_arguments(x, c);
	const char *host = json_str(json_obj(form, "arguments"), "host", NULL), *url = json_str(json_obj(form, "arguments"), "url", NULL);
	struct arena *a = arena_new();
	struct url u;
	if (!host && url && url_parse(a, url, &u, NULL) == ERR_OK) host = u.host;
	if (host) host = arena_strdup(x->arena, host);
	arena_free(a);
	json_decref(form);
	return host;
}

static bool is_unknown(const struct execution *x, const struct call *c)
{
	return c->state == CALL_UNKNOWN && c->attempt == x->flow->steps[c->step].attempt && call_range_of(c->number) != CALLS_OF_TERMINAL;
}

bool selection_has(struct execution *x, const struct selection *s, const struct call *c)
{
	if (!is_unknown(x, c) || c->step != s->step || (s->call && c->number != s->call)) return false;
	const char *host = s->host ? call_host(x, c) : NULL;
	return !s->host || (host && strcmp(host, s->host) == 0);
}

__attribute__((format(printf, 2, 3))) static void add(json_t *lines, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	json_array_append_new(lines, json_text(text));
}

/* "a, b and 3 more" */
struct names {
	struct buf text;
	size_t count;
};

static void names_init(struct names *n)
{
	*n = (struct names){0};
	buf_init(&n->text, 8192);
}

static void names_add(struct names *n, const char *name)
{
	if (n->count++ < NAMES_SHOWN) buf_printf(&n->text, "%s%s", n->text.len ? ", " : "", name);
}

static const char *names_all(struct names *n)
{
	if (n->count > NAMES_SHOWN) buf_printf(&n->text, " and %zu more", n->count - NAMES_SHOWN);
	return n->text.len ? n->text.data : "";
}

static void names_add_number(struct names *n, uint32_t number)
{
	char text[16];
	snprintf(text, sizeof text, "%u", number);
	names_add(n, text);
}

/* Those that are unknown and not selected: nothing moves before they are answered too. False where there are none. */
static bool add_left(json_t *lines, struct execution *x, const struct selection *s)
{
	struct names left;
	names_init(&left);
	for (size_t i = 0; i < x->steps[s->step].call_count; i++) {
		const struct call *c = x->steps[s->step].calls[i];
		if (is_unknown(x, c) && !selection_has(x, s, c)) names_add_number(&left, c->number);
	}
	bool any = left.count;
	if (any)
		add(lines, "call%s %s stay%s unknown: nothing of the step is made before that is answered too", left.count > 1 ? "s" : "", names_all(&left),
		    left.count > 1 ? "" : "s");
	if (any && step_fence(&x->book->steps[s->step], FENCE_VERIFY))
		add(lines, "its verify is run once more meanwhile: where it holds, it settles the whole step");
	buf_clear(&left.text);
	return any;
}

static void add_taken_over(json_t *lines, const struct execution *x, size_t step)
{
	struct names kept;
	names_init(&kept);
	for (size_t i = 0; i < x->steps[step].call_count; i++) {
		const struct call *c = x->steps[step].calls[i];
		bool is_kept = c->state == CALL_FINISHED && c->attempt == x->flow->steps[step].attempt && call_range_of(c->number) == CALLS_OF_ACTION;
		if (is_kept) names_add_number(&kept, c->number);
	}
	if (kept.count)
		add(lines, "call%s %s %s an outcome and %s not made again: the recorded answer%s taken over", kept.count > 1 ? "s" : "", names_all(&kept),
		    kept.count > 1 ? "have" : "has", kept.count > 1 ? "are" : "is", kept.count > 1 ? "s are" : " is");
	buf_clear(&kept.text);
}

/* --- again ------------------------------------------------------------------------------------------------------------------------------ */

static const char *again_means(enum step_effect effect)
{
	switch (effect) {
	case EFFECT_KEYED:
		return "with the same key: a target that has done it does not do it again";
	case EFFECT_RECEIPT:
		return "under a new receipt: if it did happen, it happens twice";
	case EFFECT_READ:
	case EFFECT_IDEMPOTENT:
		return "which does no harm by what the book says";
	default:
		return "if it did happen, it happens twice";
	}
}

static void add_again(json_t *lines, struct execution *x, const struct selection *s)
{
	size_t n = 0, shown = 0;
	for (size_t i = 0; i < x->steps[s->step].call_count; i++) {
		struct call *c = x->steps[s->step].calls[i];
		if (!selection_has(x, s, c) || n++ >= NAMES_SHOWN) continue;
		const char *words = call_words(x, c);
		shown++;
		add(lines, "call %u is made once more; %s. The same is sent: %.*s", c->number, again_means(c->effect),
		    (int)text_cut(words, strlen(words), WORDS_SHOWN), words);
	}
	if (n > shown) add(lines, "and so are %zu more", n - shown);
	add_taken_over(lines, x, s->step);
	if (add_left(lines, x, s)) return;
	add(lines, "the step's code runs from its start over what is recorded, and goes on behind it; calls need the rights of %s, as ever", x->driver);
	/* Its time stands still while it waits for a person. */
	int64_t left_us = x->flow->steps[s->step].left_us;
	if (left_us) add(lines, "of the step's time %lld s are left then", (long long)((left_us + 999999) / 1000000));
}

/* --- what follows in the book --------------------------------------------------------------------------------------------------------------- */

static const char *step_id(const struct execution *x, size_t step)
{
	return x->book->steps[step].id;
}

/* Steps that become ready, or a person's turn, in after. */
static void add_next(json_t *lines, const struct execution *x, const struct flow *after, size_t step)
{
	struct names next;
	names_init(&next);
	for (size_t i = 0; i < x->graph->count; i++) {
		enum step_state was = x->flow->steps[i].state, is = after->steps[i].state;
		if (i != step && was == STEP_PENDING && (is == STEP_READY || is == STEP_WAITING)) names_add(&next, step_id(x, i));
	}
	const char *paused = after->is_paused ? ", once it is not paused any more" : "";
	if (next.count && after->mode == FLOW_GUIDED)
		add(lines, "then it is the turn of: %s%s", names_all(&next), paused);
	else if (next.count)
		add(lines, "then comes: %s%s", names_all(&next), paused);
	buf_clear(&next.text);
}

/* What flow would do by itself in after, as far as it is news to people. */
static void add_decided(json_t *lines, const struct execution *x, const struct flow *after, size_t step)
{
	size_t max = 2 * x->graph->count + 2;
	struct flow_command *commands = mem_zero(max * sizeof *commands);
	struct names skipped;
	names_init(&skipped);
	size_t n = flow_decide(after, clock_steady_us(), commands, max);
	for (size_t i = 0; i < n; i++) {
		const struct flow_command *c = &commands[i];
		if (c->kind == FLOW_DO_SKIP) names_add(&skipped, step_id(x, c->step));
		if (c->kind == FLOW_DO_RESET && c->by == step)
			add(lines, "then the book goes to %s: it starts again, with the steps that depend on it", step_id(x, c->step));
		if (c->kind == FLOW_DO_FINISH) add(lines, "then the execution ends: %s", run_state_name(c->run_state));
	}
	if (skipped.count) add(lines, "skipped: %s", names_all(&skipped));
	buf_clear(&skipped.text);
	free(commands);
}

static void add_not_run(json_t *lines, const struct execution *x, const struct flow *after)
{
	struct names left;
	names_init(&left);
	for (size_t i = 0; i < x->graph->count; i++) {
		enum step_state s = after->steps[i].state;
		if (s == STEP_PENDING || s == STEP_READY || (s == STEP_WAITING && !after->steps[i].is_in_attempt)) names_add(&left, step_id(x, i));
	}
	if (left.count) add(lines, "not run then: %s", names_all(&left));
	buf_clear(&left.text);
}

/* --- failed -------------------------------------------------------------------------------------------------------------------------------- */

/* The step's attempt has failed in after. */
static void add_after_failure(json_t *lines, const struct execution *x, const struct flow *after, size_t step)
{
	const struct flow_step *s = &after->steps[step];
	const struct book_step *b = &x->book->steps[step];
	if (s->state == STEP_READY) {
		add(lines, "else the step fails and is tried again by itself (%d of %d): all of its calls are made anew, those too that had succeeded",
		    s->retries_used, b->retry);
		return;
	}
	if (!s->is_decided) {
		add(lines, "else the step fails, and you are asked: again, done, skip, or stop here");
		return;
	}
	if (b->on_failure == ON_FAILURE_CONTINUE) {
		add(lines, "else the step fails, and the book goes on behind it");
		add_next(lines, x, after, step);
		add_decided(lines, x, after, step);
		return;
	}
	size_t before = json_array_size(lines);
	add(lines, "else the step fails");
	add_decided(lines, x, after, step);
	bool is_jump = b->on_failure == ON_FAILURE_GOTO && json_array_size(lines) > before + 1;
	if (json_array_size(lines) == before + 1) add(lines, "then nothing new starts, and the execution ends as failed when what runs has ended");
	if (!is_jump) add_not_run(lines, x, after);
}

static void add_failed(json_t *lines, struct execution *x, const struct selection *s)
{
	struct names told;
	struct flow *after = flow_copy(x->flow);
	struct error e;
	int64_t now_us = clock_steady_us();
	names_init(&told);
	for (size_t i = 0; i < x->steps[s->step].call_count; i++)
		if (selection_has(x, s, x->steps[s->step].calls[i])) names_add_number(&told, x->steps[s->step].calls[i]->number);
	add(lines, "nothing is sent: the step's code is told that call%s %s failed, with your reason", told.count > 1 ? "s" : "", names_all(&told));
	add_taken_over(lines, x, s->step);
	bool is_part = add_left(lines, x, s);
	for (size_t i = 0; i < told.count; i++)
		flow_apply(after, &(struct flow_event){.kind = FLOW_CALL_RESOLVED, .step = s->step, .t_us = now_us, .to = SIZE_MAX, .by = SIZE_MAX}, &e);
	struct flow_event end = {.kind = FLOW_ATTEMPT_FINISHED, .step = s->step, .t_us = now_us, .outcome = STEP_FAILED, .to = SIZE_MAX, .by = SIZE_MAX};
	if (!is_part) add(lines, "where the code catches that (pcall), it goes on and makes its next calls");
	if (!is_part && flow_apply(after, &end, &e) == ERR_OK) add_after_failure(lines, x, after, s->step);
	buf_clear(&told.text);
	flow_free(after);
}

/* --- done ---------------------------------------------------------------------------------------------------------------------------------- */

/* May the step's code ask for the result of step id? */
static bool reads_result(const struct book_step *b, const char *id)
{
	json_t *ids = json_object();
	bool reads = false;
	for (size_t i = 0; i < b->fence_count; i++) reads = reads || (b->fences[i].role != FENCE_SHOWN && !attempt_results_named(b->fences[i].source, ids));
	if (b->if_source) reads = !attempt_results_named(b->if_source, ids) || reads;
	if (b->targets_source) reads = !attempt_results_named(b->targets_source, ids) || reads;
	reads = reads || json_object_get(ids, id);
	json_decref(ids);
	return reads;
}

json_t *result_readers(const struct execution *x, size_t step)
{
	json_t *list = json_array();
	for (size_t i = 0; i < x->graph->count; i++)
		if (i != step && !flow_is_over(x->flow->steps[i].state) && reads_result(&x->book->steps[i], step_id(x, step)))
			json_array_append_new(list, json_string(step_id(x, i)));
	return list;
}

static void add_readers(json_t *lines, const struct execution *x, size_t step)
{
	struct names readers;
	json_t *all = result_readers(x, step), *id;
	size_t i;
	names_init(&readers);
	json_array_foreach(all, i, id) names_add(&readers, json_string_value(id));
	if (readers.count)
		add(lines, "its result is what you give, else it has none: steps.%s is read by %s", step_id(x, step), names_all(&readers));
	else
		add(lines, "its result is what you give, else it has none: no step to come reads it");
	buf_clear(&readers.text);
	json_decref(all);
}

static void add_done(json_t *lines, struct execution *x, const struct selection *s)
{
	struct flow *after = flow_copy(x->flow);
	struct error e;
	struct names others;
	names_init(&others);
	for (size_t i = 0; i < x->steps[s->step].call_count; i++) {
		const struct call *c = x->steps[s->step].calls[i];
		if (is_unknown(x, c) && !selection_has(x, s, c)) names_add_number(&others, c->number);
	}
	struct flow_event ev = {.kind = FLOW_SETTLED, .step = s->step, .t_us = clock_steady_us(), .outcome = STEP_SUCCEEDED, .to = SIZE_MAX, .by = SIZE_MAX};
	if (flow_apply(after, &ev, &e)) {
		add(lines, "not possible now: %s", e.text);
	} else {
		add(lines, "the whole step counts as succeeded: nothing more of it is made, nor what its code had not come to yet");
		if (others.count) add(lines, "that settles call%s %s too", others.count > 1 ? "s" : "", names_all(&others));
		add_readers(lines, x, s->step);
		if (step_fence(&x->book->steps[s->step], FENCE_VERIFY)) add(lines, "its verify is not asked any more: your word stands");
		add_next(lines, x, after, s->step);
		add_decided(lines, x, after, s->step);
	}
	buf_clear(&others.text);
	flow_free(after);
}

json_t *consequences_of(struct execution *x, const struct selection *s)
{
	json_t *again = json_array(), *failed = json_array(), *done = json_array();
	add_again(again, x, s);
	add_failed(failed, x, s);
	add_done(done, x, s);
	return json_pack("{s:o,s:o,s:o}", "again", again, "failed", failed, "done", done);
}
