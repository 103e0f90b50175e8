#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fs.h"
#include "book/graph.h"
#include "book/lint.h"
#include "book/render.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* Every stage of every fixture book is what its golden file says. RUNG_GOLDEN=write makes the files anew. */

static const char *const folder = "tests/fixtures/books", *const golden = "tests/golden/book";

static void compare(const char *name, const char *stage, const struct buf *got)
{
	char *path = mem_printf("%s/%s.%s", golden, name, stage);
	struct buf want;
	struct error e;
	buf_init(&want, 64 << 20);
	const char *text = got->data ? got->data : "";
	const char *mode = getenv("RUNG_GOLDEN");
	if (mode && strcmp(mode, "write") == 0) {
		if (fs_write_atomic(path, text, got->len, 0644, &e) != ERR_OK) fail_msg("%s", e.text);
	} else if (fs_read(path, &want, &e) != ERR_OK) {
		fail_msg("%s (run with RUNG_GOLDEN=write)", e.text);
	} else if (want.len != got->len || memcmp(want.data ? want.data : "", text, got->len) != 0) {
		size_t at = 0;
		while (at < want.len && at < got->len && want.data[at] == text[at]) at++;
		while (at > 0 && text[at - 1] != '\n') at--;
		fail_msg("%s differs from here on:\n%.400s\nwanted:\n%.400s", path, text + at, want.data ? want.data + at : "");
	}
	buf_clear(&want);
	free(path);
}

static void compare_json(const char *name, const char *stage, json_t *v)
{
	struct buf b;
	buf_init(&b, 64 << 20);
	assert_non_null(v);
	char *text = json_dumps(v, JSON_INDENT(1));
	assert_non_null(text);
	buf_str(&b, text);
	buf_char(&b, '\n');
	compare(name, stage, &b);
	free(text);
	json_decref(v);
	buf_clear(&b);
}

static void check_book(const char *file)
{
	char *path = mem_printf("%s/%s", folder, file), *name = mem_printf("%.*s", (int)(strlen(file) - 3), file);
	struct book *b;
	struct graph *g;
	struct error e;
	struct buf out;
	int64_t today;
	assert_true(clock_parse_date("2026-11-23", &today));
	buf_init(&out, 64 << 20);
	if (book_open(path, &b, &e) != ERR_OK) fail_msg("%s", e.text);
	compare_json(name, "document.json", document_json(b->document));
	compare_json(name, "book.json", book_json(b));
	if (graph_build(b, &g, &e) == ERR_OK) {
		compare_json(name, "graph.json", graph_json(g));
		graph_free(g);
	} else {
		compare_json(name, "graph.json", json_pack("{s:s}", "error", e.text));
	}
	struct lint_report *r = lint_book(b, today);
	lint_print(&out, b, r);
	compare(name, "lint.txt", &out);
	lint_free(r);
	buf_reset(&out);
	struct render_options options = {.columns = 80, .unicode = true};
	for (size_t i = 0; i < b->step_count; i++) {
		struct buf step;
		buf_init(&step, 1 << 20);
		book_step_text(&step, b, &b->steps[i]);
		buf_printf(&out, "== %s\n", b->steps[i].id);
		render_markdown(&out, step.data, &options);
		buf_clear(&step);
	}
	compare(name, "render.txt", &out);
	buf_clear(&out);
	book_free(b);
	free(path);
	free(name);
}

static void every_stage_of_every_book_is_as_written_down(void **state)
{
	(void)state;
	struct dirent **files;
	int n = scandir(folder, &files, NULL, alphasort), checked = 0;
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		size_t len = strlen(files[i]->d_name);
		if (len > 3 && strcmp(files[i]->d_name + len - 3, ".md") == 0) {
			check_book(files[i]->d_name);
			checked++;
		}
		free(files[i]);
	}
	free(files);
	assert_true(checked >= 12);
}

static void lint_rules_are_as_written_down(void **state)
{
	(void)state;
	compare_json("rules", "lint.json", lint_rules_json());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_stage_of_every_book_is_as_written_down),
	    cmocka_unit_test(lint_rules_are_as_written_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
