#include "sandbox/command_rules.h"
#include "base/json.h"

#include <sys/resource.h>
#include <unistd.h>

const struct command_limit command_limits[COMMAND_LIMITS] = {
    {"open_files", RLIMIT_NOFILE, 16, 1048576, "open files of one process (1024 where it is not set)"},
    {"processes", RLIMIT_NPROC, 1, 4194304, "processes and threads of the commands' user on this host, all together"},
    {"file_bytes", RLIMIT_FSIZE, 0, INT64_C(1) << 50, "bytes of a file that a command writes"},
    {"memory_bytes", RLIMIT_AS, 1 << 20, INT64_C(1) << 50, "bytes of address space of one process"},
    {"cpu_seconds", RLIMIT_CPU, 1, 31536000, "seconds of CPU time of one process"},
};

void command_rules_init(struct command_rules *r)
{
	*r = (struct command_rules){.trusted_uid = geteuid()};
	for (int i = 0; i < COMMAND_LIMITS; i++) r->limits[i] = LIMIT_NONE;
}

json_t *command_rules_setup(const struct command_rules *r)
{
	json_t *limits = json_object();
	for (int i = 0; i < COMMAND_LIMITS; i++)
		if (r->limits[i] != LIMIT_NONE) json_object_set_new(limits, command_limits[i].name, json_integer(r->limits[i]));
	return json_pack("{s:s,s:b,s:I,s:o}", "t", "setup", "no_new_privileges", r->no_new_privileges, "trusted_uid", (json_int_t)r->trusted_uid, "limits",
	                 limits);
}

enum err command_rules_read(const json_t *head, struct command_rules *r, struct error *e)
{
	const json_t *limits = json_obj(head, "limits");
	json_int_t uid = json_int(head, "trusted_uid", -1);
	command_rules_init(r);
	if (!limits || uid < 0) return error_set(e, ERR_PROTOCOL, "setup has limits and trusted_uid");
	r->no_new_privileges = json_bool(head, "no_new_privileges", false);
	r->trusted_uid = (uid_t)uid;
	for (int i = 0; i < COMMAND_LIMITS; i++) r->limits[i] = json_int(limits, command_limits[i].name, LIMIT_NONE);
	return ERR_OK;
}
