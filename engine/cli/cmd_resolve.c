#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/unknown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* rung resolve: what is known of an unknown call, the step's verify, and a person's answer. On a terminal it asks; without one everything is in the options. */

enum { RESULT_DEPTH_MAX = 16, COLUMNS_LEAST = 40, COLUMNS_MOST = 120, PROOF_POLL_MS = 100, EXIT_ATTENTION = 5 };

/* What is wanted, as far as it is known. */
struct wish {
	const char *execution, *step;
	json_int_t call;  /* 0: all unknown ones */
	const char *host; /* NULL: of all hosts */
	bool verify;
	const struct unknown_answer *answer; /* NULL: not said yet */
	const char *reason;
	json_t *result; /* NULL: none */
};

static size_t columns(void)
{
	struct winsize size;
	size_t n = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 100;
	return n < COLUMNS_LEAST ? COLUMNS_LEAST : n > COLUMNS_MOST ? COLUMNS_MOST : n - 1;
}

static void put(const struct lines *l)
{
	for (size_t i = 0; i < l->count; i++) fprintf(stderr, "%s\n", l->line[i]);
}

/* The step named, or the only one whose call is unknown. */
static enum err find_step(struct use *u, const char *id, const char *name, const char **out, struct error *e)
{
	size_t i, n = 0;
	json_t *view, *step;
	enum err err = use_view(u, id, &view, e);
	if (err) return err;
	*out = NULL;
	if (name && view_step(view, name)) *out = name, n = 1;
	json_array_foreach(json_arr(view, "steps"), i, step)
	{
		bool is_open = strcmp(json_str(step, "state", ""), "unknown") == 0;
		if (!name && is_open) *out = arena_strdup(u->arena, json_str(step, "id", "")), n++;
	}
	json_decref(view);
	if (name && !*out) return error_set(e, ERR_NOT_FOUND, "the execution has no step \"%s\"", name);
	if (n > 1) return error_set(e, ERR_USAGE, "%zu steps have calls whose outcome is unknown: name one (rung log EXECUTION shows them)", n);
	return n ? ERR_OK : error_set(e, ERR_CONFLICT, "no call of this execution has an unknown outcome: there is nothing to resolve");
}

/* --- asking the engine ----------------------------------------------------------------------------------------------------------------- */

static json_t *args_of(const struct wish *w)
{
	json_t *args =
	    json_pack("{s:s,s:s,s:o,s:s*}", "execution", w->execution, "step", w->step, "call", w->call ? json_integer(w->call) : json_null(), "host", w->host);
	return args ? args : json_object();
}

static enum err show(struct use *u, const struct wish *w, json_t **out, struct error *e)
{
	struct answer a = {0};
	enum err err = client_request(u->client, "resolve.show", args_of(w), &a, e);
	*out = err ? NULL : json_incref(a.value);
	answer_clear(&a);
	return err;
}

/* The step as it stands: a new reference. */
static enum err look_at_step(struct use *u, const struct wish *w, json_t **out, struct error *e)
{
	json_t *view;
	enum err err = use_view(u, w->execution, &view, e);
	if (err) return err;
	*out = json_incref((json_t *)view_step(view, w->step));
	json_decref(view);
	return *out ? ERR_OK : error_set(e, ERR_NOT_FOUND, "the execution has no step \"%s\"", w->step);
}

/* Runs the step's verify and waits for its end. *step: as it stands then. */
static enum err prove(struct use *u, const struct wish *w, json_t **step, struct error *e)
{
	enum err err = use_request(u, "resolve.verify", args_of(w), e);
	*step = NULL;
	while (!err) {
		json_decref(*step);
		err = look_at_step(u, w, step, e);
		if (err || json_int(json_obj(*step, "proof"), "finished_us", 0)) break;
		nanosleep(&(struct timespec){.tv_nsec = PROOF_POLL_MS * 1000000L}, NULL);
	}
	return err;
}

static bool is_settled(const json_t *step)
{
	return strcmp(json_str(step, "state", ""), "unknown") != 0;
}

static enum err answer(struct use *u, const struct wish *w, const char *seen, json_int_t *count, struct error *e)
{
	struct answer got = {0};
	json_t *args = args_of(w), *more = json_pack("{s:s,s:s,s:s*}", "answer", w->answer->name, "reason", w->reason, "shown", seen);
	if (!more) {
		json_decref(args);
		return error_set(e, ERR_INVALID, "the reason is not UTF-8");
	}
	json_object_update(args, more);
	json_decref(more);
	if (w->result) json_object_set(args, "result", w->result);
	enum err err = client_request(u->client, "resolve", args, &got, e);
	*count = json_int(got.value, "resolved", 0);
	answer_clear(&got);
	return err;
}

/* --- asking the person ----------------------------------------------------------------------------------------------------------------- */

static void print_shown(struct use *u, const json_t *shown)
{
	struct lines l;
	json_int_t n = json_int(shown, "unknown", 0);
	lines_init(&l, u->arena);
	fprintf(stderr, "\nStep %s: %s\n", line_exact(u->arena, json_str(shown, "step", "")), line_safe(u->arena, json_str(shown, "title", "")));
	if (n == 1)
		fprintf(stderr, "One call was sent, and nobody saw what became of it:\n");
	else
		fprintf(stderr, "%lld calls were sent, and nobody saw what became of them:\n", (long long)n);
	unknown_lines(&l, shown, columns());
	lines_add(&l, "");
	unknown_proof_lines(&l, shown, columns());
	put(&l);
}

static void print_answers(struct use *u, const json_t *shown)
{
	struct lines l;
	lines_init(&l, u->arena);
	lines_add(&l, "");
	for (const struct unknown_answer *a = unknown_answers; a->name; a++) unknown_answer_lines(&l, shown, a->name, columns());
	put(&l);
}

static void print_choices(const json_t *shown, const struct wish *w)
{
	fprintf(stderr, "\nLook at the target. Then say what became of %s:\n",
	        json_int(shown, "selected", 0) == 1                               ? "it"
	        : json_int(shown, "selected", 0) == json_int(shown, "unknown", 0) ? "all of them"
	                                                                          : "these");
	for (const struct unknown_answer *a = unknown_answers; a->name; a++) fprintf(stderr, "  %c  %-7s %s\n", a->key, a->name, a->means);
	if (json_bool(shown, "can_verify", false)) fprintf(stderr, "  v  %-7s run the step's verify now: it only reads\n", "verify");
	if (json_int(shown, "unknown", 0) > 1) fprintf(stderr, "  N  %-7s a number: only that call%s\n", "", w->call ? "; 0: all of them" : "");
	fprintf(stderr, "  q  %-7s nothing is changed\n", "leave");
}

/* Runs the verify that a person asked for. True where it settled the step. */
static bool prove_aloud(struct use *u, const struct wish *w)
{
	struct error e = {0};
	json_t *step;
	fprintf(stderr, "The verify of %s runs ...\n", line_exact(u->arena, w->step));
	enum err err = prove(u, w, &step, &e);
	if (err)
		message("%s", e.text);
	else
		fprintf(stderr, "It %s\n", proof_words(u->arena, json_obj(step, "proof")));
	bool settled = !err && is_settled(step);
	json_decref(step);
	return settled;
}

enum spoken { SPOKE, SPOKE_AGAIN, SPOKE_SETTLED, SPOKE_LEFT };

/* One line of the menu. */
static enum spoken ask_what(struct use *u, const json_t *shown, struct wish *w)
{
	print_choices(shown, w);
	char *text = use_ask("a, f, d: what became of it? "), *end = NULL;
	if (!text || strcmp(text, "q") == 0) {
		free(text);
		return SPOKE_LEFT;
	}
	long long number = strtoll(text, &end, 10);
	bool is_number = *text && !*end && number >= 0;
	for (const struct unknown_answer *a = unknown_answers; a->name; a++)
		if (strcmp(text, a->name) == 0 || (text[0] == a->key && !text[1])) w->answer = a;
	bool wants_proof = strcmp(text, "v") == 0 || strcmp(text, "verify") == 0;
	free(text);
	if (is_number) w->call = number;
	if (wants_proof) return prove_aloud(u, w) ? SPOKE_SETTLED : SPOKE_AGAIN;
	return w->answer ? SPOKE : SPOKE_AGAIN;
}

static bool read_result(const char *text, json_t **out, struct error *e)
{
	*out = json_parse(text, strlen(text), RESULT_DEPTH_MAX, e);
	return *out != NULL;
}

/* For done, where a step to come reads it: the result. False where the person went back. */
static bool ask_result(const json_t *shown, struct wish *w)
{
	if (strcmp(w->answer->name, "done") != 0 || w->result || json_array_size(json_arr(shown, "readers")) == 0) return true;
	for (;;) {
		struct error e = {0};
		char *text = use_ask("The step's result as JSON (Enter alone: none): ");
		bool is_end = !text || !*text || read_result(text, &w->result, &e), has_left = !text;
		free(text);
		if (is_end) return !has_left;
		message("%s", e.text);
	}
}

/* What the answer brings, and why it is given: the reason is the consent, and Enter alone takes it back. */
static enum spoken ask_why(struct use *u, const json_t *shown, struct wish *w)
{
	struct lines l;
	lines_init(&l, u->arena);
	lines_add(&l, "");
	unknown_answer_lines(&l, shown, w->answer->name, columns());
	put(&l);
	if (!ask_result(shown, w)) return SPOKE_LEFT;
	if (w->reason) return SPOKE;
	fputs("\n", stderr);
	char *text = use_ask("How do you know? (goes into the record; Enter alone: back) ");
	if (text && *text) w->reason = arena_strdup(u->arena, text);
	enum spoken spoken = !text ? SPOKE_LEFT : *text ? SPOKE : SPOKE_AGAIN;
	free(text);
	return spoken;
}

static int say_answered(const struct use *u, const struct wish *w, json_int_t count)
{
	json_t *v = json_pack("{s:s,s:s,s:s}", "execution", w->execution, "step", w->step, "answer", w->answer->name);
	if (count) json_object_set_new(v, "resolved", json_integer(count));
	return use_say(u, v, "recorded: %s; `rung attach %s` goes on", w->answer->name, w->execution);
}

static int say_settled(const struct use *u, const struct wish *w)
{
	json_t *v = json_pack("{s:s,s:s,s:s}", "execution", w->execution, "step", w->step, "answer", "verify");
	return use_say(u, v, "the verify of %s held: the step is settled, and nothing is to be answered; `rung attach %s` goes on", w->step, w->execution);
}

/* With a person at the terminal, until an answer is recorded or they leave. What has changed since it was shown is shown again. */
static int converse(struct use *u, struct wish *w, struct error *e)
{
	bool is_given = w->answer, has_reason = w->reason, has_result = w->result;
	for (;;) {
		json_t *shown;
		json_int_t count = 0;
		if (show(u, w, &shown, e)) return fail(e, u->json);
		print_shown(u, shown);
		enum spoken spoken = w->answer ? SPOKE : ask_what(u, shown, w);
		if (spoken == SPOKE) spoken = ask_why(u, shown, w);
		enum err err = spoken == SPOKE ? answer(u, w, json_str(shown, "digest", ""), &count, e) : ERR_OK;
		json_decref(shown);
		if (spoken == SPOKE_LEFT) return error_set(e, ERR_INTERRUPTED, "no answer: nothing was changed"), fail(e, u->json);
		if (spoken == SPOKE_SETTLED) return say_settled(u, w);
		if (spoken == SPOKE && !err) return say_answered(u, w, count);
		if (err && err != ERR_CONFLICT) return fail(e, u->json);
		if (err) message("%s", e->text);
		if (!is_given) w->answer = NULL;
		if (!has_reason) w->reason = NULL;
		if (!has_result) json_decref(w->result), w->result = NULL;
	}
}

/* --- without a person -------------------------------------------------------------------------------------------------------------------- */

static int tell_only(struct use *u, const struct wish *w, struct error *e)
{
	json_t *shown;
	if (show(u, w, &shown, e)) return fail(e, u->json);
	if (u->json) {
		print_json(shown);
		json_decref(shown);
		return 0;
	}
	print_shown(u, shown);
	print_answers(u, shown);
	json_decref(shown);
	error_set(e, ERR_USAGE, "say what became of it: --again, --failed or --done, and --reason TEXT");
	return fail(e, false);
}

static int recite(struct use *u, struct wish *w, struct error *e)
{
	json_int_t count;
	if (w->verify) {
		json_t *step;
		if (prove(u, w, &step, e)) return json_decref(step), fail(e, u->json);
		bool settled = is_settled(step);
		json_t *proof = json_incref(json_obj(step, "proof"));
		json_decref(step);
		if (settled) return json_decref(proof), say_settled(u, w);
		if (!w->answer) {
			if (u->json)
				print_json(proof);
			else
				printf("the verify of %s %s\n", w->step, proof_words(u->arena, proof));
			return json_decref(proof), EXIT_ATTENTION;
		}
		json_decref(proof);
	}
	if (!w->answer) return tell_only(u, w, e);
	if (!w->reason) return error_set(e, ERR_USAGE, "--%s: say how you know: --reason TEXT", w->answer->name), fail(e, u->json);
	if (answer(u, w, NULL, &count, e)) return fail(e, u->json);
	return say_answered(u, w, count);
}

/* --- the command ----------------------------------------------------------------------------------------------------------------------- */

static enum err read_options(const struct invocation *in, struct wish *w, struct error *e)
{
	const char *call = given_value(in, "call"), *result = given_value(in, "result");
	char *end = NULL;
	w->reason = given_value(in, "reason");
	w->host = given_value(in, "host");
	w->verify = given(in, "verify");
	for (const struct unknown_answer *a = unknown_answers; a->name; a++) {
		if (!given(in, a->name)) continue;
		if (w->answer) return error_set(e, ERR_USAGE, "--%s and --%s: one of them", w->answer->name, a->name);
		w->answer = a;
	}
	if (call) {
		w->call = strtoll(call, &end, 10);
		if (!*call || *end || w->call < 1) return error_set(e, ERR_USAGE, "--call %s: the number of a call was expected", call);
	}
	if (w->reason && !*w->reason) return error_set(e, ERR_USAGE, "--reason: an empty reason says nothing");
	if (!result) return ERR_OK;
	if (w->answer && strcmp(w->answer->name, "done") != 0) return error_set(e, ERR_USAGE, "--result belongs to --done");
	return read_result(result, &w->result, e) ? ERR_OK : error_context(e, "--result");
}

static int resolve(struct use *u, const struct invocation *in, const char *id, struct error *e)
{
	struct wish w = {.execution = id};
	enum err err = read_options(in, &w, e);
	if (!err) err = use_make_live(u, id, e);
	if (!err) err = find_step(u, id, in->arg_count > 1 ? in->args[1] : NULL, &w.step, e);
	bool is_asked = use_has_person() && !u->json && (!w.answer || !w.reason) && !w.verify;
	int status = err ? fail(e, u->json) : is_asked ? converse(u, &w, e) : recite(u, &w, e);
	json_decref(w.result);
	return status;
}

static int run(const struct invocation *in)
{
	return use_one(in, in->arg_count ? in->args[0] : NULL, resolve);
}

static const struct option options[] = {
    {"again", NULL, false, "answer: it is made once more"},
    {"failed", NULL, false, "answer: the step sees it fail"},
    {"done", NULL, false, "answer: the whole step counts as succeeded"},
    {"reason", "TEXT", false, "how you know, for the record"},
    {"call", "N", false, "one call; without it all unknown calls of the step"},
    {"host", "NAME", false, "the unknown calls that were sent to that host"},
    {"result", "JSON", false, "with --done: what the step is to have returned"},
    {"verify", NULL, false, "run the step's verify first: where it holds, nothing is to be answered"},
    OPTION_STATE,
    {NULL, NULL, false, NULL},
};

const struct command command_resolve = {
    .name = "resolve",
    .arguments = "[EXECUTION [STEP]]",
    .most = 2,
    .options = options,
    .help = "says what became of a call whose outcome nobody saw",
    .longer = "A call that was in flight when the engine ended is unknown: never \"failed\", never repeated by itself. This shows what was sent and when, why\n"
              "nobody knows, what it had printed, what its target says, what the step's verify says, and what each answer would bring:\n"
              "  again   it did not happen, or may safely happen twice: only the unknown calls are made again, over the recorded answers\n"
              "  failed  it did not happen and shall not be tried: the step sees these calls fail and goes on from there\n"
              "  done    it did happen: the whole step counts as succeeded; calls that it had not made are not made\n"
              "On a terminal it asks, and nothing is recorded before you have said how you know. In a script say everything: --failed --reason TEXT.\n"
              "Without an answer it changes nothing: exit 2, with --json what is known and exit 0. --verify alone: 0 where it held, 5 where it did not.\n"
              "An answer to what somebody else has answered meanwhile is refused, exit 1. Who drives the execution may answer, and who may `resolve`.",
    .run = run,
};
