#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>

static json_t *verdict_json(const struct store_verdict *v, const char *dir)
{
	json_t *wrong = v->wrong_seq == UINT64_MAX ? json_null() : json_integer((json_int_t)v->wrong_seq);
	json_t *guard = v->guard_size ? json_integer((json_int_t)v->guard_size) : json_null();
	return json_pack("{s:o,s:b,s:o,s:I,s:I,s:I,s:I,s:s,s:o,s:o,s:o}", "state_dir", json_text(dir), "whole", v->is_whole, "origin", json_text(v->origin),
	                 "records", (json_int_t)v->records, "checkpoints", (json_int_t)v->checkpoints, "blobs", (json_int_t)v->blobs, "erased",
	                 (json_int_t)v->erased, "root", v->root, "guard", guard, "wrong_seq", wrong, "reason", json_text(v->reason));
}

static void print_guard(struct arena *a, const struct store_verdict *v)
{
	if (v->guard_size)
		printf("guard        %" PRIu64 " records seen\n", v->guard_size);
	else if (v->no_guard[0])
		printf("guard        none (%s)\n", line_safe(a, v->no_guard));
}

static void print_verdict(struct arena *a, const struct store_verdict *v, const char *dir)
{
	printf("state        %s\norigin       %s\nrecords      %" PRIu64 "\ncheckpoints  %" PRIu64 "\nblobs        %" PRIu64 " (%" PRIu64
	       " erased)\nroot         %s\n",
	       line_exact(a, dir), line_exact(a, v->origin), v->records, v->checkpoints, v->blobs, v->erased, v->root);
	print_guard(a, v);
	if (v->is_whole)
		printf("The journal verifies: every record, every signature, every blob%s.\n",
		       v->guard_size
		           ? ""
		           : ".\nWithout its guard nobody can tell whether records were cut off its end: look at it as the user whose engine wrote it");
	else if (v->wrong_seq != UINT64_MAX)
		printf("WRONG at record %" PRIu64 ": ", v->wrong_seq);
	else
		printf("WRONG: ");
	if (!v->is_whole) {
		print_text(v->reason);
		printf("\n");
	}
}

static int verify(struct arena *a, const char *dir, bool json, struct error *e)
{
	struct store_verdict v;
	enum err err = store_verify(dir, NULL, &v, e);
	/* What does not verify is a verdict; anything else kept it from being reached. */
	if (err && err != ERR_VERIFY) return fail(e, json);
	json_t *o = verdict_json(&v, dir);
	if (json)
		print_json(o);
	else
		print_verdict(a, &v, dir);
	json_decref(o);
	return err_info(err)->exit_status;
}

static int run(const struct invocation *in)
{
	struct arena *a = arena_new();
	struct workspace w;
	struct error e = {0};
	bool json = given(in, "json");
	enum err err = workspace_find(a, given_value(in, "state"), &w, &e);
	int status = err ? fail(&e, json) : verify(a, w.state_dir, json, &e);
	arena_free(a);
	return status;
}

static const struct option options[] = {OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_verify = {
    .name = "verify",
    .arguments = "",
    .options = options,
    .help = "checks the whole journal of this host: every record, signature and blob",
    .longer = "Names the first record that is wrong and how (exit status 7). Needs no engine. That the end was cut off the guard tells, which is\n"
              "kept outside the state directory, in the home of whose engine it is. Who owns both and the keys can forge a whole new journal; only a\n"
              "checkpoint that somebody else keeps tells.",
    .run = run,
};
