/* libcurl, loaded by the first actor that makes a request. Linked into the program it costs every start of it 3 ms of CPU, half of the whole, for the thirty
 * libraries that it brings along: the command line's, the engine's, and that of each execution's actor, most of which make no request. So its functions are
 * found here when they are first called, and the rest of this folder uses its header as it is. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include <dlfcn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

/* The interface that the header describes: SONAME of libcurl since 2006. */
static const char library[] = "libcurl.so.4";

static void *function(const char *name)
{
	static void *loaded;
	if (!loaded) loaded = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	void *found = loaded ? dlsym(loaded, name) : NULL;
	if (found) return found;
	fprintf(stderr, "rung: HTTP requests take libcurl: %s\n", dlerror());
	abort();
}

/* NOLINTBEGIN(bugprone-macro-parentheses): types and lists of parameters take none. */

/* A definition of one function of libcurl that calls the real one. */
#define LATE(type, name, parameters, arguments)                                                                                                                \
	type name parameters                                                                                                                                   \
	{                                                                                                                                                      \
		static type(*real) parameters;                                                                                                                 \
		if (!real) *(void **)&real = function(#name);                                                                                                  \
		return real arguments;                                                                                                                         \
	}

/* The one argument behind the option is a long, a curl_off_t or a pointer: each as wide as the other, and handed on as what it came. */
#define LATE_OPTION(type, name, handle, option)                                                                                                                \
	type name(handle *h, option o, ...)                                                                                                                    \
	{                                                                                                                                                      \
		static type (*real)(handle *, option, ...);                                                                                                    \
		va_list more;                                                                                                                                  \
		if (!real) *(void **)&real = function(#name);                                                                                                  \
		va_start(more, o);                                                                                                                             \
		void *value = va_arg(more, void *);                                                                                                            \
		va_end(more);                                                                                                                                  \
		return real(h, o, value);                                                                                                                      \
	}
/* NOLINTEND(bugprone-macro-parentheses) */
_Static_assert(sizeof(void *) == sizeof(long) && sizeof(void *) == sizeof(curl_off_t), "options are handed on as pointers");

LATE(CURLcode, curl_global_init, (long flags), (flags))
LATE(void, curl_global_cleanup, (void), ())
LATE(CURL *, curl_easy_init, (void), ())
LATE(void, curl_easy_cleanup, (CURL * h), (h))
LATE(CURLcode, curl_easy_perform, (CURL * h), (h))
LATE(CURLcode, curl_easy_pause, (CURL * h, int mask), (h, mask))
LATE(const char *, curl_easy_strerror, (CURLcode c), (c))
LATE(CURLM *, curl_multi_init, (void), ())
LATE(CURLMcode, curl_multi_cleanup, (CURLM * h), (h))
LATE(CURLMcode, curl_multi_add_handle, (CURLM * h, CURL *easy), (h, easy))
LATE(CURLMcode, curl_multi_remove_handle, (CURLM * h, CURL *easy), (h, easy))
LATE(CURLMsg *, curl_multi_info_read, (CURLM * h, int *left), (h, left))
LATE(CURLMcode, curl_multi_socket_action, (CURLM * h, curl_socket_t s, int what, int *running), (h, s, what, running))
LATE(struct curl_slist *, curl_slist_append, (struct curl_slist * list, const char *text), (list, text))
LATE(void, curl_slist_free_all, (struct curl_slist * list), (list))
LATE_OPTION(CURLcode, curl_easy_setopt, CURL, CURLoption)
LATE_OPTION(CURLcode, curl_easy_getinfo, CURL, CURLINFO)
LATE_OPTION(CURLMcode, curl_multi_setopt, CURLM, CURLMoption)
