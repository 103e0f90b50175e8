#include "cli/live.h"
#include "base/arena.h"
#include "base/clock.h"
#include "cli/excerpt.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "cli/screen.h"
#include "cli/session.h"
#include "cli/waiting.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct live {
	struct session session;
	bool json;
	struct style style;
	struct excerpts excerpts;
};

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int number)
{
	is_interrupted = number;
}

static void print_lines(const struct lines *l)
{
	for (size_t i = 0; i < l->count; i++) printf("%s\n", l->line[i]);
	fflush(stdout);
}

static struct screen screen_of(const struct live *l)
{
	return (struct screen){.columns = l->style.is_terminal ? l->style.columns : 120,
	                       .rows = 24,
	                       .color = l->style.color,
	                       .unicode = l->style.unicode,
	                       .now_us = clock_now_us()};
}

static void print_output_line(void *arg, const char *step, const char *text)
{
	char *id = tail_visible(step, strlen(step));
	(void)arg;
	printf("    %s | %s\n", id, text);
	free(id);
}

static void on_output(void *arg, const json_t *head, const char *data, size_t n)
{
	struct live *l = arg;
	if (!l->json) excerpts_add(&l->excerpts, head, data, n);
}

static void print_step(struct live *l, const json_t *step)
{
	struct arena *a = arena_new();
	struct lines out;
	struct screen s = screen_of(l);
	lines_init(&out, a);
	screen_finished_step(&out, l->session.view, step, NULL, &s);
	print_lines(&out);
	arena_free(a);
}

static void on_step(void *arg, const json_t *step, const char *was, json_int_t attempt_was)
{
	struct live *l = arg;
	const char *state = json_str(step, "state", "");
	if (l->json || (strcmp(was, state) == 0 && attempt_was == json_int(step, "attempt", 0))) return;
	/* Waiting for its turn is no news. */
	if (strcmp(state, "pending") != 0 && strcmp(state, "ready") != 0) {
		excerpts_end(&l->excerpts, NULL, json_str(step, "id", ""));
		print_step(l, step);
	}
}

static void on_logged(void *arg, const char *step, const char *level, const char *text)
{
	struct live *l = arg;
	if (l->json) return;
	struct arena *a = arena_new();
	printf("    %s . %s: %s\n", line_exact(a, step), line_exact(a, level), line_exact(a, text));
	arena_free(a);
}

static const struct session_hooks hooks = {.step_changed = on_step, .output = on_output, .logged = on_logged};

static json_t *summary(const json_t *view)
{
	static const char *const keys[] = {"id", "title", "state", "attempt", "waiting", "result", "why", "note", "started_us", "finished_us"};
	json_t *steps = json_array(), *step;
	size_t i;
	json_array_foreach(json_arr(view, "steps"), i, step)
	{
		json_t *o = json_object();
		for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
			json_object_set(o, keys[k], json_object_get(step, keys[k]) ? json_object_get(step, keys[k]) : json_null());
		if (json_obj(step, "diverged")) json_object_set(o, "diverged", json_obj(step, "diverged"));
		json_array_append_new(steps, o);
	}
	return json_pack("{s:s,s:s,s:s,s:o,s:O*,s:O*,s:O*}", "execution", json_str(view, "execution", ""), "book", json_str(json_obj(view, "book"), "path", ""),
	                 "state", json_str(view, "state", ""), "steps", steps, "findings", json_arr(view, "findings"), "conclusion",
	                 json_obj(view, "conclusion"), "children", json_arr(view, "children"));
}

static int finish(struct live *l)
{
	if (l->json) {
		json_t *v = summary(l->session.view);
		print_json_line(v);
		json_decref(v);
	}
	if (view_needs_person(l->session.view)) {
		waiting_say(l->session.view);
		return err_info(ERR_WAITING)->exit_status;
	}
	if (!l->json) {
		struct arena *a = arena_new();
		struct lines out;
		struct screen s = screen_of(l);
		lines_init(&out, a);
		screen_ending(&out, l->session.view, &s);
		print_lines(&out);
		arena_free(a);
	}
	return view_exit_status(l->session.view);
}

static enum err follow(struct live *l, struct client *c, struct error *e)
{
	enum err err = ERR_OK;
	while (!err && !l->session.is_ended && !view_is_over(l->session.view) && !view_needs_person(l->session.view)) {
		struct pollfd p = {.fd = client_fd(c), .events = POLLIN};
		if (is_interrupted)
			return error_set(e, ERR_INTERRUPTED, "interrupted; execution %s goes on: rung attach %s, or rung cancel %s", l->session.execution,
			                 l->session.execution, l->session.execution);
		if (!client_has_more(c) && poll(&p, 1, 1000) <= 0) continue;
		err = client_read(c, e);
		excerpts_end(&l->excerpts, l->session.view, NULL);
		/* The last events come in front of the end of the connection. */
		if (err == ERR_CLOSED && (l->session.is_ended || view_is_over(l->session.view))) err = ERR_OK;
		if (err == ERR_CLOSED) error_set(e, ERR_CLOSED, "the engine has gone away; what was recorded is safe: rung resume %s", l->session.execution);
		fflush(stdout);
	}
	if (!err && l->session.is_ended) err = session_refresh(&l->session, e);
	return err;
}

static void print_header(struct live *l, struct client *c)
{
	struct arena *a = arena_new();
	struct lines out;
	struct screen s = screen_of(l);
	size_t i;
	json_t *step;
	lines_init(&out, a);
	screen_header(&out, l->session.view, client_hello(c), &s);
	json_array_foreach(json_arr(l->session.view, "steps"), i, step) if (step_is_over(step)) screen_finished_step(&out, l->session.view, step, NULL, &s);
	print_lines(&out);
	arena_free(a);
}

int live_run(struct client *c, const char *execution, bool json, bool is_verbose)
{
	struct live l = {.json = json, .style = style_of(STDOUT_FILENO)};
	struct error e = {0};
	sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
	enum err err = session_attach(&l.session, c, execution, &e);
	if (!err) {
		session_set_hooks(&l.session, &hooks, &l);
		l.excerpts = (struct excerpts){.execution = l.session.execution, .is_verbose = is_verbose, .print = print_output_line};
		if (!json) print_header(&l, c);
		err = follow(&l, c, &e);
	}
	excerpts_clear(&l.excerpts);
	int status = err ? fail(&e, json) : finish(&l);
	session_clear(&l.session);
	client_close(c);
	return status;
}
