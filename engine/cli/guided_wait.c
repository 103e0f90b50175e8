#include "base/clock.h"
#include "cli/guided.h"
#include "cli/waiting.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The one place where guided mode waits: keys, the engine, signals and the command that runs, with drawing in between. */

enum {
	DRAW_EVERY_US = 40000, /* a flood of output is drawn 25 times a second */
	SPIN_EVERY_MS = 200,
	ESCAPE_MS = 50, /* a lone ESC is the key when nothing follows */
};

static bool is_anything_running(const struct guided *g)
{
	size_t i;
	json_t *step;
	if (g->command) return true;
	json_array_foreach(json_arr(g->session.view, "steps"), i,
	                   step) if (strcmp(json_str(step, "state", ""), "running") == 0 || strcmp(json_str(step, "waiting", ""), "retry") == 0) return true;
	return false;
}

/* Lines only: what the block is about; while that stays the same the block is not printed again. */
static char *key_of(const struct guided *g)
{
	const json_t *step = guided_step(g);
	return mem_printf("%s|%s|%s|%lld|%s|%s|%zu|%d", g->current ? g->current : "", json_str(step, "state", ""), json_str(step, "waiting", ""),
	                  (long long)json_int(step, "attempt", 0), g->notice ? g->notice : "", g->dialog && g->dialog->title ? g->dialog->title : "",
	                  step ? guided_next_command(g, step) : 0, g->command != NULL);
}

static void make_block(struct guided *g, struct lines *block, size_t *cursor)
{
	struct screen s = guided_screen(g);
	const json_t *step = guided_step(g);
	struct panel p = {.view = g->session.view,
	                  .step = step,
	                  .notice = g->notice,
	                  .dialog = g->dialog,
	                  .is_watching = g->is_watching,
	                  .waiting_count = view_waiting_count(g->session.view),
	                  .spin = g->spin};
	p.next_command = step ? guided_next_command(g, step) : 0;
	/* What a person ran was printed for good when it ended. */
	p.tail = g->command_tail ? g->command_tail : step && !json_bool(step, "manual", false) ? session_tail(&g->session, g->current) : NULL;
	p.command_runs = g->command != NULL;
	screen_panel(block, &p, &s, cursor);
}

static void drop_permanent(struct guided *g)
{
	arena_free(g->arena);
	g->arena = arena_new();
	lines_init(&g->permanent, g->arena);
}

static void draw(struct guided *g, bool whole)
{
	struct arena *a = arena_new();
	struct lines block;
	size_t cursor = 0;
	lines_init(&block, a);
	if (g->page) {
		terminal_write_page(&g->terminal, g->page);
	} else {
		make_block(g, &block, &cursor);
		char *key = g->terminal.is_raw ? NULL : key_of(g);
		/* The same question is not asked again under every line of output. */
		if (key && g->drawn_key && strcmp(key, g->drawn_key) == 0) block.count = 0;
		if (key && (block.count || !g->drawn_key)) {
			free(g->drawn_key);
			g->drawn_key = key;
		} else {
			free(key);
		}
		if (whole) terminal_redraw(&g->terminal, &block, cursor);
		if (!whole || g->permanent.count) terminal_draw(&g->terminal, &g->permanent, &block, cursor);
		drop_permanent(g);
	}
	arena_free(a);
	g->is_dirty = false;
	g->drawn_us = clock_monotonic_us();
}

void guided_flush(struct guided *g)
{
	struct lines none = {.arena = g->arena};
	terminal_clear_block(&g->terminal);
	terminal_draw(&g->terminal, &g->permanent, &none, 0);
	drop_permanent(g);
}

void guided_redraw(struct guided *g)
{
	draw(g, true);
}

static void read_input(struct guided *g)
{
	size_t room = sizeof g->input - g->input_len;
	ssize_t n = room ? read(STDIN_FILENO, g->input + g->input_len, room) : 0;
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
	if (n > 0)
		g->input_len += (size_t)n;
	else if (room)
		g->is_input_closed = true;
}

static void drop_input(struct guided *g, size_t n)
{
	memmove(g->input, g->input + n, g->input_len - n);
	g->input_len -= n;
}

/* Lines only: the line's first character is the key, an empty line is Enter. */
static int take_line(struct guided *g)
{
	char *end = memchr(g->input, '\n', g->input_len);
	if (!end && g->input_len < sizeof g->input) return KEY_NONE;
	size_t n = end ? (size_t)(end - g->input) : g->input_len, used;
	int key = n == 0 ? KEY_ENTER : key_decode(g->input, n, true, &used);
	if (g->is_line_wanted) {
		free(g->line);
		g->line = strndup(g->input, n);
		key = KEY_ENTER;
	}
	drop_input(g, n + (end != NULL));
	g->terminal.is_prompt_open = false;
	/* Whatever comes next is asked anew. */
	free(g->drawn_key);
	g->drawn_key = NULL;
	return key;
}

static int take_key(struct guided *g, bool is_last)
{
	size_t used;
	int key = KEY_NONE;
	if (!g->terminal.is_raw) key = take_line(g);
	while (g->terminal.is_raw && key == KEY_NONE && g->input_len > 0) {
		key = key_decode(g->input, g->input_len, is_last, &used);
		if (!used) break;
		drop_input(g, used);
	}
	if (key == KEY_NONE && g->is_input_closed && g->input_len == 0) return KEY_HANGUP;
	return key;
}

static int take_signals(struct guided *g)
{
	unsigned bits = terminal_signals(&g->terminal);
	if (bits & SIGNAL_HANGUP) return KEY_HANGUP;
	if (bits & SIGNAL_RESIZED && terminal_resized(&g->terminal)) {
		if (g->command) spawn_resize(g->command, g->terminal.columns, g->terminal.rows);
		if (g->is_lent) return KEY_NONE;
		if (g->page) return KEY_RESIZED;
		draw(g, true);
		return KEY_RESIZED;
	}
	return bits & SIGNAL_INTERRUPT ? KEY_INTERRUPT : KEY_NONE;
}

static int wait_time(const struct guided *g, int timeout_ms)
{
	int ms = timeout_ms;
	if (!g->is_engine_gone && client_has_more(g->client)) return 0;
	if (is_anything_running(g) && (ms < 0 || ms > SPIN_EVERY_MS)) ms = SPIN_EVERY_MS;
	if (g->is_dirty) {
		int64_t left = (g->drawn_us + DRAW_EVERY_US - clock_monotonic_us()) / 1000 + 1;
		int draw_ms = left > 0 ? (int)left : 0;
		if (ms < 0 || draw_ms < ms) ms = draw_ms;
	}
	if (g->input_len > 0 && (ms < 0 || ms > ESCAPE_MS)) ms = ESCAPE_MS;
	return ms;
}

/* Waits once. Gives the number of descriptors that something came on. */
static int wait_once(struct guided *g, struct pollfd p[6], int timeout_ms)
{
	int in = g->is_input_closed || (g->input_len == sizeof g->input && !g->is_lent) ? -1 : STDIN_FILENO;
	p[0] = (struct pollfd){.fd = in, .events = POLLIN};
	p[1] = (struct pollfd){.fd = g->is_engine_gone ? -1 : client_fd(g->client), .events = (short)(POLLIN | (client_wants_write(g->client) ? POLLOUT : 0))};
	p[2] = (struct pollfd){.fd = g->terminal.wake_fd, .events = POLLIN};
	p[3] = (struct pollfd){.fd = g->command ? g->command->out : -1, .events = POLLIN};
	p[4] = (struct pollfd){.fd = g->command ? g->command->err : -1, .events = POLLIN};
	p[5] = (struct pollfd){.fd = g->command ? g->command->status : -1, .events = POLLIN};
	return poll(p, 6, wait_time(g, timeout_ms));
}

static int take_events(struct guided *g)
{
	struct error e = {0};
	enum err err = client_read(g->client, &e);
	if (err == ERR_CLOSED || err == ERR_PROTOCOL) {
		g->is_engine_gone = true;
		return KEY_GONE;
	}
	if (err) guided_notice(g, "%s", e.text);
	bool is_changed = g->session.is_changed;
	g->session.is_changed = false;
	if (is_changed) g->is_dirty = true;
	return is_changed ? KEY_CHANGED : KEY_NONE;
}

int guided_wait(struct guided *g, int timeout_ms)
{
	int64_t until_us = timeout_ms < 0 ? INT64_MAX : clock_monotonic_us() + (int64_t)timeout_ms * 1000;
	for (bool is_quiet = false;;) {
		int key = g->is_lent ? KEY_NONE : take_key(g, is_quiet);
		if (key != KEY_NONE) return key;
		if (g->is_dirty && !g->is_lent && clock_monotonic_us() >= g->drawn_us + DRAW_EVERY_US) draw(g, false);
		struct pollfd p[6];
		int n = wait_once(g, p, timeout_ms);
		is_quiet = n == 0 && !client_has_more(g->client);
		if (is_quiet && is_anything_running(g)) g->spin++, g->is_dirty = true;
		if (n > 0 && p[2].revents && (key = take_signals(g)) != KEY_NONE) return key;
		if (n > 0 && p[0].revents) read_input(g);
		if (g->is_lent && g->is_input_closed) return KEY_HANGUP;
		if (n > 0 && (p[3].revents || p[4].revents || p[5].revents || (g->is_lent && p[0].revents)) && g->on_command(g)) return KEY_CHANGED;
		if ((p[1].revents || (p[1].fd >= 0 && client_has_more(g->client))) && (key = take_events(g)) != KEY_NONE) return key;
		if (clock_monotonic_us() >= until_us) return KEY_NONE;
	}
}
