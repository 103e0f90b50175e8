/* libmicrohttpd, loaded by `rung serve` alone. Linked into the program it would cost every start of the command line, engine and actor the ten libraries that
 * it brings along for TLS. Its functions are defined here and call the real ones; the rest of this folder uses its header as it is. */
#include "http/late.h"

#include <dlfcn.h>
#include <microhttpd.h>

/* The interface of 0.9.71 to 0.9.77. */
static const char library[] = "libmicrohttpd.so.12";
static void *loaded;

enum err late_load(struct error *e)
{
	if (!loaded) loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	return loaded ? ERR_OK : error_set(e, ERR_NOT_FOUND, "rung serve takes libmicrohttpd (Debian: libmicrohttpd12): %s", dlerror());
}

static void *function(const char *name)
{
	must(loaded != NULL);
	void *found = dlsym(loaded, name);
	if (!found) die("libmicrohttpd has no %s: %s", name, dlerror());
	return found;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): types and lists of parameters take none. */

/* A definition of one function of the library that calls the real one. All are called on the loop's thread first, or on one thread only. */
#define LATE(type, name, parameters, arguments)                                                                                                                \
	type name parameters                                                                                                                                   \
	{                                                                                                                                                      \
		static type(*real) parameters;                                                                                                                 \
		type(*at) parameters = __atomic_load_n(&real, __ATOMIC_ACQUIRE);                                                                               \
		if (!at) {                                                                                                                                     \
			*(void **)&at = function(#name);                                                                                                       \
			__atomic_store_n(&real, at, __ATOMIC_RELEASE);                                                                                         \
		}                                                                                                                                              \
		return at arguments;                                                                                                                           \
	}
/* NOLINTEND(bugprone-macro-parentheses) */

LATE(void, MHD_stop_daemon, (struct MHD_Daemon * d), (d))
LATE(MHD_socket, MHD_quiesce_daemon, (struct MHD_Daemon * d), (d))
LATE(int, MHD_get_connection_values_n, (struct MHD_Connection * c, enum MHD_ValueKind kind, MHD_KeyValueIteratorN fn, void *arg), (c, kind, fn, arg))
LATE(enum MHD_Result, MHD_queue_response, (struct MHD_Connection * c, unsigned int status, struct MHD_Response *r), (c, status, r))
LATE(void, MHD_suspend_connection, (struct MHD_Connection * c), (c))
LATE(void, MHD_resume_connection, (struct MHD_Connection * c), (c))
LATE(struct MHD_Response *, MHD_create_response_from_buffer, (size_t n, void *bytes, enum MHD_ResponseMemoryMode mode), (n, bytes, mode))
LATE(struct MHD_Response *, MHD_create_response_from_callback,
     (uint64_t n, size_t block, MHD_ContentReaderCallback fn, void *arg, MHD_ContentReaderFreeCallback done), (n, block, fn, arg, done))
LATE(enum MHD_Result, MHD_add_response_header, (struct MHD_Response * r, const char *name, const char *value), (r, name, value))
LATE(void, MHD_destroy_response, (struct MHD_Response * r), (r))
LATE(const char *, MHD_get_version, (void), ())

/* These two take further arguments; this folder gives them one option, an array of all, and none. */
struct MHD_Daemon *MHD_start_daemon(unsigned int flags, uint16_t port, MHD_AcceptPolicyCallback apc, void *apc_arg, MHD_AccessHandlerCallback handler,
                                    void *arg, ...)
{
	struct MHD_Daemon *(*real)(unsigned int, uint16_t, MHD_AcceptPolicyCallback, void *, MHD_AccessHandlerCallback, void *, ...);
	va_list more;
	*(void **)&real = function("MHD_start_daemon");
	va_start(more, arg);
	int option = va_arg(more, int);
	void *options = va_arg(more, void *);
	va_end(more);
	must(option == MHD_OPTION_ARRAY);
	return real(flags, port, apc, apc_arg, handler, arg, option, options, MHD_OPTION_END);
}

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *c, enum MHD_ConnectionInfoType type, ...)
{
	static const union MHD_ConnectionInfo *(*real)(struct MHD_Connection *, enum MHD_ConnectionInfoType, ...);
	const union MHD_ConnectionInfo *(*at)(struct MHD_Connection *, enum MHD_ConnectionInfoType, ...) = __atomic_load_n(&real, __ATOMIC_ACQUIRE);
	if (!at) {
		*(void **)&at = function("MHD_get_connection_info");
		__atomic_store_n(&real, at, __ATOMIC_RELEASE);
	}
	return at(c, type);
}
