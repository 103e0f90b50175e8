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

/* An id names an execution or an incident. */
static enum err ask(struct use *u, const char *name, struct answer *a, struct error *e)
{
	struct error no_incident;
	const char *id = name, *format = u->json ? "json" : "markdown";
	enum err err = use_execution(u, name, &id, e);
	if (!err) err = client_request(u->client, "report", json_pack("{s:s,s:s}", "execution", id, "format", format), a, e);
	if (err != ERR_NOT_FOUND) return err;
	answer_clear(a);
	err = client_request(u->client, "incident.report", json_pack("{s:s,s:s}", "incident", name, "format", format), a, &no_incident);
	if (err == ERR_NOT_FOUND) return error_set(e, err, "there is no execution and no incident %.60s (`rung log` and `rung incidents` list them)", name);
	if (err) *e = no_incident;
	return err;
}

static int report(struct use *u, const char *name, const char *file, struct error *e)
{
	struct answer a = {0};
	enum err err = ask(u, name, &a, e);
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
	if (use_open(in, false, &u, &e)) return fail(&e, given(in, "json"));
	int status = report(&u, in->args[0], given_value(in, "output"), &e);
	use_close(&u);
	return status;
}

static const struct option options[] = {{"output", "FILE", false, "(also -o) into a file instead of standard output"}, OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_report = {.name = "report",
                                       .arguments = "EXECUTION|INCIDENT",
                                       .least = 1,
                                       .most = 1,
                                       .options = options,
                                       .help = "the timeline and outcome of an execution, or of an incident with all that was done, as Markdown or JSON",
                                       .run = run};
