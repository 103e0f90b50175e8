#include "base/fs.h"
#include "book/book.h"
#include "book/graph.h"
#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "cli/rights_ask.h"
#include "cli/session.h"
#include "cli/tail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMS_BYTES_MAX = 1 << 20, PARAMS_DEPTH_MAX = 16 };

/* What stands on a command line is no secret any more. */
static enum err refuse_secrets(const struct invocation *in, const struct book *book, struct error *e)
{
	for (size_t i = 0; i < book->param_count; i++) {
		const struct book_param *p = &book->params[i];
		size_t n = strlen(p->name);
		for (size_t k = 0; k < in->option_count && p->type == PARAM_SECRET; k++) {
			const struct option_given *o = &in->options[k];
			if (strcmp(o->option->name, "param") == 0 && strncmp(o->value, p->name, n) == 0 && o->value[n] == '=')
				return error_set(
				    e, ERR_USAGE,
				    "the parameter %s is a secret: --param would show it to every user of this host. It is asked for on a terminal, or taken "
				    "from RUNG_SECRET_%s or --params FILE",
				    p->name, p->name);
		}
	}
	return ERR_OK;
}

/* Values from --params FILE, then from --param, which wins. */
static enum err read_params(const struct invocation *in, const struct book *book, json_t *out, struct error *e)
{
	const char *file = given_value(in, "params");
	if (file) {
		struct buf b;
		buf_init(&b, PARAMS_BYTES_MAX);
		enum err err = fs_read(file, &b, e);
		json_t *v = err ? NULL : json_parse(b.data ? b.data : "", b.len, PARAMS_DEPTH_MAX, e);
		if (!err && !v) err = error_context(e, "%s", file);
		if (v && !json_is_object(v)) err = error_set(e, ERR_INVALID, "%s: one JSON object of names and values was expected", file);
		if (!err) json_object_update(out, v);
		json_decref(v);
		buf_clear(&b);
		if (err) return err;
	}
	enum err err = refuse_secrets(in, book, e);
	return err ? err : given_params(in, out, e);
}

static enum err ask_secret(const struct book_param *p, bool may_ask, json_t *out, struct error *e)
{
	char *text = use_secret(p->name, p->description ? p->description : "", may_ask, e);
	if (!text) return e->kind;
	int bad = json_object_set_new(out, p->name, json_string(text));
	explicit_bzero(text, strlen(text));
	free(text);
	return bad ? error_set(e, ERR_INVALID, "the value of %s is not UTF-8", p->name) : ERR_OK;
}

static enum err ask_param(struct use *u, const struct book_param *p, json_t *out, struct error *e)
{
	const char *about = p->description ? p->description : "";
	char *name = tail_visible(p->name, strlen(p->name)), *safe = tail_visible(about, strlen(about));
	char *text = use_ask(arena_printf(u->arena, "%s (%s)%s%s: ", name, p->is_input ? "input" : param_type_word(p->type), *safe ? " - " : "", safe));
	free(name);
	free(safe);
	if (!text) return error_set(e, ERR_INTERRUPTED, "no value for the parameter %s: nothing was started", p->name);
	int bad = json_object_set_new(out, p->name, json_string(text));
	free(text);
	return bad ? error_set(e, ERR_INVALID, "the value of %s is not UTF-8", p->name) : ERR_OK;
}

/* Do commands of this book run without a person, who could be asked for their inputs when they are needed? */
static bool runs_commands(const struct book *b)
{
	for (size_t i = 0; i < b->step_count; i++)
		for (size_t k = 0; k < b->steps[i].fence_count; k++)
			if (b->steps[i].fences[k].is_run) return true;
	return false;
}

/* What the book needs and nobody gave: asked for on a terminal, else all named in one error. Inputs of commands that a person runs stay empty: they are
 * asked for in front of the command that needs them, which may never come. */
static enum err complete_params(struct use *u, const struct book *b, json_t *params, bool may_ask, struct error *e)
{
	const char *missing = "";
	enum err err = ERR_OK;
	bool inputs_can_wait = !runs_commands(b);
	for (size_t i = 0; i < b->param_count && !err; i++) {
		const struct book_param *p = &b->params[i];
		if (!p->is_required || json_object_get(params, p->name)) continue;
		if (p->type == PARAM_SECRET)
			err = ask_secret(p, may_ask, params, e);
		else if (p->is_input && inputs_can_wait)
			json_object_set_new(params, p->name, json_string(""));
		else if (may_ask)
			err = ask_param(u, p, params, e);
		else
			missing = arena_printf(u->arena, "%s%s%s (%s)", missing, *missing ? ", " : "", p->name, param_type_word(p->type));
	}
	if (!err && *missing)
		err = error_set(e, ERR_INVALID, "%s: parameters without a default are missing: %s; give each with --param NAME=VALUE", b->path, missing);
	return err;
}

static json_t *patterns_given(const struct invocation *in, bool *declared)
{
	json_t *allow = json_array();
	for (size_t i = 0; i < in->option_count; i++) {
		if (strcmp(in->options[i].option->name, "allow") != 0) continue;
		if (strcmp(in->options[i].value, "declared") == 0)
			*declared = true;
		else
			json_array_append_new(allow, json_string(in->options[i].value));
	}
	return allow;
}

static void dry_step(struct arena *a, const struct book *b, const struct graph *g, size_t i)
{
	const struct book_step *s = &b->steps[i];
	printf("%3zu. %-14s %s\n     %s, effect %s", i + 1, line_exact(a, s->id), line_safe(a, s->title), s->is_manual ? "by hand" : risk_word(s->risk),
	       s->effect == EFFECT_UNSET ? "of each call" : effect_word(s->effect));
	for (size_t k = 0; k < g->nodes[i].need_count; k++) printf("%s%s", k ? ", " : ", after ", line_exact(a, b->steps[g->nodes[i].needs[k]].id));
	printf("\n");
	for (size_t k = 0; k < s->fence_count; k++)
		if (s->fences[k].role != FENCE_SHOWN)
			printf("     %s line %d\n", line_exact(a, s->fences[k].language ? s->fences[k].language : ""), s->fences[k].line);
}

/* Says what would run; runs nothing and needs no engine. */
static int dry_run(const struct use *u, const struct book *b, const json_t *params)
{
	struct error e = {0};
	struct graph *g = NULL;
	json_t *bound = NULL;
	if (graph_build(b, &g, &e) || book_bind(b, params, &bound, &e)) {
		graph_free(g);
		return fail(&e, u->json);
	}
	json_t *graph = graph_json(g), *secrets = json_object();
	book_take_secrets(b, bound, secrets);
	json_decref(secrets);
	if (u->json) {
		json_object_set_new(graph, "dry_run", json_true());
		json_object_set(graph, "params", bound);
		print_json(graph);
	} else {
		printf("Nothing is run. %zu steps:\n\n", b->step_count);
		for (size_t i = 0; i < b->step_count; i++) dry_step(u->arena, b, g, i);
		if (b->permission_count) printf("\nRights that it asks for:\n");
		for (size_t i = 0; i < b->permission_count; i++) {
			printf("  %s", b->permissions[i].is_read ? "reads    " : "changes  ");
			print_text(b->permissions[i].pattern);
			printf("\n");
		}
	}
	json_decref(graph);
	json_decref(bound);
	graph_free(g);
	return 0;
}

/* "1 execution was left open" of earlier runs: said once, never in the way. */
static void say_what_is_open(struct use *u)
{
	struct answer a = {0};
	struct error e = {0};
	if (u->json || client_request(u->client, "log", json_pack("{s:b,s:i}", "open", 1, "limit", 20), &a, &e)) return;
	const json_t *list = json_arr(a.value, "executions"), *first = json_array_get(list, 0);
	size_t n = json_array_size(list);
	const char *id = json_str(first, "execution", "");
	if (n == 1)
		message("1 execution is open from before (%s, %s): rung resume %s", json_str(first, "title", ""), json_str(first, "state", ""), id);
	else if (n > 1)
		message("%zu executions are open from before, the newest %s (%s): rung log --open", n, id, json_str(first, "title", ""));
	answer_clear(&a);
}

static void say_engine(const struct use *u)
{
	const json_t *h = client_hello(u->client);
	if (!u->json)
		message("engine %s@%s, pid %lld, state %s", json_str(h, "user", "?"), json_str(h, "host", "?"), (long long)json_int(h, "pid", 0),
		        u->workspace.state_dir);
}

static int start(struct use *u, const struct invocation *in, json_t *wish)
{
	struct answer a = {0};
	struct error e = {0};
	bool is_auto = given(in, "auto");
	say_engine(u);
	say_what_is_open(u);
	if (client_request(u->client, "run", json_incref(wish), &a, &e)) return fail(&e, u->json);
	char *id = mem_strdup(json_str(a.value, "execution", ""));
	answer_clear(&a);
	int status = 0;
	if (given(in, "detach")) {
		json_t *v = json_pack("{s:s,s:s}", "execution", id, "state", "running");
		if (u->json)
			print_json_line(v);
		else
			printf("%s\n", id);
		json_decref(v);
	} else {
		status = use_follow(u, id, is_auto);
	}
	free(id);
	return status;
}

/* From the book to the end of its execution. */
static int run_book(struct use *u, const struct invocation *in, struct book *b, const char *path, json_t *params)
{
	struct error e = {0};
	bool declared = false, is_auto = given(in, "auto"), has_person = use_has_person() && !u->json;
	if (complete_params(u, b, params, has_person, &e)) return fail(&e, u->json);
	if (given(in, "dry-run")) return dry_run(u, b, params);
	if (!is_auto && !has_person && !given(in, "detach")) {
		error_set(&e, ERR_USAGE, "guided mode needs a terminal: add --auto to run by itself, or --detach to start it and attach later");
		return fail(&e, u->json);
	}
	json_t *allow = patterns_given(in, &declared);
	int status;
	if (client_open(u->workspace.state_dir, &u->client, &e)) {
		status = fail(&e, u->json);
	} else {
		json_t *wish = json_pack("{s:s,s:O,s:s,s:O,s:b,s:s?,s:s?}", "book", path, "params", params, "mode", is_auto ? "auto" : "guided", "allow", allow,
		                         "declared", declared, "elevate", given_value(in, "elevate"), "reason", given_value(in, "reason"));
		bool asks = !is_auto && has_person;
		if (!wish)
			status = (error_set(&e, ERR_INVALID, "%s: the path, a pattern or the reason is not UTF-8", path), fail(&e, u->json));
		else if (asks && rights_ask(u, b, wish, !given(in, "allow"), &e))
			status = fail(&e, u->json);
		else
			status = start(u, in, wish);
		json_decref(wish);
	}
	json_decref(allow);
	return status;
}

static int run(const struct invocation *in)
{
	struct use u = {.arena = arena_new(), .json = given(in, "json"), .is_verbose = given(in, "verbose")};
	struct error e = {0};
	struct book *b = NULL;
	const char *path;
	json_t *params = json_object();
	int status;
	if (workspace_find(u.arena, given_value(in, "state"), &u.workspace, &e) || workspace_book(u.arena, &u.workspace, in->args[0], &path, &e) ||
	    book_open(path, &b, &e) || read_params(in, b, params, &e))
		status = fail(&e, u.json);
	else
		status = run_book(&u, in, b, path, params);
	json_decref(params);
	book_free(b);
	use_close(&u);
	return status;
}

static const struct option options[] = {
    {"param", "NAME=VALUE", true, "a parameter; again for more"},
    {"params", "FILE", false, "parameters from a file: one JSON object"},
    {"auto", NULL, false, "run by itself; stop (exit 5) where a person is needed"},
    {"allow", "PATTERN", true, "a right for this execution, as in ## Permissions; `declared`: all that the book declares"},
    {"elevate", "NAME", false, "with --reason: take a right that the policy keeps for emergencies"},
    {"reason", "TEXT", false, "why, for the record"},
    {"dry-run", NULL, false, "say what would run, run nothing"},
    {"detach", NULL, false, "start it, print its id, do not stay"},
    OPTION_VERBOSE,
    OPTION_STATE,
    {NULL, NULL, false, NULL},
};

const struct command command_run = {
    .name = "run",
    .arguments = "BOOK",
    .least = 1,
    .most = 1,
    .options = options,
    .help = "runs a book: guided, step by step with you; with --auto by itself",
    .longer = "BOOK is a file, file#anchor, or the id, title or file name of a book of the workspace.\n"
              "In guided mode one key does each thing, and the keys stand at the bottom of the screen (rung help keys). Leaving with q loses\n"
              "nothing: rung attach comes back, from this terminal or another. With --auto on a terminal the list of steps is live; elsewhere\n"
              "one line is printed for each change, with the first and last lines that each call printed (rung log EXECUTION --output has all of\n"
              "them). Exit status: rung help exit.",
    .run = run,
};
