#include "cli/guided.h"
#include "cli/printed.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The pager: a page of lines on the terminal's other screen, so that what stands in the scrollback stays. */

enum { PLAIN_LINES_MAX = 1000, OUTPUT_BYTES_MAX = 64 << 20 };

static void make_page(struct lines *page, const struct guided *g, const struct lines *all, const char *title, size_t top)
{
	struct screen s = guided_screen(g);
	size_t body = (size_t)s.rows - 1;
	for (size_t i = 0; i < body; i++)
		lines_add(page, top + i < all->count ? line_clip(page->arena, all->line[top + i], (size_t)s.columns - 1, s.unicode) : "");
	const char *where = all->count <= body ? "all" : top + body >= all->count ? "end" : arena_printf(page->arena, "%zu of %zu", top + body, all->count);
	/* A long title must not push the keys off the line. */
	if (s.columns > 72) title = line_clip(page->arena, title, (size_t)s.columns - 72 > 20 ? (size_t)s.columns - 72 : 20, s.unicode);
	const char *text = arena_printf(page->arena, " %s (%s)   space, b: page   up, down: line   < >: ends   q: back", title, where);
	text = line_clip(page->arena, text, (size_t)s.columns - 1, s.unicode);
	lines_add(page, s.color ? arena_printf(page->arena, "\033[7m%s\033[0m", text) : text);
}

static size_t move(int key, size_t top, size_t body, size_t last)
{
	size_t page = body > 1 ? body - 1 : 1;
	switch (key) {
	case ' ':
	case KEY_PAGE_DOWN:
		top += page;
		break;
	case 'b':
	case KEY_PAGE_UP:
		top = top > page ? top - page : 0;
		break;
	case KEY_ENTER:
	case 'j':
	case KEY_DOWN:
		top++;
		break;
	case 'k':
	case KEY_UP:
		top = top ? top - 1 : 0;
		break;
	case '<':
	case KEY_HOME:
		top = 0;
		break;
	case '>':
	case 'G':
	case KEY_END:
		top = last;
		break;
	default:
		break;
	}
	return top > last ? last : top;
}

static void print_all(struct guided *g, const struct lines *all)
{
	size_t from = all->count > PLAIN_LINES_MAX ? all->count - PLAIN_LINES_MAX : 0;
	if (from) lines_printf(&g->permanent, "... %zu lines before", from);
	for (size_t i = from; i < all->count; i++) lines_add(&g->permanent, arena_strdup(g->arena, all->line[i]));
	g->is_dirty = true;
}

/* Lines that are wider than the terminal, broken; the others are shared with all. */
static void fit_width(struct lines *out, const struct lines *all, size_t columns)
{
	for (size_t i = 0; i < all->count; i++) {
		if (line_columns(all->line[i]) < columns)
			lines_add(out, all->line[i]);
		else
			lines_wrap(out, all->line[i], columns - 1, "", "");
	}
}

static bool ends_paging(struct guided *g, int key)
{
	if (key == KEY_HANGUP) g->leaving = HUNG_UP;
	if (key == KEY_GONE) g->leaving = ENGINE_GONE;
	return g->leaving != STAYS || key == 'q' || key == 'o' || key == KEY_ESCAPE || key == KEY_INTERRUPT || key == KEY_END_OF_INPUT;
}

void guided_page(struct guided *g, const struct lines *all, const char *title, bool at_end)
{
	if (!g->terminal.is_raw) {
		print_all(g, all);
		return;
	}
	struct arena *fitted = arena_new();
	struct lines lines, page;
	int columns = -1, key = KEY_NONE;
	size_t top = at_end ? SIZE_MAX / 2 : 0;
	lines_init(&lines, fitted);
	terminal_full_screen(&g->terminal, true);
	do {
		if (columns != g->terminal.columns) {
			columns = g->terminal.columns;
			arena_free(fitted);
			fitted = arena_new();
			lines_init(&lines, fitted);
			fit_width(&lines, all, (size_t)columns);
		}
		size_t body = (size_t)g->terminal.rows - 1, last = lines.count > body ? lines.count - body : 0;
		top = move(key, top, body, last);
		struct arena *a = arena_new();
		lines_init(&page, a);
		make_page(&page, g, &lines, title, top);
		g->page = &page;
		g->is_dirty = true;
		key = guided_wait(g, -1);
		arena_free(a);
	} while (!ends_paging(g, key));
	g->page = NULL;
	arena_free(fitted);
	terminal_full_screen(&g->terminal, false);
	/* The size may have changed behind the pager. */
	guided_redraw(g);
}

static void add_line(void *all, const char *text)
{
	lines_printf(all, "  %s", text);
}

static bool add_call(struct guided *g, const json_t *step, const json_t *call, struct lines *all)
{
	static const char *const streams[] = {"stdout", "stderr"}, *const sizes[] = {"stdout_bytes", "stderr_bytes"};
	lines_printf(all, "== %s  %s  %s", printed_call_name(all->arena, call), line_safe(all->arena, json_str(call, "words", "")),
	             line_safe(all->arena, json_str(call, "state", "")));
	for (size_t i = 0; i < 2; i++) {
		struct buf b;
		struct error e = {0};
		if (json_int(call, sizes[i], 0) <= 0) continue;
		buf_init(&b, OUTPUT_BYTES_MAX);
		enum err err = printed_read(g->client, g->session.execution, json_str(step, "id", ""), call, streams[i], &b, &e);
		if (i == 1 && !err) lines_add(all, "-- errors");
		if (err)
			lines_add(all, line_safe(all->arena, e.text));
		else
			printed_lines(&b, add_line, all);
		buf_clear(&b);
		if (err == ERR_CLOSED) {
			guided_trouble(g, &e);
			return false;
		}
	}
	return true;
}

void guided_show_output(struct guided *g)
{
	const json_t *step = view_last_called(g->session.view, guided_step(g));
	size_t i;
	json_t *call, *held = json_deep_copy(step);
	struct arena *a = arena_new();
	struct lines all;
	lines_init(&all, a);
	bool is_whole = true;
	json_array_foreach(json_arr(held, "calls"), i, call) if (is_whole) is_whole = add_call(g, held, call, &all);
	if (all.count == 0) lines_add(&all, "It has printed nothing.");
	if (is_whole) guided_page(g, &all, line_safe(a, json_str(held, "title", "")), true);
	arena_free(a);
	json_decref(held);
}
