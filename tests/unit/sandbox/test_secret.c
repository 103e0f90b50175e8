/* Secrets inside an actor: where their values come from, who gets them, and that they do not come back. */
#include "harness.h"
#include "sandbox/redact.h"
#include "sandbox/secret_file.h"

#include <sys/stat.h>

static struct sandbox *sandbox;
static char folder[PATH_MAX];

/* What came of one command. */
struct outcome {
	struct buf out, err;
	json_t *last; /* "finished" or "failed" */
	bool is_redacted;
};

static void actor_open(struct peer *p)
{
	peer_open(p, sandbox, SANDBOX_ACTOR, -1);
	peer_expect(p, "ready");
}

static void actor_close(struct peer *p)
{
	shutdown(p->child.fd, SHUT_RDWR);
	peer_wait_end(p);
	peer_close(p);
}

static void read_outcome(struct peer *p, json_int_t id, struct outcome *o)
{
	*o = (struct outcome){0};
	buf_init(&o->out, 64 << 20);
	buf_init(&o->err, 64 << 20);
	while (!o->last) {
		const json_t *head = peer_read(p);
		assert_non_null(head);
		const char *type = json_str(head, "t", "");
		if (json_int(head, "id", 0) != id || strcmp(type, "started") == 0) continue;
		assert_true(p->frame.payload_len <= WIRE_OUTPUT_BYTES_MAX);
		if (json_bool(head, "redacted", false)) o->is_redacted = true;
		if (strcmp(type, "output") == 0)
			buf_add(strcmp(json_str(head, "stream", ""), "stdout") == 0 ? &o->out : &o->err, p->frame.payload, p->frame.payload_len);
		else
			o->last = json_deep_copy(head);
	}
}

static void outcome_clear(struct outcome *o)
{
	buf_clear(&o->out);
	buf_clear(&o->err);
	json_decref(o->last);
}

/* A call of sh -c text; secrets is taken: {name: source}; env of the call: S is the secret "s". */
static json_t *shell(json_int_t id, const char *text, json_t *secrets)
{
	json_t *head = json_pack("{s:s,s:I,s:s,s:s,s:[s,s,s],s:{s:s}}", "t", "call", "id", id, "module", "sh", "function", "run", "argv", "sh", "-c", text,
	                         "env", "PATH", "/usr/bin:/bin");
	if (!secrets) return head;
	if (json_object_get(secrets, "s")) json_object_set_new(json_obj(head, "env"), "S", json_pack("{s:s}", "secret", "s"));
	json_object_set_new(head, "secrets", secrets);
	return head;
}

static json_t *value(const char *text)
{
	return json_pack("{s:{s:s}}", "s", "value", text);
}

static json_t *file(const char *path)
{
	return json_pack("{s:{s:s}}", "s", "file", path);
}

static json_t *printed_by(const char *text, json_int_t timeout_us)
{
	return json_pack("{s:{s:[s,s,s],s:I}}", "s", "argv", "sh", "-c", text, "timeout_us", timeout_us);
}

static void run(struct peer *p, json_int_t id, json_t *head, struct outcome *o)
{
	peer_send(p, head, NULL, 0);
	read_outcome(p, id, o);
}

/* Runs it in an actor of its own; what it printed on standard output. */
static void expect_output(json_t *head, const char *wanted)
{
	struct peer p;
	struct outcome o;
	actor_open(&p);
	run(&p, 1, head, &o);
	actor_close(&p);
	if (strcmp(json_str(o.last, "t", ""), "finished") != 0) fail_msg("%s", json_str(o.last, "why", "?"));
	assert_string_equal(o.out.data ? o.out.data : "", wanted);
	outcome_clear(&o);
}

static void expect_failure(json_t *head, const char *kind, const char *wanted, const char *never)
{
	struct peer p;
	struct outcome o;
	actor_open(&p);
	run(&p, 1, head, &o);
	actor_close(&p);
	assert_string_equal(json_str(o.last, "t", ""), "failed");
	if (!strstr(json_str(o.last, "why", ""), wanted)) fail_msg("\"%s\" is not in: %s", wanted, json_str(o.last, "why", ""));
	assert_string_equal(json_str(o.last, "kind", ""), kind);
	if (never) assert_null(strstr(json_str(o.last, "why", ""), never));
	assert_int_equal(o.out.len + o.err.len, 0);
	outcome_clear(&o);
}

static char *path_of(const char *name)
{
	return mem_printf("%s/%s", folder, name);
}

static char *write_file(const char *name, const char *text, mode_t mode)
{
	char *path = path_of(name);
	struct error e;
	if (fs_write_atomic(path, text, strlen(text), mode, &e)) fail_msg("%s", e.text);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

/* ---- what a command gets ---- */

static void test_environment_and_standard_input(void **state)
{
	(void)state;
	expect_output(shell(1, "[ \"$S\" = hunter22 ] && echo ${#S}", value("hunter22")), "8\n");
	json_t *head = shell(1, "[ \"$(cat)\" = hunter22 ] && echo same", value("hunter22"));
	json_object_set_new(head, "stdin_secret", json_string("s"));
	expect_output(head, "same\n");
	head = shell(1, "od -An -c", json_pack("{s:{s:{s:s}}}", "x", "value", "b64", "AAECAwQFBgcICQ=="));
	json_object_set_new(head, "stdin_secret", json_string("x"));
	expect_output(head, "  \\0 001 002 003 004 005 006  \\a  \\b  \\t\n");
	expect_failure(shell(1, "true", json_pack("{s:{s:{s:s}}}", "s", "value", "b64", "AAECAwQFBgcICQ==")), "invalid", "zero byte", NULL);
}

static void test_output_is_redacted_and_says_so(void **state)
{
	struct peer p;
	struct outcome o;
	(void)state;
	actor_open(&p);
	run(&p, 1, shell(1, "echo \"a $S b\"; echo \"$S\" | base64 >&2; echo end", value("hunter22 and more")), &o);
	assert_string_equal(o.out.data, "a [secret s] b\nend\n");
	assert_string_equal(o.err.data, "[secret s]UK\n"); /* of what the last characters share with the newline, four bits */
	assert_true(o.is_redacted);
	outcome_clear(&o);
	run(&p, 2, shell(2, "echo nothing", value("hunter22 and more")), &o);
	assert_string_equal(o.out.data, "nothing\n");
	assert_false(o.is_redacted);
	outcome_clear(&o);
	actor_close(&p);
}

static void test_every_byte_by_itself(void **state)
{
	(void)state;
	expect_output(shell(1, "printf '%s|%s' \"$S\" \"$S\" | dd bs=1 2>/dev/null", value("hunter22")), "[secret s]|[secret s]");
	expect_output(shell(1, "printf hunt; sleep 0.1; printf er2; sleep 0.1; printf '2\\n'", value("hunter22")), "[secret s]\n");
	expect_output(shell(1, "printf 'hunter2'", value("hunter22")), "hunter2");
}

static void test_a_later_command_prints_what_an_earlier_one_wrote(void **state)
{
	struct peer p;
	struct outcome o;
	(void)state;
	char *path = path_of("written");
	char *text = mem_printf("printf %%s \"$S\" > %s", path), *show = mem_printf("cat %s", path);
	actor_open(&p);
	run(&p, 1, shell(1, text, value("hunter22")), &o);
	outcome_clear(&o);
	run(&p, 2, shell(2, show, NULL), &o);
	assert_string_equal(o.out.data, "[secret s]");
	outcome_clear(&o);
	actor_close(&p);
	actor_open(&p);
	run(&p, 1,
	    shell(1, show, json_pack("{s:{s:s,s:b},s:{s:s,s:b}}", "old", "value", "hunter22", "is_optional", 1, "gone", "file", "/nowhere", "is_optional", 1)),
	    &o);
	assert_string_equal(o.out.data, "[secret old]");
	outcome_clear(&o);
	actor_close(&p);
	free(path), free(text), free(show);
}

/* What cannot be a part of a secret is there while the command still runs. */
static void test_live_output_is_live(void **state)
{
	struct peer p;
	struct outcome o;
	(void)state;
	actor_open(&p);
	peer_send(&p, shell(1, "printf 'Password: '; exec sleep 1000", value("hunter22")), NULL, 0);
	peer_expect(&p, "started");
	peer_expect(&p, "output");
	assert_int_equal(p.frame.payload_len, 10);
	peer_send(&p, json_pack("{s:s,s:i}", "t", "cancel", "id", 1), NULL, 0);
	read_outcome(&p, 1, &o);
	outcome_clear(&o);
	actor_close(&p);
}

static void test_an_error_does_not_say_it(void **state)
{
	(void)state;
	json_t *head = shell(1, "true", value("/tmp/hunter22"));
	json_object_set_new(head, "cwd", json_string("/tmp/hunter22"));
	expect_failure(head, "not_found", "[secret s]", "hunter22");
}

/* ---- where values come from ---- */

static void test_files(void **state)
{
	(void)state;
	char *fine = write_file("fine", "hunter22\n", 0600), *crlf = write_file("crlf", "hunter22\r\n", 0400), *open = write_file("open", "hunter22\n", 0640);
	char *brief = write_file("short", "seven77\n", 0600), *empty = write_file("empty", "\n", 0600), *link = path_of("link"), *fifo = path_of("fifo");
	expect_output(shell(1, "echo ${#S}", file(fine)), "8\n");
	expect_output(shell(1, "echo ${#S}", file(crlf)), "8\n");
	expect_failure(shell(1, "true", file(open)), "denied", "chmod 600", "hunter");
	expect_failure(shell(1, "true", file(brief)), "invalid", "fewer than 8 bytes", "seven");
	expect_failure(shell(1, "true", file(empty)), "invalid", "is empty", NULL);
	expect_failure(shell(1, "true", file("/nowhere/at/all")), "not_found", "/nowhere", NULL);
	expect_failure(shell(1, "true", file("relative")), "invalid", "absolute path", NULL);
	expect_failure(shell(1, "true", file(folder)), "invalid", "not a regular file", NULL);
	assert_int_equal(symlink(fine, link), 0);
	expect_failure(shell(1, "true", file(link)), "denied", "symbolic link", NULL);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	expect_failure(shell(1, "true", file(fifo)), "invalid", "not a regular file", NULL);
	char *loose = path_of("loose"), *inside = mem_printf("%s/in", loose);
	assert_int_equal(mkdir(loose, 0700), 0);
	char *moved = write_file("loose/in", "hunter22\n", 0600);
	assert_int_equal(chmod(loose, 0777), 0);
	expect_failure(shell(1, "true", file(inside)), "denied", "others can change", NULL);
	free(fine), free(crlf), free(open), free(brief), free(empty), free(link), free(fifo), free(loose), free(inside), free(moved);
}

static void test_a_file_of_another_user(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: only root can give files away\n");
		return;
	}
	char *path = write_file("foreign", "hunter22\n", 0600);
	assert_int_equal(chown(path, 65534, 65534), 0);
	expect_failure(shell(1, "true", file(path)), "denied", "belongs to another user", NULL);
	free(path);
}

static void test_sizes(void **state)
{
	(void)state;
	char *text = mem_alloc(REDACT_VALUE_BYTES_MAX + 3);
	struct peer p;
	struct outcome o;
	for (size_t i = 0, random = 1; i < REDACT_VALUE_BYTES_MAX; i++, random = random * 1103515245 + 12345) text[i] = (char)('a' + (random >> 16) % 26);
	strcpy(text + REDACT_VALUE_BYTES_MAX, "\n");
	char *most = write_file("most", text, 0600);
	json_t *head = shell(1, "cat; echo", file(most));
	json_object_del(json_obj(head, "env"), "S"); /* the kernel takes 128 KiB in one variable, this is about the stream */
	json_object_set_new(head, "stdin_secret", json_string("s"));
	actor_open(&p);
	run(&p, 1, head, &o);
	assert_string_equal(o.out.data, "[secret s]\n");
	outcome_clear(&o);
	actor_close(&p);
	strcpy(text + REDACT_VALUE_BYTES_MAX, "x\n");
	char *more = write_file("more", text, 0600);
	expect_failure(shell(1, "true", file(more)), "too_big", "longer than 64 KiB", "abc");
	free(text), free(most), free(more);
}

static void test_commands(void **state)
{
	(void)state;
	expect_output(shell(1, "[ \"$S\" = hunter22 ] && echo \"is $S\"", printed_by("echo hunter22; echo secrecy >&2", 10000000)), "is [secret s]\n");
	expect_failure(shell(1, "true", printed_by("echo hunter22; echo hunter22 >&2; exit 3", 10000000)), "failed", "exit status 3", "hunter22");
	expect_failure(shell(1, "true", printed_by("echo hunter22; exec sleep 1000", 100000)), "timeout", "ran out of time", "hunter22");
	expect_failure(shell(1, "true", printed_by("yes hunter22", 10000000)), "too_big", "longer than 64 KiB", "hunter22");
	expect_failure(shell(1, "true", printed_by("true", 10000000)), "invalid", "is empty", NULL);
	expect_failure(shell(1, "true", json_pack("{s:{s:[s]}}", "s", "argv", "no-such-command")), "not_found", "no-such-command", NULL);
	expect_failure(shell(1, "true", json_pack("{s:{}}", "s")), "protocol", "source", NULL);
}

/* While one call waits for its secret, others go on; and it can be cancelled before it starts. */
static void test_waiting_for_a_command(void **state)
{
	struct peer p;
	struct outcome o;
	(void)state;
	actor_open(&p);
	peer_send(&p, shell(1, "echo never", printed_by("exec sleep 1000", 60000000)), NULL, 0);
	run(&p, 2, shell(2, "echo now", NULL), &o);
	assert_string_equal(o.out.data, "now\n");
	outcome_clear(&o);
	peer_send(&p, json_pack("{s:s,s:i}", "t", "cancel", "id", 1), NULL, 0);
	read_outcome(&p, 1, &o);
	assert_string_equal(json_str(o.last, "t", ""), "failed");
	outcome_clear(&o);
	actor_close(&p);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "actor") == 0) return actor_main();
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_environment_and_standard_input),
	    cmocka_unit_test(test_output_is_redacted_and_says_so),
	    cmocka_unit_test(test_every_byte_by_itself),
	    cmocka_unit_test(test_a_later_command_prints_what_an_earlier_one_wrote),
	    cmocka_unit_test(test_live_output_is_live),
	    cmocka_unit_test(test_an_error_does_not_say_it),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_a_file_of_another_user),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_commands),
	    cmocka_unit_test(test_waiting_for_a_command),
	};
	snprintf(folder, sizeof folder, "%s/rung-secret-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	assert_non_null(mkdtemp(folder));
	sandbox = harness_start(NULL);
	int failed = cmocka_run_group_tests_name("secret", tests, NULL, NULL);
	sandbox_stop(sandbox);
	char *clean = mem_printf("rm -rf '%s'", folder);
	if (system(clean) != 0) failed++;
	free(clean);
	return failed;
}
