#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/lines.h"
#include "cli/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what would run ---- */

static void add_list(struct lines *l, const char *name, const json_t *list)
{
	size_t i;
	json_t *v;
	if (!json_array_size(list)) return;
	lines_printf(l, "%s:", name);
	json_array_foreach(list, i, v) lines_printf(l, "  %s", json_is_string(v) ? line_exact(l->arena, json_string_value(v)) : "?");
}

static void add_params(struct lines *l, const json_t *params)
{
	const char *name;
	json_t *v;
	if (!json_object_size(params)) return;
	lines_add(l, "Parameters:");
	json_object_foreach((json_t *)params, name, v)
	{
		char *text = json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY);
		lines_printf(l, "  %s = %s", line_exact(l->arena, name), line_exact(l->arena, text ? text : json_string_value(v)));
		free(text);
	}
}

static void add_given(struct lines *l, const json_t *shown)
{
	size_t i;
	json_t *v;
	lines_printf(l, "Waits for %s", line_exact(l->arena, json_str(shown, "from", "")));
	json_array_foreach(json_arr(shown, "given"), i, v) lines_printf(l, "  %s has agreed", line_exact(l->arena, json_str(v, "by", "")));
}

static void add_page(struct lines *l, const char *markdown)
{
	for (const char *at = markdown; *at;) {
		size_t n = strcspn(at, "\n");
		lines_printf(l, "  | %s", line_source(l->arena, arena_strndup(l->arena, at, n)));
		at += n + (at[n] != 0);
	}
}

static void show(FILE *to, const json_t *shown)
{
	struct arena *a = arena_new();
	struct lines l;
	lines_init(&l, a);
	lines_printf(&l, "%s: %s", line_exact(a, json_str(shown, "book", "")), line_safe(a, json_str(shown, "book_title", "")));
	lines_printf(&l, "Step %s, %s: %s", line_exact(a, json_str(shown, "step", "")), json_str(shown, "risk", ""),
	             line_safe(a, json_str(shown, "title", "")));
	if (json_str(shown, "prompt", NULL)) lines_printf(&l, "It asks: %s", line_exact(a, json_str(shown, "prompt", "")));
	add_page(&l, json_str(json_obj(shown, "view"), "markdown", ""));
	add_params(&l, json_obj(shown, "params"));
	add_list(&l, "Targets", json_arr(shown, "targets"));
	add_list(&l, "May call", json_arr(shown, "permissions"));
	add_list(&l, "Allowed by the driver", json_arr(shown, "allowed"));
	add_list(&l, "Driven by", json_arr(shown, "drivers"));
	add_given(&l, shown);
	lines_printf(&l, "Digest of all this: %s", json_str(shown, "binding", ""));
	for (size_t i = 0; i < l.count; i++) fprintf(to, "%s\n", l.line[i]);
	arena_free(a);
}

/* ---- the answer ---- */

struct answering {
	struct use *u;
	const json_t *shown;
	bool is_refusal;
	const char *reason, *binding;
	json_int_t targets; /* typed; -1: not asked for */
};

static bool needs_number(const json_t *shown)
{
	return strcmp(json_str(shown, "risk", ""), "destructive") == 0 && json_is_array(json_object_get(shown, "targets"));
}

static enum err ask_reason(struct answering *w, struct error *e)
{
	if (w->reason) return ERR_OK;
	char *text = use_ask(w->is_refusal ? "Why not? " : "Why is it right to do this now? ");
	if (text && *text) w->reason = arena_strdup(w->u->arena, text);
	free(text);
	return w->reason ? ERR_OK : error_set(e, ERR_USAGE, "a reason is needed: it goes into the record. Nothing was changed");
}

/* On a terminal: the number of targets, where it destroys; else a plain yes. */
static enum err ask_person(struct answering *w, struct error *e)
{
	enum err err = ask_reason(w, e);
	if (err || w->is_refusal) return err;
	bool is_number = needs_number(w->shown);
	char *text = use_ask(is_number ? "It destroys. Type the number of targets to approve: " : "Approve? (yes) ");
	if (!text) return error_set(e, ERR_INTERRUPTED, "no answer: nothing was changed");
	w->targets = is_number ? (json_int_t)strtoll(text, NULL, 10) : -1;
	bool agrees = is_number ? w->targets == (json_int_t)json_array_size(json_arr(w->shown, "targets")) : strcmp(text, "yes") == 0;
	free(text);
	return agrees ? ERR_OK
	              : error_set(e, ERR_INTERRUPTED, is_number ? "that is not their number: nothing was changed" : "not approved: nothing was changed");
}

/* A script says what it looked at. */
static enum err take_options(struct answering *w, const struct invocation *in, struct error *e)
{
	const char *targets = given_value(in, "targets");
	w->targets = targets ? (json_int_t)strtoll(targets, NULL, 10) : -1;
	if (!w->reason) return error_set(e, ERR_USAGE, "say why: --reason TEXT");
	if (!w->is_refusal && !given_value(in, "binding"))
		return error_set(e, ERR_USAGE,
		                 "without a terminal say what you looked at: --binding DIGEST, as `rung approve EXECUTION STEP --show` prints it");
	return ERR_OK;
}

static int answer(struct answering *w, const char *id, struct error *e)
{
	struct answer a = {0};
	json_t *args = json_pack("{s:s,s:s,s:s,s:s}", "execution", id, "step", json_str(w->shown, "step", ""), "reason", w->reason, "binding", w->binding);
	if (!args) return error_set(e, ERR_INVALID, "the reason is not UTF-8"), fail(e, w->u->json);
	if (w->targets >= 0) json_object_set_new(args, "targets", json_integer(w->targets));
	if (client_request(w->u->client, w->is_refusal ? "refuse" : "approve", args, &a, e)) return fail(e, w->u->json);
	json_int_t missing = json_int(a.value, "missing", 0);
	json_t *v = json_pack("{s:s,s:s,s:b,s:I}", "execution", id, "step", json_str(w->shown, "step", ""), "approved", !w->is_refusal, "missing", missing);
	if (w->u->json)
		print_json(v);
	else if (w->is_refusal)
		printf("refused: the step is denied\n");
	else if (missing)
		printf("approved; %lld more must agree\n", (long long)missing);
	else
		printf("approved: the step begins\n");
	json_decref(v);
	answer_clear(&a);
	return 0;
}

static int approve(struct use *u, const struct invocation *in, const char *id, struct error *e)
{
	struct answer shown = {0};
	bool has_person = use_has_person() && !u->json;
	if (client_request(u->client, "approval.show", json_pack("{s:s,s:s?}", "execution", id, "step", in->arg_count > 1 ? in->args[1] : NULL), &shown, e))
		return fail(e, u->json);
	struct answering w = {
	    .u = u, .shown = shown.value, .is_refusal = given(in, "refuse"), .reason = given_value(in, "reason"), .binding = given_value(in, "binding")};
	if (!w.binding) w.binding = json_str(shown.value, "binding", "");
	int status = 0;
	if (given(in, "show") && u->json)
		print_json(shown.value);
	else if (given(in, "show") || has_person)
		show(given(in, "show") ? stdout : stderr, shown.value);
	if (!given(in, "show")) status = (has_person ? ask_person(&w, e) : take_options(&w, in, e)) ? fail(e, u->json) : answer(&w, id, e);
	answer_clear(&shown);
	return status;
}

static int run(const struct invocation *in)
{
	return use_one(in, in->arg_count ? in->args[0] : NULL, approve);
}

static const struct option options[] = {
    {"reason", "TEXT", false, "why, for the record"},
    {"refuse", NULL, false, "do not agree: the step is denied"},
    {"show", NULL, false, "only show what would run"},
    {"binding", "DIGEST", false, "without a terminal: what --show printed; anything else is refused"},
    {"targets", "N", false, "without a terminal, of a destructive step: how many targets it has"},
    OPTION_STATE,
    {NULL, NULL, false, NULL},
};

const struct command command_approve = {
    .name = "approve",
    .arguments = "[EXECUTION [STEP]]",
    .most = 2,
    .options = options,
    .help = "agrees to a step that waits for others, or refuses it",
    .longer = "Shows exactly what would run before it takes the answer: the step, its parameters, its targets and what it may call. The answer\n"
              "counts for that and nothing else: when anything of it changes, or after a time that the policy says, it is asked for again.\n"
              "Who started or drove the execution, or wrote the book, approves nothing of it; nobody counts twice.",
    .run = run,
};
