#include "base/clock.h"
#include "book/book.h"
#include "cli/commands.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "cli/workspace.h"

#include <stdio.h>
#include <string.h>

static size_t manual_steps(const struct book *b)
{
	size_t n = 0;
	for (size_t i = 0; i < b->step_count; i++) n += b->steps[i].is_manual;
	return n;
}

/* Days since the book was last reviewed or updated; -1 where it does not say. */
static long long age_days(const struct book *b)
{
	static const char *const keys[] = {"last_reviewed_on", "last_reviewed", "last_updated"};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const char *text = book_meta_get(b, keys[i]);
		int64_t us;
		if (text && clock_parse_date(text, &us)) return (clock_now_us() - us) / 86400000000;
	}
	return -1;
}

/* Days after which a review is due: review_in, else half a year. */
static long long due_days(const struct book *b)
{
	int64_t us;
	const char *text = book_meta_get(b, "review_in");
	return text && clock_parse_duration(text, &us, NULL) == ERR_OK ? us / 86400000000 : 182;
}

static json_t *book_row(const struct book *b, const char *path)
{
	size_t manual = manual_steps(b);
	long long age = age_days(b);
	json_t *days = age < 0 ? json_null() : json_integer(age), *stale = age < 0 ? json_null() : json_boolean(age > due_days(b));
	return json_pack("{s:o,s:s?,s:s,s:s,s:I,s:I,s:o,s:o}", "path", json_text(path), "id", b->id, "title", b->title ? b->title : "", "kind",
	                 b->kind == BOOK_PLAYBOOK ? "playbook" : "runbook", "steps", (json_int_t)b->step_count, "manual", (json_int_t)manual, "age_days", days,
	                 "stale", stale);
}

static void print_row(struct arena *a, const json_t *row, const struct style *style)
{
	long long steps = json_int(row, "steps", 0), manual = json_int(row, "manual", 0);
	const json_t *age = json_object_get(row, "age_days");
	const char *old =
	    json_is_integer(age) ? arena_printf(a, "%lld d%s", (long long)json_integer_value(age), json_bool(row, "stale", false) ? ", stale" : "") : "no date";
	const char *share = steps == 0        ? "no steps"
	                    : manual == 0     ? "by itself"
	                    : manual == steps ? "by hand"
	                                      : arena_printf(a, "%lld %% by hand", manual * 100 / steps);
	bool is_narrow = style->is_terminal && style->columns < 110;
	size_t title = style->columns > 110 ? 40 : 28;
	printf("%s  %s  %3lld step%s  %-11s  %-*s%s%s\n", line_fit(a, line_safe(a, json_str(row, "id", "-")), 10, style->unicode),
	       line_fit(a, line_safe(a, json_str(row, "title", "")), title, style->unicode), steps, steps == 1 ? " " : "s", share, is_narrow ? 0 : 12, old,
	       is_narrow ? "\n            " : "  ", line_exact(a, json_str(row, "path", "")));
}

static int list(struct arena *a, const struct workspace *w, bool json, struct error *e)
{
	struct paths books = {0};
	struct style style = style_of(1);
	if (!w->root) return error_set(e, ERR_NOT_FOUND, "no workspace here: no folder .rung in this folder or above it; `rung init` makes one"), fail(e, json);
	if (paths_of_books(a, w->root, &books, e)) return fail(e, json);
	json_t *all = json_array();
	for (size_t i = 0; i < books.count; i++) {
		struct book *b;
		struct error why;
		const char *path = workspace_relative(a, w, books.path[i]);
		if (book_open(books.path[i], &b, &why)) {
			message("%s", why.text);
			continue;
		}
		json_t *row = book_row(b, path);
		if (!json) print_row(a, row, &style);
		json_array_append_new(all, row);
		book_free(b);
	}
	if (json)
		print_json(all);
	else if (json_array_size(all) == 0)
		message("there are no books in %s: Markdown files in runbooks/ and playbooks/ are books", w->root);
	json_decref(all);
	return 0;
}

static int run(const struct invocation *in)
{
	struct arena *a = arena_new();
	struct workspace w;
	struct error e = {0};
	bool json = given(in, "json");
	int status = workspace_find(a, NULL, &w, &e) ? fail(&e, json) : list(a, &w, json, &e);
	arena_free(a);
	return status;
}

const struct command command_list = {.name = "list", .arguments = "", .help = "the books of the workspace: id, title, steps, share by hand, age", .run = run};
