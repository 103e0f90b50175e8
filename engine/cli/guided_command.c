#include "base/fs.h"
#include "book/shell.h"
#include "cli/guided.h"
#include "cli/screen_parts.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A command of a shell fence, run by this process for the person: shown, confirmed, its intent recorded, then run, its output shown and sent. */

enum { PIECE_BYTES = 32768, KEPT_LINES = 10 };

struct running {
	struct guided *g;
	struct spawn spawn;
	struct tail tail;
	char *step;
	json_int_t call;
	int interrupts;
	bool is_recorded; /* the engine still takes what we send */
};

/* One command runs at a time in a client. */
static struct running *now;

size_t guided_next_command(const struct guided *g, const json_t *step)
{
	const char *id = json_str(step, "id", "");
	const json_t *chosen = json_object_get(g->chosen, id);
	size_t i, n = 0, count = step_commands(step);
	json_t *call;
	if (chosen) return (size_t)json_integer_value(chosen);
	/* Taken up from another terminal or another day: what succeeded in this attempt has been run. */
	json_array_foreach(json_arr(step, "calls"), i, call) if (strcmp(json_str(call, "module", ""), "shell") == 0 &&
	                                                         json_int(call, "attempt", 0) == json_int(step, "attempt", 0) &&
	                                                         json_int(call, "code", -1) == 0) n++;
	return n < count ? n : count;
}

static void send_output(struct running *r, const char *stream, const char *data, size_t n)
{
	struct error e = {0};
	if (!r->is_recorded) return;
	json_t *args = json_pack("{s:s,s:s,s:I,s:s}", "execution", r->g->session.execution, "step", r->step, "call", r->call, "stream", stream);
	if (client_send(r->g->client, "shell.output", args, data, n, &e)) {
		r->is_recorded = false;
		guided_trouble(r->g, &e);
	}
}

static void take(struct running *r, int *fd, const char *stream)
{
	char data[PIECE_BYTES];
	/* A few pieces a turn: keys are read in between. */
	for (int i = 0; i < 8; i++) {
		ssize_t n = spawn_read(&r->spawn, fd, data, sizeof data);
		if (n <= 0) return;
		tail_add(&r->tail, data, (size_t)n);
		if (r->g->is_lent) fs_write_all(STDOUT_FILENO, data, (size_t)n, NULL);
		send_output(r, stream, data, (size_t)n);
		r->g->is_dirty = true;
	}
}

static void pass_keys(struct running *r)
{
	char *keys = r->g->input;
	if (r->g->input_len == 0 || r->spawn.out < 0) return;
	ssize_t n = write(r->spawn.out, keys, r->g->input_len);
	if (n <= 0) return;
	memmove(keys, keys + n, r->g->input_len - (size_t)n);
	r->g->input_len -= (size_t)n;
}

static bool on_command(struct guided *g)
{
	struct running *r = now;
	bool has_ended = spawn_has_ended(&r->spawn);
	if (g->is_lent) pass_keys(r);
	take(r, &r->spawn.out, r->spawn.is_terminal ? "terminal" : "stdout");
	take(r, &r->spawn.err, "stderr");
	return has_ended;
}

/* What is still in the pipes when the command has ended. Something of it in the background may hold them open, and is not waited for. */
static void drain(struct running *r)
{
	for (uint64_t before = UINT64_MAX; before != r->tail.byte_count;) {
		before = r->tail.byte_count;
		take(r, &r->spawn.out, r->spawn.is_terminal ? "terminal" : "stdout");
		take(r, &r->spawn.err, "stderr");
	}
}

/* Ctrl-C goes to the command: politely first. */
static void interrupt(struct running *r)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGKILL};
	static const char *const words[] = {"Ctrl-C went to the command; once more ends it harder", "asked to end (TERM); once more kills it", "killed"};
	int i = r->interrupts < 2 ? r->interrupts : 2;
	spawn_signal(&r->spawn, signals[i]);
	guided_notice(r->g, "%s", words[i]);
	r->interrupts++;
}

static void watch(struct running *r)
{
	struct guided *g = r->g;
	static const struct screen_dialog running = {.title = "It runs. Ctrl-C goes to the command."};
	g->dialog = g->is_lent ? NULL : &running;
	while (!spawn_has_ended(&r->spawn)) {
		int key = guided_wait(g, -1);
		if (key == KEY_INTERRUPT) interrupt(r);
		if (key == KEY_HANGUP) g->leaving = HUNG_UP;
		if (key == KEY_HANGUP) break;
		/* The command is the person's and goes on; there is nobody to record it. */
		if (key == KEY_GONE)
			r->is_recorded = false, guided_notice(g, "the engine has gone away: the command goes on, its outcome will not be recorded");
	}
	g->dialog = NULL;
}

static void show_command(struct guided *g, const char *shown)
{
	struct screen s = guided_screen(g);
	struct lines command;
	lines_init(&command, g->arena);
	lines_split(&command, shown);
	for (size_t i = 0; i < command.count && i < 4; i++)
		lines_add(&g->permanent, line_clip(g->arena, arena_printf(g->arena, "    %s %s", i ? " " : "$", line_source(g->arena, command.line[i])),
		                                   (size_t)s.columns - 1, s.unicode));
}

static void show_tail(struct guided *g, struct running *r, const char *shown)
{
	struct screen s = guided_screen(g);
	/* What had the terminal is on the screen already. */
	if (r->spawn.is_terminal) return;
	show_command(g, shown);
	screen_tail(&g->permanent, &r->tail, KEPT_LINES, &s);
}

static void send_finish(struct running *r)
{
	struct error e = {0};
	if (!r->is_recorded) return;
	json_t *end = json_pack("{s:I,s:i}", "call", r->call, r->spawn.end == SPAWN_EXITED ? "code" : "signal", r->spawn.number);
	if (session_request(&r->g->session, "shell.finish", r->step, end, NULL, &e)) guided_trouble(r->g, &e);
}

/* Runs what was confirmed and recorded. Gives true where it ended with 0. */
static bool run(struct running *r, const char *command, const char *shown, const char *lock, bool with_terminal)
{
	struct guided *g = r->g;
	struct error e = {0};
	if (with_terminal) {
		show_command(g, shown);
		guided_flush(g);
		terminal_lend(&g->terminal, true);
		g->is_lent = true;
	}
	enum err err = spawn_start(&g->carry, command, lock, with_terminal, g->terminal.columns, g->terminal.rows, &r->spawn, &e);
	if (!err) {
		now = r;
		g->command = &r->spawn, g->command_tail = &r->tail, g->on_command = on_command;
		watch(r);
		if (spawn_has_ended(&r->spawn)) drain(r);
		now = NULL;
		g->command = NULL, g->command_tail = NULL, g->on_command = NULL;
	}
	if (with_terminal) g->is_lent = false, terminal_take_back(&g->terminal, r->spawn.is_full_screen);
	if (err) {
		r->spawn.end = SPAWN_EXITED, r->spawn.number = 127;
		send_finish(r);
		guided_notice(g, "%s", e.text);
		return false;
	}
	if (r->spawn.end == SPAWN_RUNS) {
		/* The terminal has gone: the command goes with it, and the engine will find that nobody saw its end. */
		close(r->spawn.control);
		return false;
	}
	show_tail(g, r, shown);
	send_finish(r);
	bool is_left = spawn_finish(&r->spawn, &g->carry);
	const char *more = is_left ? "; something of it still runs in the background and ends when you leave" : "";
	if (r->spawn.end == SPAWN_SIGNALED)
		guided_notice(g, "ended by signal %d (%s)%s", r->spawn.number, strsignal(r->spawn.number), more);
	else if (r->spawn.number || is_left)
		guided_notice(g, "exit status %d%s", r->spawn.number, more);
	return r->spawn.end == SPAWN_EXITED && r->spawn.number == 0;
}

/* A placeholder or variable of a command that nobody has given a value. */
struct wanted {
	const struct guided *g;
	struct arena *arena;
	json_t *names; /* variable -> what it is called in the book */
	json_t *assigned;
};

static bool is_known(const struct guided *g, const char *name)
{
	size_t n = strlen(name);
	for (char **v = g->carry.environment; *v; v++)
		if (strncmp(*v, name, n) == 0 && (*v)[n] == '=') return true;
	return false;
}

static void find_name(enum shell_name_kind kind, const char *name, size_t n, size_t offset, void *arg)
{
	struct wanted *w = arg;
	const char *text = arena_strndup(w->arena, name, n), *variable = kind == SHELL_PLACEHOLDER ? shell_input_name(w->arena, name, n) : text;
	(void)offset;
	if (kind == SHELL_ASSIGNED)
		json_object_set_new(w->assigned, text, json_true());
	else if (!json_object_get(w->assigned, variable) && !is_known(w->g, variable) && !(kind == SHELL_VARIABLE && shell_is_environment(variable)))
		json_object_set_new(w->names, variable, json_string(text));
}

static void carry_value(struct guided *g, const char *name, const char *value)
{
	size_t n = 0;
	while (g->carry.environment[n]) n++;
	g->carry.environment = mem_realloc(g->carry.environment, (n + 2) * sizeof *g->carry.environment);
	g->carry.environment[n] = mem_printf("%s=%s", name, value);
	g->carry.environment[n + 1] = NULL;
}

void guided_carry_inputs(struct guided *g)
{
	const char *name;
	json_t *value;
	json_object_foreach(json_obj(g->session.view, "params"), name, value)
	{
		/* Upper-case names only, and none that means something to programs by itself: a book's default must not reach the loader. */
		bool is_input =
		    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(name) && strncmp(name, "LD_", 3) != 0 && !shell_is_environment(name);
		if (is_input && json_is_string(value) && json_string_length(value)) carry_value(g, name, json_string_value(value));
	}
}

/* Asks for what a command needs and nobody gave. The values go into the record as a note. False: the person went back. */
static bool ask_inputs(struct guided *g, const char *command)
{
	struct wanted w = {.g = g, .arena = arena_new(), .names = json_object(), .assigned = json_object()};
	const char *name;
	json_t *shown;
	bool goes_on = true;
	shell_each_name(command, find_name, &w);
	json_object_foreach(w.names, name, shown)
	{
		const char *title = arena_printf(w.arena, "What is %s?", line_safe(w.arena, json_string_value(shown)));
		static const char *const text[] = {"The command needs it; it is handed over as a variable, never as part of the command.", NULL};
		char *value = goes_on ? guided_ask_line(g, title, text, "") : NULL;
		goes_on = value != NULL;
		if (value) {
			struct error e = {0};
			carry_value(g, name, value);
			json_t *note = json_pack("{s:o,s:s}", "text", json_sprintf("%s = %s", name, value), "step", g->current);
			if (session_request(&g->session, "note", NULL, note, NULL, &e)) guided_trouble(g, &e);
		}
		free(value);
	}
	json_decref(w.names);
	json_decref(w.assigned);
	arena_free(w.arena);
	return goes_on && g->leaving == STAYS;
}

/* The command with its placeholders as quoted references to variables of the environment. */
static char *fill(struct guided *g, const char *command)
{
	struct arena *a = arena_new();
	struct buf b;
	size_t n = 0;
	buf_init(&b, 1 << 20);
	/* Every variable that is there now may stand for a placeholder. */
	struct book book = {0};
	while (g->carry.environment[book.param_count]) book.param_count++;
	book.params = arena_alloc(a, (book.param_count + 1) * sizeof *book.params);
	for (char **v = g->carry.environment; *v; v++) book.params[n++] = (struct book_param){.name = arena_strndup(a, *v, strcspn(*v, "=")), .is_input = true};
	shell_fill(&b, &book, command);
	arena_free(a);
	return buf_take(&b);
}

/* Shows the command and asks. Gives what is to be run, which the person may have changed; NULL: not now. */
static char *confirm(struct guided *g, const char *command, bool *with_terminal, bool edit)
{
	static const struct choice choices[] = {
	    {KEY_ENTER, "Enter", "run it"}, {'e', "e", "edit"}, {'t', "t", "run it with the terminal"}, {KEY_ESCAPE, "Esc", "not now"}, {0, NULL, NULL}};
	struct arena *a = arena_new();
	char *now_command = mem_strdup(command);
	int key = edit ? 'e' : KEY_NONE;
	while (key != KEY_ENTER && key != KEY_ESCAPE && key != 't') {
		struct lines text;
		lines_init(&text, a);
		lines_split(&text, now_command);
		const char **shown = arena_alloc(a, (text.count + 2) * sizeof *shown);
		size_t n = 0;
		/* Its beginning must stay on the screen, however long it is. */
		size_t room = (size_t)g->terminal.columns * 3;
		for (; n < text.count && n < 10; n++)
			shown[n] = arena_printf(a, "%s %s", n ? " " : "$", line_clip(a, line_source(a, text.line[n]), room, g->terminal.unicode));
		if (n < text.count) shown[n] = arena_printf(a, "  ... %zu more lines: Esc, then v shows all", text.count - n);
		const char *title = arena_printf(a, "Run this as you, in %s%s?", line_safe(a, g->carry.folder), *with_terminal ? ", with the terminal" : "");
		if (key != 'e') key = guided_ask_key(g, title, shown, choices);
		if (key != 'e') continue;
		char *changed = guided_ask_line(g, "The command to run:", NULL, now_command);
		if (changed && *changed)
			free(now_command), now_command = changed;
		else
			free(changed);
		key = g->leaving == STAYS ? KEY_NONE : KEY_ESCAPE;
	}
	if (key == 't') *with_terminal = true;
	arena_free(a);
	if (key != KEY_ESCAPE) return now_command;
	free(now_command);
	return NULL;
}

void guided_run_command(struct guided *g, bool with_terminal, bool edit)
{
	size_t fence, at = guided_next_command(g, guided_step(g));
	const char *written = step_command(guided_step(g), at, &fence);
	if (!written) return;
	if (!g->terminal.is_raw) with_terminal = false;
	struct running r = {.g = g, .step = mem_strdup(g->current), .is_recorded = true};
	struct answer a = {0};
	struct error e = {0};
	char *command = mem_strdup(written), *confirmed = confirm(g, command, &with_terminal, edit);
	if (confirmed && ask_inputs(g, confirmed)) {
		char *filled = fill(g, confirmed);
		json_t *intent = json_pack("{s:i,s:s,s:s,s:b}", "fence", (int)fence, "command", filled, "cwd", g->carry.folder, "terminal", with_terminal);
		if (session_request(&g->session, "shell.start", r.step, intent, &a, &e)) {
			guided_trouble(g, &e);
		} else {
			r.call = json_int(a.value, "call", 0);
			bool went_well = run(&r, filled, confirmed, json_str(a.value, "lock", NULL), with_terminal);
			/* A command that failed stays the next one: try again, or choose another with the arrows. */
			json_object_set_new(g->chosen, r.step, json_integer((json_int_t)(went_well ? at + 1 : at)));
		}
		free(filled);
	}
	answer_clear(&a);
	tail_clear(&r.tail);
	free(confirmed);
	free(command);
	free(r.step);
}
