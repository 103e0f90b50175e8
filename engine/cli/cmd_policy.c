#include "base/clock.h"
#include "base/fs.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/policy_use.h"
#include "cli/print.h"
#include "policy/policy_lint.h"

#include <string.h>

#define POLICY_PATH ".rung/policy.yaml"

enum err policy_use_read(const struct policy_use *u, const char *file, const struct policy **out, struct error *e)
{
	struct buf b;
	if (!file && !u->w.root)
		return error_set(e, ERR_NOT_FOUND,
		                 "no workspace here: no folder .rung in this folder or above it; name a policy's file, or make one with rung init");
	const char *path = file ? file : arena_printf(u->arena, "%s/" POLICY_PATH, u->w.root);
	if (!file && !fs_exists(path))
		return error_set(e, ERR_NOT_FOUND,
		                 "%s has no policy (" POLICY_PATH "): then whoever starts a book allows its calls themselves, at the terminal or with --allow",
		                 u->w.root);
	buf_init(&b, YAML_BYTES_MAX);
	enum err err = fs_read(path, &b, e);
	if (!err) err = policy_read(u->arena, workspace_relative(u->arena, &u->w, path), b.data ? b.data : "", b.len, out, e);
	buf_clear(&b);
	return err;
}

enum err policy_use_books(struct policy_use *u, struct error *e)
{
	struct paths paths = {0};
	enum err err = u->w.root ? paths_of_books(u->arena, u->w.root, &paths, e) : ERR_OK;
	u->books = arena_alloc(u->arena, (paths.count + 1) * sizeof *u->books);
	for (size_t i = 0; i < paths.count && !err; i++) {
		struct book *b;
		if (book_open(paths.path[i], &b, NULL)) continue;
		u->books[u->book_count++] = (struct policy_book){.path = workspace_relative(u->arena, &u->w, paths.path[i]), .book = b};
	}
	return err;
}

static void free_books(struct policy_use *u)
{
	for (size_t i = 0; i < u->book_count; i++) {
		struct book *b;
		memcpy(&b, &u->books[i].book, sizeof b);
		book_free(b);
	}
}

static const char *first_file(const struct policy_use *u)
{
	return u->in->arg_count > 1 ? u->in->args[1] : NULL;
}

static const char *count_of(struct arena *a, size_t n, const char *what)
{
	return arena_printf(a, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

/* ---- check ---- */

static void print_checked(const struct policy_use *u, const struct policy *p, const struct lint_finding *f, size_t n, const size_t by_severity[3])
{
	struct arena *a = u->arena;
	for (size_t i = 0; i < n; i++) print_finding(p->file, &f[i]);
	fflush(stdout);
	fprintf(stderr, "%s: %s, %s, %s: %s, %s, %s\n", p->file, count_of(a, p->rule_count, "rule"), count_of(a, p->group_count, "group"),
	        count_of(a, p->test_count, "test"), count_of(a, by_severity[LINT_ERROR], "error"), count_of(a, by_severity[LINT_WARNING], "warning"),
	        count_of(a, by_severity[LINT_INFO], "hint"));
}

static void print_checked_json(const struct policy *p, const struct lint_finding *f, size_t n, const size_t by_severity[3])
{
	json_t *findings = json_array();
	for (size_t i = 0; i < n; i++) json_array_append_new(findings, finding_json(p->file, &f[i]));
	json_t *v = json_pack("{s:o,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "file", json_text(p->file), "digest", p->digest, "rules", (json_int_t)p->rule_count,
	                      "groups", (json_int_t)p->group_count, "tests", (json_int_t)p->test_count, "errors", (json_int_t)by_severity[LINT_ERROR],
	                      "warnings", (json_int_t)by_severity[LINT_WARNING], "infos", (json_int_t)by_severity[LINT_INFO], "findings", findings);
	print_json(v);
	json_decref(v);
}

static int check(struct policy_use *u)
{
	const struct policy *p;
	struct lint_finding *findings;
	size_t count, by_severity[3] = {0};
	struct error e;
	if (policy_use_read(u, first_file(u), &p, &e) || policy_use_books(u, &e)) return fail(&e, u->json);
	policy_lint(u->arena, p, u->books, u->book_count, clock_now_us(), &findings, &count);
	for (size_t i = 0; i < count; i++) by_severity[findings[i].severity]++;
	if (u->json)
		print_checked_json(p, findings, count, by_severity);
	else
		print_checked(u, p, findings, count, by_severity);
	return by_severity[LINT_ERROR] ? err_info(ERR_FAILED)->exit_status : 0;
}

/* ---- test ---- */

/* What a test asks, and what comes of it, in one sentence. */
static const char *test_sentence(struct arena *a, const struct policy *p, const struct policy_test *t, int64_t now_us)
{
	struct policy_request q = t->request;
	if (!q.now_us) q.now_us = now_us;
	const char *text = policy_explain(p, &q, a);
	return arena_strndup(a, text, strcspn(text, "\n"));
}

static int test(struct policy_use *u)
{
	const struct policy *p;
	struct error e;
	int64_t now_us = clock_now_us();
	size_t failed = 0;
	if (policy_use_read(u, first_file(u), &p, &e)) return fail(&e, u->json);
	json_t *rows = json_array();
	for (size_t i = 0; i < p->test_count; i++) {
		const struct policy_test *t = &p->tests[i];
		bool passed = policy_test_run(p, i, now_us, &e);
		const char *text = test_sentence(u->arena, p, t, now_us);
		failed += !passed;
		json_array_append_new(rows, json_pack("{s:i,s:b,s:s,s:o,s:o}", "line", t->line, "ok", passed, "want", policy_outcome_word(t->want), "text",
		                                      json_text(text), "why", json_text(passed ? NULL : e.text)));
		if (u->json) continue;
		const char *line =
		    passed ? arena_printf(u->arena, "%s:%d: ok: %s", p->file, t->line, text) : arena_printf(u->arena, "%s\n    %s", e.text, text);
		print_page(line);
		printf("\n");
	}
	if (u->json) {
		json_t *v = json_pack("{s:o,s:I,s:I,s:O}", "file", json_text(p->file), "passed", (json_int_t)(p->test_count - failed), "failed",
		                      (json_int_t)failed, "tests", rows);
		print_json(v);
		json_decref(v);
	}
	json_decref(rows);
	fflush(stdout);
	if (!p->test_count)
		message("%s has no tests: say under tests: who must be able to do what, and who must not", p->file);
	else
		fprintf(stderr, "%s: %zu passed, %zu failed\n", count_of(u->arena, p->test_count, "test"), p->test_count - failed, failed);
	return failed ? err_info(ERR_FAILED)->exit_status : 0;
}

/* ---- the command ---- */

struct part {
	const char *name, *arguments;
	size_t least, most; /* arguments behind the name */
	const char *options[12];
	int (*run)(struct policy_use *u);
};

static const struct part parts[] = {
    {"check", "[FILE]", 0, 1, {NULL}, check},
    {"test", "[FILE]", 0, 1, {NULL}, test},
    {"explain",
     "BOOK [--who NAME] [--do VERB] [--call 'sh ...'] [--risk R] [--trigger T] [--targets N] [--grant NAME] [--at TIME] [--param k=v]",
     1,
     1,
     {"who", "do", "call", "risk", "trigger", "targets", "grant", "at", "param", NULL},
     policy_explain_command},
    {"diff", "OLD [NEW], or --since REV", 0, 2, {"since", NULL}, policy_diff_command},
    {NULL, NULL, 0, 0, {NULL}, NULL},
};

static bool takes(const struct part *part, const char *option)
{
	for (size_t i = 0; part->options[i]; i++)
		if (strcmp(part->options[i], option) == 0) return true;
	return strcmp(option, "json") == 0;
}

static enum err find_part(const struct invocation *in, const struct part **out, struct error *e)
{
	const char *names[8] = {NULL};
	*out = NULL;
	for (size_t i = 0; parts[i].name; i++) {
		names[i] = parts[i].name;
		if (strcmp(parts[i].name, in->args[0]) == 0) *out = &parts[i];
	}
	if (!*out) {
		const char *near = text_nearest(in->args[0], names);
		return error_set(e, ERR_USAGE, "rung policy has no %.60s: %s%s%s", in->args[0],
		                 near ? "did you mean rung policy " : "it is check, test, explain or diff", near ? near : "", near ? "?" : "");
	}
	if (in->arg_count - 1 < (*out)->least || in->arg_count - 1 > (*out)->most)
		return error_set(e, ERR_USAGE, "rung policy %s %s: rung policy %s %s", (*out)->name,
		                 in->arg_count - 1 < (*out)->least ? "needs more" : "takes fewer arguments", (*out)->name, (*out)->arguments);
	for (size_t i = 0; i < in->option_count; i++)
		if (!takes(*out, in->options[i].option->name))
			return error_set(e, ERR_USAGE, "rung policy %s takes no --%s: rung policy %s %s", (*out)->name, in->options[i].option->name,
			                 (*out)->name, (*out)->arguments);
	return ERR_OK;
}

static int run(const struct invocation *in)
{
	const struct part *part;
	struct error e;
	struct policy_use u = {.arena = arena_new(), .in = in, .json = given(in, "json")};
	int status = find_part(in, &part, &e) || workspace_find(u.arena, NULL, &u.w, &e) ? fail(&e, u.json) : part->run(&u);
	free_books(&u);
	arena_free(u.arena);
	return status;
}

static const struct option options[] = {
    {"who", "NAME", false, "explain: a person, or service:NAME (you)"},
    {"do", "VERB", false, "explain: run, read, cancel, resolve, approve-book or respond (run)"},
    {"call", "CALL", false, "explain: one call, as in 'sh systemctl restart nginx'"},
    {"risk", "RISK", false, "explain: of the step: read, change or destructive"},
    {"trigger", "WHAT", false, "explain: person, alert, schedule or parent"},
    {"targets", "N", false, "explain: how many the step may touch; unknown"},
    {"grant", "NAME", true, "explain: an elevation that was taken; again for more"},
    {"at", "TIME", false, "explain: 2026-12-24 or 2026-12-24T08:00Z (now)"},
    {"param", "NAME=VALUE", true, "explain: a parameter; again for more"},
    {"since", "REV", false, "diff: OLD is the policy as Git has it at REV"},
    {NULL, NULL, false, NULL},
};

const struct command command_policy = {
    .name = "policy",
    .arguments = "check|test|explain|diff ...",
    .least = 1,
    .most = 3,
    .options = options,
    .help = "the workspace's policy: its faults, its tests, why and why not, what a change allows",
    .longer = "rung policy check [FILE]    reads .rung/policy.yaml (or FILE) and says what is odd about it: rules that never count, rights that are too wide,\n"
              "                            approvals that nobody can give. Exit status 3: it cannot be read; 1: findings of weight \"error\"\n"
              "rung policy test [FILE]     runs the policy's own tests; 1: one fails\n"
              "rung policy explain BOOK    whether somebody may do something, and why, with the line; without --call also for each call that the book\n"
              "                            declares and each of its steps. 0: allowed, 4: denied, 5: waits for approvals\n"
              "rung policy diff OLD [NEW]  every decision that differs between two policies (NEW: the workspace's), what is newly allowed first.\n"
              "                            0: none, 1: some, 2: it could not be asked, 3: one cannot be read",
    .run = run,
};
