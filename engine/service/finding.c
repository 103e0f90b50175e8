#include "service/finding.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "book/book_names.h"
#include "service/attempt.h"
#include "service/call.h"
#include "service/children.h"

#include <stdlib.h>
#include <string.h>

static bool is_finding(const struct call *c)
{
	return strcmp(c->module, "evidence") == 0 || strcmp(c->module, "cause") == 0;
}

/* ---- what was found ---- */

static json_t *read_finding(struct execution *x, const struct call *c)
{
	json_t *form = call_arguments(x, c), *a = json_obj(form, "arguments");
	json_t *o = json_pack("{s:s,s:s,s:i,s:i,s:I}", "kind", c->module, "step", x->book->steps[c->step].id, "attempt", (int)c->attempt, "call",
	                      (int)c->number, "t_us", (json_int_t)c->finished_us);
	if (strcmp(c->module, "evidence") == 0) {
		json_object_set(o, "name", json_object_get(a, "name"));
		json_object_set(o, "data", json_object_get(a, "data") ? json_object_get(a, "data") : json_null());
	} else {
		const char *id = json_str(a, "id", "?");
		const struct book_cause *row = book_cause_get(x->book, id);
		json_object_set_new(o, "cause", json_string(id));
		json_object_set_new(o, "text", json_text(row ? row->text : NULL));
		json_object_set(o, "evidence", json_object_get(a, "evidence") ? json_object_get(a, "evidence") : json_null());
		json_object_set_new(o, "parameters", json_obj(a, "parameters") ? json_incref(json_obj(a, "parameters")) : json_object());
		json_object_set_new(o, "certainty", json_integer(json_int(a, "certainty", 100)));
	}
	json_decref(form);
	return o;
}

static int by_time(const void *a, const void *b)
{
	const struct call *x = *(const struct call *const *)a, *y = *(const struct call *const *)b;
	if (x->finished_us != y->finished_us) return x->finished_us < y->finished_us ? -1 : 1;
	if (x->step != y->step) return x->step < y->step ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* Of a step that begins again, what it found before is no finding any more. */
static bool counts(const struct execution *x, const struct call *c)
{
	const struct flow_step *s = &x->flow->steps[c->step];
	bool is_begun = s->is_in_attempt || flow_is_over(s->state) || s->state == STEP_UNKNOWN;
	return is_finding(c) && c->state == CALL_FINISHED && strcmp(c->outcome, "ok") == 0 && c->attempt == s->attempt && is_begun;
}

const json_t *findings_of(struct execution *x)
{
	if (x->findings) return x->findings;
	struct call *found[FINDINGS_MAX];
	size_t n = 0;
	for (size_t i = 0; i < x->graph->count; i++)
		for (size_t k = 0; k < x->steps[i].call_count && n < FINDINGS_MAX; k++)
			if (counts(x, x->steps[i].calls[k])) found[n++] = x->steps[i].calls[k];
	if (n) qsort(found, n, sizeof *found, by_time);
	x->findings = json_array();
	for (size_t i = 0; i < n; i++) json_array_append_new(x->findings, read_finding(x, found[i]));
	return x->findings;
}

void findings_fold(struct execution *x, size_t step, const struct record *r)
{
	const struct call *c = r->kind == RECORD_CALL_FINISHED ? execution_call(x, step, r->attempt, r->call) : NULL;
	if (!(c && is_finding(c)) && r->kind != RECORD_ATTEMPT_STARTED && r->kind != RECORD_STEP_RESET) return;
	json_decref(x->findings);
	x->findings = NULL;
}

static bool has_runbook(const struct execution *x, const json_t *finding)
{
	const struct book_cause *row = book_cause_get(x->book, json_str(finding, "cause", ""));
	return row && row->runbook;
}

const json_t *finding_cause(struct execution *x)
{
	const json_t *all = findings_of(x), *best = NULL, *f;
	size_t i;
	json_array_foreach(all, i, f)
	{
		if (strcmp(json_str(f, "kind", ""), "cause") != 0) continue;
		bool is_led = has_runbook(x, f), is_best_led = best && has_runbook(x, best);
		bool is_surer = !best || (is_led == is_best_led ? json_int(f, "certainty", 0) > json_int(best, "certainty", 0) : is_led);
		if (is_surer) best = f;
	}
	return best;
}

/* ---- the calls ---- */

static size_t count_findings(const struct execution *x)
{
	size_t n = 0;
	for (size_t i = 0; i < x->graph->count; i++)
		for (size_t k = 0; k < x->steps[i].call_count; k++) n += is_finding(x->steps[i].calls[k]);
	return n;
}

void finding_answer(struct execution *x, struct call *c)
{
	json_t *form = call_arguments(x, c);
	size_t bytes = json_dumpb(form, NULL, 0, JSON_COMPACT);
	const char *why = NULL;
	if (bytes > FINDING_BYTES_MAX) why = "what was found has more than 64 KiB: keep what shows it, and name where the rest is";
	/* All of them are in each view. */
	if (!why && bytes + json_dumpb(findings_of(x), NULL, 0, JSON_COMPACT) > FINDINGS_BYTES_MAX)
		why = "the findings of an execution may have 512 KiB together";
	if (count_findings(x) > FINDINGS_MAX) why = "an execution has at most 200 findings";
	if (why)
		call_finish(x, c, "failed", json_pack("{s:s}", "error", execution_blob_text(x, why)));
	else
		call_finish(x, c, "ok", json_object());
	json_decref(form);
}

/* "a.b.c" of the evidence; borrowed, or NULL. */
static json_t *field_of(const json_t *evidence, const char *path)
{
	char *copy = mem_strdup(path);
	const json_t *at = evidence;
	for (char *save = NULL, *key = strtok_r(copy, ".", &save); key && at; key = strtok_r(NULL, ".", &save)) {
		char *end;
		long i = strtol(key, &end, 10);
		at = json_is_array(at) && !*end && i > 0 ? json_array_get(at, (size_t)i - 1) : json_object_get(at, key);
	}
	free(copy);
	return (json_t *)at;
}

/* What the row gives its runbook, and over that what the step gave with the cause. Secrets by their names, apart. */
static void give_parameters(struct execution *x, const struct book_cause *row, const json_t *finding, json_t *plain, json_t *secrets)
{
	const char *name;
	json_t *v;
	for (size_t i = 0; i < row->param_count; i++) {
		const struct cause_param *p = &row->params[i];
		v = p->kind == CAUSE_PARAM      ? json_object_get(x->params, p->text)
		    : p->kind == CAUSE_EVIDENCE ? field_of(json_object_get(finding, "evidence"), p->text)
		                                : NULL;
		const char *secret = p->kind == CAUSE_PARAM ? json_str(v, "secret", NULL) : NULL;
		if (p->kind == CAUSE_LITERAL)
			json_object_set_new(plain, p->name, json_string(p->text));
		else if (secret)
			json_object_set_new(secrets, p->name, json_string(secret));
		else if (v && !json_is_null(v))
			json_object_set(plain, p->name, v);
	}
	json_object_foreach(json_obj(finding, "parameters"), name, v) if (!json_is_null(v)) json_object_set(plain, name, v);
}

static json_t *patterns_of(const struct book *b)
{
	json_t *list = json_array();
	for (size_t i = 0; i < b->permission_count && i < 20; i++) json_array_append_new(list, json_text(b->permissions[i].pattern));
	return list;
}

static json_t *lead(struct execution *x)
{
	const json_t *found = finding_cause(x);
	const struct book_cause *row = found ? book_cause_get(x->book, json_str(found, "cause", "")) : NULL;
	struct book *b = NULL;
	struct error e = {ERR_OK, ""};
	if (!found) return json_object();
	json_t *o = json_pack("{s:O,s:s}", "cause", json_object_get(found, "cause"), "mode", row ? cause_mode_word(row->mode) : "ask");
	const char *name = row ? book_cause_runbook(x->arena, x->book, row) : NULL;
	if (!name) {
		json_object_set_new(o, "why",
		                    json_string(row ? "the table of root causes names no runbook for it" : "the table of root causes has no row for it"));
	} else if (children_book(x->children, name, &b, &e)) {
		json_object_set_new(o, "why", json_text(e.text));
	} else {
		json_t *plain = json_object(), *secrets = json_object();
		give_parameters(x, row, found, plain, secrets);
		json_object_update_new(o, json_pack("{s:s,s:o,s:o,s:o,s:o}", "runbook", name, "title", json_text(b->title), "parameters", plain, "secrets",
		                                    secrets, "capabilities", patterns_of(b)));
	}
	book_free(b);
	return o;
}

void finding_lead(struct execution *x, struct call *c)
{
	json_t *o = lead(x);
	call_finish(x, c, "ok", json_pack("{s:s}", "answer", execution_blob_json(x, o)));
	json_decref(o);
}

/* ---- the end of a playbook ---- */

/* NULL where the table has no such cause: what is computed from a host's answer stays out of the record's own words. */
static const char *known_cause(const struct execution *x, const char *id)
{
	return id && book_cause_get(x->book, id) ? id : NULL;
}

static size_t count_causes(struct execution *x)
{
	const json_t *f;
	size_t i, n = 0;
	json_array_foreach(findings_of(x), i, f) n += strcmp(json_str(f, "kind", ""), "cause") == 0;
	return n;
}

void finding_conclude(struct execution *x, enum run_state state)
{
	size_t remedy = x->graph->count - 1;
	bool has_remedy = x->book->steps[remedy].is_implicit, is_remedy_bad = has_remedy && flow_is_bad(x->flow->steps[remedy].state);
	if (x->book->kind != BOOK_PLAYBOOK || x->conclusion || (state != RUN_SUCCEEDED && !is_remedy_bad)) return;
	const json_t *found = finding_cause(x);
	const json_t *result = has_remedy ? execution_result(x, remedy) : NULL;
	const char *outcome = !found ? "no_cause" : is_remedy_bad ? "failed" : "proposed";
	if (found && strcmp(json_str(result, "outcome", ""), "mended") == 0) outcome = "mended";
	const char *cause = known_cause(x, json_str(found, "cause", NULL));
	const struct book_cause *row = cause ? book_cause_get(x->book, cause) : NULL;
	const char *name = row ? book_cause_runbook(x->arena, x->book, row) : NULL;
	json_t *d = json_pack("{s:s,s:s*,s:s*,s:I}", "outcome", outcome, "cause", cause, "runbook", name, "count", (json_int_t)count_causes(x));
	/* The last child of that step is the one that was to mend it. */
	for (size_t k = 0; has_remedy && k < x->steps[remedy].call_count; k++)
		if (x->steps[remedy].calls[k]->child) json_object_set_new(d, "execution", json_string(x->steps[remedy].calls[k]->child));
	if (row) json_object_set_new(d, "within_us", json_integer(row->within_us ? row->within_us : CAUSE_WITHIN_US));
	failpoint(PLAYBOOK_CONCLUDE);
	struct error e;
	if (execution_emit(x, (struct emit){.kind = RECORD_PLAYBOOK_CONCLUDED, .step = SIZE_MAX, .data = d}, &e))
		log_line(LOG_ERROR, "execution %s: %s", x->id, e.text);
}
