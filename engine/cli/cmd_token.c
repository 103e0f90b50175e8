#include "base/clock.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/engine_use.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

static enum err create(struct use *u, const struct invocation *in, struct error *e)
{
	struct answer a = {0};
	const char *who = given_value(in, "for"), *expires = given_value(in, "expires");
	json_t *args = json_pack("{s:s,s:s*,s:s*}", "name", in->args[1], "for", who, "expires", expires);
	if (!args) return error_set(e, ERR_INVALID, "a token's name is letters, digits, and any of _ . @ -");
	enum err err = client_request(u->client, "token.create", args, &a, e);
	if (err) return err;
	if (u->json) {
		print_json(a.value);
	} else {
		/* The token alone on standard output, so that a script can keep it. */
		printf("%s\n", json_str(a.value, "token", ""));
		message("a token for %s: it is shown this once, and kept nowhere", json_str(a.value, "for", ""));
	}
	answer_clear(&a);
	return ERR_OK;
}

static const char *when(int64_t us, const char *none, char text[CLOCK_RFC3339_BYTES])
{
	if (!us) return none;
	clock_rfc3339(text, us);
	text[10] = 0;
	return text;
}

static enum err list(struct use *u, struct error *e)
{
	struct answer a = {0};
	size_t i;
	json_t *v;
	enum err err = client_request(u->client, "token.list", NULL, &a, e);
	if (err) return err;
	if (u->json) print_json(a.value);
	json_array_foreach(json_arr(a.value, "tokens"), i, v)
	{
		char made[CLOCK_RFC3339_BYTES], ends[CLOCK_RFC3339_BYTES];
		if (!u->json)
			printf("%-20s %-24s %-8s made %s by %s, expires %s\n", json_str(v, "name", ""), json_str(v, "for", ""), json_str(v, "state", ""),
			       when(json_int(v, "created_us", 0), "?", made), json_str(v, "by", ""), when(json_int(v, "expires_us", 0), "never", ends));
	}
	answer_clear(&a);
	return ERR_OK;
}

static enum err revoke(struct use *u, const struct invocation *in, struct error *e)
{
	json_t *args = json_pack("{s:s}", "name", in->args[1]);
	if (!args) return error_set(e, ERR_INVALID, "a token's name is letters, digits, and any of _ . @ -");
	enum err err = use_request(u, "token.revoke", args, e);
	if (!err) use_say(u, json_pack("{s:s}", "name", in->args[1]), "revoked: %s counts no more", in->args[1]);
	return err;
}

static enum err act(struct use *u, const struct invocation *in, struct error *e)
{
	const char *what = in->args[0];
	bool is_list = strcmp(what, "list") == 0;
	if (!is_list && strcmp(what, "create") != 0 && strcmp(what, "revoke") != 0)
		return error_set(e, ERR_USAGE, "rung token create NAME, rung token list, or rung token revoke NAME");
	if (in->arg_count != (is_list ? 1U : 2U)) return error_set(e, ERR_USAGE, "rung token %s%s", what, is_list ? "" : " NAME");
	if (strcmp(what, "create") != 0 && (given(in, "for") || given(in, "expires")))
		return error_set(e, ERR_USAGE, "--for and --expires belong to rung token create");
	enum err err = use_open(in, true, u, e);
	if (err) return err;
	return is_list ? list(u, e) : strcmp(what, "create") == 0 ? create(u, in, e) : revoke(u, in, e);
}

static int run(const struct invocation *in)
{
	struct use u = {.json = given(in, "json")};
	struct error e = {0};
	enum err err = act(&u, in, &e);
	int status = err ? fail(&e, given(in, "json")) : 0;
	use_close(&u);
	return status;
}

static const struct option options[] = {
    {"for", "PRINCIPAL", false, "create: user:NAME or service:NAME, as whom it asks (default: you)"},
    {"expires", "DURATION", false, "create: how long it counts, such as 90d (default: until it is revoked)"},
    OPTION_STATE,
    {NULL, NULL, false, NULL},
};

const struct command command_token = {
    .name = "token",
    .arguments = "create|list|revoke [NAME]",
    .least = 1,
    .most = 2,
    .options = options,
    .help = "makes, lists and revokes the tokens with which `rung serve` is asked over HTTP",
    .longer =
        "A token stands for a person or a service of the policy, and may do what they may. It is printed once, on standard output; the journal keeps its\n"
        "SHA-256 and who made it. Only the user whose engine it is makes them.",
    .run = run,
};
