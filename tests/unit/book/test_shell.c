#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "book/shell.h"

#include <stdlib.h>
#include <string.h>

/* Splits a source and checks the commands, given as one text with '%' between them. */
static void splits(const char *source, const char *commands, const char *expected)
{
	struct arena *a = arena_new();
	struct book_fence f = {.role = FENCE_SHELL, .source = source, .line = 10};
	struct buf got;
	buf_init(&got, 1 << 20);
	shell_split(a, &f);
	for (size_t i = 0; i < f.command_count; i++) buf_printf(&got, "%s%s", i ? "%" : "", f.commands[i]);
	assert_string_equal(got.data ? got.data : "", commands);
	if (expected)
		assert_string_equal(f.expected ? f.expected : "(none)", expected);
	else
		assert_null(f.expected);
	buf_clear(&got);
	arena_free(a);
}

static void a_command_ends_with_its_line(void **state)
{
	(void)state;
	splits("ls -l\ndf -h", "ls -l%df -h", NULL);
	splits("# first\nls\n\n# second\ndf", "ls%df", NULL);
	splits("echo it's # don't", "echo it's # don't", NULL);
	splits("", "", NULL);
}

static void a_command_goes_on_while_something_is_open(void **state)
{
	(void)state;
	splits("ls \\\n  -l\ndf", "ls \\\n  -l%df", NULL);
	splits("a |\n b\nc && \\\n d", "a |\n b%c && \\\n d", NULL);
	splits("a ||\nb\nc &&\nd", "a ||\nb%c &&\nd", NULL);
	splits("echo 'a\nb'\ndf", "echo 'a\nb'%df", NULL);
	splits("x=$(a\nb)\ndf", "x=$(a\nb)%df", NULL);
	splits("for i in 1 2; do\n  echo $i\ndone\ndf", "for i in 1 2; do\n  echo $i\ndone%df", NULL);
	splits("if a; then\n b\nelse\n c\nfi\nd", "if a; then\n b\nelse\n c\nfi%d", NULL);
	splits("while read l; do echo $l; done < f\nd", "while read l; do echo $l; done < f%d", NULL);
	splits("f() {\n  a\n}\nf", "f() {\n  a\n}%f", NULL);
	splits("case $x in\n a) b ;;\n c) d ;;\nesac\ne", "case $x in\n a) b ;;\n c) d ;;\nesac%e", NULL);
	splits("echo if for done\nls", "echo if for done%ls", NULL);
}

static void a_heredoc_is_part_of_its_command(void **state)
{
	(void)state;
	splits("cat <<EOF > f\n# x 'y\nEOF\nls", "cat <<EOF > f\n# x 'y\nEOF%ls", NULL);
	splits("cat <<-'END'\n\tx\n\tEND\nls", "cat <<-'END'\n\tx\n\tEND%ls", NULL);
	splits("cat <<A <<B\n1\nA\n2\nB\nls", "cat <<A <<B\n1\nA\n2\nB%ls", NULL);
	splits("grep x <<<\"$y\"\nls", "grep x <<<\"$y\"%ls", NULL);
}

static void with_prompts_the_rest_is_expected_output(void **state)
{
	(void)state;
	splits("$ ls\na b\n$ df \\\n  -h\n/dev 1%", "ls%df \\\n  -h", "a b\n/dev 1%");
	splits("root@db:~# id\nuid=0", "id", "uid=0");
	splits("$ cat <<E\n> x\n> E\nout", "cat <<E\nx\nE", "out");
	splits("$ echo 'open\n$ ls", "echo 'open%ls", NULL);
}

static void printed_lines_after_a_command_are_expected_output(void **state)
{
	(void)state;
	splits("ls -l\ntotal 4\n-rw-r--r-- 1 a\n\ndf", "ls -l%df", "total 4\n-rw-r--r-- 1 a");
	splits("kubectl get pods\nNAME   READY\nweb   1/1", "kubectl get pods", "NAME   READY\nweb   1/1");
}

static void a_script_is_one_command(void **state)
{
	(void)state;
	splits("#!/bin/sh\na\nb", "#!/bin/sh\na\nb", NULL);
}

static void note_name(enum shell_name_kind kind, const char *name, size_t n, size_t offset, void *arg)
{
	(void)offset;
	buf_printf(arg, "%c:%.*s ", "pva"[kind], (int)n, name);
}

static void names(const char *source, const char *want)
{
	struct buf got;
	buf_init(&got, 4096);
	shell_each_name(source, note_name, &got);
	assert_string_equal(got.data ? got.data : "", want);
	buf_clear(&got);
}

static void names_are_found_where_the_shell_would_see_them(void **state)
{
	(void)state;
	names("echo $NODE ${ZONE} $lower $1 $X", "v:NODE v:ZONE ");
	names("awk '{print $NF}' \"$FILE\" \\$NOT", "v:FILE ");
	names("A=1 export B C=2; for I in x; do read -r L M; done", "a:A a:B a:C a:C a:I a:L a:M ");
	names("kubectl logs <pod name> -n <ns>", "p:pod name p:ns ");
	names("cat <in >out; a <<EOF; b < c > d; <Big> <-x> <a-> 1<2>3", "");
	names("echo ${X:-default} ${LIST[0]}", "v:LIST ");
	names("# don't\necho $NODE", "v:NODE ");
	names("echo '<name>x</name>' <a>", "p:a ");
	names("curl \"http://<host>/x\"", "p:host ");
}

static void placeholders_are_filled_as_data(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {{"rm <file>", "rm \"${FILE}\""},
	             {"rm \"/a/<file>\"", "rm \"/a/${FILE}\""},
	             {"rm '/a/<file>'", "rm '/a/'\"${FILE}\"''"},
	             {"a <other> < b", "a <other> < b"},
	             {"it\\'s <file>", "it\\'s \"${FILE}\""}};
	struct book_param p = {.name = "FILE", .is_input = true};
	struct book b = {.params = &p, .param_count = 1};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf out;
		buf_init(&out, 4096);
		shell_fill(&out, &b, cases[i].from);
		assert_string_equal(out.data, cases[i].to);
		buf_clear(&out);
	}
}

static void interactive_commands_are_known(void **state)
{
	static const char *const yes[] = {"top",
	                                  "sudo vi /etc/hosts",
	                                  "ssh web-1",
	                                  "ssh -p 22 -i key a@web-1",
	                                  "less f",
	                                  "journalctl -u x -f",
	                                  "kubectl exec -it p -- sh",
	                                  "cat a | less",
	                                  "A=1 top",
	                                  "psql -h db"};
	static const char *const no[] = {"top -b -n1", "ssh web-1 uptime", "ssh -N -L 1:a:2 b", "journalctl -u x", "psql -c 'select 1'",
	                                 "ls",         "tail -n 5 f",      "echo top",          "mysql < dump.sql"};
	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		if (!shell_interactive(yes[i])) fail_msg("%s", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		if (shell_interactive(no[i])) fail_msg("%s", no[i]);
}

static void unlabelled_blocks_of_commands_are_told_from_others(void **state)
{
	static const char *const yes[] = {"kubectl get pods", "$ anything at all", "# a comment\nsudo systemctl restart x", "KEY=value ls", "./run.sh",
	                                  "NODE=web-1",       "cd /tmp\nls"};
	static const char *const no[] = {"{\"a\": 1}", "Error: no such file", "key = value",      "NAME   READY",
	                                 "",           "The pod is gone",     "select * from t;", "find = 1"};
	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		if (!shell_looks_like_commands(yes[i])) fail_msg("%s", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		if (shell_looks_like_commands(no[i])) fail_msg("%s", no[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_command_ends_with_its_line),
	    cmocka_unit_test(a_command_goes_on_while_something_is_open),
	    cmocka_unit_test(a_heredoc_is_part_of_its_command),
	    cmocka_unit_test(with_prompts_the_rest_is_expected_output),
	    cmocka_unit_test(printed_lines_after_a_command_are_expected_output),
	    cmocka_unit_test(a_script_is_one_command),
	    cmocka_unit_test(names_are_found_where_the_shell_would_see_them),
	    cmocka_unit_test(placeholders_are_filled_as_data),
	    cmocka_unit_test(interactive_commands_are_known),
	    cmocka_unit_test(unlabelled_blocks_of_commands_are_told_from_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
