/* Who may deliver: bearer tokens and signatures, on the bytes as they came. Signatures were computed apart from the program. */
#include "alert/authenticate.h"
#include "alert_fixture.h"

static const char body[] = "{\"a\": 1,  \"b\":\"\\u00e4\"}\n";
#define NOW INT64_C(1790000000000000)

static const struct alert_source *source(const char *auth)
{
	return &read_alerts(arena_printf(arena, "version: 1\nsources:\n  s: {kind: generic, %s}\n", auth))->sources[0];
}

struct attempt {
	const char *auth;                      /* of the source */
	const char *name, *value, *time, *key; /* the header, X-Time, the secret's value (NULL: there is none) */
	const char *refused;                   /* a part of what is said; NULL: it is let in */
};

static void check(const struct attempt *t, const char *bytes, size_t n)
{
	struct alert_header headers[] = {{"Content-Type", "application/json"}, {t->name, t->value}, {"x-time", t->time}};
	struct alert_key key = {t->key, t->key ? strlen(t->key) : 0};
	struct error e = {ERR_OK, ""};
	enum err err = alert_authenticate(source(t->auth), headers, t->time ? 3 : 2, &key, t->key ? 1 : 0, bytes, n, NOW, &e);
	bool is_expected = t->refused ? err == ERR_DENIED && strstr(e.text, t->refused) != NULL : err == ERR_OK;
	if (!is_expected) fail_msg("%s, %s: %s gives %d %s", t->auth, t->name, t->value, err, e.text);
	if (t->key && *t->key) assert_null(strstr(e.text, t->key));
}

static void check_all(const struct attempt *tries, size_t count)
{
	for (size_t i = 0; i < count; i++) check(&tries[i], body, sizeof body - 1);
}

#define BEARER "bearer: {secret: t}"
#define HASHED "bearer: {sha256: d7ecdf25eaf3deba0f2628771dbdd22d4138ab6cf38f91ed02a2ca0dec7c8ab7}"

static void bearer_tokens(void **state)
{
	(void)state;
	static const struct attempt tries[] = {
	    {BEARER, "Authorization", "Bearer open-sesame", NULL, "open-sesame", NULL},
	    {BEARER, "authorization", "bearer open-sesame", NULL, "open-sesame", NULL},
	    {HASHED, "Authorization", "Bearer open-sesame", NULL, NULL, NULL},
	    {HASHED, "Authorization", "Bearer open-sesamE", NULL, NULL, "its bearer token is not the source's"},
	    {HASHED, "Authorization", "Bearer d7ecdf25eaf3deba0f2628771dbdd22d4138ab6cf38f91ed02a2ca0dec7c8ab7", NULL, NULL,
	     "its bearer token is not the source's"},
	    {BEARER, "Authorization", "Bearer open-sesam", NULL, "open-sesame", "its bearer token is not the source's"},
	    {BEARER, "Authorization", "Bearer open-sesamee", NULL, "open-sesame", "its bearer token is not the source's"},
	    {BEARER, "Authorization", "Bearer open-sesame ", NULL, "open-sesame", "its bearer token is not the source's"},
	    {BEARER, "Authorization", "Bearer ", NULL, "open-sesame", "is not \"Bearer TOKEN\""},
	    {BEARER, "Authorization", "Bearer  ", NULL, "", "its bearer token is not the source's"},
	    {BEARER, "Authorization", "Basic open-sesame", NULL, "open-sesame", "is not \"Bearer TOKEN\""},
	    {BEARER, "Authorization", "", NULL, "open-sesame", "is not \"Bearer TOKEN\""},
	    {BEARER, "Authorization", "Bearer x", NULL, NULL, "its bearer token is not the source's"},
	    {BEARER, "X-Token", "Bearer open-sesame", NULL, "open-sesame", "it has no header Authorization"},
	};
	check_all(tries, sizeof tries / sizeof *tries);
}

#define HEX "hmac: {secret: k, header: X-Sig, prefix: \"sha256=\"}"
#define PLAIN_SHA1 "hmac: {secret: k, header: X-Sig, algorithm: sha1}"
#define BASE64_512 "hmac: {secret: k, header: X-Sig, algorithm: sha512, encoding: base64}"
#define TIMED "hmac: {secret: k, header: X-Sig, prefix: \"v0=\", timestamp: X-Time, within: 5m, signs: \"v0:{timestamp}:{body}\"}"

static void signatures(void **state)
{
	(void)state;
	static const struct attempt tries[] = {
	    {HEX, "X-Sig", "sha256=9e171026f5e3377b30e5cc6a91629ff7ff6493a0601bd00dd0ce3d46c4be255a", NULL, "key", NULL},
	    {HEX, "x-sig", "sha256=9E171026F5E3377B30E5CC6A91629FF7FF6493A0601BD00DD0CE3D46C4BE255A", NULL, "key", NULL},
	    {HEX, "X-Sig", "sha256=00, sha256=9e171026f5e3377b30e5cc6a91629ff7ff6493a0601bd00dd0ce3d46c4be255a", NULL, "key", NULL},
	    {PLAIN_SHA1, "X-Sig", "d71db14a1142cd2ced88ee0916c293107bc9eb55", NULL, "key", NULL},
	    {BASE64_512, "X-Sig", "DBYSokv6k3sKL8acrnrt1uqawuPfYzaQzim43rr2WDDJ02uYMtWpxuq9YemZHTznxwNJXF1uZu+UWsR4+YVHaw==", NULL, "key", NULL},
	    {TIMED, "X-Sig", "v0=d7633459df17f189781f9083fe884620de9a187601528f62dbcdb63d7b0f5f8a", "1789999800", "key", NULL},
	    {HEX, "X-Sig", "9e171026f5e3377b30e5cc6a91629ff7ff6493a0601bd00dd0ce3d46c4be255a", NULL, "key", "its signature is not the one of these bytes"},
	    {HEX, "X-Sig", "sha256=9e171026f5e3377b30e5cc6a91629ff7ff6493a0601bd00dd0ce3d46c4be255a", NULL, "kez",
	     "its signature is not the one of these bytes"},
	    {HEX, "X-Sig", "sha256=9e171026f5e3377b30e5cc6a91629ff7ff6493a0601bd00dd0ce3d46c4be255a", NULL, "", "its signature is not the one of these bytes"},
	    {HEX, "X-Sig", "sha256=9e171026f5e3377b30e5cc6a91629ff7ff6493a0601bd00dd0ce3d46c4be255a", NULL, NULL,
	     "its signature is not the one of these bytes"},
	    {HEX, "X-Sig", "sha256=9e171026f5e3377b30e5cc6a91629ff7ff6493a0601bd00dd0ce3d46c4be255a00", NULL, "key",
	     "its signature is not the one of these bytes"},
	    {HEX, "X-Sig", "sha256=", NULL, "key", "its signature is not the one of these bytes"},
	    {HEX, "X-Sig", "sha256=8a5cc9dd64046b6e2a959e7725ecb6c2019895e3ed136e9ca4690729833f0113", NULL, "", "its signature is not the one of these bytes"},
	    {HEX, "X-Sig", "", NULL, "key", "its signature is not the one of these bytes"},
	    {HEX, "X-Sig", "sha256=zz", NULL, "key", "its signature is not the one of these bytes"},
	    {HEX, "X-Sig",
	     "sha256=0,sha256=0,sha256=0,sha256=0,sha256=0,sha256=0,sha256=0,sha256=0,sha256=9e171026f5e3377b30e5cc6a91629ff7ff6493a0601bd00dd0ce3d46c4be255a",
	     NULL, "key", "its signature is not"},
	    {PLAIN_SHA1, "X-Sig", "9e171026f5e3377b30e5cc6a91629ff7ff6493a0601bd00dd0ce3d46c4be255a", NULL, "key",
	     "its signature is not the one of these bytes"},
	    {HEX, "X-Other", "sha256=9e171026f5e3377b30e5cc6a91629ff7ff6493a0601bd00dd0ce3d46c4be255a", NULL, "key", "it has no header X-Sig"},
	    {TIMED, "X-Sig", "v0=d7633459df17f189781f9083fe884620de9a187601528f62dbcdb63d7b0f5f8a", NULL, "key", "it has no header X-Time"},
	    {TIMED, "X-Sig", "v0=d7633459df17f189781f9083fe884620de9a187601528f62dbcdb63d7b0f5f8a", "1789999801", "key",
	     "its signature is not the one of these bytes"},
	    {TIMED, "X-Sig", "v0=01b5a4983f60e7957a513321d47c39bf18b49f587b1557530460c917c9b2aecf", "1789999699", "key", "its signed time is too far from now"},
	    {TIMED, "X-Sig", "v0=3a4bee6a52ba8e354ad17b7965b29895b76331b5dc9312a8d47e6be477615b2e", "1790000301", "key", "its signed time is too far from now"},
	    {TIMED, "X-Sig", "v0=5d8780cf85d3352c9b2b7726cf7fe8a99474b71f1c587bd307ab9a2d671ce0ff", "soon", "key", "its signed time is no number of seconds"},
	};
	check_all(tries, sizeof tries / sizeof *tries);
	/* Other bytes of the same meaning are other bytes. */
	static const char same[] = "{\"a\":1,\"b\":\"\\u00e4\"}";
	struct attempt t = {HEX,  "X-Sig", "sha256=9e171026f5e3377b30e5cc6a91629ff7ff6493a0601bd00dd0ce3d46c4be255a",
	                    NULL, "key",   "its signature is not the one of these bytes"};
	check(&t, same, strlen(same));
}

static void a_header_that_stands_twice_is_refused(void **state)
{
	(void)state;
	struct alert_header headers[] = {{"Authorization", "Bearer open-sesame"}, {"authorization", "Bearer open-sesame"}};
	struct alert_key key = {"open-sesame", 11};
	struct error e;
	assert_int_equal(alert_authenticate(source(BEARER), headers, 2, &key, 1, body, 1, NOW, &e), ERR_DENIED);
	assert_string_equal(e.text, "a delivery for the source s is refused: its header Authorization stands twice");
	char *longer = arena_alloc(arena, AUTHENTICATE_HEADER_BYTES_MAX + 2);
	memset(longer, 'x', AUTHENTICATE_HEADER_BYTES_MAX + 1);
	headers[0].value = longer;
	assert_int_equal(alert_authenticate(source(BEARER), headers, 1, &key, 1, body, 1, NOW, &e), ERR_DENIED);
	assert_non_null(strstr(e.text, "more than 4096 bytes"));
}

static void any_of_several_keys_counts(void **state)
{
	(void)state;
	struct alert_header header = {"X-Sig", "sha256=9e171026f5e3377b30e5cc6a91629ff7ff6493a0601bd00dd0ce3d46c4be255a"},
	                    bearer = {"Authorization", "Bearer key"};
	const struct alert_key keys[] = {{"new", 3}, {"key", 3}};
	struct error e;
	assert_int_equal(alert_authenticate(source(HEX), &header, 1, keys, 2, body, sizeof body - 1, NOW, &e), ERR_OK);
	assert_int_equal(alert_authenticate(source(BEARER), &bearer, 1, keys, 2, body, sizeof body - 1, NOW, &e), ERR_OK);
	assert_int_equal(alert_authenticate(source(HEX), &header, 1, keys, 1, body, sizeof body - 1, NOW, &e), ERR_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(bearer_tokens, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(signatures, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(a_header_that_stands_twice_is_refused, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(any_of_several_keys_counts, open_arena, close_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
