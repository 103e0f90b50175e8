#include "cli/engine_use.h"
#include "base/arena.h"
#include "cli/guided.h"
#include "cli/lines.h"
#include "cli/live.h"
#include "cli/print.h"
#include "cli/tail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum err use_open(const struct invocation *in, bool is_needed, struct use *u, struct error *e)
{
	*u = (struct use){.arena = arena_new(), .json = given(in, "json")};
	enum err err = workspace_find(u->arena, given_value(in, "state"), &u->workspace, e);
	/* Of a state that belongs to somebody else only its engine knows. */
	bool has_run = !err && (access(arena_printf(u->arena, "%s/store.db", u->workspace.state_dir), F_OK) == 0 || errno == EACCES);
	if (!err && (is_needed || has_run)) err = client_open(u->workspace.state_dir, &u->client, e);
	if (err) use_close(u);
	return err;
}

int use_one(const struct invocation *in, const char *name, int (*fn)(struct use *u, const struct invocation *in, const char *id, struct error *e))
{
	struct use u;
	struct error e = {0};
	const char *id;
	if (use_open(in, false, &u, &e)) return fail(&e, given(in, "json"));
	int status = use_execution(&u, name, &id, &e) ? fail(&e, u.json) : fn(&u, in, id, &e);
	use_close(&u);
	return status;
}

int use_say(const struct use *u, json_t *value, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (u->json)
		print_json(value);
	else
		vprintf(fmt, ap), putchar('\n');
	va_end(ap);
	json_decref(value);
	return 0;
}

void use_close(struct use *u)
{
	client_close(u->client);
	arena_free(u->arena);
	u->client = NULL, u->arena = NULL;
}

enum err use_request(struct use *u, const char *op, json_t *args, struct error *e)
{
	struct answer a = {0};
	enum err err = client_request(u->client, op, args, &a, e);
	answer_clear(&a);
	return err;
}

static void say_open(struct use *u, const json_t *list)
{
	enum { SHOWN = 5 };
	size_t n = json_array_size(list);
	message("open are:");
	for (size_t i = 0; i < n && i < SHOWN; i++) {
		const json_t *x = json_array_get(list, i);
		message_more("%s  %s  %s", json_str(x, "execution", ""), json_str(x, "state", ""), line_safe(u->arena, json_str(x, "title", "")));
	}
	if (n > SHOWN) message_more("and more: rung log --open");
}

static enum err only_open(struct use *u, const char **id, struct error *e)
{
	struct answer a = {0};
	enum err err = client_request(u->client, "log", json_pack("{s:b,s:i}", "open", 1, "limit", 20), &a, e);
	if (err) return err;
	const json_t *list = json_arr(a.value, "executions");
	size_t n = json_array_size(list);
	if (n == 1)
		*id = arena_strdup(u->arena, json_str(json_array_get(list, 0), "execution", ""));
	else if (n == 0)
		err = error_set(e, ERR_NOT_FOUND, "no execution is open: `rung log` shows those that have ended");
	else
		say_open(u, list), err = error_set(e, ERR_USAGE, "%zu executions are open: say which (rung log --open lists them)", n);
	answer_clear(&a);
	return err;
}

enum err use_execution(struct use *u, const char *name, const char **id, struct error *e)
{
	json_t *view;
	if (!u->client) return error_set(e, ERR_NOT_FOUND, "nothing has run here yet: there is no store in %s", u->workspace.state_dir);
	if (!name) return only_open(u, id, e);
	enum err err = use_view(u, name, &view, e);
	if (err) return err;
	*id = arena_strdup(u->arena, json_str(view, "execution", name));
	json_decref(view);
	return ERR_OK;
}

enum err use_view(struct use *u, const char *id, json_t **view, struct error *e)
{
	struct answer a = {0};
	enum err err = client_request(u->client, "attach", json_pack("{s:s}", "execution", id), &a, e);
	if (err) return err;
	*view = json_incref(a.value);
	answer_clear(&a);
	return use_request(u, "detach", json_pack("{s:s}", "execution", json_str(*view, "execution", id)), e);
}

enum err use_make_live(struct use *u, const char *id, struct error *e)
{
	json_t *view;
	enum err err = use_view(u, id, &view, e);
	if (err) return err;
	bool is_interrupted = json_bool(view, "interrupted", false);
	json_decref(view);
	return is_interrupted ? use_request(u, "resume", json_pack("{s:s,s:b,s:b}", "execution", id, "go_on", 0, "keep_driver", 1), e) : ERR_OK;
}

bool use_has_person(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

char *use_ask(const char *prompt)
{
	char *line = NULL;
	size_t room = 0;
	struct arena *a = arena_new();
	fflush(stdout);
	fputs(line_exact(a, prompt), stderr);
	arena_free(a);
	ssize_t n = getline(&line, &room, stdin);
	if (n < 0) {
		free(line);
		return NULL;
	}
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) line[--n] = 0;
	return line;
}

char *use_ask_hidden(const char *prompt)
{
	struct termios shown, hidden;
	bool is_terminal = tcgetattr(STDIN_FILENO, &shown) == 0;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	if (is_terminal) tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	char *line = use_ask(prompt);
	if (is_terminal) tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	fputs("\n", stderr);
	return line;
}

char *use_secret(const char *name, const char *about, bool may_ask, struct error *e)
{
	struct arena *a = arena_new();
	const char *given = getenv(arena_printf(a, "RUNG_SECRET_%s", name));
	char *safe_name = tail_visible(name, strlen(name)), *safe = tail_visible(about, strlen(about)), *value = NULL;
	if (given)
		value = mem_strdup(given);
	else if (!may_ask)
		error_set(e, ERR_INVALID, "the parameter %s is a secret and has no value: put it into the environment as RUNG_SECRET_%s", safe_name, safe_name);
	else if (!(value = use_ask_hidden(arena_printf(a, "%s (secret, not shown)%s%s: ", safe_name, *safe ? " - " : "", safe))))
		error_set(e, ERR_INTERRUPTED, "no value for the secret parameter %s: nothing goes on", safe_name);
	free(safe_name);
	free(safe);
	arena_free(a);
	return value;
}

int use_follow(struct use *u, const char *id, bool is_watching)
{
	struct client *c = u->client;
	u->client = NULL;
	if (u->json || !use_has_person() || (is_watching && u->is_verbose)) return live_run(c, id, u->json, u->is_verbose);
	return guided_run(c, u->workspace.state_dir, id, is_watching);
}
