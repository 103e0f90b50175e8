/* Files of alerts.yaml in the tables of tests/fixtures/alerts/: each of refused.txt is refused with just the place and the sentence that stand there, each of
 * accepted.txt is read; and what is read is what stands there. */
#include "alert_fixture.h"
#include "tests/unit/policy/case_table.h"

static enum err read_file(const struct buf *file, struct error *e)
{
	const struct alerts_file *f;
	struct arena *a = arena_new();
	char *exact = malloc(file->len + 1);
	if (file->len) memcpy(exact, file->data, file->len);
	enum err err = alerts_file_read(a, "alerts.yaml", exact, file->len, &f, e);
	free(exact);
	arena_free(a);
	return err;
}

static void refused_with_a_place_and_what_was_expected(void **state)
{
	(void)state;
	check_refused("tests/fixtures/alerts/refused.txt", "alerts.yaml:", 100, read_file);
}

static void accepted(void **state)
{
	(void)state;
	check_accepted("tests/fixtures/alerts/accepted.txt", 4, read_file);
}

static const struct alerts_file *accepted_case(const char *name)
{
	struct buf table;
	struct test_case c = {0};
	const struct alerts_file *f = NULL;
	struct error e;
	read_table("tests/fixtures/alerts/accepted.txt", &table);
	buf_init(&c.file, FILE_BYTES_MAX);
	for (const char *p = table.data; next_case(&p, &c);)
		if (c.name.n == strlen(name) + 4 && memcmp(c.name.at + 4, name, strlen(name)) == 0 &&
		    alerts_file_read(arena, "alerts.yaml", arena_strndup(arena, c.file.data, c.file.len), c.file.len, &f, &e))
			fail_msg("%s", e.text);
	buf_clear(&c.file), buf_clear(&table);
	assert_non_null(f);
	return f;
}

static void sources_are_as_they_stand_there(void **state)
{
	(void)state;
	const struct alerts_file *f = accepted_case("everything");
	const struct alert_source *am = alerts_source_find(f, "prometheus"), *ci = alerts_source_find(f, "ci"), *chat = alerts_source_find(f, "chat");
	assert_int_equal(f->source_count, 4);
	assert_null(alerts_source_find(f, "nobody"));
	assert_int_equal(am->kind, ALERT_SOURCE_ALERTMANAGER);
	assert_int_equal(am->auth.proof, ALERT_PROOF_BEARER);
	assert_string_equal(am->auth.secrets[0], "am-token");
	assert_string_equal(alert_mapped(&am->fields[ALERT_FIELD_SEVERITY], "page"), "critical");
	assert_string_equal(alert_mapped(&am->fields[ALERT_FIELD_SEVERITY], "info"), "info");
	assert_string_equal(alert_mapped(&am->fields[ALERT_FIELD_SEVERITY], NULL), "warning");
	assert_int_equal(ci->auth.proof, ALERT_PROOF_HMAC);
	assert_int_equal(ci->auth.secret_count, 2);
	assert_int_equal(ci->auth.algorithm, ALERT_SHA256);
	assert_int_equal(ci->auth.encoding, ALERT_HEX);
	assert_string_equal(ci->auth.prefix, "sha256=");
	assert_null(ci->auth.timestamp_header);
	assert_int_equal(ci->fields[ALERT_FIELD_NAME].at_count, 2);
	assert_int_equal(ci->fields[ALERT_FIELD_LABELS].member_count, 2);
	assert_string_equal(chat->auth.timestamp_header, "X-Time");
	assert_int_equal(chat->auth.within_us, 60000000);
	assert_string_equal(chat->auth.signed_before, "v0:");
	assert_string_equal(chat->auth.signed_between, ":");
	assert_int_equal(chat->auth.algorithm, ALERT_SHA512);
	assert_int_equal(chat->auth.encoding, ALERT_BASE64);
	assert_true(alerts_source_find(f, "hashed")->auth.has_token_hash);
}

static void a_binding_has_what_it_leaves_out_from_the_defaults(void **state)
{
	(void)state;
	const struct alerts_file *f = accepted_case("everything");
	const struct alert_binding *disk = &f->bindings[0], *others = &f->bindings[1];
	assert_int_equal(f->binding_count, 2);
	assert_string_equal(disk->as, "disk-bot");
	assert_string_equal(disk->owner, "storage");
	assert_int_equal(disk->priority, 2);
	assert_int_equal(disk->guards.cooldown_us, 0);
	assert_int_equal(disk->guards.runs, 10);
	assert_int_equal(disk->guards.max_running, 2);
	assert_int_equal(disk->guards.breaker_count, 3);
	assert_int_equal(disk->guards.breaker_us, INT64_C(1800000000));
	assert_int_equal(disk->matcher_count, 5);
	assert_int_equal(disk->parameter_count, 5);
	assert_string_equal(others->as, "alert-bot");
	assert_string_equal(others->escalation, "web-oncall");
	assert_int_equal(others->priority, 3);
	assert_int_equal(others->guards.cooldown_us, INT64_C(600000000));
	assert_int_equal(others->guards.runs, 0);
	assert_int_equal(others->guards.breaker_count, 0);
	assert_int_equal(others->parameter_count, 0);
	assert_int_equal(f->window_count, 2);
	assert_int_equal(f->windows[0].from_us, INT64_C(1797750000000000));
	assert_int_equal(f->windows[0].to_us, INT64_C(1797811200000000));
}

static void without_a_word_the_guard_rails_hold(void **state)
{
	(void)state;
	const struct alert_guards *g = &alerts_file_none(arena)->defaults.guards;
	assert_int_equal(g->cooldown_us, INT64_C(900000000));
	assert_int_equal(g->runs, 20);
	assert_int_equal(g->max_running, 5);
	assert_int_equal(g->breaker_count, 3);
	assert_null(alerts_file_none(arena)->defaults.as);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refused_with_a_place_and_what_was_expected),
	    cmocka_unit_test(accepted),
	    cmocka_unit_test_setup_teardown(sources_are_as_they_stand_there, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(a_binding_has_what_it_leaves_out_from_the_defaults, open_arena, close_arena),
	    cmocka_unit_test_setup_teardown(without_a_word_the_guard_rails_hold, open_arena, close_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
