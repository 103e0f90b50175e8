#include "base/fs.h"
#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/lines.h"
#include "cli/print.h"
#include "service/protocol.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT = 500 };

/* ---- send ---- */

/* Those of --header NAME:VALUE. */
static enum err read_headers(const struct invocation *in, json_t *out, struct error *e)
{
	for (size_t i = 0; i < in->option_count; i++) {
		if (strcmp(in->options[i].option->name, "header") != 0) continue;
		const char *text = in->options[i].value, *colon = strchr(text, ':');
		if (!colon || colon == text) return error_set(e, ERR_USAGE, "a header is NAME:VALUE, as in --header 'Authorization: Bearer TOKEN'");
		const char *value = colon + 1 + strspn(colon + 1, " ");
		if (json_object_setn_new(out, text, (size_t)(colon - text), json_string(value)) != 0)
			return error_set(e, ERR_INVALID, "a header is UTF-8 and has a value");
	}
	return ERR_OK;
}

static enum err read_body(const char *path, struct buf *out, struct error *e)
{
	enum err err = strcmp(path, "-") == 0 ? fs_read_fd(STDIN_FILENO, "standard input", out, e) : fs_read(path, out, e);
	return err            ? err
	       : out->is_full ? error_set(e, ERR_TOO_BIG, "%s has more than %d bytes: such a delivery comes by HTTP", path, PROTOCOL_PAYLOAD_BYTES_MAX)
	                      : ERR_OK;
}

static int print_decisions(struct use *u, const json_t *value)
{
	json_t *d;
	size_t i;
	struct arena *a = u->arena;
	if (u->json) {
		print_json(value);
		return 0;
	}
	json_array_foreach(json_arr(value, "decisions"), i, d)
	{
		const char *rail = json_str(d, "rail", "free");
		printf("%-8s  %s: %s", json_str(d, "state", ""), line_safe(a, json_str(d, "name", "")), json_str(d, "outcome", ""));
		if (strcmp(rail, "free") != 0) printf(" (%s)", rail);
		if (json_str(d, "incident", NULL)) printf("  incident %s", json_str(d, "incident", ""));
		if (json_str(d, "execution", NULL)) printf("  execution %s", json_str(d, "execution", ""));
		printf("\n");
		print_wrapped(stdout, "          ", line_safe(a, json_str(d, "reason", "")));
	}
	if (json_int(value, "truncated", 0)) message("%lld more were left out", (long long)json_int(value, "truncated", 0));
	return 0;
}

static int send_one(struct use *u, const struct invocation *in, struct error *e)
{
	struct answer answer = {0};
	struct buf body;
	json_t *headers = json_object();
	buf_init(&body, PROTOCOL_PAYLOAD_BYTES_MAX);
	enum err err = read_headers(in, headers, e);
	if (!err) err = read_body(in->args[2], &body, e);
	json_t *args = err ? NULL : json_pack("{s:s,s:O}", "source", in->args[1], "headers", headers);
	if (!err && !args) err = error_set(e, ERR_INVALID, "the source's name is not UTF-8");
	if (!err) err = client_request_with(u->client, "alerts.receive", args, body.data ? body.data : "", body.len, &answer, e);
	int status = err ? fail(e, u->json) : print_decisions(u, answer.value);
	answer_clear(&answer);
	buf_clear(&body);
	json_decref(headers);
	return status;
}

/* ---- list ---- */

static int list(struct use *u, struct error *e)
{
	struct answer answer = {0};
	json_t *al;
	size_t i;
	struct arena *a = u->arena;
	if (client_request(u->client, "alerts.list", json_pack("{s:i}", "limit", LIMIT), &answer, e)) return fail(e, u->json);
	json_array_foreach(json_arr(answer.value, "alerts"), i, al)
	{
		const json_t *alert = json_obj(al, "alert");
		if (u->json)
			print_json_line(al);
		else
			printf("%-8s  %-10s  %s  %s  incident %s\n", json_str(al, "state", ""), line_safe(a, json_str(alert, "severity", "")),
			       line_fit(a, line_safe(a, json_str(alert, "name", "?")), 40, true), line_safe(a, json_str(al, "outcome", "")),
			       json_str(al, "incident", ""));
	}
	if (i == 0 && !u->json) message("no incident with an alert is open");
	if (json_bool(answer.value, "more", false) && !u->json) message("there are more than these %d", LIMIT);
	answer_clear(&answer);
	return 0;
}

static int run(const struct invocation *in)
{
	struct use u;
	struct error e = {0};
	bool is_send = strcmp(in->args[0], "send") == 0 && in->arg_count == 3, is_list = strcmp(in->args[0], "list") == 0 && in->arg_count == 1;
	if (!is_send && !is_list) {
		error_set(&e, ERR_USAGE, "rung alerts send SOURCE FILE, or rung alerts list");
		return fail(&e, given(in, "json"));
	}
	if (use_open(in, is_send, &u, &e)) return fail(&e, given(in, "json"));
	int status = is_send ? send_one(&u, in, &e) : u.client ? list(&u, &e) : 0;
	use_close(&u);
	return status;
}

static const struct option options[] = {
    {"header", "NAME:VALUE", true, "send: a header of the delivery, for the source's proof"}, OPTION_STATE, {NULL, NULL, false, NULL}};

const struct command command_alerts = {
    .name = "alerts",
    .arguments = "send SOURCE FILE | list",
    .least = 1,
    .most = 3,
    .options = options,
    .help = "send: delivers alerts to this workspace's engine, as their source would; list: the alerts of what is open",
    .longer = "FILE holds the body as the source sends it (- reads standard input); what is decided of each alert is printed once it is durable.\n"
              "The engine's own user needs no proof; others give the source's token or signature with --header.",
    .run = run,
};
