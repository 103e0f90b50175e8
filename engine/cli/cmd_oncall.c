#include "base/clock.h"
#include "base/fs.h"
#include "base/yaml.h"
#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "escalate/oncall.h"

#include <stdio.h>
#include <string.h>

/* Who would be notified now, level by level; and a message to see whether one arrives. */

#define ONCALL_PATH ".rung/oncall.yaml"

static enum err read_file(struct arena *a, const struct workspace *w, const struct oncall **out, struct error *e)
{
	struct buf b;
	const char *path = w->root ? arena_printf(a, "%s/" ONCALL_PATH, w->root) : NULL;
	if (!path || !fs_exists(path)) return error_set(e, ERR_NOT_FOUND, "there is no " ONCALL_PATH " here: nobody is on call");
	buf_init(&b, YAML_BYTES_MAX + 1);
	enum err err = fs_read(path, &b, e);
	if (!err) err = oncall_read(a, ONCALL_PATH, b.data ? b.data : "", b.len, out, e);
	buf_clear(&b);
	return err;
}

/* ---- what is shown ---- */

static const char *channel_text(struct arena *a, const struct oncall_channel *c)
{
	if (c->kind != CHANNEL_COMMAND) return arena_printf(a, "%s %s", oncall_channel_word(c->kind), c->address);
	const char *words = "command";
	for (size_t i = 0; i < c->word_count; i++) words = arena_printf(a, "%s %s", words, c->words[i]);
	return words;
}

static json_t *person_json(struct arena *a, const struct oncall *o, const char *name)
{
	const struct oncall_person *p = oncall_person(o, name);
	json_t *channels = json_array();
	for (size_t i = 0; p && i < p->count; i++) json_array_append_new(channels, json_string(channel_text(a, &p->channels[i])));
	return json_pack("{s:s,s:o}", "name", name, "channels", channels);
}

static json_t *ladder_json(struct arena *a, const struct oncall *o, const char *policy)
{
	const struct escalation_ladder *l = oncall_ladder(a, o, policy);
	json_t *policies = json_array();
	for (size_t i = 0; i < l->count; i++) {
		const struct escalation_policy *p = &l->policies[i];
		json_t *levels = json_array();
		for (size_t k = 0; k < p->count; k++) {
			json_t *people = json_array();
			for (size_t m = 0; m < p->levels[k].count; m++) json_array_append_new(people, person_json(a, o, p->levels[k].people[m].name));
			json_array_append_new(levels, json_pack("{s:o,s:I}", "people", people, "wait_us", (json_int_t)p->levels[k].wait_us));
		}
		json_array_append_new(policies, json_pack("{s:s,s:o,s:i}", "policy", p->name, "levels", levels, "rounds", (int)p->rounds));
	}
	return json_pack("{s:o,s:I}", "ladder", policies, "held_us", (json_int_t)oncall_hold_us(o, policy, clock_now_us()));
}

static void print_duration(const char *before, json_int_t us, const char *after)
{
	struct buf b;
	buf_init(&b, 64);
	clock_duration_words(&b, us);
	printf("%s%s%s", before, b.data, after);
	buf_clear(&b);
}

static void print_level(struct arena *a, const json_t *level, size_t number)
{
	json_t *person, *channel;
	size_t i, k;
	printf("  %zu  ", number);
	print_duration("waits ", json_int(level, "wait_us", 0), "\n");
	json_array_foreach(json_arr(level, "people"), i, person)
	{
		printf("     %-16s", line_exact(a, json_str(person, "name", "")));
		json_array_foreach(json_arr(person, "channels"), k, channel) printf("%s%s", k ? ", then " : " ", line_exact(a, json_string_value(channel)));
		printf("\n");
	}
}

static void print_ladder(struct arena *a, const json_t *ladder)
{
	json_t *policy, *level;
	size_t i, k;
	if (json_int(ladder, "held_us", 0))
		print_duration("maintenance: nobody is notified of what nobody asked for, for ", json_int(ladder, "held_us", 0), " more\n");
	json_array_foreach(json_arr(ladder, "ladder"), i, policy)
	{
		json_int_t rounds = json_int(policy, "rounds", 1);
		printf("%s%s", i ? "then " : "", line_exact(a, json_str(policy, "policy", "")));
		if (rounds > 1) printf(", %d times", (int)rounds);
		printf("\n");
		json_array_foreach(json_arr(policy, "levels"), k, level) print_level(a, level, k + 1);
	}
}

/* What would keep a message from leaving, and does not stand in the way of reading the file. */
static void warn(const struct oncall *o)
{
	bool needs_mail = false;
	for (size_t i = 0; i < o->person_count; i++)
		for (size_t k = 0; k < o->people[i].count; k++) needs_mail = needs_mail || o->people[i].channels[k].kind == CHANNEL_MAIL;
	fflush(stdout);
	if (needs_mail && !o->mail) message("no mail leaves: name the server in " ONCALL_PATH ", as mail: {server: smtp.example.net, from: rung@example.net}");
	if (!o->otherwise) message("where nothing names a policy, nobody is notified: name one in " ONCALL_PATH ", as defaults: {policy: NAME}");
}

static int show(struct arena *a, const struct oncall *o, const struct invocation *in, const char *policy, struct error *e)
{
	if (policy && !oncall_policy(o, policy)) {
		error_set(e, ERR_NOT_FOUND, "there is no policy \"%.64s\" in " ONCALL_PATH, policy);
		return fail(e, given(in, "json"));
	}
	json_t *all = json_object();
	for (size_t i = 0; i < o->policy_count; i++)
		if (!policy || strcmp(policy, o->policies[i].name) == 0) json_object_set_new(all, o->policies[i].name, ladder_json(a, o, o->policies[i].name));
	if (given(in, "json")) {
		json_t *out = json_pack("{s:O,s:s?}", "policies", all, "default", o->otherwise ? o->otherwise->name : NULL);
		print_json(out);
		json_decref(out);
	} else {
		for (size_t i = 0, shown = 0; i < o->policy_count; i++) {
			const json_t *ladder = json_object_get(all, o->policies[i].name);
			if (!ladder) continue;
			if (shown++) printf("\n");
			print_ladder(a, ladder);
		}
		warn(o);
	}
	json_decref(all);
	return 0;
}

/* ---- a test ---- */

static int tell_results(struct arena *a, const json_t *value, const struct invocation *in)
{
	json_t *r;
	size_t i;
	int status = 0;
	json_array_foreach(json_arr(value, "channels"), i, r)
	{
		const char *result = json_str(r, "result", "");
		if (strcmp(result, "delivered") != 0) status = 1;
		if (given(in, "json")) continue;
		printf("%-9s  %s %s%s%s\n", result, json_str(r, "channel", ""), line_exact(a, json_str(r, "address", "")), json_str(r, "why", NULL) ? ": " : "",
		       line_exact(a, json_str(r, "why", "")));
	}
	if (given(in, "json")) print_json(value);
	return status;
}

static int test(struct arena *a, const struct workspace *w, const struct invocation *in, struct error *e)
{
	struct client *c = NULL;
	struct answer answer = {0};
	enum err err = client_open(w->state_dir, &c, e);
	if (!err) err = client_request(c, "oncall.test", json_pack("{s:s,s:s}", "workspace", w->root, "person", in->args[1]), &answer, e);
	client_close(c);
	int status = err ? fail(e, given(in, "json")) : tell_results(a, answer.value, in);
	answer_clear(&answer);
	return status;
}

static int run(const struct invocation *in)
{
	struct arena *a = arena_new();
	struct workspace w;
	const struct oncall *o = NULL;
	struct error e = {0};
	int status;
	bool is_test = in->arg_count > 0 && strcmp(in->args[0], "test") == 0;
	if (is_test != (in->arg_count == 2)) {
		error_set(&e, ERR_USAGE, "rung oncall [POLICY], or rung oncall test PERSON");
		status = fail(&e, given(in, "json"));
	} else if (workspace_find(a, given_value(in, "state"), &w, &e) || read_file(a, &w, &o, &e)) {
		status = fail(&e, given(in, "json"));
	} else {
		must(o != NULL);
		status = is_test ? test(a, &w, in, &e) : show(a, o, in, in->arg_count ? in->args[0] : NULL, &e);
	}
	arena_free(a);
	return status;
}

static const struct option options[] = {OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_oncall = {
    .name = "oncall",
    .arguments = "[POLICY] | test PERSON",
    .most = 2,
    .options = options,
    .help = "who would be notified now, level by level; test sends somebody a message",
    .longer = "Each level: how long it waits for somebody to say that they have it, and its people with their channels, the first one first.\n"
              "`rung oncall test ana` sends a test message on each of ana's channels and says what became of it; exit status 1 where one did not arrive.",
    .run = run,
};
