#include "base/fs.h"
#include "cli/doctor.h"
#include "sandbox/cgroup.h"
#include "sandbox/sandbox.h"
#include "service/configure.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is looked at together: the configuration, its user, and what a worker and an actor said. */
struct looked {
	const char *config_path;
	struct config config;
	struct sandbox_user user;
	const struct sandbox_user *commands_as; /* NULL: the engine's own user */
	struct sandbox_offer offer;
	bool is_config_valid, has_offer;
};

static const char *own_name(struct findings *f)
{
	const struct passwd *p = getpwuid(geteuid());
	return p ? arena_strdup(f->arena, p->pw_name) : arena_printf(f->arena, "%d", (int)geteuid());
}

static void look_at_config(struct findings *f, const struct workspace *w, struct looked *l)
{
	struct error e;
	l->config_path = config_path_beside(f->arena, w->state_dir);
	if (!l->config_path && w->root) l->config_path = arena_printf(f->arena, "%s/.rung/config.yaml", w->root);
	l->is_config_valid = config_read(f->arena, l->config_path, &l->config, &e) == ERR_OK;
	if (!l->is_config_valid)
		found(f, "config", false, arena_strdup(f->arena, e.text));
	else
		found(f, "config", true, l->config.path ? l->config.path : "no .rung/config.yaml: nothing is demanded of this host");
	if (l->is_config_valid) f->config = config_json(&l->config);
}

static void look_at_user(struct findings *f, struct looked *l)
{
	const char *own = own_name(f), *name = l->config.commands_as;
	struct error e;
	bool can = sandbox_can_change_user();
	if (!l->is_config_valid || !name) {
		found(
		    f, "commands", true,
		    arena_printf(
		        f->arena,
		        "as the engine's own user (here %s): nothing but that user confines them. Another user is %s: `commands: {as: NAME}` in config.yaml%s",
		        own, can ? "possible" : "not possible for an engine of this user",
		        can ? "" : ", and an engine of root or with CAP_SETUID, CAP_SETGID, CAP_KILL"));
		return;
	}
	if (user_find(f->arena, name, &l->user, &e)) {
		found(f, "commands", false, arena_printf(f->arena, "%s: commands: as: %s", l->config.commands_as_at, e.text));
	} else if (l->user.uid == geteuid()) {
		found(f, "commands", !l->config.is_sandbox_required,
		      arena_printf(f->arena, "as %s, who is the engine's own user: nothing but that user confines them", name));
	} else if (!can) {
		found(f, "commands", false,
		      arena_printf(f->arena, "as %s; an engine started by %s cannot do that: root, or CAP_SETUID, CAP_SETGID and CAP_KILL, can", name, own));
	} else {
		l->commands_as = &l->user;
		f->commands_as = l->user.name;
		found(f, "commands", true,
		      arena_printf(f->arena, "as %s, not as the engine's user: they reach neither its state and keys nor its processes", name));
	}
}

static void look_at_worker(struct findings *f, struct looked *l, const char *forkd)
{
	struct sandbox *s;
	struct error e;
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (!forkd || n < 0) return;
	self[n] = 0;
	enum err err = sandbox_start(forkd, self, l->commands_as, &s, &e);
	if (!err) {
		err = sandbox_probe(s, &l->offer, &e);
		sandbox_stop(s);
	}
	if (err) {
		found(f, "worker", false, arena_strdup(f->arena, e.text));
		return;
	}
	l->has_offer = true;
	const struct sandbox_offer *o = &l->offer;
	found(f, "worker", o->seccomp && o->landlock && o->rlimits,
	      arena_printf(f->arena, "one was started: system-call filter %s, Landlock %s, limits %s, address space %s", o->seccomp ? "on" : "OFF",
	                   o->landlock ? "on" : "OFF", o->rlimits ? "on" : "OFF", o->address_space ? "bounded" : "NOT bounded"));
}

static void look_at_groups(struct findings *f)
{
	const char *base;
	struct error e;
	if (cgroup_base(f->arena, &base, &e))
		found(f, "groups", true,
		      arena_printf(f->arena, "commands have no control group: %s. A daemon that a killed command's helper left is found by its lock only",
		                   e.text));
	else
		found(f, "groups", true, arena_printf(f->arena, "commands of an execution are one control group below %s: nothing of them outlives it", base));
}

static void look_at_tracing(struct findings *f)
{
	struct buf b;
	buf_init(&b, 64);
	bool has = fs_read("/proc/sys/kernel/yama/ptrace_scope", &b, NULL) == ERR_OK && b.len;
	const char *scope = has ? arena_strndup(f->arena, b.data, strcspn(b.data, "\n")) : NULL;
	buf_clear(&b);
	found(f, "tracing", true,
	      arena_printf(f->arena, "%s; workers and actors cannot be traced by their own user in any case, the engine and commands can where this allows it",
	                   !scope                    ? "no Yama: processes of one user may trace each other"
	                   : strcmp(scope, "0") == 0 ? "ptrace_scope 0: processes of one user may trace each other"
	                                             : arena_printf(f->arena, "ptrace_scope %s: no other process of the same user may be traced", scope)));
}

static void look_at_requirement(struct findings *f, const struct workspace *w, const struct looked *l, const char *forkd)
{
	const char *const paths[] = {l->config.path, w->state_dir, forkd};
	struct buf missing;
	if (!l->is_config_valid || !l->has_offer) return;
	buf_init(&missing, 4096);
	sandbox_missing(&l->config, l->commands_as, &l->offer, paths, sizeof paths / sizeof *paths, &missing);
	bool is_required = l->config.is_sandbox_required;
	if (!missing.len)
		found(f, "sandbox", true, is_required ? "require: everything is there" : "everything is there that `sandbox: require` would ask for");
	else
		found(f, "sandbox", !is_required,
		      arena_printf(f->arena, "%s %s",
		                   is_required ? "require, and the engine does not start, for this is missing:" : "`sandbox: require` would miss",
		                   missing.data + 2));
	buf_clear(&missing);
}

void doctor_sandbox(struct findings *f, const struct workspace *w, const char *forkd)
{
	struct looked l = {.config_path = NULL};
	look_at_config(f, w, &l);
	look_at_user(f, &l);
	look_at_worker(f, &l, forkd);
	look_at_groups(f);
	look_at_tracing(f);
	look_at_requirement(f, w, &l, forkd);
}
