#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"
#include "cli/start.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS_MAX = 16 };

/* Paths are the engine's own, which works from another folder. */
static enum err whole_path(struct arena *a, const char *option, const char *path, const char **out, struct error *e)
{
	char whole[PATH_MAX];
	if (!realpath(path, whole)) return error_errno(e, "--%s %s", option, path);
	*out = arena_strdup(a, whole);
	return ERR_OK;
}

/* This process becomes the engine, so that whoever started it has the engine itself to watch and to end. */
static enum err become_service(const struct invocation *in, struct arena *a, struct error *e)
{
	struct workspace w;
	const char *words[WORDS_MAX] = {"rung", "engine", "--serve", "http"};
	size_t n = 4;
	enum err err = workspace_find(a, given_value(in, "state"), &w, e);
	if (err) return err;
	const char *config = start_config(a, w.state_dir);
	words[n++] = "--state", words[n++] = w.state_dir;
	if (config) words[n++] = "--config", words[n++] = config;
	static const char *const files[] = {"tls-cert", "tls-key"};
	for (size_t i = 0; i < 2; i++) {
		const char *path = given_value(in, files[i]);
		if (!path) continue;
		words[n++] = arena_printf(a, "--%s", files[i]);
		if ((err = whole_path(a, files[i], path, &words[n++], e))) return err;
	}
	if (given(in, "listen")) words[n++] = "--listen", words[n++] = given_value(in, "listen");
	execv("/proc/self/exe", (char *const *)words);
	return error_errno(e, "the engine cannot be started: /proc/self/exe");
}

static int run(const struct invocation *in)
{
	struct error e = {0};
	struct arena *a = arena_new();
	become_service(in, a, &e);
	arena_free(a);
	return fail(&e, given(in, "json"));
}

static const struct option options[] = {
    OPTION_STATE,
    {"listen", "ADDRESS:PORT", false, "where HTTP is answered (default: http: {listen} of .rung/config.yaml, or 127.0.0.1:7864)"},
    {"tls-cert", "FILE", false, "the server's certificate, in PEM; needed for an address that other hosts reach"},
    {"tls-key", "FILE", false, "its private key, in PEM"},
    {NULL, NULL, false, NULL},
};

const struct command command_serve = {
    .name = "serve",
    .arguments = "",
    .options = options,
    .help = "runs the engine as a service, with HTTP",
    .longer =
        "The same engine as the one that other commands start in the background, in the foreground and with no idle end: a service manager's to start and to "
        "end.\n"
        "Beside its sockets it answers HTTP: the engine's operations, live events, metrics and health (`GET /v1` lists them). Who asks shows a token\n"
        "(rung token create); what they may do the policy says, as for everybody else.\n"
        "On SIGTERM nothing new begins; what runs has the time that http: {drain} gives it, then it is left to be taken up. A second one ends it at once.",
    .run = run,
};
