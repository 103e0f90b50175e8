#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/unknown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESULT_DEPTH_MAX = 16, UNKNOWN_COLUMNS = 100 };

static const struct answer_row {
	const char *name, *means;
} answers[] = {
    {"again", "it did not happen, or may safely happen twice: only the unknown calls are made again, over the recorded answers"},
    {"failed", "it did not happen and shall not be tried: the step sees these calls fail and goes on from there"},
    {"done", "it did happen: the whole step counts as succeeded, and calls that it had not made are not made"},
};

static bool is_answer(const char *text)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		if (strcmp(answers[i].name, text) == 0) return true;
	return false;
}

/* The step named, or the only one whose call is unknown. */
static enum err find_step(const json_t *view, const char *name, const json_t **out, struct error *e)
{
	size_t i, n = 0;
	json_t *step;
	*out = view_step(view, name);
	if (name) return *out ? ERR_OK : error_set(e, ERR_NOT_FOUND, "the execution has no step \"%s\"", name);
	json_array_foreach(json_arr(view, "steps"), i, step) if (strcmp(json_str(step, "waiting", ""), "resolve") == 0) *out = step, n++;
	if (n == 1) return ERR_OK;
	if (n > 1) return error_set(e, ERR_USAGE, "%zu steps have calls whose outcome is unknown: name one (rung log EXECUTION shows them)", n);
	return error_set(e, ERR_CONFLICT, "no call of this execution has an unknown outcome: there is nothing to resolve");
}

static void print_unknown(const json_t *step)
{
	struct arena *a = arena_new();
	struct lines lines;
	lines_init(&lines, a);
	unknown_lines(&lines, step, UNKNOWN_COLUMNS);
	fprintf(stderr, "Step %s: %s\nSent, but nobody saw what became of it:\n", line_exact(a, json_str(step, "id", "")),
	        line_safe(a, json_str(step, "title", "")));
	for (size_t i = 0; i < lines.count; i++) fprintf(stderr, "%s\n", lines.line[i]);
	arena_free(a);
	fprintf(stderr, "Look at the target first. Then answer:\n");
	for (size_t k = 0; k < sizeof answers / sizeof *answers; k++) {
		char left[16];
		snprintf(left, sizeof left, "  %-7s ", answers[k].name);
		print_wrapped(stderr, left, answers[k].means);
	}
}

/* What the options did not say: asked on a terminal, else an error that shows the unknown calls. */
static enum err complete(struct use *u, const json_t *step, const char **answer, const char **reason, struct error *e)
{
	bool has_person = use_has_person() && !u->json;
	if (!*answer) print_unknown(step);
	if (!has_person && (!*answer || !*reason)) return error_set(e, ERR_USAGE, "say what became of it: --answer again|failed|done --reason TEXT");
	while (!*answer) {
		char *text = use_ask("again, failed or done: ");
		if (!text) return error_set(e, ERR_INTERRUPTED, "no answer: nothing was changed");
		if (is_answer(text)) *answer = arena_strdup(u->arena, text);
		free(text);
	}
	if (!*reason) {
		char *text = use_ask("How do you know? ");
		if (!text || !*text) {
			free(text);
			return error_set(e, ERR_USAGE, "a reason is needed: it goes into the record");
		}
		*reason = arena_strdup(u->arena, text);
		free(text);
	}
	return ERR_OK;
}

static enum err add_options(const struct invocation *in, json_t *args, struct error *e)
{
	const char *call = given_value(in, "call"), *result = given_value(in, "result");
	char *end = NULL;
	json_object_set_new(args, "call", json_null());
	if (call) {
		long long n = strtoll(call, &end, 10);
		if (!*call || *end || n < 1) return error_set(e, ERR_USAGE, "--call %s: the number of a call was expected", call);
		json_object_set_new(args, "call", json_integer(n));
	}
	if (!result) return ERR_OK;
	json_t *value = json_parse(result, strlen(result), RESULT_DEPTH_MAX, e);
	if (!value) return error_context(e, "--result");
	json_object_set_new(args, "result", value);
	return ERR_OK;
}

static int resolve(struct use *u, const struct invocation *in, const char *id, struct error *e)
{
	json_t *view;
	const json_t *step;
	const char *answer = given_value(in, "answer"), *reason = given_value(in, "reason");
	if (answer && !is_answer(answer)) return error_set(e, ERR_USAGE, "--answer %s: again, failed or done was expected", answer), fail(e, u->json);
	if (use_make_live(u, id, e) || use_view(u, id, &view, e)) return fail(e, u->json);
	enum err err = find_step(view, in->arg_count > 1 ? in->args[1] : NULL, &step, e);
	if (!err) err = complete(u, step, &answer, &reason, e);
	json_t *args = err ? NULL : json_pack("{s:s,s:s,s:s,s:s}", "execution", id, "step", json_str(step, "id", ""), "answer", answer, "reason", reason);
	if (!err && !args) err = error_set(e, ERR_INVALID, "the reason is not UTF-8");
	if (!err) err = add_options(in, args, e);
	if (!err) err = use_request(u, "resolve", json_incref(args), e);
	json_decref(args);
	json_decref(view);
	if (err) return fail(e, u->json);
	json_t *v = json_pack("{s:s,s:s}", "execution", id, "answer", answer);
	if (u->json)
		print_json(v);
	else
		printf("recorded: %s; `rung attach %s` goes on\n", answer, id);
	json_decref(v);
	return 0;
}

static int run(const struct invocation *in)
{
	struct use u;
	struct error e = {0};
	const char *id;
	if (use_open(in, false, &u, &e)) return fail(&e, given(in, "json"));
	int status = use_execution(&u, in->arg_count ? in->args[0] : NULL, &id, &e) ? fail(&e, u.json) : resolve(&u, in, id, &e);
	use_close(&u);
	return status;
}

static const struct option options[] = {
    {"answer", "WORD", false, "again, failed or done"},
    {"reason", "TEXT", false, "how you know, for the record"},
    {"call", "N", false, "one call; without it all unknown calls of the step"},
    {"result", "JSON", false, "with done: what the step is to have returned"},
    OPTION_STATE,
    {NULL, NULL, false, NULL},
};

const struct command command_resolve = {
    .name = "resolve",
    .arguments = "[EXECUTION [STEP]]",
    .most = 2,
    .options = options,
    .help = "says what became of a call whose outcome nobody saw",
    .longer = "A call that was in flight when the engine ended is unknown: never \"failed\", never repeated by itself.\n"
              "  again   it did not happen, or may safely happen twice: only the unknown calls are made again\n"
              "  failed  it did not happen and shall not be tried: the step sees these calls fail\n"
              "  done    it did happen: the whole step counts as succeeded\n"
              "Without --answer, on a terminal, it shows what was sent and asks.",
    .run = run,
};
