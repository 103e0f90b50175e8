#include "sandbox/worker/confine.h"
#include "sandbox/forkd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- system calls ---- */

enum { FILTER_LENGTH_MAX = 512 };
static struct sock_filter filter[FILTER_LENGTH_MAX];
static unsigned short filter_length;

/* What a worker needs once it runs; anything else ends it. Nothing here opens, connects, starts or signals anything. */
static const int allowed[] = {
    SCMP_SYS(read),  SCMP_SYS(write),   SCMP_SYS(exit),      SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),  SCMP_SYS(restart_syscall),
    SCMP_SYS(brk),   SCMP_SYS(munmap),  SCMP_SYS(setitimer), SCMP_SYS(getrandom),  SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
    SCMP_SYS(futex), SCMP_SYS(sysinfo), /* the C library asks for the size of memory before it sorts */
};

/* Memory may move and grow, and never become code. */
static const int allowed_without_exec[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};

static bool filter_fill(scmp_filter_ctx context)
{
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		if (seccomp_rule_add(context, SCMP_ACT_ALLOW, allowed[i], 0) != 0) return false;
	for (size_t i = 0; i < sizeof allowed_without_exec / sizeof *allowed_without_exec; i++)
		if (seccomp_rule_add(context, SCMP_ACT_ALLOW, allowed_without_exec[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) != 0) return false;
	/* The C library gives memory back by these two. What else there is drops pages of files or, for one with the right to, of the machine. */
	static const int advices[] = {MADV_DONTNEED, MADV_FREE};
	for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
		if (seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(madvise), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)advices[i])) != 0)
			return false;
	/* MREMAP_FIXED could lay one mapping over another. */
	return seccomp_rule_add(context, SCMP_ACT_ALLOW, SCMP_SYS(mremap), 1, SCMP_A3(SCMP_CMP_MASKED_EQ, MREMAP_FIXED, 0)) == 0;
}

bool confine_prepare(void)
{
	if (CONFINE_SANITIZED) return false;
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int fd = memfd_create("filter", MFD_CLOEXEC);
	bool ok = context && fd >= 0 && filter_fill(context) && seccomp_export_bpf(context, fd) == 0;
	ssize_t n = ok ? pread(fd, filter, sizeof filter, 0) : -1;
	/* A program that fills the array may have been cut. */
	if (n > 0 && n < (ssize_t)sizeof filter) filter_length = (unsigned short)((size_t)n / sizeof *filter);
	if (fd >= 0) close(fd);
	if (context) seccomp_release(context);
	return filter_length > 0;
}

static bool confine_system_calls(void)
{
	struct sock_fprog program = {.len = filter_length, .filter = filter};
	return filter_length > 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* ---- Landlock ---- */

/* The kernel's structure as of version 6: newer than the header of Debian 12. */
struct landlock_attributes {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

/* An empty ruleset: every right that this kernel's version knows is handled, none is granted. A second wall behind the filter. */
static int confine_landlock(void)
{
	static const struct {
		uint64_t fs_bits, net_bits, scoped_bits;
		size_t size;
	} by_version[] = {{13, 0, 0, 8}, {14, 0, 0, 8}, {15, 0, 0, 8}, {15, 2, 0, 16}, {16, 2, 0, 16}, {16, 2, 2, 24}};
	const int known = sizeof by_version / sizeof *by_version;
	int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 1) return 0;
	int row = (version < known ? version : known) - 1;
	struct landlock_attributes a = {
	    .handled_access_fs = (UINT64_C(1) << by_version[row].fs_bits) - 1,
	    .handled_access_net = (UINT64_C(1) << by_version[row].net_bits) - 1,
	    .scoped = (UINT64_C(1) << by_version[row].scoped_bits) - 1,
	};
	int fd = (int)syscall(SYS_landlock_create_ruleset, &a, by_version[row].size, 0);
	if (fd < 0) return 0;
	bool ok = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
	close(fd);
	return ok ? version : 0;
}

/* ---- the rest ---- */

/* The socket and nothing else; sanitizer builds keep stderr for their reports. */
static bool confine_descriptors(int socket_fd)
{
	if (socket_fd != CHILD_SOCKET_FD && dup2(socket_fd, CHILD_SOCKET_FD) != CHILD_SOCKET_FD) return false;
	if (syscall(SYS_close_range, CHILD_SOCKET_FD + 1, ~0U, 0) != 0) return false;
	for (int fd = 0; fd < (CONFINE_SANITIZED ? 2 : 3); fd++) close(fd);
	return true;
}

static bool limit(int which, rlim_t value)
{
	return setrlimit((__rlimit_resource_t)which, &(struct rlimit){value, value}) == 0;
}

static bool confine_resources(struct confined *out)
{
	/* NOFILE is one above the socket: there is no room for another descriptor. */
	out->rlimits = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, CHILD_SOCKET_FD + 1) && limit(RLIMIT_NPROC, 0) &&
	               limit(RLIMIT_CPU, CONFINE_CPU_SECONDS);
	out->address_space = !CONFINE_SANITIZED && limit(RLIMIT_AS, CONFINE_ADDRESS_SPACE_BYTES);
	return out->rlimits && (out->address_space || CONFINE_SANITIZED);
}

/* Ends with the fork server, cannot be read by others of its user, gains nothing by executing. */
static bool confine_process(int parent_pid)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent_pid) return false;
	return prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool confine_worker(int socket_fd, int parent_pid, struct confined *out)
{
	*out = (struct confined){0};
	if (!confine_process(parent_pid) || !confine_descriptors(socket_fd)) return false;
	out->landlock = confine_landlock();
	if (!confine_resources(out)) return false;
	if (!CONFINE_SANITIZED) out->seccomp = confine_system_calls();
	return true;
}
