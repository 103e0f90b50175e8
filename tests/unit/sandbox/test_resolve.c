/* Names to addresses without blocking: each lookup is answered once, on the caller's thread, or not at all where it was cancelled. */
#include "base/clock.h"
#include "base/error.h"
#include "sandbox/resolve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { GUARD_US = 60000000, MANY = 200 };

struct seen {
	int count;
	enum err err;
	size_t addresses;
	char first[ADDRESS_TEXT_BYTES], error[ERROR_TEXT_BYTES];
};

static void done(void *arg, const struct resolved *r)
{
	struct seen *s = arg;
	s->count++;
	s->err = r->err;
	s->addresses = r->count;
	if (r->count) address_text((const struct sockaddr *)&r->addresses[0], s->first);
	if (r->err) memcpy(s->error, r->error.text, sizeof s->error);
}

static void serve_until(struct resolver *r, const struct seen *s, size_t count)
{
	int64_t end = clock_monotonic_us() + GUARD_US;
	for (size_t i = 0; i < count; i++) {
		while (s[i].count == 0) {
			struct pollfd fd = {.fd = resolver_fd(r), .events = POLLIN};
			int64_t wake = resolver_wake_us(r), now = clock_monotonic_us();
			assert_true(now < end);
			poll(&fd, 1, wake == INT64_MAX ? 1000 : wake <= now ? 0 : (int)((wake - now) / 1000) + 1);
			resolver_serve(r);
		}
		assert_int_equal(s[i].count, 1);
	}
}

static void addresses_as_they_are_written(void **state)
{
	struct seen s[2] = {{0}};
	struct resolver *r = resolver_new();
	(void)state;
	resolver_ask(r, "127.0.0.1", 80, 0, done, &s[0]);
	resolver_ask(r, "2001:db8::1", 443, 0, done, &s[1]);
	assert_int_equal(s[0].count + s[1].count, 0); /* never from within */
	serve_until(r, s, 2);
	assert_string_equal(s[0].first, "127.0.0.1:80");
	assert_string_equal(s[1].first, "[2001:db8::1]:443");
	resolver_free(r);
}

static void names(void **state)
{
	static struct seen s[MANY];
	struct resolver *r = resolver_new();
	(void)state;
	for (int i = 0; i < MANY; i++) resolver_ask(r, "localhost", 22, clock_monotonic_us() + GUARD_US, done, &s[i]);
	serve_until(r, s, MANY);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(s[i].err, ERR_OK);
		assert_true(strcmp(s[i].first, "127.0.0.1:22") == 0 || strcmp(s[i].first, "[::1]:22") == 0);
	}
	resolver_free(r);
}

static void names_that_cannot_be(void **state)
{
	struct seen s[2] = {{0}};
	struct resolver *r = resolver_new();
	(void)state;
	resolver_ask(r, "a b", 1, 0, done, &s[0]);
	resolver_ask(r, "", 1, 0, done, &s[1]);
	serve_until(r, s, 2);
	for (int i = 0; i < 2; i++) assert_true(s[i].err == ERR_NOT_FOUND || s[i].err == ERR_FAILED);
	assert_non_null(strstr(s[0].error, "a b"));
	resolver_free(r);
}

static void late_ones_are_answered_once(void **state)
{
	struct seen s[8] = {{0}};
	struct resolver *r = resolver_new();
	(void)state;
	for (int i = 0; i < 8; i++) resolver_ask(r, "localhost", 22, 1, done, &s[i]);
	assert_int_equal(resolver_wake_us(r), 1);
	serve_until(r, s, 8);
	for (int i = 0; i < 8; i++) assert_true(s[i].err == ERR_OK || s[i].err == ERR_TIMEOUT);
	assert_true(resolver_wake_us(r) == INT64_MAX);
	resolver_free(r);
}

static void cancelled_ones_say_nothing(void **state)
{
	static struct seen s[MANY];
	struct lookup *l[MANY];
	struct resolver *r = resolver_new();
	(void)state;
	memset(s, 0, sizeof s);
	for (int i = 0; i < MANY; i++) l[i] = resolver_ask(r, i % 3 ? "localhost" : "127.0.0.1", 22, 0, done, &s[i]);
	for (int i = 0; i < MANY; i += 2) resolver_cancel(r, l[i]);
	for (int i = 1; i < MANY; i += 2) serve_until(r, &s[i], 1);
	for (int i = 0; i < MANY; i += 2) assert_int_equal(s[i].count, 0);
	/* And what they left does not keep the loop awake. */
	resolver_serve(r);
	struct pollfd fd = {.fd = resolver_fd(r), .events = POLLIN};
	assert_int_equal(poll(&fd, 1, 0), 0);
	resolver_free(r);
}

static void freed_with_lookups_open(void **state)
{
	static struct seen s[MANY];
	(void)state;
	memset(s, 0, sizeof s);
	for (int round = 0; round < 10; round++) {
		struct resolver *r = resolver_new();
		for (int i = 0; i < MANY; i++) resolver_ask(r, "localhost", 22, 0, done, &s[i]);
		resolver_free(r);
	}
	for (int i = 0; i < MANY; i++) assert_int_equal(s[i].count, 0);
	resolver_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_as_they_are_written), cmocka_unit_test(names),
	    cmocka_unit_test(names_that_cannot_be),          cmocka_unit_test(late_ones_are_answered_once),
	    cmocka_unit_test(cancelled_ones_say_nothing),    cmocka_unit_test(freed_with_lookups_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
