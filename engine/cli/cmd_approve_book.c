#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/git.h"
#include "cli/print.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LIST_BYTES_MAX = 4 << 20 };

static bool is_markdown(const char *name)
{
	const char *dot = strrchr(name, '.');
	return dot && (strcasecmp(dot, ".md") == 0 || strcasecmp(dot, ".markdown") == 0);
}

/* The books that differ from a revision of Git, those that were removed left out. */
static enum err changed_since(struct use *u, const char *revision, json_t *books, struct error *e)
{
	struct buf b;
	char real[PATH_MAX];
	if (!u->workspace.root) return error_set(e, ERR_USAGE, "--since needs a workspace: there is no .rung folder here or above");
	if (revision[0] == '-') return error_set(e, ERR_USAGE, "--since %s: a revision of Git was expected", revision);
	const char *arguments[] = {"diff", "--name-only", "-z", "--relative", "--diff-filter=d", revision, "--", ".", NULL};
	buf_init(&b, LIST_BYTES_MAX);
	enum err err = git_run(u->workspace.root, arguments, &b, e);
	for (size_t at = 0; !err && at < b.len; at += strlen(b.data + at) + 1) {
		const char *path = arena_printf(u->arena, "%s/%s", u->workspace.root, b.data + at);
		if (is_markdown(path) && realpath(path, real)) json_array_append_new(books, json_string(real));
	}
	buf_clear(&b);
	if (!err && !json_array_size(books)) err = error_set(e, ERR_CONFLICT, "no book differs from %s", revision);
	return err;
}

static enum err named(struct use *u, const struct invocation *in, json_t *books, struct error *e)
{
	for (size_t i = 0; i < in->arg_count; i++) {
		const char *path;
		enum err err = workspace_book(u->arena, &u->workspace, in->args[i], &path, e);
		if (err) return err;
		if (strchr(path, '#')) path = arena_strndup(u->arena, path, strcspn(path, "#"));
		if (json_array_append_new(books, json_string(path))) return error_set(e, ERR_INVALID, "%s: the path is not UTF-8", path);
	}
	return json_array_size(books) ? ERR_OK : error_set(e, ERR_USAGE, "name the books, or a revision of Git with --since");
}

static enum err confirm(struct use *u, const json_t *books, const char **reason, struct error *e)
{
	size_t i;
	json_t *v;
	if (*reason) return ERR_OK;
	if (!use_has_person() || u->json) return error_set(e, ERR_USAGE, "say why: --reason TEXT");
	json_array_foreach(books, i, v) message_more("%s", json_string_value(v));
	char *text = use_ask("You have read them. Why may services run them? ");
	if (text && *text) *reason = arena_strdup(u->arena, text);
	free(text);
	return *reason ? ERR_OK : error_set(e, ERR_USAGE, "a reason is needed: nothing was approved");
}

static int approve(struct use *u, const struct invocation *in, json_t *books, struct error *e)
{
	struct answer a = {0};
	const char *since = given_value(in, "since"), *reason = given_value(in, "reason");
	enum err err = since ? changed_since(u, since, books, e) : named(u, in, books, e);
	if (!err) err = confirm(u, books, &reason, e);
	if (!err) err = client_open(u->workspace.state_dir, &u->client, e);
	json_t *args = err ? NULL : json_pack("{s:O,s:s}", "books", books, "reason", reason);
	if (!err && !args) err = error_set(e, ERR_INVALID, "the reason is not UTF-8");
	if (!err) err = client_request(u->client, "book.approve", args, &a, e);
	if (err) return fail(e, u->json);
	json_t *v = json_pack("{s:O,s:O}", "books", books, "digests", json_object_get(a.value, "digests"));
	if (u->json)
		print_json(v);
	else
		printf("approved: %zu %s, as they are now\n", json_array_size(books), json_array_size(books) == 1 ? "book" : "books");
	json_decref(v);
	answer_clear(&a);
	return 0;
}

static int run(const struct invocation *in)
{
	struct use u = {.arena = arena_new(), .json = given(in, "json")};
	struct error e = {0};
	json_t *books = json_array();
	int status = workspace_find(u.arena, given_value(in, "state"), &u.workspace, &e) ? fail(&e, u.json) : approve(&u, in, books, &e);
	json_decref(books);
	use_close(&u);
	return status;
}

static const struct option options[] = {
    {"since", "REV", false, "all books that differ from that revision of Git"},
    {"reason", "TEXT", false, "why, for the record"},
    OPTION_STATE,
    {NULL, NULL, false, NULL},
};

const struct command command_approve_book = {
    .name = "approve-book",
    .arguments = "[BOOK...]",
    .most = 1000,
    .options = options,
    .help = "approves books as they are now, so that services may run them",
    .longer = "What an alert or a schedule starts runs steps above risk read only from a revision of its book that a second person approved here.\n"
              "Any edit of the file is another revision. The policy says who may (allow: [approve-book]); the book's author may not.",
    .run = run,
};
