/* Rows of incidents: written, listed, covered by the signed digest, checked against their records; and stores from before there were any. */
#include "store_fixture.h"

#include <sqlite3.h>

static const char incident_a[] = "01JD9Z8Q6M3T4N5P6R7S8T9V2A", incident_b[] = "01JD9Z8Q6M3T4N5P6R7S8T9V2B", incident_c[] = "01JD9Z8Q6M3T4N5P6R7S8T9V2C";
#define KEY "d1e75aca758154ee2147853c02ec6716f4a7ea0418c685978f5d4b8c7b0be25a"

static int set_up(void **state)
{
	struct place *p = mem_zero(sizeof *p);
	place_make(p);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	place_remove(*state);
	free(*state);
	return 0;
}

static void add_event(struct store_batch *b, const char *id, enum record_kind kind, json_t *d)
{
	struct record r = {.kind = kind, .execution = id, .by = "user:ana", .data = d};
	struct error e = {0};
	if (store_batch_record(b, &r, &e)) fail_msg("%s", e.text);
	json_decref(d);
}

static void add_row(struct store_batch *b, const char *id, const char *word, bool is_live)
{
	struct store_incident i = {.id = id, .key = KEY, .title = "Disk full", .state = word, .opened_us = 1, .changed_us = 5, .priority = 1, .alerts = 1};
	i.is_open = strcmp(word, "resolved") != 0;
	i.is_live = is_live;
	if (!i.is_open) i.resolved_us = 5;
	store_batch_incident(b, &i);
}

/* a is open and acknowledged, b is resolved while an execution of it runs, c is resolved. */
static void write_incidents(struct store *s)
{
	struct store_batch *b = store_batch_new();
	const char *const ids[] = {incident_a, incident_b, incident_c};
	for (int i = 0; i < 3; i++) {
		add_event(b, ids[i], RECORD_INCIDENT_OPENED, json_pack("{s:s,s:s}", "origin", "alert", "key", KEY));
		add_row(b, ids[i], "open", true);
	}
	assert_int_equal(submit_and_wait(s, b).err, ERR_OK);
	b = store_batch_new();
	add_event(b, incident_a, RECORD_INCIDENT_ACKNOWLEDGED, json_pack("{s:s}", "how", "cli"));
	add_row(b, incident_a, "acknowledged", true);
	add_event(b, incident_b, RECORD_INCIDENT_RESOLVED, json_pack("{s:s}", "how", "alert"));
	add_row(b, incident_b, "resolved", true);
	add_event(b, incident_c, RECORD_INCIDENT_RESOLVED, json_pack("{s:s}", "how", "person"));
	add_row(b, incident_c, "resolved", false);
	assert_int_equal(submit_and_wait(s, b).err, ERR_OK);
}

struct ids {
	char text[256];
	struct store_incident last;
};

static bool take(void *arg, const struct store_incident *i)
{
	struct ids *out = arg;
	out->last = *i;
	strncat(out->text, i->id + 25, sizeof out->text - strlen(out->text) - 1);
	assert_string_equal(i->title, "Disk full");
	assert_string_equal(i->key, KEY);
	return true;
}

static const char *listed(struct store *s, enum store_incidents which, int64_t since_us, const char *prefix, const char *before, size_t limit)
{
	static struct ids out;
	struct store_reader *r;
	struct error e;
	out = (struct ids){.text = ""};
	assert_int_equal(store_reader_open(s, &r, &e), ERR_OK);
	assert_int_equal(store_incidents(r, which, since_us, prefix, before, limit, take, &out, &e), ERR_OK);
	store_reader_close(r);
	return out.text;
}

static void incidents_are_listed_newest_first_in_pages(void **state)
{
	struct store *s = place_open(*state);
	write_incidents(s);
	store_close(s);
	s = place_open(*state);
	assert_string_equal(listed(s, STORE_INCIDENTS_ALL, 0, NULL, NULL, 0), "CBA");
	assert_string_equal(listed(s, STORE_INCIDENTS_ALL, 0, NULL, incident_c, 1), "B");
	assert_string_equal(listed(s, STORE_INCIDENTS_ALL, 0, incident_b, NULL, 0), "B");
	assert_string_equal(listed(s, STORE_INCIDENTS_ALL, 0, "01JD9Z8Q6M3T4N5P6R7S8T9V3", NULL, 0), "");
	assert_string_equal(listed(s, STORE_INCIDENTS_OPEN, 0, NULL, NULL, 0), "A");
	assert_string_equal(listed(s, STORE_INCIDENTS_RECENT, 6, NULL, NULL, 0), "BA"); /* live, whenever they changed */
	assert_string_equal(listed(s, STORE_INCIDENTS_RECENT, 5, NULL, NULL, 0), "CBA");
	store_close(s);
}

static void damage(struct place *p, const char *sql)
{
	char *path = mem_printf("%s/store.db", p->dir), *message = NULL;
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
	sqlite3_close(db);
	free(path);
}

static struct store_verdict verdict(struct place *p)
{
	struct store_verdict v;
	struct error e;
	store_verify(p->dir, p->guard, &v, &e);
	return v;
}

static void a_row_that_was_changed_is_named(void **state)
{
	static const struct {
		const char *sql, *undo, *word;
	} list[] = {
	    {"UPDATE incident SET state = 'open' WHERE state = 'acknowledged'", "UPDATE incident SET state = 'acknowledged' WHERE state = 'open'",
	     "is listed as open, its records"},
	    {"UPDATE incident SET state = 'mitigated' WHERE state = 'acknowledged'", "UPDATE incident SET state = 'acknowledged' WHERE state = 'mitigated'",
	     "is listed as mitigated"},
	    {"UPDATE incident SET state = 'resolved', is_open = 0 WHERE id LIKE '%A'",
	     "UPDATE incident SET state = 'acknowledged', is_open = 1 WHERE id LIKE '%A'", "is listed as resolved"},
	    {"UPDATE incident SET state = 'open', is_open = 1, is_live = 1 WHERE id LIKE '%C'",
	     "UPDATE incident SET state = 'resolved', is_open = 0, is_live = 0 WHERE id LIKE '%C'", "is listed as open"},
	    {"UPDATE incident SET state = 'resolved' WHERE id LIKE '%A'", "UPDATE incident SET state = 'acknowledged' WHERE id LIKE '%A'",
	     "is listed as resolved"},
	    {"UPDATE incident SET state = 'nonsense' WHERE id LIKE '%A'", "UPDATE incident SET state = 'acknowledged' WHERE id LIKE '%A'",
	     "is listed as nonsense"},
	    {"UPDATE incident SET is_live = 0 WHERE id LIKE '%A'", "UPDATE incident SET is_live = 1 WHERE id LIKE '%A'", "say otherwise"},
	    {"UPDATE incident SET key = NULL WHERE id LIKE '%A'", "UPDATE incident SET key = '" KEY "' WHERE id LIKE '%A'", "another key"},
	    {"UPDATE incident SET title = 'Disk empty' WHERE id LIKE '%A'", "UPDATE incident SET title = 'Disk full' WHERE id LIKE '%A'",
	     "digest that the last"},
	    {"UPDATE incident SET priority = 2 WHERE id LIKE '%A'", "UPDATE incident SET priority = 1 WHERE id LIKE '%A'", "digest that the last"},
	    {"UPDATE incident SET changed_us = 6 WHERE id LIKE '%A'", "UPDATE incident SET changed_us = 5 WHERE id LIKE '%A'", "digest that the last"},
	    {"UPDATE incident SET is_open = 2 WHERE id LIKE '%A'", "UPDATE incident SET is_open = 1 WHERE id LIKE '%A'", "wrong type"},
	    {"UPDATE incident SET id = '01JD9Z8Q6M3T4N5P6R7S8T9V2D' WHERE id LIKE '%A'",
	     "UPDATE incident SET id = '01JD9Z8Q6M3T4N5P6R7S8T9V2A' WHERE id LIKE '%D'", "no record says that it was opened"},
	    {"DELETE FROM incident WHERE id LIKE '%A'", NULL, "its row was removed"},
	};
	struct place *p = *state;
	struct store *s = place_open(p);
	write_incidents(s);
	store_close(s);
	assert_true(verdict(p).is_whole);
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		damage(p, list[i].sql);
		struct store_verdict v = verdict(p);
		if (v.is_whole || !strstr(v.reason, list[i].word)) fail_msg("%s: %s", list[i].sql, v.is_whole ? "it verifies" : v.reason);
		if (!list[i].undo) break;
		damage(p, list[i].undo);
		v = verdict(p);
		if (!v.is_whole) fail_msg("%s: %s", list[i].undo, v.reason);
	}
}

/* What a program left that knew no incidents: the same without their table. */
static void a_store_of_an_older_program_verifies_and_gets_the_table_when_it_is_opened(void **state)
{
	struct place *p = *state;
	struct store *s = place_open(p);
	write_execution(s, execution_a, 1);
	store_close(s);
	damage(p, "DROP TABLE incident; PRAGMA user_version = 2");
	struct store_verdict v = verdict(p);
	if (!v.is_whole) fail_msg("%s", v.reason);
	s = place_open(p);
	write_incidents(s);
	assert_string_equal(listed(s, STORE_INCIDENTS_ALL, 0, NULL, NULL, 0), "CBA");
	store_close(s);
	v = verdict(p);
	if (!v.is_whole) fail_msg("%s", v.reason);
	assert_int_equal(v.records, 1 + 6 + 6);
	/* One that says that it is old and is not has lost something. */
	damage(p, "DROP TABLE incident; PRAGMA user_version = 2");
	assert_false(verdict(p).is_whole);
}

static void tables_that_are_those_of_no_version_are_refused(void **state)
{
	struct place *p = *state;
	struct error e = {0};
	store_close(place_open(p));
	damage(p, "DROP TABLE incident; CREATE TABLE more (x); PRAGMA user_version = 2");
	assert_int_equal(place_try_open(p, &e), ERR_VERIFY);
	damage(p, "DROP TABLE more; PRAGMA user_version = 1");
	assert_int_equal(place_try_open(p, &e), ERR_VERIFY);
	assert_non_null(strstr(e.text, "has version 1"));
	damage(p, "PRAGMA user_version = 2");
	assert_int_equal(place_try_open(p, &e), ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(incidents_are_listed_newest_first_in_pages, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_row_that_was_changed_is_named, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_store_of_an_older_program_verifies_and_gets_the_table_when_it_is_opened, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(tables_that_are_those_of_no_version_are_refused, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
