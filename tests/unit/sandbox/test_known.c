/* Files of known hosts: which lines speak of a host, and what they make of its key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/ssh/known.h"

#include <string.h>

#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define OTHER "AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA"

static enum known_verdict verdict_of(const char *lines, const char *name, unsigned port)
{
	const char *where = NULL;
	struct known *k = known_new();
	known_add(k, "known_hosts", lines, strlen(lines));
	enum known_verdict verdict = known_check(k, &name, 1, port, KEY, &where);
	assert_true((verdict == KNOWN_UNKNOWN) == (where == NULL));
	known_free(k);
	return verdict;
}

static void lines(void **state)
{
	static const struct {
		const char *lines, *name;
		unsigned port;
		enum known_verdict want;
	} table[] = {
	    {"", "web-1", 22, KNOWN_UNKNOWN},
	    {"web-1 ssh-ed25519 " KEY "\n", "web-1", 22, KNOWN_IS},
	    {"web-1 ssh-ed25519 " KEY "\n", "web-1", 2222, KNOWN_UNKNOWN},
	    {"[web-1]:2222 ssh-ed25519 " KEY "\n", "web-1", 2222, KNOWN_IS},
	    {"[web-1]:2222 ssh-ed25519 " KEY "\n", "web-1", 22, KNOWN_UNKNOWN},
	    {"db,Web-1,10.0.0.1 ssh-ed25519 " KEY " ana@host\r\n", "web-1", 22, KNOWN_IS},
	    {"web-1 ssh-ed25519 " OTHER "\n", "web-1", 22, KNOWN_CHANGED},
	    {"web-1 ssh-ed25519 " OTHER "\nweb-1 ssh-ed25519 " KEY, "web-1", 22, KNOWN_IS},
	    {"web-* ssh-ed25519 " KEY "\n", "web-1", 22, KNOWN_IS},
	    {"web-*,!web-1 ssh-ed25519 " KEY "\n", "web-1", 22, KNOWN_UNKNOWN},
	    {"!web-1,* ssh-ed25519 " KEY "\n", "web-1", 22, KNOWN_UNKNOWN},
	    {"web-? ssh-ed25519 " KEY "\n", "web-11", 22, KNOWN_UNKNOWN},
	    {"@revoked * ssh-ed25519 " KEY "\nweb-1 ssh-ed25519 " KEY "\n", "web-1", 22, KNOWN_REVOKED},
	    {"web-1 ssh-ed25519 " KEY "\n@revoked web-1 ssh-ed25519 " KEY "\n", "web-1", 22, KNOWN_REVOKED},
	    {"@revoked * ssh-ed25519 " OTHER "\nweb-1 ssh-ed25519 " KEY "\n", "web-1", 22, KNOWN_IS},
	    {"@cert-authority * ssh-ed25519 " KEY "\n", "web-1", 22, KNOWN_UNKNOWN},
	    {"# web-1 ssh-ed25519 " KEY "\n", "web-1", 22, KNOWN_UNKNOWN},
	    {"web-1 ssh-ed25519\nweb-1\nweb-1 ssh-ed25519 no!base64\n|1|x|y ssh-ed25519 " KEY "\n", "web-1", 22, KNOWN_UNKNOWN},
	    {"|1|R6Zbn1plU7xCDPgRgkl7tRFxIv4=|vuoK1SC4QhaleJKUZhQDs6bn8OY= ssh-ed25519 " KEY "\n", "web-1", 22, KNOWN_IS},
	    {"|1|R6Zbn1plU7xCDPgRgkl7tRFxIv4=|vuoK1SC4QhaleJKUZhQDs6bn8OY= ssh-ed25519 " OTHER "\n", "web-1", 22, KNOWN_CHANGED},
	    {"|1|R6Zbn1plU7xCDPgRgkl7tRFxIv4=|vuoK1SC4QhaleJKUZhQDs6bn8OY= ssh-ed25519 " KEY "\n", "web-2", 22, KNOWN_UNKNOWN},
	};
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		enum known_verdict got = verdict_of(table[i].lines, table[i].name, table[i].port);
		if (got != table[i].want) fail_msg("%s: %d, not %d", table[i].lines, got, table[i].want);
	}
}

static void types(void **state)
{
	static const char text[] = "web-1 ssh-rsa AAAA\nweb-* ssh-ed25519 " KEY "\nweb-1 ssh-rsa AAAB\n@revoked web-1 ecdsa-sha2-nistp256 AAAA\n";
	const char *out[4], *name = "web-1";
	struct known *k = known_new();
	(void)state;
	known_add(k, "known_hosts", text, strlen(text));
	assert_int_equal(known_types(k, &name, 1, 22, out, 4), 2);
	assert_string_equal(out[0], "ssh-rsa");
	assert_string_equal(out[1], "ssh-ed25519");
	assert_int_equal(known_types(k, &name, 1, 22, out, 1), 1);
	known_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lines), cmocka_unit_test(types)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
