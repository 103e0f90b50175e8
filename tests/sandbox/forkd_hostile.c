/* A fork server whose workers and actors do what a test tells them: they are confined and started as the real ones are, and then say any bytes to the engine,
 * make any system call, or do nothing at all. A worker's part that does not use `hostile`, and a command that is not called so, are run as ever: honest
 * executions stand beside the others in one engine. first-words-worker and first-words-actor beside the program, where they are, are what each says before
 * anything else. */
#define environment_open environment_open_real
#include "sandbox/worker/environment.c"
#undef environment_open

#define confine_worker confine_worker_real
bool confine_worker(int socket_fd, int parent_pid, struct confined *out);
#include "sandbox/worker/confine.c"
#undef confine_worker

#include "sandbox/actor_command.h"

#define command_start command_start_or_play
static enum err command_start_or_play(const json_t *head, const void *input, size_t input_bytes, const struct command_rules *rules,
                                      const struct secret_call *secrets, struct command **out, struct error *e);
#include "sandbox/actor.c"
#include "sandbox/command_hand.c"
#undef command_start

#include <linux/futex.h>
#include <linux/limits.h>
#include <sys/time.h>

bool confine_worker(int socket_fd, int parent_pid, struct confined *out);
void environment_open(lua_State *L, struct worker *w);

/* ---- what both can do ---- */

static void put(const void *bytes, size_t n)
{
	const char *p = bytes;
	while (n > 0) {
		ssize_t done = write(CHILD_SOCKET_FD, p, n);
		if (done <= 0) _exit(0);
		p += done, n -= (size_t)done;
	}
}

static void put_frame(const char *head, size_t head_len, const char *payload, size_t payload_len)
{
	unsigned char prefix[FRAME_PREFIX_BYTES];
	for (int i = 0; i < 4; i++) {
		prefix[i] = (unsigned char)(head_len >> (24 - 8 * i));
		prefix[4 + i] = (unsigned char)(payload_len >> (24 - 8 * i));
	}
	put(prefix, sizeof prefix);
	put(head, head_len);
	put(payload, payload_len);
}

/* Until the engine has had enough of it. */
_Noreturn static void read_on(void)
{
	static char chunk[65536];
	while (read(CHILD_SOCKET_FD, chunk, sizeof chunk) > 0) continue;
	_exit(0);
}

_Noreturn static void sleep_on(void)
{
	static int word;
	for (;;) syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

_Noreturn static void spin_on(void)
{
	struct itimerval never = {0};
	setitimer(ITIMER_PROF, &never, NULL); /* or the worker's own clock would end it */
	for (volatile unsigned n = 0;; n++) continue;
}

/* All memory that the address space has room for. */
_Noreturn static void eat_on(void)
{
	for (size_t n = 64 << 20; n >= 4096;) {
		char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			n /= 2;
		else
			for (size_t i = 0; i < n; i += 4096) p[i] = 1;
	}
	sleep_on();
}

static void say_first_words(const char *name, int fd)
{
	char path[PATH_MAX + 64], words[65536];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
	if (n <= 0) return;
	while (n > 0 && path[n - 1] != '/') n--;
	snprintf(path + n, sizeof path - (size_t)n, "%s", name);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	n = file >= 0 ? read(file, words, sizeof words) : -1;
	if (file >= 0) close(file);
	if (n > 0 && write(fd, words, (size_t)n) != n) _exit(0);
}

/* ---- the worker ---- */

bool confine_worker(int socket_fd, int parent_pid, struct confined *out)
{
	say_first_words("first-words-worker", socket_fd);
	return confine_worker_real(socket_fd, parent_pid, out);
}

/* hostile.frame(head, payload): those bytes as a frame, whatever they are. */
static int hostile_frame(lua_State *L)
{
	size_t n, m;
	const char *head = luaL_checklstring(L, 1, &n), *payload = luaL_optlstring(L, 2, "", &m);
	put_frame(head, n, payload, m);
	return 0;
}

/* hostile.bytes(text): no frame at all. */
static int hostile_bytes(lua_State *L)
{
	size_t n;
	const char *text = luaL_checklstring(L, 1, &n);
	put(text, n);
	return 0;
}

static int hostile_slowly(lua_State *L)
{
	size_t n;
	const char *text = luaL_checklstring(L, 1, &n);
	for (size_t i = 0; i < n; i++) put(text + i, 1);
	return 0;
}

/* hostile.read(): waits for something from the engine and reads it, without saying so. */
static int hostile_read(lua_State *L)
{
	static char chunk[65536];
	(void)L;
	if (read(CHILD_SOCKET_FD, chunk, sizeof chunk) <= 0) _exit(0);
	return 0;
}

static long as_argument(lua_State *L, int index)
{
	if (lua_type(L, index) == LUA_TSTRING) return (long)(uintptr_t)lua_tostring(L, index);
	return (long)luaL_optinteger(L, index, 0);
}

/* hostile.system_call(number, a, ...): a string is passed as its address. Gives what the kernel says: below 0 an errno. */
static int hostile_system_call(lua_State *L)
{
	long a[7];
	for (int i = 0; i < 7; i++) a[i] = as_argument(L, i + 1);
	long result = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	lua_pushinteger(L, result < 0 ? -errno : result);
	return 1;
}

/* The same through the door of 32-bit programs. */
static int hostile_system_call_32(lua_State *L)
{
#if defined __x86_64__
	long result = as_argument(L, 1);
	__asm__ volatile("int $0x80"
	                 : "+a"(result)
	                 : "b"(as_argument(L, 2)), "c"(as_argument(L, 3)), "d"(as_argument(L, 4))
	                 : "memory", "r8", "r9", "r10", "r11");
	lua_pushinteger(L, (int)result);
	return 1;
#else
	return luaL_error(L, "this processor has no such door");
#endif
}

static int hostile_wait(lua_State *L)
{
	(void)L;
	read_on();
}

static int hostile_sleep(lua_State *L)
{
	(void)L;
	sleep_on();
}

static int hostile_spin(lua_State *L)
{
	(void)L;
	spin_on();
}

static int hostile_eat(lua_State *L)
{
	(void)L;
	eat_on();
}

static int hostile_leave(lua_State *L)
{
	(void)L;
	_exit(0);
}

void environment_open(lua_State *L, struct worker *w)
{
	static const luaL_Reg functions[] = {{"frame", hostile_frame},
	                                     {"bytes", hostile_bytes},
	                                     {"slowly", hostile_slowly},
	                                     {"read", hostile_read},
	                                     {"system_call", hostile_system_call},
	                                     {"wait", hostile_wait},
	                                     {"sleep", hostile_sleep},
	                                     {"spin", hostile_spin},
	                                     {"eat", hostile_eat},
	                                     {"system_call_32", hostile_system_call_32},
	                                     {"leave", hostile_leave},
	                                     {NULL, NULL}};
	environment_open_real(L, w);
	luaL_newlib(L, functions);
	lua_setglobal(L, "hostile");
}

/* ---- the actor ---- */

/* `hostile frame HEAD payload TEXT bytes TEXT ... sleep|spin|leave|wait`, with $ID for the call's. */
static void play(const char *word, const char *text, json_int_t id)
{
	static char whole[1 << 20];
	size_t n = 0;
	for (const char *at = text; *at && n < sizeof whole - 32;) {
		if (strncmp(at, "$ID", 3) == 0) {
			n += (size_t)snprintf(whole + n, 32, "%lld", (long long)id);
			at += 3;
		} else {
			whole[n++] = *at++;
		}
	}
	if (strcmp(word, "frame") == 0) put_frame(whole, n, NULL, 0);
	if (strcmp(word, "printed") == 0) put_frame(whole, n, "some output\n", 12);
	if (strcmp(word, "bytes") == 0) put(whole, n);
	if (strcmp(word, "slowly") == 0)
		for (size_t i = 0; i < n; i++) put(whole + i, 1);
	if (strcmp(word, "zeros") == 0)
		for (size_t i = 0, most = (size_t)atol(whole); i < most; i++) put("", 1);
	/* The same frame of 64 KiB of output, so many times. */
	static char page[WIRE_OUTPUT_BYTES_MAX];
	char head[128];
	int head_len = snprintf(head, sizeof head, "{\"t\":\"output\",\"id\":%lld,\"stream\":\"stdout\"}", (long long)id);
	if (strcmp(word, "flood") == 0)
		for (long i = 0, most = atol(whole); i < most; i++) put_frame(head, (size_t)head_len, page, sizeof page);
}

static enum err command_start_or_play(const json_t *head, const void *input, size_t input_bytes, const struct command_rules *rules,
                                      const struct secret_call *secrets, struct command **out, struct error *e)
{
	const json_t *argv = json_arr(head, "argv");
	const char *name = json_string_value(json_array_get(argv, 0));
	if (!name || strcmp(name, "hostile") != 0) return command_start(head, input, input_bytes, rules, secrets, out, e);
	fcntl(CHILD_SOCKET_FD, F_SETFL, 0);
	for (size_t i = 1; i + 1 < json_array_size(argv); i += 2)
		play(json_string_value(json_array_get(argv, i)), json_string_value(json_array_get(argv, i + 1)), json_int(head, "id", 0));
	const char *last = json_string_value(json_array_get(argv, json_array_size(argv) - 1));
	if (strcmp(last, "sleep") == 0) sleep_on();
	if (strcmp(last, "spin") == 0) spin_on();
	if (strcmp(last, "leave") == 0) _exit(0);
	read_on();
}

/* In the place of the system's: the actor of this fork server is this program. */
int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	(void)fd, (void)path, (void)argv, (void)envp, (void)flags;
	syscall(SYS_close_range, CHILD_LOCK_FD + 1, ~0U, 0);
	say_first_words("first-words-actor", CHILD_SOCKET_FD);
	_exit(actor_main());
}
