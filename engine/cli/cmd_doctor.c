#include "base/fs.h"
#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/engine_use.h"
#include "cli/print.h"

#include <linux/landlock.h>
#include <openssl/crypto.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <uv.h>
#include <yaml.h>

void found(struct findings *f, const char *name, bool is_good, const char *what)
{
	json_array_append_new(f->rows, json_pack("{s:s,s:b,s:o}", "name", name, "good", is_good, "what", json_text(what)));
	f->bad += !is_good;
}

static void look_at_kernel(struct findings *f)
{
	struct utsname u;
	if (uname(&u) == 0) found(f, "kernel", true, arena_printf(f->arena, "%s %s %s", u.sysname, u.release, u.machine));
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	found(f, "Landlock", abi > 0,
	      abi > 0 ? arena_printf(f->arena, "version %ld: workers see no files", abi)
	              : "not there: workers are confined by the system-call filter and limits alone");
	bool has_seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
	found(f, "seccomp", has_seccomp, has_seccomp ? "there: workers make no system calls but those they need" : "not there: workers are not confined");
}

static void look_at_libraries(struct findings *f)
{
	char pcre[64] = "?";
	pcre2_config(PCRE2_CONFIG_VERSION, pcre);
	found(f, "SQLite", true, sqlite3_libversion());
	found(f, "libuv", true, uv_version_string());
	found(f, "OpenSSL", true, OpenSSL_version(OPENSSL_VERSION));
	found(f, "jansson", true, jansson_version_str());
	found(f, "libyaml", true, yaml_get_version_string());
	found(f, "PCRE2", true, arena_strdup(f->arena, pcre));
}

static void look_at_state(struct findings *f, const char *dir)
{
	struct stat st;
	struct statvfs fs;
	if (stat(dir, &st) != 0) {
		found(f, "state", true, arena_printf(f->arena, "%s (nothing has run here yet)", dir));
		return;
	}
	bool is_private = (st.st_mode & 077) == 0;
	found(f, "state", is_private, is_private ? dir : arena_printf(f->arena, "%s: others can look into it; mend: chmod 700", dir));
	if (statvfs(dir, &fs) == 0) {
		unsigned long long mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
		found(f, "space", mib > 256, arena_printf(f->arena, "%llu MiB free for the journal", mib));
	}
}

/* Both as config_json gives them: what an engine takes up only when it starts. */
static bool is_same_start(const json_t *a, const json_t *b)
{
	return strcmp(json_str(a, "sandbox", ""), json_str(b, "sandbox", "")) == 0 &&
	       strcmp(json_str(json_obj(a, "commands"), "as", ""), json_str(json_obj(b, "commands"), "as", "")) == 0;
}

static void look_at_engine(struct findings *f, const char *dir)
{
	struct client *c;
	struct error e = {0};
	if (client_connect(dir, &c, &e)) {
		found(f, "engine", e.kind == ERR_NOT_FOUND, e.kind == ERR_NOT_FOUND ? "not running; the next command that needs it starts it" : e.text);
		return;
	}
	const json_t *h = client_hello(c);
	const char *version = json_str(h, "version", "?");
	bool is_same = strcmp(version, RUNG_VERSION) == 0;
	found(f, "engine", is_same,
	      arena_printf(f->arena, "running as %s@%s, pid %lld, version %s%s", json_str(h, "user", "?"), json_str(h, "host", "?"),
	                   (long long)json_int(h, "pid", 0), version,
	                   is_same ? "" : ", which differs from this rung's: let it end (it does when idle) before you go on"));
	const json_t *config = json_obj(h, "config");
	if (f->config && config && !is_same_start(config, f->config))
		found(f, "engine", false,
		      "it was started with another sandbox: or commands: as: than config.yaml has now: end it (SIGTERM), and the next command starts one anew");
	client_close(c);
}

static const char *look_at_forkd(struct findings *f)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n < 0) return NULL;
	self[n] = 0;
	char *dir = fs_dirname(self);
	const char *beside = arena_printf(f->arena, "%s/rung-forkd", dir), *installed = arena_printf(f->arena, "%s/../libexec/rung-forkd", dir);
	const char *path = access(beside, X_OK) == 0 ? beside : access(installed, X_OK) == 0 ? installed : NULL;
	found(f, "fork server", path != NULL, path ? path : "rung-forkd is neither beside rung nor in ../libexec: no Lua step can run");
	free(dir);
	return path;
}

static const char lua_honesty[] = "Lua steps are confined: no files, no sockets, no secrets, only calls that the engine checks and records.\n";

static const char *honesty(const struct findings *f)
{
	if (f->commands_as)
		return arena_printf(f->arena,
		                    "%sCommands run as %s, another user than the engine: policy, journal and keys are out of their reach.\n"
		                    "Whatever else %s may do on this host, they may do.",
		                    lua_honesty, f->commands_as, f->commands_as);
	return arena_printf(f->arena,
	                    "%sCommands are not: they run as the engine's own user and are confined by nothing but that user. They could\n"
	                    "rewrite policy, state and keys; for them policy and journal are guard rails, not a boundary.",
	                    lua_honesty);
}

static int run(const struct invocation *in)
{
	struct findings f = {.arena = arena_new(), .rows = json_array()};
	struct workspace w;
	struct error e = {0};
	size_t i;
	json_t *row;
	if (workspace_find(f.arena, given_value(in, "state"), &w, &e)) w = (struct workspace){.state_dir = "/nonexistent"};
	found(&f, "rung", true, RUNG_VERSION);
	look_at_kernel(&f);
	const char *forkd = look_at_forkd(&f);
	look_at_libraries(&f);
	found(&f, "workspace", true, w.root ? w.root : "none here (no .rung upward); books outside of one run as well");
	look_at_state(&f, w.state_dir);
	doctor_sandbox(&f, &w, forkd);
	look_at_engine(&f, w.state_dir);
	if (given(in, "json")) {
		json_t *v = json_pack("{s:O,s:I,s:s}", "findings", f.rows, "bad", (json_int_t)f.bad, "honesty", honesty(&f));
		print_json(v);
		json_decref(v);
	} else {
		printf("%s\n\n", honesty(&f));
		json_array_foreach(f.rows, i, row)
		{
			printf("%s %-12s ", json_bool(row, "good", true) ? "  " : "! ", json_str(row, "name", ""));
			print_text(json_str(row, "what", ""));
			printf("\n");
		}
	}
	json_decref(f.rows);
	json_decref(f.config);
	arena_free(f.arena);
	return f.bad ? err_info(ERR_FAILED)->exit_status : 0;
}

static const struct option options[] = {OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_doctor = {.name = "doctor",
                                       .arguments = "",
                                       .options = options,
                                       .help = "what this host offers, and what confines what; exit 1 where something is amiss",
                                       .run = run};
