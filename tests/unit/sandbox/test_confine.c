/* What a worker cannot do, asked of the release build's fork server: sanitizer builds have no system-call filter and no bound on their address space.
 * Says so where there is no release build. */
#include "lua.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

static struct sandbox *sandbox;
static bool is_release;

/* $RUNG_FORKD_RELEASE; or, where this test is of a sanitizer build in build/san, the one in build/; else this build's own. */
static char *release_path(void)
{
	char *own, *folder, *path;
	if (getenv("RUNG_FORKD_RELEASE")) return mem_strdup(getenv("RUNG_FORKD_RELEASE"));
	own = forkd_path();
	folder = fs_dirname(own);
	path = mem_printf("%s/../rung-forkd", folder);
	bool is_sanitized = strlen(folder) > 4 && strcmp(folder + strlen(folder) - 4, "/san") == 0;
	free(folder);
	if (!is_sanitized) {
		free(path);
		return own;
	}
	free(own);
	return path;
}

static void need_release(void)
{
	if (is_release) return;
	print_message("no release build of rung-forkd (make, then make SAN=1 units): its confinement was NOT tested\n");
	skip();
}

static void worker_open(struct peer *p)
{
	peer_open(p, sandbox, SANDBOX_WORKER, -1);
	peer_expect(p, "ready");
}

/* The value after "name:" in /proc/PID/status, or "Max name" in limits; "" where there is none. */
static char *proc_value(pid_t pid, const char *file, const char *name)
{
	char *path = mem_printf("/proc/%d/%s", (int)pid, file), line[512], *value = NULL;
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	while (!value && fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0) {
			char *at = line + strlen(name);
			at += strspn(at, ": \t");
			at[strcspn(at, " \t\n")] = 0;
			value = mem_strdup(at);
		}
	fclose(f);
	free(path);
	return value ? value : mem_strdup("");
}

static void check_proc(pid_t pid, const char *file, const char *name, const char *want)
{
	char *got = proc_value(pid, file, name);
	if (strcmp(got, want) != 0) fail_msg("/proc/PID/%s: %s is %s, %s was expected", file, name, got, want);
	free(got);
}

static void test_it_says_what_is_on(void **state)
{
	struct peer p;
	(void)state;
	need_release();
	peer_open(&p, sandbox, SANDBOX_WORKER, -1);
	const json_t *on = json_obj(peer_expect(&p, "ready"), "confined");
	assert_true(json_bool(on, "seccomp", false));
	assert_true(json_bool(on, "rlimits", false));
	assert_true(json_bool(on, "address_space", false));
	if (json_int(on, "landlock", -1) == 0) print_message("this kernel has no Landlock: the system-call filter stands alone\n");
	assert_true(json_int(on, "landlock", -1) >= 0);
	check_proc(p.child.pid, "status", "Seccomp", "2");
	check_proc(p.child.pid, "status", "NoNewPrivs", "1");
	check_proc(p.child.pid, "limits", "Max address space", "671088640");
	check_proc(p.child.pid, "limits", "Max file size", "0");
	check_proc(p.child.pid, "limits", "Max core file size", "0");
	check_proc(p.child.pid, "limits", "Max open files", "4");
	check_proc(p.child.pid, "limits", "Max processes", "0");
	check_proc(p.child.pid, "limits", "Max cpu time", "1200");
	peer_close(&p);
}

static void test_it_has_one_descriptor(void **state)
{
	struct peer p;
	(void)state;
	need_release();
	if (geteuid() != 0) skip(); /* it is not dumpable: only root may look */
	worker_open(&p);
	char *path = mem_printf("/proc/%d/fd", (int)p.child.pid);
	DIR *d = opendir(path);
	assert_non_null(d);
	struct dirent *entry;
	int n = 0;
	while ((entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.') assert_string_equal(entry->d_name, "3"), n++;
	closedir(d);
	assert_int_equal(n, 1);
	free(path);
	path = mem_printf("/proc/%d/environ", (int)p.child.pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t got = read(fd, text, sizeof text);
	close(fd);
	assert_null(memmem(text, got > 0 ? (size_t)got : 0, "PATH=", 5)); /* nothing of the engine's environment */
	free(path);
	peer_close(&p);
}

#if defined __x86_64__
/* Until it waits in read (system call 0): only then is the instruction before it a system call. */
static void wait_in_read(pid_t pid)
{
	for (bool is_there = false; !is_there;) {
		char *where = proc_value(pid, "syscall", "");
		is_there = strcmp(where, "0") == 0;
		free(where);
	}
}

/* Makes a waiting worker do one system call, as code that broke out of Lua would. The status of its end. */
static int forced(struct peer *p, const long call[7])
{
	struct user_regs_struct r;
	int status;
	pid_t pid = p->child.pid;
	assert_int_equal(ptrace(PTRACE_ATTACH, pid, NULL, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &r), 0);
	/* It stands behind the syscall instruction of its read. */
	r.rip -= 2;
	r.orig_rax = (unsigned long long)-1; /* do not take up the read again */
	r.rax = (unsigned long long)call[0];
	r.rdi = (unsigned long long)call[1], r.rsi = (unsigned long long)call[2], r.rdx = (unsigned long long)call[3];
	r.r10 = (unsigned long long)call[4], r.r8 = (unsigned long long)call[5], r.r9 = (unsigned long long)call[6];
	assert_int_equal(ptrace(PTRACE_SETREGS, pid, NULL, &r), 0);
	assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
	for (int64_t deadline = clock_monotonic_us() + 10000000; clock_monotonic_us() < deadline; usleep(200)) {
		if (waitpid(pid, &status, WNOHANG) != pid) continue;
		if (!WIFSTOPPED(status)) return status;
		ptrace(PTRACE_CONT, pid, NULL, NULL);
	}
	return 0; /* it lives */
}

static void test_system_calls_that_end_it(void **state)
{
	static const struct {
		const char *name;
		long call[7];
	} calls[] = {
	    {"openat", {SYS_openat, AT_FDCWD, 0, O_RDONLY}},
	    {"open", {SYS_open, 0, O_RDONLY}},
	    {"socket", {SYS_socket, AF_INET, SOCK_STREAM}},
	    {"connect", {SYS_connect, 3}},
	    {"sendmsg", {SYS_sendmsg, 3}},
	    {"recvmsg", {SYS_recvmsg, 3}},
	    {"execve", {SYS_execve}},
	    {"fork", {SYS_fork}},
	    {"clone", {SYS_clone, SIGCHLD}},
	    {"kill", {SYS_kill, 1, 0}},
	    {"tgkill", {SYS_tgkill}},
	    {"ptrace", {SYS_ptrace, PTRACE_ATTACH, 1}},
	    {"process_vm_readv", {SYS_process_vm_readv, 1}},
	    {"pidfd_open", {SYS_pidfd_open, 1}},
	    {"prctl", {SYS_prctl, 4, 1}},
	    {"prlimit64", {SYS_prlimit64}},
	    {"unlink", {SYS_unlink}},
	    {"chdir", {SYS_chdir}},
	    {"mount", {SYS_mount}},
	    {"setuid", {SYS_setuid}},
	    {"unshare", {SYS_unshare}},
	    {"bpf", {SYS_bpf}},
	    {"io_uring_setup", {SYS_io_uring_setup, 1}},
	    {"userfaultfd", {SYS_userfaultfd}},
	    {"memfd_create", {SYS_memfd_create}},
	    {"ioctl", {SYS_ioctl, 3}},
	    {"dup", {SYS_dup, 3}},
	    {"mmap of code", {SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
	    {"mprotect to code", {SYS_mprotect, 0, 4096, PROT_EXEC}},
	    {"mremap to a place", {SYS_mremap, 0, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, 0}},
	    {"getpid of 32 bits", {0x40000000L | SYS_getpid}},
	};
	(void)state;
	need_release();
	if (geteuid() != 0) skip(); /* it is not dumpable: only root may trace it */
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct peer p;
		worker_open(&p);
		wait_in_read(p.child.pid);
		int status = forced(&p, calls[i].call);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s did not end the worker by SIGSYS (status %x)", calls[i].name, (unsigned)status);
		peer_close(&p);
	}
}
#endif

/* The ordinary life of a worker needs nothing that the filter refuses: every library, large memory, errors, limits. */
static void test_everything_works_under_the_filter(void **state)
{
	static const char *const sources[] = {
	    "local t = {} for i = 1, 200000 do t[i] = tostring(i) end return #table.concat(t, ' ')",
	    "local t = {} for i = 1, 1000 do t[i] = {a = i, b = {i, tostring(i)}} end return #json.encode(json.decode(json.encode(t)))",
	    "local n = 0 for m in re.gmatch(('ab12 '):rep(20000), '(?<w>[a-z]+)\\\\d+') do n = n + #m.w end return n",
	    "return yaml.decode('a: [1, 2, {b: 1.5e3}]').a[3].b",
	    "return {time.iso(), time.words(5), string.format('%.3f %s', 1 / 3, 1e100), math.random(), ('%a'):format(0.5)}",
	    "local ok, why = pcall(re.match, ('a'):rep(60) .. '!', '^(a+)+$') return why",
	    "return #sh('x').stdout + #parallel{function() return sh('y') end, function() return sh('z') end}",
	    "local s = ('x'):rep(20 << 20) return #s:gsub('x', 'y') + #s:upper()",
	    "error({a = 1})",
	    "pcall(string.rep, 'x', 1 << 30)",
	};
	(void)state;
	need_release();
	for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
		struct peer p;
		worker_open(&p);
		struct lua_run r = {.peer = &p};
		json_t *end = lua_run(&r, sources[i]);
		if (!end) fail_msg("the worker was ended by: %s", sources[i]);
		json_decref(end);
		lua_clear(&r);
		peer_close(&p);
	}
}

/* Memory outside of Lua's count hits the address space at last: the worker may end, the machine does not suffer. */
static void test_the_address_space_is_bounded(void **state)
{
	struct peer p;
	(void)state;
	need_release();
	worker_open(&p);
	struct lua_run r = {.peer = &p};
	json_t *end =
	    lua_run(&r, "local l = {} for i = 1, 400 do local ok, v = pcall(json.decode, '[' .. ('[],'):rep(300000) .. '[]]') l[i] = ok end return 'alive'");
	if (end) assert_true(strcmp(json_str(end, "value", ""), "alive") == 0 || strcmp(json_str(end, "kind", ""), "limit") == 0);
	json_decref(end);
	lua_clear(&r);
	peer_close(&p);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "actor") == 0) return actor_main();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_says_what_is_on),
		cmocka_unit_test(test_it_has_one_descriptor),
#if defined __x86_64__
		cmocka_unit_test(test_system_calls_that_end_it),
#endif
		cmocka_unit_test(test_everything_works_under_the_filter),
		cmocka_unit_test(test_the_address_space_is_bounded),
	};
	char *path = release_path();
	is_release = fs_exists(path);
	if (is_release) sandbox = harness_start(path);
	int failed = cmocka_run_group_tests_name("confine", tests, NULL, NULL);
	sandbox_stop(sandbox);
	free(path);
	return failed;
}
