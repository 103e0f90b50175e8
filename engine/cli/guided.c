#include "cli/guided.h"
#include "base/clock.h"
#include "cli/print.h"
#include "cli/waiting.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct screen guided_screen(const struct guided *g)
{
	return (struct screen){
	    .columns = g->terminal.columns, .rows = g->terminal.rows, .color = g->terminal.color, .unicode = g->terminal.unicode, .now_us = clock_now_us()};
}

const json_t *guided_step(const struct guided *g)
{
	return view_step(g->session.view, g->current);
}

void guided_notice(struct guided *g, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = NULL;
	must(vasprintf(&text, fmt, ap) >= 0);
	va_end(ap);
	free(g->notice);
	g->notice = text;
	g->is_dirty = true;
}

void guided_trouble(struct guided *g, const struct error *e)
{
	if (e->kind == ERR_CLOSED || e->kind == ERR_PROTOCOL)
		g->leaving = ENGINE_GONE;
	else
		guided_notice(g, "%s", e->text);
}

/* Keeps the step in front of the person while it waits; else the first that waits, else the first that runs. */
static void choose_step(struct guided *g)
{
	const json_t *now = guided_step(g), *best = NULL;
	size_t i;
	json_t *step;
	if (g->command || (now && step_waits(now))) return;
	json_array_foreach(json_arr(g->session.view, "steps"), i, step) if (step_waits(step) && !best) best = step;
	json_array_foreach(json_arr(g->session.view, "steps"), i, step) if (!best && (strcmp(json_str(step, "state", ""), "running") == 0 ||
	                                                                              strcmp(json_str(step, "waiting", ""), "retry") == 0)) best = step;
	if (best == now) return;
	free(g->current);
	g->current = best ? mem_strdup(json_str(best, "id", "")) : NULL;
	g->is_dirty = true;
}

static void keep_line(struct guided *g, const char *text)
{
	struct screen s = guided_screen(g);
	lines_add(&g->permanent, line_clip(g->arena, text, (size_t)s.columns - 1, s.unicode));
	g->is_dirty = true;
}

static void on_step(void *arg, const json_t *step, const char *was, json_int_t attempt_was)
{
	struct guided *g = arg;
	struct screen s = guided_screen(g);
	if (!step_is_over(step)) {
		if (attempt_was > 0 && strcmp(json_str(step, "state", ""), "pending") == 0 && strcmp(was, "pending") != 0)
			keep_line(g, arena_printf(g->arena, "  %s %s starts again", s.unicode ? "↺" : "<", line_safe(g->arena, json_str(step, "title", ""))));
		return;
	}
	if (strcmp(was, json_str(step, "state", "")) == 0 && attempt_was == json_int(step, "attempt", 0)) return;
	/* What a person ran by hand was shown when it ran. */
	struct tail *tail = json_bool(step, "manual", false) ? NULL : session_tail(&g->session, json_str(step, "id", ""));
	screen_finished_step(&g->permanent, g->session.view, step, tail, &s);
	g->is_dirty = true;
}

static void on_logged(void *arg, const char *step, const char *level, const char *text)
{
	struct guided *g = arg;
	(void)step;
	bool is_loud = strcmp(level, "warn") == 0 || strcmp(level, "error") == 0;
	keep_line(g, arena_printf(g->arena, "    %s %s%s", g->terminal.unicode ? "·" : "-",
	                          is_loud ? arena_printf(g->arena, "%s: ", line_safe(g->arena, level)) : "", line_safe(g->arena, text)));
}

static void on_noted(void *arg, const char *step, const char *by, const char *text)
{
	struct guided *g = arg;
	struct screen s = guided_screen(g);
	(void)step;
	lines_wrap(&g->permanent, arena_printf(g->arena, "note by %s: %s", line_safe(g->arena, by), line_safe(g->arena, text)), (size_t)s.columns - 1, "    ",
	           "");
	g->is_dirty = true;
}

static void on_output(void *arg, const json_t *head, const char *data, size_t n)
{
	struct guided *g = arg;
	(void)data, (void)n;
	if (g->current && strcmp(g->current, json_str(head, "step", "")) == 0) g->is_dirty = true;
}

static const struct session_hooks hooks = {.step_changed = on_step, .output = on_output, .logged = on_logged, .noted = on_noted};

static void print_start(struct guided *g)
{
	struct screen s = guided_screen(g);
	size_t i;
	json_t *step;
	screen_header(&g->permanent, g->session.view, client_hello(g->client), &s);
	json_array_foreach(json_arr(g->session.view, "steps"), i, step) if (step_is_over(step))
	    screen_finished_step(&g->permanent, g->session.view, step, NULL, &s);
	g->is_dirty = true;
}

/* The engine is gone: says what that means, and takes the execution up again where the person wants that. */
static void meet_engine_gone(struct guided *g)
{
	static const struct choice choices[] = {{KEY_ENTER, "Enter", "start it again and go on"}, {'q', "q", "leave"}, {0, NULL, NULL}};
	static const char *const text[] = {"Everything it had recorded is safe. A call that was in flight will be shown as unknown, never repeated by itself.",
	                                   NULL};
	g->leaving = STAYS;
	g->is_engine_gone = true;
	int key = g->is_watching || g->terminal.is_dumb ? 'q' : guided_ask_key(g, "The engine has gone away.", text, choices);
	enum leaving met = g->leaving;
	g->leaving = ENGINE_GONE;
	if (key != KEY_ENTER || met == HUNG_UP) return;
	struct client *fresh;
	struct error e = {0};
	char execution[sizeof g->session.execution];
	memcpy(execution, g->session.execution, sizeof execution);
	if (client_open(g->state_dir, &fresh, &e)) {
		guided_notice(g, "%s", e.text);
		return;
	}
	session_clear(&g->session);
	client_close(g->client);
	g->client = fresh;
	g->is_engine_gone = false;
	enum err err = session_attach(&g->session, fresh, execution, &e);
	session_set_hooks(&g->session, &hooks, g);
	if (err) {
		guided_notice(g, "%s", e.text);
		return;
	}
	g->leaving = STAYS;
	guided_notice(g, "The engine runs again; everything that was recorded is here.");
	if (!view_is_over(g->session.view)) guided_take_up(g);
}

/* Ctrl-Z: back to the person's shell, which continues us. */
static void suspend(struct guided *g)
{
	if (!g->terminal.is_raw) return;
	terminal_lend(&g->terminal, false);
	raise(SIGTSTP);
	terminal_take_back(&g->terminal, false);
	terminal_resized(&g->terminal);
	guided_redraw(g);
}

static void handle(struct guided *g, int key)
{
	if (key == KEY_SUSPEND) {
		suspend(g);
		return;
	}
	if (key == KEY_NONE || key == KEY_CHANGED || key == KEY_RESIZED) return;
	if (key == KEY_HANGUP)
		g->leaving = HUNG_UP;
	else if (key == KEY_GONE)
		g->leaving = ENGINE_GONE;
	else if (key == KEY_INTERRUPT)
		guided_interrupt(g);
	else if (guided_takes_question_key(g, key))
		guided_question_key(g, key);
	else {
		unsigned when = keys_when(g->session.view, guided_step(g), guided_step(g) ? guided_next_command(g, guided_step(g)) : 0,
		                          view_waiting_count(g->session.view));
		enum action action = keys_action(key, when);
		free(g->notice);
		g->notice = NULL;
		g->is_dirty = true;
		if (action != ACTION_NONE)
			guided_act(g, action);
		else if (key == KEY_ENTER && when & WHEN_PERSON)
			guided_notice(g, "Do what it says, then say how it went: d done, f failed, s skip.");
		else if (key == KEY_ENTER && when & WHEN_DECISION)
			guided_notice(g, "It is yours to decide: a again, d mark done, s skip, x stop and keep.");
		else if (key > ' ' && key < 127)
			guided_notice(g, "%c means nothing now: ? shows all keys", key);
	}
}

/* In auto mode nobody stays at the terminal for a person's step: it says what is wanted and ends. */
static bool has_to_stop(const struct guided *g)
{
	return g->is_watching && view_needs_person(g->session.view);
}

static void loop(struct guided *g)
{
	while (g->leaving == STAYS) {
		choose_step(g);
		if (g->session.is_ended || view_is_over(g->session.view))
			g->leaving = HAS_ENDED;
		else if (has_to_stop(g))
			g->leaving = LEAVES;
		else
			handle(g, guided_wait(g, -1));
		if (g->leaving == ENGINE_GONE) meet_engine_gone(g);
	}
}

/* What a command that left says of an execution that is still open. */
static void print_leaving(const struct guided *g)
{
	if (g->leaving == HAS_ENDED) return;
	if (g->leaving == ENGINE_GONE) {
		message("the engine has gone away; what was recorded is safe: rung resume %s", g->session.execution);
		return;
	}
	if (g->is_watching && view_needs_person(g->session.view)) {
		waiting_say(g->session.view);
		return;
	}
	const char *how = json_bool(g->session.view, "interrupted", false) ? "resume" : "attach";
	message("execution %s is %s; to go on: rung %s %s", g->session.execution, session_state(&g->session), how, g->session.execution);
}

static void finish_drawing(struct guided *g)
{
	struct screen s = guided_screen(g);
	if (g->leaving == HAS_ENDED) {
		struct error e;
		if (g->session.is_ended) session_refresh(&g->session, &e);
		lines_add(&g->permanent, "");
		screen_ending(&g->permanent, g->session.view, &s);
	}
	guided_flush(g);
}

int guided_run(struct client *c, const char *state_dir, const char *execution, bool is_watching)
{
	struct guided g = {.client = c, .state_dir = state_dir, .is_watching = is_watching, .arena = arena_new(), .chosen = json_object(), .is_dirty = true};
	struct error e = {0};
	int status;
	lines_init(&g.permanent, g.arena);
	if (session_attach(&g.session, c, execution, &e)) {
		status = fail(&e, false);
	} else {
		session_set_hooks(&g.session, &hooks, &g);
		spawn_carry_init(&g.carry);
		guided_carry_inputs(&g);
		terminal_enter(&g.terminal);
		print_start(&g);
		loop(&g);
		if (g.leaving != HUNG_UP) finish_drawing(&g);
		terminal_leave(&g.terminal);
		if (g.leaving != HUNG_UP) print_leaving(&g);
		status = g.leaving == ENGINE_GONE ? err_info(ERR_CLOSED)->exit_status : g.leaving == HUNG_UP ? 129 : view_exit_status(g.session.view);
		spawn_carry_clear(&g.carry);
	}
	session_clear(&g.session);
	client_close(g.client);
	json_decref(g.chosen);
	free(g.current);
	free(g.notice);
	free(g.line);
	free(g.drawn_key);
	arena_free(g.arena);
	return status;
}
