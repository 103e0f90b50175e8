/* What lint says about the rights of a book, and what its steps are seen to call. */
#include "policy/book_rights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct book *book_of(const char *permissions, const char *steps)
{
	char *text = mem_printf("# T\n\n## Parameters\n\n| Name | Type | Default |\n|---|---|---|\n| unit | string | nginx |\n\n%s\n\n## Steps\n\n%s\n",
	                        permissions, steps);
	struct book *b;
	assert_int_equal(book_parse("t.md", NULL, text, strlen(text), &b, NULL), ERR_OK);
	free(text);
	return b;
}

/* The findings of the rights: "rule:line ..." */
static void says(const char *permissions, const char *steps, const char *wanted)
{
	struct book *b = book_of(permissions, steps);
	struct lint_report *r = lint_book(b, 0);
	struct buf all;
	buf_init(&all, 1 << 16);
	book_rights_lint(b, r);
	for (size_t i = 0; i < r->count; i++) {
		if (i) assert_true(r->findings[i - 1].line <= r->findings[i].line);
		if (strncmp(r->findings[i].rule, "permission-", 11) == 0)
			buf_printf(&all, "%s%s:%d", all.len ? " " : "", r->findings[i].rule + 11, r->findings[i].line);
	}
	if (strcmp(all.data ? all.data : "", wanted) != 0) fail_msg("%s\n%s\nsays %s, not %s", permissions, steps, all.data, wanted);
	buf_clear(&all);
	lint_free(r);
	book_free(b);
}

#define STEP(attributes, lua) "1. A\n\n   ```lua {id=a" attributes "}\n   " lua "\n   ```\n"

static void patterns_that_mean_nothing_or_everything(void **state)
{
	(void)state;
	says("## Permissions\n\n- `telnet x`\n- `sh sudo **`\n- `sh x {param:none}`\n- `http GET https://h/../x`\n", "",
	     "unknown:11 interpreter:12 parameter:13 unknown:14");
	says("## Permissions\n\n- `sh a *`\n- `sh a b`\n- `sh c`\n- `sh c`\n- read: `sh a b`\n", "", "covered:12 covered:14");
	says("## Permissions\n\n- read: `sh a *`\n- read: `sh a b`\n- `sh a *`\n", "", "covered:12 covered:13");
}

static void a_step_only_takes_rights_away(void **state)
{
	(void)state;
	static const char permissions[] = "## Permissions\n\n- `sh a *`\n- `sh b`\n";
	says(permissions, STEP(" permissions=\"sh a b\"", "sh{'a', 'b'}"), "");
	says(permissions, STEP(" permissions=\"sh a **; sh b\"", "sh{'b'}"), "wider:17");
	says(permissions, STEP(" permissions=\"sh sh -c *\"", "return 1"), "interpreter:17 wider:17");
	says("", STEP(" permissions=\"sh a **\"", "sh{'a'}"), "");
}

static void calls_that_are_not_allowed(void **state)
{
	(void)state;
	static const char permissions[] = "## Permissions\n\n- read: `sh look {param:unit}`\n- `sh restart *`\n- `http GET https://web-*/healthz`\n";
	says(permissions, STEP("", "sh{'look', params.unit} sh{'restart', 'x'} sh{'restart', host}"), "");
	says(permissions, STEP("", "sh{'look', 'x'}"), ""); /* with that value it is */
	says(permissions, STEP("", "sh{'stop', host}"), "missing:21");
	says(permissions, STEP("", "sh{'restart', '-x'}"), "missing:21");
	says(permissions, STEP("", "sh{'restart', a, b}"), "missing:21");
	says(permissions, STEP("", "sh(command)"), "");
	says(permissions, STEP("", "sh('look x')"), "missing:21");
	says(permissions, STEP("", "http.get('https://' .. h .. '/healthz')"), "");
	says(permissions, STEP("", "http.post('https://' .. h .. '/healthz')"), "missing:21");
	says(permissions, STEP("", "http.get('ftp://h/')"), "missing:21");
	says(permissions, STEP(" permissions=\"sh restart x\"", "sh{'restart', 'y'}"), "missing:21");
	says(permissions, STEP(" permissions=\"sh restart x\"", "sh{'look', params.unit}"), "missing:21");
	says("", STEP("", "sh{'anything'}"), "");
}

static void files_are_no_commands(void **state)
{
	(void)state;
	static const char permissions[] = "## Permissions\n\n- `ssh web-* put /srv/**`\n- `ssh web-* -- uptime`\n- read: `ssh web-* get /srv/*`\n";
	says(permissions, STEP("", "ssh.put('web-1', '/srv/a/b', text) ssh.get('web-1', '/srv/a')"), "");
	says(permissions, STEP("", "ssh.put(h, params.unit, text) ssh.put(h, '/srv/' .. name, text, {mode = '0600'})"), "");
	says(permissions, STEP("", "ssh.put('web-1', '/etc/x', text)"), "missing:21");
	says(permissions, STEP("", "ssh.put(h, '/etc/x', text)"), "missing:21");
	says(permissions, STEP("", "ssh.get('web-1', '/srv/a/b')"), "missing:21");
	says(permissions, STEP("", "ssh.put('web-1', 'motd', text)"), "missing:21");
	says(permissions, STEP("", "return 1") "\n   ```lua {verify}\n   ssh.put('web-1', '/srv/a', 'x')\n   ```\n", "missing:25");
	/* A right to every command is none to a file, and the other way round. */
	says("## Permissions\n\n- `ssh *@* -- **`\n", STEP("", "ssh.put('web-1', '/srv/a', text)"), "interpreter:11 missing:19");
	says("## Permissions\n\n- `ssh *@* -- **`\n", STEP("", "ssh.get(h, path)"), "interpreter:11 missing:19");
	says("## Permissions\n\n- `ssh * put /**`\n", STEP("", "ssh(h, command)"), "missing:19");
	says("## Permissions\n\n- `ssh * put /**`\n", STEP("", "ssh('web-1', {'put', '/x'})"), "missing:19");
}

static void a_proof_may_only_read(void **state)
{
	(void)state;
	static const char permissions[] = "## Permissions\n\n- read: `sh look *`\n- `sh restart *`\n";
	says(permissions, STEP("", "sh{'restart', 'x'}") "\n   ```lua {verify}\n   sh{'look', 'x'}\n   ```\n", "");
	says(permissions, STEP("", "sh{'restart', 'x'}") "\n   ```lua {verify}\n   sh{'restart', 'x'}\n   ```\n", "missing:24");
	says(permissions, STEP("", "sh{'restart', 'x'}") "\n   ```lua {undo}\n   sh{'restart', 'y'}\n   ```\n", "");
}

static void calls_are_listed_with_their_right(void **state)
{
	(void)state;
	struct book *b = book_of("## Permissions\n\n- `sh a *`\n", STEP("", "sh{'a', params.unit} sh{'a', x} sh{'b'} secret(name)"));
	struct book_calls *c = book_calls_find(b);
	static const struct {
		const char *pattern;
		enum book_call_right right;
	} wanted[] = {{"sh a {param:unit}", BOOK_CALL_DECLARED}, {"sh a *", BOOK_CALL_UNCLEAR}, {"sh b", BOOK_CALL_LACKING}, {"secret *", BOOK_CALL_LACKING}};
	assert_int_equal(c->count, 4);
	for (size_t i = 0; i < c->count; i++) {
		assert_string_equal(c->calls[i].pattern, wanted[i].pattern);
		assert_int_equal(c->calls[i].right, wanted[i].right);
		assert_int_equal(c->calls[i].line, 19);
	}
	assert_string_equal(c->calls[0].by, "sh a *");
	book_calls_free(c);
	book_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(patterns_that_mean_nothing_or_everything),
	    cmocka_unit_test(a_step_only_takes_rights_away),
	    cmocka_unit_test(calls_that_are_not_allowed),
	    cmocka_unit_test(files_are_no_commands),
	    cmocka_unit_test(a_proof_may_only_read),
	    cmocka_unit_test(calls_are_listed_with_their_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
