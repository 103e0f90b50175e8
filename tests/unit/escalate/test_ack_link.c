/* The link of a notification: good for its escalation, person and time, and for nothing else. */
#include "base/encode.h"
#include "escalate/ack_link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000)
#define NOW (1764000000 * SECOND)

static const unsigned char secret[ACK_LINK_SECRET_BYTES] = {1, 2, 3}, other[ACK_LINK_SECRET_BYTES] = {1, 2, 4};
static const struct ack_link link_of_ana = {.escalation = "01J9ZK3V5QW8X7C2N4M6B8R0TY", .number = 7, .expires_s = 1764000600, .person = "ana@example.net"};

static char *make(const struct ack_link *l)
{
	struct buf b;
	buf_init(&b, ACK_LINK_BYTES_MAX);
	assert_true(ack_link_make(secret, l, &b));
	return buf_take(&b);
}

static enum ack_link_verdict check(const char *token, size_t n, int64_t now_us)
{
	struct ack_link out;
	char *exact = malloc(n + 1); /* in memory of just its size */
	memcpy(exact, token, n);
	enum ack_link_verdict v = ack_link_check(secret, exact, n, now_us, &out);
	if (v == ACK_LINK_FORGED) assert_int_equal(out.number, 0);
	free(exact);
	return v;
}

static void it_says_what_was_put_into_it_until_it_expires(void **state)
{
	(void)state;
	struct ack_link out;
	char *token = make(&link_of_ana);
	assert_int_equal(ack_link_check(secret, token, strlen(token), NOW, &out), ACK_LINK_GOOD);
	assert_string_equal(out.escalation, link_of_ana.escalation);
	assert_string_equal(out.person, "ana@example.net");
	assert_int_equal(out.number, 7);
	assert_int_equal(check(token, strlen(token), 1764000600 * SECOND - 1), ACK_LINK_GOOD);
	assert_int_equal(check(token, strlen(token), 1764000600 * SECOND), ACK_LINK_EXPIRED);
	assert_int_equal(ack_link_check(other, token, strlen(token), NOW, &out), ACK_LINK_FORGED);
	free(token);
}

/* The bytes are part of what has been sent: a change of them makes every link that is out invalid. */
static void its_bytes_are_fixed(void **state)
{
	(void)state;
	char *token = make(&link_of_ana);
	assert_string_equal(token, "01J9ZK3V5QW8X7C2N4M6B8R0TY~7~1764000600~ana@example.net~b00ce4786a1c500bbadaed997bdd87332b837ec1309eb5f8fccc5780e9670fda");
	free(token);
}

static void whatever_is_changed_cut_or_added_is_forged(void **state)
{
	(void)state;
	char *token = make(&link_of_ana), *changed = malloc(ACK_LINK_BYTES_MAX + 2);
	size_t n = strlen(token);
	for (size_t i = 0; i < n; i++)
		for (int bit = 0; bit < 8; bit++) {
			strcpy(changed, token);
			changed[i] = (char)(changed[i] ^ (1 << bit));
			assert_int_equal(check(changed, n, NOW), ACK_LINK_FORGED);
		}
	for (size_t i = 0; i < n; i++) assert_int_equal(check(token, i, NOW), ACK_LINK_FORGED);
	strcpy(changed, token);
	strcat(changed, "0");
	assert_int_equal(check(changed, n + 1, NOW), ACK_LINK_FORGED);
	assert_int_equal(check(token, n + 1, NOW), ACK_LINK_FORGED); /* with its NUL */
	free(changed);
	free(token);
}

/* The signature of one, the parts of another. */
static void it_is_bound_to_each_of_its_parts(void **state)
{
	(void)state;
	struct ack_link l[4] = {link_of_ana, link_of_ana, link_of_ana, link_of_ana};
	char *token = make(&link_of_ana), mixed[ACK_LINK_BYTES_MAX + 1];
	const char *mac = strrchr(token, '~');
	strcpy(l[0].escalation, "01J9ZK3V5QW8X7C2N4M6B8R0TZ");
	l[1].number = 8;
	l[2].expires_s++;
	strcpy(l[3].person, "bo");
	for (size_t i = 0; i < 4; i++) {
		char *theirs = make(&l[i]);
		size_t n = (size_t)(strrchr(theirs, '~') - theirs);
		assert_string_not_equal(theirs + n, mac);
		memcpy(mixed, theirs, n);
		strcpy(mixed + n, mac);
		assert_int_equal(check(mixed, strlen(mixed), NOW), ACK_LINK_FORGED);
		free(theirs);
	}
	free(token);
}

static void what_a_token_cannot_hold_is_refused(void **state)
{
	(void)state;
	static const char *const people[] = {"", "a b", "a~b", "a\nb", "-a"};
	struct buf b;
	struct ack_link l = link_of_ana;
	buf_init(&b, ACK_LINK_BYTES_MAX);
	for (size_t i = 0; i < sizeof people / sizeof *people; i++) {
		strcpy(l.person, people[i]);
		assert_false(ack_link_make(secret, &l, &b));
	}
	l = link_of_ana, l.number = 0;
	assert_false(ack_link_make(secret, &l, &b));
	l = link_of_ana, l.expires_s = 0;
	assert_false(ack_link_make(secret, &l, &b));
	l = link_of_ana, l.escalation[0] = 0;
	assert_false(ack_link_make(secret, &l, &b));
	assert_int_equal(b.len, 0);
	memset(l.person, 'x', ACK_LINK_PERSON_BYTES_MAX);
	l = (struct ack_link){.escalation = "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", .number = UINT32_MAX, .expires_s = INT64_MAX / 1000000};
	memset(l.person, 'x', ACK_LINK_PERSON_BYTES_MAX);
	assert_true(ack_link_make(secret, &l, &b)); /* the longest */
	assert_int_equal(check(b.data, b.len, NOW), ACK_LINK_GOOD);
	buf_clear(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_says_what_was_put_into_it_until_it_expires), cmocka_unit_test(its_bytes_are_fixed),
	    cmocka_unit_test(whatever_is_changed_cut_or_added_is_forged),    cmocka_unit_test(it_is_bound_to_each_of_its_parts),
	    cmocka_unit_test(what_a_token_cannot_hold_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
