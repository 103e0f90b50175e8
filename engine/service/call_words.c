#include "base/text.h"
#include "service/call.h"
#include "service/configure.h"
#include "service/engine_state.h"
#include "service/inventory.h"
#include "service/rights.h"

#include <stdlib.h>
#include <string.h>

/* A call in one line for people. */

enum { WORDS_BYTES_MAX = 4096 };

static json_t *environment(const struct call_site *site, json_t *own)
{
	const struct execution *x = site->execution;
	return engine_environment(site->engine, x->id, own);
}

static bool names_host(const struct call_site *site, const struct call_request *r)
{
	return rights_name_host(site->execution, site->step, r->kind, r->words, r->count);
}

void call_site_make(struct execution *x, size_t step, struct call_site *out)
{
	*out = (struct call_site){.workspace = x->workspace,
	                          .user = x->engine->user,
	                          .ssh = &x->engine->config->ssh,
	                          .environment = environment,
	                          .names_host = names_host,
	                          .http_ca = x->engine->config->http_ca,
	                          .http_proxy = x->engine->config->http_proxy,
	                          .http_direct = x->engine->config->http_direct,
	                          .engine = x->engine,
	                          .execution = x,
	                          .step = step};
	if (inventory_known(engine_inventory(x->engine, x->policy_root), &out->inventory, &out->no_inventory)) out->inventory = NULL;
}

static const char *cut(struct arena *a, const char *text)
{
	must(text);
	size_t n = strlen(text);
	if (n <= WORDS_BYTES_MAX) return arena_strdup(a, text);
	return arena_printf(a, "%.*s...", (int)text_cut(text, n, WORDS_BYTES_MAX), text);
}

/* As one would type it; a text for the shell as it is. */
static const char *of_command(struct arena *a, const json_t *argv)
{
	json_t *v;
	size_t n = json_array_size(argv), i;
	if (n > CALLABLE_WORDS_MAX) n = CALLABLE_WORDS_MAX;
	struct arena *scratch = arena_new();
	const char **words = arena_alloc(scratch, (n + 1) * sizeof *words);
	json_array_foreach(argv, i, v) if (i < n) words[i] = json_is_string(v) ? json_string_value(v) : "(bytes)";
	bool is_text = n == 3 && strcmp(words[0], "sh") == 0 && strcmp(words[1], "-c") == 0;
	const char *text = cut(a, is_text ? words[2] : capability_exact(scratch, words[0], words + 1, n - 1));
	arena_free(scratch);
	return text;
}

const char *call_words_of(struct arena *a, const json_t *form)
{
	const json_t *arguments = json_obj(form, "arguments");
	if (json_array_size(json_arr(arguments, "argv"))) return of_command(a, json_arr(arguments, "argv"));
	const char *query = json_str(arguments, "query", NULL); /* of hosts */
	const char *cause = json_str(arguments, "id", NULL), *found = json_str(arguments, "name", NULL);
	if (cause || found) return cut(a, arena_printf(a, "%s %s", cause ? "cause" : "evidence", cause ? cause : found));
	return cut(a, query ? arena_printf(a, "hosts %s", query) : json_str(form, "command", json_str(arguments, "prompt", "")));
}

const char *call_words(struct execution *x, struct call *c)
{
	if (c->words) return c->words;
	char *kept = c->text_blob ? execution_read_blob(x, c->text_blob, NULL) : NULL;
	json_t *form = kept && *kept ? NULL : call_arguments(x, c);
	c->words = form ? call_words_of(x->arena, form) : cut(x->arena, kept);
	json_decref(form);
	free(kept);
	return c->words;
}
