#include "base/clock.h"
#include "base/fs.h"
#include "book/book.h"
#include "book/lint.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/inventory_use.h"
#include "cli/print.h"
#include "cli/workspace.h"
#include "policy/book_children.h"
#include "policy/book_hosts.h"
#include "policy/book_rights.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The inventory of the workspace whose book was looked at last. */
struct inventory_at {
	struct arena *arena;
	const char *root;
	const struct inventory *inventory; /* NULL: it is wrong, which was reported */
	bool is_read;
};

struct tally {
	size_t files, errors, warnings, infos;
	json_t *findings; /* NULL: printed as they come */
	json_t *calls;    /* with findings */
	bool shows_calls;
	struct inventory_at at;
};

static void report(struct tally *t, const char *path, const struct lint_finding *f)
{
	t->errors += f->severity == LINT_ERROR;
	t->warnings += f->severity == LINT_WARNING;
	t->infos += f->severity == LINT_INFO;
	if (t->findings)
		json_array_append_new(t->findings, finding_json(path, f));
	else
		print_finding(path, f);
}

static const char *right_of(const struct book_call *c)
{
	static const char *const words[] = {[BOOK_CALL_UNBOUND] = "the book has no Permissions",
	                                    [BOOK_CALL_DECLARED] = "declared",
	                                    [BOOK_CALL_UNCLEAR] = "may be declared: not all of it can be seen",
	                                    [BOOK_CALL_LACKING] = "not in Permissions"};
	return words[c->right];
}

/* A table beneath the findings: what each step calls, and whether Permissions allow it. */
static void print_calls(const struct book_calls *all, const char *path)
{
	int step = 4, call = 0;
	for (size_t i = 0; i < all->count; i++) {
		int n = (int)strlen(all->calls[i].step->id), m = (int)strlen(all->calls[i].pattern);
		if (n > step && n <= 24) step = n;
		if (m > call && m <= 60) call = m;
	}
	if (!all->count) return;
	printf("\ncalls in the Lua of ");
	print_text(path);
	printf(", as far as its text tells (* is what cannot be seen):\n");
	for (size_t i = 0; i < all->count; i++) {
		const struct book_call *c = &all->calls[i];
		bool is_same = i && all->calls[i - 1].step == c->step;
		printf("  %-*s  ", step, is_same ? "" : c->step->id);
		print_text(c->pattern);
		printf("%*s  line %d, %s%s\n", call > (int)strlen(c->pattern) ? call - (int)strlen(c->pattern) : 0, "", c->line,
		       c->role == FENCE_ACTION   ? ""
		       : c->role == FENCE_VERIFY ? "verify, "
		       : c->role == FENCE_IF     ? "if, "
		                                 : "undo, ",
		       right_of(c));
	}
}

static void tell_calls(struct tally *t, const struct book *b, const char *path)
{
	struct book_calls *all = book_calls_find(b);
	if (t->calls) {
		json_t *list = book_calls_json(all), *call;
		size_t i;
		json_array_foreach(list, i, call)
		{
			json_object_set_new(call, "file", json_text(path));
			json_array_append(t->calls, call);
		}
		json_decref(list);
	} else {
		print_calls(all, path);
	}
	book_calls_free(all);
}

/* The place that the sentence begins with is the finding's. */
static void report_inventory(struct tally *t, const char *root, const struct error *e)
{
	struct lint_finding f = {.rule = "inventory", .severity = LINT_ERROR, .line = 1, .column = 1, .mend = "`rung help inventory` shows how it is written"};
	char *text = mem_strdup(e->text);
	const char *path = workspace_relative(t->at.arena, &(struct workspace){.root = root}, arena_printf(t->at.arena, "%s/.rung/inventory.yaml", root));
	int n = 0;
	if (sscanf(text, ".rung/inventory.yaml:%d:%d: %n", &f.line, &f.column, &n) < 2) n = 0;
	f.text = text + n;
	report(t, path, &f);
	free(text);
}

/* Nothing is run for it: of what a command would name lint says nothing. */
static const struct inventory *inventory_of(struct tally *t, const char *path)
{
	struct error e;
	const char *root = inventory_use_root_of(t->at.arena, path);
	bool is_same = t->at.is_read && (root && t->at.root ? strcmp(root, t->at.root) == 0 : root == t->at.root);
	if (is_same) return t->at.inventory;
	t->at.root = root;
	t->at.is_read = true;
	if (inventory_use_file(t->at.arena, root, &t->at.inventory, &e)) {
		t->at.inventory = NULL;
		report_inventory(t, root, &e);
	}
	return t->at.inventory;
}

/* Other books are looked for where the book's workspace is; where there is none, in its own folder. */
static void check_children(struct tally *t, struct book *b, const char *path, struct lint_report *l)
{
	char whole[PATH_MAX];
	const char *root = t->at.root;
	if (!realpath(path, whole)) return;
	char *folder = fs_dirname(whole);
	if (!root) root = folder;
	size_t n = strlen(root);
	bool is_beneath = strncmp(whole, root, n) == 0 && whole[n] == '/';
	const char *given = b->path;
	/* Links lead from where the book stands in its workspace. */
	if (is_beneath) b->path = whole + n + 1;
	book_children_lint(b, is_beneath ? root : NULL, b->path, l);
	b->path = given;
	free(folder);
}

static void check_book(struct tally *t, const char *path)
{
	struct book *b;
	struct error e = {0};
	t->files++;
	if (book_open(path, &b, &e)) {
		report(t, path, &(struct lint_finding){.rule = "unreadable", .severity = LINT_ERROR, .line = 1, .column = 1, .text = e.text});
		return;
	}
	struct lint_report *l = lint_book(b, clock_now_us());
	book_rights_lint(b, l);
	book_hosts_lint(b, inventory_of(t, path), l);
	check_children(t, b, path, l);
	for (size_t i = 0; i < l->count; i++) report(t, path, &l->findings[i]);
	lint_free(l);
	if (t->shows_calls) tell_calls(t, b, path);
	book_free(b);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_summary(const struct tally *t)
{
	if (t->findings) {
		json_t *v = json_pack("{s:I,s:I,s:I,s:I,s:O,s:O}", "files", (json_int_t)t->files, "errors", (json_int_t)t->errors, "warnings",
		                      (json_int_t)t->warnings, "infos", (json_int_t)t->infos, "findings", t->findings, "calls", t->calls);
		print_json(v);
		json_decref(v);
		return;
	}
	fflush(stdout);
	fprintf(stderr, "%zu file%s: %zu error%s, %zu warning%s, %zu hint%s\n", t->files, plural(t->files), t->errors, plural(t->errors), t->warnings,
	        plural(t->warnings), t->infos, plural(t->infos));
}

static int run(const struct invocation *in)
{
	struct arena *a = arena_new();
	struct paths paths = {0};
	struct error e = {0};
	bool json = given(in, "json");
	struct tally t = {.at = {.arena = a}, .findings = json ? json_array() : NULL, .calls = json ? json_array() : NULL};
	enum err err = ERR_OK;
	for (size_t i = 0; i < in->arg_count && !err; i++) err = paths_find(a, in->args[i], &paths, &e);
	t.shows_calls = json || paths.count == 1 || given(in, "calls");
	for (size_t i = 0; i < paths.count && !err; i++) check_book(&t, paths.path[i]);
	int status = 0;
	if (err)
		status = fail(&e, json);
	else
		print_summary(&t);
	if (!err && (t.errors || (given(in, "strict") && t.warnings))) status = err_info(ERR_INVALID)->exit_status;
	json_decref(t.findings);
	json_decref(t.calls);
	arena_free(a);
	return status;
}

static const struct option options[] = {
    {"strict", NULL, false, "warnings count as errors"}, {"calls", NULL, false, "list what the steps call, for several books too"}, {NULL, NULL, false, NULL}};

const struct command command_check = {
    .name = "check",
    .arguments = "PATH...",
    .least = 1,
    .most = (size_t)-1,
    .options = options,
    .help = "says what is odd about books, where, why and how to mend it; for CI",
    .longer =
        "A PATH is a file or a folder (every *.md beneath it but README.md, which is no book). One finding a line: file:line:column: severity rule: text.\n"
        "For one book, and with --calls for several, what its steps call follows, as far as the text of their Lua tells, and whether its Permissions allow "
        "it.\n"
        "Exit status 3 where there are errors, 0 with warnings alone (3 with --strict).",
    .run = run,
};
