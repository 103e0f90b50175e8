#include "service/configure.h"
#include "base/fs.h"
#include "base/json.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- at the start ---- */

static enum err find_user(struct engine *en, struct error *e)
{
	const struct config *c = en->config;
	struct sandbox_user *user = arena_alloc(en->config_arena, sizeof *user);
	if (!c->commands_as) return ERR_OK;
	enum err err = user_find(en->config_arena, c->commands_as, user, e);
	if (err) {
		error_context(e, "%s: commands: as", c->commands_as_at);
		if (e) e->kind = ERR_INVALID; /* the file names somebody who is not there */
		return ERR_INVALID;
	}
	if (user->uid == geteuid()) return ERR_OK; /* the engine's own user after all */
	if (!sandbox_can_change_user())
		return error_set(e, ERR_DENIED,
		                 "%s: commands shall run as %s, and this engine, which runs as %s, may not become another user: start it as root, or with the "
		                 "capabilities CAP_SETUID, CAP_SETGID and CAP_KILL (systemd: AmbientCapabilities=CAP_SETUID CAP_SETGID CAP_KILL)",
		                 c->commands_as_at, c->commands_as, en->user);
	en->commands_as = user;
	return ERR_OK;
}

enum err engine_configure(struct engine *en, const char *path, struct error *e)
{
	en->config_arena = arena_new();
	en->config = arena_alloc(en->config_arena, sizeof *en->config);
	if (!path) path = config_path_beside(en->config_arena, en->state_dir);
	enum err err = config_read(en->config_arena, path, en->config, e);
	/* Remembered where there is no file, too: one may be written while the engine runs. */
	en->config_path = path ? arena_strdup(en->config_arena, path) : "";
	return err ? err : find_user(en, e);
}

/* ---- sandbox: require ---- */

/* The first of path and the folders above it that the user may write, in found; false where there is none. A sticky folder (/tmp) is open to all, but what
 * stands in it belongs to its owner. */
static bool is_writable_for(const struct sandbox_user *user, const char *path, char found[PATH_MAX])
{
	struct stat st;
	char *at = mem_strdup(path);
	bool is_writable = false;
	for (;;) {
		if (stat(at, &st) == 0 && user_can_write(user, &st) && !(S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX) && st.st_uid != user->uid)) {
			snprintf(found, PATH_MAX, "%s", at);
			is_writable = true;
		}
		bool is_top = strcmp(at, "/") == 0 || strcmp(at, ".") == 0;
		char *up = is_writable || is_top ? NULL : fs_dirname(at);
		free(at);
		if (!up) return is_writable;
		at = up;
	}
}

/* policy.yaml and what else stands beside config.yaml. */
static bool is_neighbour_writable(const struct sandbox_user *user, const char *config_path, char found[PATH_MAX])
{
	char *folder = fs_dirname(config_path);
	DIR *d = opendir(folder);
	bool is_writable = false;
	for (struct dirent *entry; d && !is_writable && (entry = readdir(d));) {
		struct stat st;
		if (entry->d_name[0] == '.' || fstatat(dirfd(d), entry->d_name, &st, 0) != 0 || !user_can_write(user, &st)) continue;
		snprintf(found, PATH_MAX, "%s/%s", folder, entry->d_name);
		is_writable = true;
	}
	if (d) closedir(d);
	free(folder);
	return is_writable;
}

/* One that must not be writable and is, in found. Where a symbolic link leads counts as well. */
static bool find_writable(const struct sandbox_user *user, const struct config *c, const char *const *paths, size_t path_count, char found[PATH_MAX])
{
	char real[PATH_MAX];
	for (size_t i = 0; i < path_count; i++) {
		if (!paths[i]) continue;
		if (is_writable_for(user, paths[i], found) || (realpath(paths[i], real) && is_writable_for(user, real, found))) return true;
	}
	return c->path && is_neighbour_writable(user, c->path, found);
}

void sandbox_missing(const struct config *c, const struct sandbox_user *commands_as, const struct sandbox_offer *o, const char *const *paths, size_t path_count,
                     struct buf *missing)
{
	char found[PATH_MAX];
	if (!o->seccomp) buf_str(missing, "; a system-call filter (seccomp): a kernel with CONFIG_SECCOMP_FILTER and a release build of rung have it");
	if (!o->landlock)
		buf_str(missing, "; Landlock: Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and landlock among lsm= of the kernel's command line");
	if (!o->rlimits) buf_str(missing, "; limits around each worker");
	if (!commands_as) {
		buf_printf(missing, "; another user for commands%s: write `commands: {as: NAME}`", c->commands_as ? " than the engine's own" : "");
		return;
	}
	if (find_writable(commands_as, c, paths, path_count, found))
		buf_printf(missing, "; %.300s, which %s may not be able to write: change its owner or mode", found, commands_as->name);
}

static enum err check_required(const struct engine *en, const struct sandbox_offer *o, struct error *e)
{
	const char *const paths[] = {en->config->path, en->state_dir, en->program, en->forkd};
	struct buf missing;
	buf_init(&missing, ERROR_TEXT_BYTES);
	sandbox_missing(en->config, en->commands_as, o, paths, sizeof paths / sizeof *paths, &missing);
	enum err err = ERR_OK;
	if (missing.len)
		err = error_set(e, ERR_FAILED, "%s: sandbox: require, and this is missing: %s. `rung doctor` shows what this host offers",
		                en->config->sandbox_at, missing.data + 2);
	buf_clear(&missing);
	return err;
}

enum err engine_check_sandbox(struct engine *en, struct error *e)
{
	struct sandbox_offer offer;
	const struct config *c = en->config;
	if (!c->is_sandbox_required && !en->commands_as) return ERR_OK;
	enum err err = sandbox_probe(en->sandbox, &offer, e);
	uid_t wanted = en->commands_as ? en->commands_as->uid : geteuid();
	if (!err && offer.actor_uid != wanted) err = error_set(e, ERR_FAILED, "commands would run as user id %d, not as %d", (int)offer.actor_uid, (int)wanted);
	if (err) return c->commands_as ? error_context(e, "%s: commands: as: %s", c->commands_as_at, c->commands_as) : err;
	return c->is_sandbox_required ? check_required(en, &offer, e) : ERR_OK;
}

/* ---- while it runs ---- */

static const char *words_of(struct arena *a, const struct config *c)
{
	return arena_printf(a, "sandbox: %s, commands as %s", c->is_sandbox_required ? "require" : "offered",
	                    c->commands_as ? c->commands_as : "the engine's own user");
}

/* What takes another start of the engine. */
static bool is_same_start(const struct config *a, const struct config *b)
{
	bool both = a->commands_as && b->commands_as;
	return a->is_sandbox_required == b->is_sandbox_required && (both ? strcmp(a->commands_as, b->commands_as) == 0 : a->commands_as == b->commands_as);
}

static bool is_same(const struct config *a, const struct config *b)
{
	json_t *one = config_json(a), *other = config_json(b);
	bool yes = json_equal(one, other) == 1;
	json_decref(one);
	json_decref(other);
	return yes;
}

/* The configuration of the engine's own file, read anew: the old arena goes, the user that was found at the start is kept in it by name only. */
static void adopt(struct engine *en, struct arena *a, const struct config *c)
{
	en->config->rules = c->rules;
	en->config->environment = c->environment;
	en->config->environment_count = c->environment_count;
	en->config->ssh = c->ssh;
	en->config->http_ca = c->http_ca;
	en->config->http_proxy = c->http_proxy;
	en->config->http_direct = c->http_direct;
	en->config->http_public = c->http_public;
	if (en->reread_arena) arena_free(en->reread_arena);
	en->reread_arena = a;
}

enum err engine_check_workspace(struct engine *en, const char *workspace, struct error *e)
{
	struct arena *a = arena_new();
	struct config c;
	char *path = mem_printf("%s/.rung/config.yaml", strcmp(workspace, "/") == 0 ? "" : workspace);
	bool is_own = strcmp(path, en->config_path) == 0;
	enum err err = config_read(a, path, &c, e);
	if (!err && is_own && is_same_start(&c, en->config)) {
		adopt(en, a, &c);
		free(path);
		return ERR_OK;
	}
	if (!err && (is_own || (c.path && !is_same(&c, en->config))))
		err = error_set(e, ERR_CONFLICT, "%s says \"%s\"%s, and this engine (pid %d) was started with \"%s\"%s%s: %s", path, words_of(a, &c),
		                is_own ? "" : " with limits and environment of its own", (int)getpid(), words_of(a, en->config), is_own ? "" : " of ",
		                is_own             ? ""
		                : *en->config_path ? en->config_path
		                                   : "no config.yaml",
		                is_own ? "end it (SIGTERM), and the next command starts one that is as the file says"
		                       : "give that workspace a state directory of its own, or make the two files say the same");
	free(path);
	arena_free(a);
	return err;
}

json_t *engine_environment(const struct engine *en, const char *execution, const json_t *given)
{
	json_t *env = json_pack("{s:s,s:s,s:s}", "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL", "C.UTF-8", "HOME", "/");
	const char *key;
	json_t *v;
	for (size_t i = 0; i < en->config->environment_count; i++) {
		const char *name = en->config->environment[i], *value = getenv(name);
		if (value) json_object_set_new(env, name, json_bytes(value, strlen(value)));
	}
	json_object_set_new(env, "RUNG_EXECUTION", json_string(execution));
	json_object_foreach((json_t *)given, key, v) if (*key && !strchr(key, '=')) json_object_set(env, key, v);
	return env;
}
