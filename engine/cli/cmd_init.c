#include "base/clock.h"
#include "base/fs.h"
#include "book/book.h"
#include "book/lint.h"
#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/lines.h"
#include "cli/new_log.h"
#include "cli/print.h"
#include "cli/workspace.h"
#include "policy/book_rights.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char config_text[] = "# The folder of this file makes the folder around it a workspace of rung: meant to be committed.\n"
                                  "# What else may stand here: rung help config. What this host offers: rung doctor.\n"
                                  "version: 1\n";
static const char ignore_text[] = "# Keys, journal and output of this host.\nstate/\n";

/* Writes a file that is not there yet; false where it is. */
static enum err write_new(const char *path, const char *text, bool *made, struct error *e)
{
	*made = !fs_exists(path);
	return *made ? fs_write_atomic(path, text, strlen(text), 0644, e) : ERR_OK;
}

struct found {
	size_t books, steps, manual, errors, warnings;
};

static void look_at(const char *path, struct found *f)
{
	struct book *b;
	if (book_open(path, &b, NULL)) {
		f->errors++;
		return;
	}
	struct lint_report *l = lint_book(b, clock_now_us());
	book_rights_lint(b, l);
	f->books += b->step_count > 0;
	f->steps += b->step_count;
	for (size_t i = 0; i < b->step_count; i++) f->manual += b->steps[i].is_manual;
	for (size_t i = 0; i < l->count; i++) {
		f->errors += l->findings[i].severity == LINT_ERROR;
		f->warnings += l->findings[i].severity == LINT_WARNING;
	}
	lint_free(l);
	book_free(b);
}

static int init(struct arena *a, const char *folder, bool json, struct error *e)
{
	bool made_config, made_ignore;
	struct paths books = {0};
	struct found f = {0};
	char real[PATH_MAX];
	if (!realpath(folder, real)) return error_errno(e, "%s", folder), fail(e, json);
	const char *rung = arena_printf(a, "%s/.rung", real);
	if (fs_mkdirs(rung, 0755, e) || write_new(arena_printf(a, "%s/config.yaml", rung), config_text, &made_config, e) ||
	    write_new(arena_printf(a, "%s/.gitignore", rung), ignore_text, &made_ignore, e) || paths_of_books(a, real, &books, e))
		return fail(e, json);
	for (size_t i = 0; i < books.count; i++) look_at(books.path[i], &f);
	json_t *v = json_pack("{s:o,s:b,s:I,s:I,s:I,s:I,s:I}", "workspace", json_text(real), "made", made_config, "books", (json_int_t)f.books, "steps",
	                      (json_int_t)f.steps, "manual_steps", (json_int_t)f.manual, "errors", (json_int_t)f.errors, "warnings", (json_int_t)f.warnings);
	if (json) {
		print_json(v);
	} else {
		printf("%s %s\n",
		       made_config || made_ignore ? "made the workspace" : "there is a workspace already (nothing was overwritten):", line_exact(a, real));
		printf("%zu book%s with %zu step%s, %zu of them by hand\n", f.books, f.books == 1 ? "" : "s", f.steps, f.steps == 1 ? "" : "s", f.manual);
		printf("rung check: %zu error%s, %zu warning%s\n", f.errors, f.errors == 1 ? "" : "s", f.warnings, f.warnings == 1 ? "" : "s");
		printf("next: rung list, rung check %s\n", line_exact(a, folder));
	}
	json_decref(v);
	return 0;
}

static int set_aside(struct arena *a, const struct invocation *in, bool json, struct error *e)
{
	struct workspace w;
	struct passwd *user = getpwuid(getuid());
	const char *reason = given_value(in, "reason");
	enum err err = reason && *reason ? ERR_OK : error_set(e, ERR_USAGE, "--new-log needs --reason WHY: it stands in the new log for good");
	if (!err) err = workspace_find(a, given_value(in, "state"), &w, e);
	if (!err) err = new_log(w.state_dir, reason, arena_printf(a, "user:%s", user ? user->pw_name : "?"), e);
	if (err) return fail(e, json);
	json_t *v = json_pack("{s:s,s:b}", "state_dir", w.state_dir, "new_log", 1);
	if (json)
		print_json(v);
	else
		printf("the old log stands aside in %s, with its keys; a new one begins with your reason\n", w.state_dir);
	json_decref(v);
	return 0;
}

static int run(const struct invocation *in)
{
	struct arena *a = arena_new();
	struct error e = {0};
	int status = given(in, "new-log") ? set_aside(a, in, given(in, "json"), &e) : init(a, in->arg_count ? in->args[0] : ".", given(in, "json"), &e);
	arena_free(a);
	return status;
}

static const struct option options[] = {{"new-log", NULL, false, "set the log of this host aside, never deleted, and begin another one"},
                                        {"reason", "WHY", false, "with --new-log: why; it stands in the new log"},
                                        OPTION_STATE,
                                        {NULL, NULL, false, NULL}};

const struct command command_init = {
    .name = "init",
    .arguments = "[DIR]",
    .most = 1,
    .options = options,
    .help = "makes a workspace out of a folder of Markdown",
    .longer = "Writes .rung/config.yaml and .rung/.gitignore where they are not there; changes nothing else, ever. With --new-log it does something\n"
              "else: where the journal is gone, or is not what the guard saw, it sets aside what is there and begins anew, and says so in the record.",
    .run = run,
};
