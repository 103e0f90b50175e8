#include "base/fs.h"
#include "cli/screen.h"
#include "cli/screen_graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Screens are pure: canned views in tests/golden/cli/NAME.json give the golden screens beside them. RUNG_GOLDEN=write makes them anew. */

#define FOLDER "tests/golden/cli"
#define NOW_US INT64_C(1795400000000000)

static const struct size {
	const char *name;
	struct screen screen;
} sizes[] = {
    {"80x24", {.columns = 80, .rows = 24, .unicode = true, .now_us = NOW_US}},
    {"200x50", {.columns = 200, .rows = 50, .unicode = true, .now_us = NOW_US}},
    {"40x12", {.columns = 40, .rows = 12, .unicode = false, .now_us = NOW_US}},
    {"color", {.columns = 80, .rows = 24, .unicode = true, .color = true, .now_us = NOW_US}},
};

static const char *const names[] = {"go",      "person",   "long",  "shell",       "running", "failed", "denied", "forbidden",
                                    "unknown", "question", "retry", "interrupted", "hostile", "ended",  "empty"};

static json_t *read_view(const char *name)
{
	char path[256];
	struct buf b;
	struct error e;
	snprintf(path, sizeof path, FOLDER "/%s.json", name);
	buf_init(&b, 1 << 20);
	assert_int_equal(fs_read(path, &b, &e), ERR_OK);
	json_t *v = json_parse(b.data, b.len, 32, &e);
	assert_non_null(v);
	buf_clear(&b);
	return v;
}

static void same_as_golden(const char *name, const char *size, const char *text)
{
	char path[256];
	struct buf b;
	struct error e;
	snprintf(path, sizeof path, FOLDER "/%s.%s.txt", name, size);
	const char *mode = getenv("RUNG_GOLDEN");
	if (mode && strcmp(mode, "write") == 0) {
		assert_int_equal(fs_write_atomic(path, text, strlen(text), 0644, &e), ERR_OK);
		return;
	}
	buf_init(&b, 1 << 20);
	if (fs_read(path, &b, &e)) fail_msg("%s", e.text);
	if (strcmp(b.data ? b.data : "", text) != 0) fail_msg("%s is not what is shown now:\n%s", path, text);
	buf_clear(&b);
}

/* The step that waits or runs, as guided mode chooses it. */
static const json_t *front(const json_t *view)
{
	size_t i;
	json_t *step;
	json_array_foreach(json_arr(view, "steps"), i, step)
	{
		if (*json_str(step, "waiting", "") || strcmp(json_str(step, "state", ""), "running") == 0) return step;
	}
	return NULL;
}

static size_t add_panel(struct lines *out, const json_t *view, const struct screen *s)
{
	struct tail tail = {0};
	struct panel p = {.view = view, .step = front(view), .waiting_count = 1};
	size_t cursor, before = out->count;
	if (p.step && strcmp(json_str(p.step, "state", ""), "running") == 0) {
		for (int i = 0; i < 40; i++) {
			char line[64];
			int n = snprintf(line, sizeof line, "\033[32mline %d\033[0m of output \033]0;x\a\n", i);
			tail_add(&tail, line, (size_t)n);
		}
		p.tail = &tail;
	}
	if (p.step && strcmp(json_str(p.step, "id", ""), "restart") == 0) p.next_command = 1;
	screen_panel(out, &p, s, &cursor);
	assert_in_range(cursor, 2, (size_t)s->columns - 1);
	tail_clear(&tail);
	return out->count - before;
}

static void check_view(const char *name, const struct size *size)
{
	struct arena *a = arena_new();
	struct lines out;
	struct buf text;
	json_t *view = read_view(name), *hello = json_pack("{s:s,s:s}", "user", "ana", "host", "bastion");
	size_t i;
	json_t *step;
	lines_init(&out, a);
	buf_init(&text, 1 << 20);
	screen_header(&out, view, hello, &size->screen);
	json_array_foreach(json_arr(view, "steps"), i, step)
	{
		if (json_int(step, "finished_us", 0)) screen_finished_step(&out, view, step, NULL, &size->screen);
	}
	lines_add(&out, "-- panel");
	size_t rows = add_panel(&out, view, &size->screen);
	assert_in_range(rows, 1, (size_t)size->screen.rows - 1);
	if (strcmp(name, "ended") == 0) screen_ending(&out, view, &size->screen);
	lines_add(&out, "-- overview");
	screen_overview(&out, view, &size->screen);
	if (front(view)) lines_add(&out, "-- in full"), screen_step_in_full(&out, view, front(view), &size->screen);
	for (i = 0; i < out.count; i++) {
		/* No escape but colours. */
		for (const char *esc = out.line[i]; (esc = strchr(esc, '\033')); esc++) assert_true(size->screen.color && esc[1] == '[');
		buf_printf(&text, "%s\n", out.line[i]);
	}
	same_as_golden(name, size->name, text.data);
	buf_clear(&text);
	json_decref(view);
	json_decref(hello);
	arena_free(a);
}

static void screens_are_the_golden_ones(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof names / sizeof *names; n++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
			if (i < 2 || strcmp(names[n], "person") == 0 || strcmp(names[n], "long") == 0 || strcmp(names[n], "running") == 0)
				check_view(names[n], &sizes[i]);
}

static void panels_fit_every_size(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
		json_t *view = read_view(names[n]);
		for (int columns = 20; columns < 240; columns += 37)
			for (int rows = 6; rows < 70; rows += 9) {
				struct arena *a = arena_new();
				struct lines out;
				struct screen s = {.columns = columns, .rows = rows, .unicode = true, .now_us = NOW_US};
				lines_init(&out, a);
				assert_in_range(add_panel(&out, view, &s), 1, (size_t)rows - 1);
				for (size_t i = 0; i < out.count; i++)
					if (line_columns(out.line[i]) >= (size_t)columns) fail_msg("%s at %dx%d: %s", names[n], columns, rows, out.line[i]);
				arena_free(a);
			}
		json_decref(view);
	}
}

static void graphs_are_drawn_with_lanes(void **state)
{
	(void)state;
	static const char diamond[] =
	    "{\"steps\":["
	    "{\"id\":\"a\",\"title\":\"first\",\"needs\":[],\"phase\":\"steps\",\"risk\":\"read\"},"
	    "{\"id\":\"b\",\"title\":\"left\",\"needs\":[\"a\"],\"phase\":\"steps\",\"risk\":\"read\",\"if\":\"params.x\"},"
	    "{\"id\":\"c\",\"title\":\"right\",\"needs\":[\"a\"],\"phase\":\"steps\",\"manual\":true},"
	    "{\"id\":\"d\",\"title\":\"other\",\"needs\":[],\"phase\":\"steps\",\"risk\":\"change\"},"
	    "{\"id\":\"e\",\"title\":\"join\",\"needs\":[\"b\",\"c\"],\"phase\":\"verification\",\"risk\":\"read\",\"on_failure\":\"goto\"},"
	    "{\"id\":\"f\",\"title\":\"all\",\"needs\":[\"e\",\"d\",\"a\"],\"phase\":\"verification\",\"risk\":\"read\"}],"
	    "\"edges\":[{\"from\":\"e\",\"to\":\"a\",\"kind\":\"goto\"}]}";
	struct error e;
	struct arena *a = arena_new();
	struct lines out;
	struct buf text;
	json_t *graph = json_parse(diamond, strlen(diamond), 16, &e);
	assert_non_null(graph);
	lines_init(&out, a);
	buf_init(&text, 1 << 16);
	screen_graph(&out, graph, &sizes[0].screen);
	screen_graph(&out, graph, &sizes[2].screen);
	for (size_t i = 0; i < out.count; i++) buf_printf(&text, "%s\n", out.line[i]);
	same_as_golden("graph", "80x24", text.data);
	buf_clear(&text);
	json_decref(graph);
	arena_free(a);
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(screens_are_the_golden_ones),
	    cmocka_unit_test(panels_fit_every_size),
	    cmocka_unit_test(graphs_are_drawn_with_lanes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
