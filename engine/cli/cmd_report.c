#include "base/fs.h"
#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPORT_BYTES_MAX = 256 << 20 };

static enum err write_report(const char *file, const json_t *value, bool json, struct error *e)
{
	const json_t *report = json_obj(value, "report");
	const char *text = json_str(value, "text", NULL);
	struct buf b;
	buf_init(&b, REPORT_BYTES_MAX);
	if (json && report) json_inert(report, JSON_INDENT(2) | JSON_REAL_PRECISION(17), &b);
	if (!json && text) buf_str(&b, text);
	enum err err = b.data ? fs_write_atomic(file, b.data, b.len, 0644, e) : error_set(e, ERR_PROTOCOL, "the engine sent no report");
	buf_clear(&b);
	return err;
}

static int report(struct use *u, const char *id, const char *file, struct error *e)
{
	struct answer a = {0};
	enum err err = client_request(u->client, "report", json_pack("{s:s,s:s}", "execution", id, "format", u->json ? "json" : "markdown"), &a, e);
	if (!err && file)
		err = write_report(file, a.value, u->json, e);
	else if (!err && u->json)
		print_json(json_obj(a.value, "report"));
	else if (!err)
		print_page(json_str(a.value, "text", ""));
	answer_clear(&a);
	return err ? fail(e, u->json) : 0;
}

static int run(const struct invocation *in)
{
	struct use u;
	struct error e = {0};
	const char *id;
	if (use_open(in, false, &u, &e)) return fail(&e, given(in, "json"));
	enum err err = use_execution(&u, in->args[0], &id, &e);
	int status = err ? fail(&e, u.json) : report(&u, id, given_value(in, "output"), &e);
	use_close(&u);
	return status;
}

static const struct option options[] = {{"output", "FILE", false, "(also -o) into a file instead of standard output"}, OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_report = {.name = "report",
                                       .arguments = "EXECUTION",
                                       .least = 1,
                                       .most = 1,
                                       .options = options,
                                       .help = "the timeline and outcome of an execution, as Markdown or JSON, for the review after it",
                                       .run = run};
