#include "cli/help_modules.h"
#include "base/text.h"
#include "cli/print.h"
#include "sandbox/callable.h"
#include "sandbox/module_docs.h"

#include <stdio.h>
#include <string.h>

static const char *const made_by[] = {[CALLABLE_ACTOR] = "actor", [CALLABLE_PERSON] = "person", [CALLABLE_ENGINE] = "engine"};

static bool is_tag(const struct module_doc *d, const char *tag)
{
	return d->module && strcmp(d->tag, tag) == 0;
}

/* The row behind all those that belong to the calls at d, which may be several in a row. */
static const struct module_doc *end_of(const struct module_doc *d)
{
	const char *module = d->module;
	const bool is_call = is_tag(d, "call");
	while (is_call && is_tag(d, "call") && strcmp(d->module, module) == 0) d++;
	if (!is_call) d++;
	while (d->module && strcmp(d->module, module) == 0 && !is_tag(d, "call") && !is_tag(d, "module")) d++;
	return d;
}

static const struct module_doc *next_with(const struct module_doc *d, const struct module_doc *end, const char *tag)
{
	while (d < end && !is_tag(d, tag)) d++;
	return d < end ? d : NULL;
}

static const struct callable *callable_of(const char *row)
{
	char module[64] = {0};
	const struct module *found;
	const char *dot = strchr(row, '.');
	if (!dot || (size_t)(dot - row) >= sizeof module) return NULL;
	memcpy(module, row, (size_t)(dot - row));
	return callable_find(module, dot + 1, &found);
}

/* ---- Markdown ---- */

/* In a cell of a table a bar would end it. */
static void print_cell(const char *s)
{
	for (; *s; s++) printf(*s == '|' ? "\\|" : "%c", *s);
}

static void print_values(const struct module_doc *d, const struct module_doc *end, bool is_shared)
{
	bool is_first = true;
	for (; d < end; d++) {
		const bool is_option = is_tag(d, "option");
		if (!is_option && !is_tag(d, "param")) continue;
		if (is_first) printf("\n| %s | type | default | |\n|---|---|---|---|\n", is_shared ? "option of all" : "argument");
		is_first = false;
		size_t n = strlen(d->type);
		const bool may_miss = n > 0 && d->type[n - 1] == '?';
		printf("| %s`%s` | %.*s | ", is_option && !is_shared ? "option " : "", d->name, (int)(may_miss ? n - 1 : n), d->type);
		if (*d->fallback) printf("`%s`", d->fallback);
		printf("%s | ", *d->fallback || may_miss ? "" : "required");
		print_cell(d->text);
		printf(" |\n");
	}
}

static void print_effect(const struct module_doc *d, const struct module_doc *end)
{
	const struct module_doc *row = next_with(d, end, "row"), *effect = next_with(d, end, "effect");
	const struct callable *c = row ? callable_of(row->text) : NULL;
	if (effect) printf("- effect: `%s`%s\n", effect->text, strcmp(effect->text, "once") == 0 ? ", or the step's" : "");
	if (c && !effect) {
		const char *word = effect_word(c->effect);
		if (c->by == CALLABLE_ACTOR)
			printf("- effect: `%s`%s; recorded as `%s`\n", word, c->effect == EFFECT_ONCE ? ", or the step's" : "", row->text);
		else
			printf("- recorded as `%s`, which the %s answers\n", row->text, made_by[c->by]);
	}
}

static void print_rest(const struct module_doc *d, const struct module_doc *end)
{
	const struct module_doc *given = next_with(d, end, "return"), *limit = next_with(d, end, "limit");
	bool is_first = true;
	if (given || limit || next_with(d, end, "needs") || next_with(d, end, "effect") || next_with(d, end, "row")) printf("\n");
	if (given) printf("- gives: %s\n", given->text);
	for (const struct module_doc *n = next_with(d, end, "needs"); n; n = next_with(n + 1, end, "needs")) {
		printf("%s`%s`", is_first ? "- needs: " : ", ", n->text);
		is_first = false;
	}
	if (!is_first) printf("\n");
	print_effect(d, end);
	if (limit) printf("- limits: %s\n", limit->text);
}

static void print_example(const struct module_doc *d, const struct module_doc *end)
{
	const struct module_doc *example = next_with(d, end, "example");
	if (example) printf("\n```lua\n%s\n```\n", example->text);
}

static const struct module_doc *markdown_module(const struct module_doc *d)
{
	const char *module = d->module;
	printf("\n## %s\n\n[%s/README.md](%s/README.md)\n", module, module, module);
	while (d->module && strcmp(d->module, module) == 0) {
		const struct module_doc *end = end_of(d), *text = next_with(d, end, "text");
		for (const struct module_doc *c = d; c < end && is_tag(c, "call"); c++) printf("%s`%s`", c == d ? "\n### " : ", ", c->name);
		printf("%s\n%s\n", is_tag(d, "call") ? "\n" : "", text ? text->text : "");
		print_values(d, end, is_tag(d, "module"));
		print_rest(d, end);
		print_example(d, end);
		d = end;
	}
	return d;
}

static void markdown_contents(void)
{
	const char *last = "";
	printf("\n## Every call\n\n");
	for (const struct module_doc *d = module_docs; d->module; d++) {
		if (strcmp(d->module, last) == 0) continue;
		printf("%s[%s](#%s)", *last ? " · " : "", d->module, d->module);
		last = d->module;
	}
	printf("\n");
}

/* What a member of a call's arguments is, with its bounds where they are no mere bound of a frame. */
static void print_shape(const struct shape *s)
{
	static const char *const kinds[] = {[SHAPE_TEXT] = "text",    [SHAPE_STRING] = "text", [SHAPE_BYTES] = "text", [SHAPE_VALUE] = "text or secret",
	                                    [SHAPE_WORD] = "word",    [SHAPE_INTEGER] = "int", [SHAPE_TRUE] = "true",  [SHAPE_BOOLEAN] = "bool",
	                                    [SHAPE_OBJECT] = "table", [SHAPE_LIST] = "list",   [SHAPE_MAP] = "map",    [SHAPE_ANY] = "value"};
	printf("`%s%s` %s", s->key, s->is_required ? "" : "?", kinds[s->kind]);
	if (s->kind == SHAPE_WORD)
		for (size_t i = 0; s->words[i]; i++) printf("%s%s", i ? ", " : " (", s->words[i]);
	if (s->kind == SHAPE_INTEGER && s->most > 0 && s->most < CALLABLE_TIMEOUT_US_MAX) printf(" (%lld to %lld", (long long)s->least, (long long)s->most);
	if (s->kind == SHAPE_WORD || (s->kind == SHAPE_INTEGER && s->most > 0 && s->most < CALLABLE_TIMEOUT_US_MAX)) printf(")");
}

static void markdown_callables(void)
{
	printf("\n## Calls as they are recorded\n\n"
	       "What stands behind the calls above: the rows that the modules declare in C. A worker that asks for anything else is ended.\n\n"
	       "| call | who answers | default effect | arguments (`?` may be left out) |\n|---|---|---|---|\n");
	const struct module *m;
	for (size_t i = 0; (m = callable_module(i)); i++) {
		for (const struct callable *c = m->callables; c->function; c++) {
			printf("| `%s.%s` | %s | %s | ", m->name, c->function, made_by[c->by], c->by == CALLABLE_ACTOR ? effect_word(c->effect) : "");
			for (const struct shape *s = c->arguments; s->key; s++) {
				printf("%s", s == c->arguments ? "" : ", ");
				print_shape(s);
			}
			printf(" |\n");
		}
	}
}

/* ---- JSON and plain ---- */

static json_t *json_of(const struct module_doc *d, const struct module_doc *end)
{
	json_t *o = json_pack("{s:s,s:[],s:[],s:[],s:[]}", "module", d->module, "calls", "values", "needs", "rows");
	const struct module_doc *row = next_with(d, end, "row");
	const struct callable *c = row ? callable_of(row->text) : NULL;
	for (; d < end; d++) {
		if (is_tag(d, "call"))
			json_array_append_new(json_object_get(o, "calls"), json_string(d->name));
		else if (is_tag(d, "param") || is_tag(d, "option"))
			json_array_append_new(json_object_get(o, "values"), json_pack("{s:s,s:s,s:s,s:s,s:s}", "kind", d->tag, "name", d->name, "type", d->type,
			                                                              "default", d->fallback, "text", d->text));
		else if (is_tag(d, "needs"))
			json_array_append_new(json_object_get(o, "needs"), json_string(d->text));
		else if (is_tag(d, "row"))
			json_array_append_new(json_object_get(o, "rows"), json_string(d->text));
		else if (!is_tag(d, "module"))
			json_object_set_new(o, d->tag, json_string(d->text));
	}
	if (c && !json_object_get(o, "effect")) json_object_set_new(o, "effect", json_string(effect_word(c->effect)));
	return o;
}

static void plain_values(const struct module_doc *d, const struct module_doc *end)
{
	for (; d < end; d++)
		if (is_tag(d, "option") || is_tag(d, "param"))
			printf("    %-18s %s%s%s: %s\n", d->name, d->type, *d->fallback ? " = " : "", d->fallback, d->text);
}

static void plain(const struct module_doc *d, const struct module_doc *end, bool is_whole)
{
	const struct module_doc *text = next_with(d, end, "text"), *example = next_with(d, end, "example");
	for (const struct module_doc *c = d; c < end && is_tag(c, "call"); c++) printf("%s%s", c == d ? "  " : ", ", c->name);
	if (is_tag(d, "module")) printf("%s", d->module);
	printf("\n      %s\n", text ? text->text : "");
	if (!is_whole) return;
	plain_values(d, end);
	for (const struct module_doc *n = next_with(d, end, "needs"); n; n = next_with(n + 1, end, "needs")) printf("      needs %s\n", n->text);
	for (const char *s = example ? example->text : ""; *s; s += strcspn(s, "\n"), s += *s == '\n') printf("      > %.*s\n", (int)strcspn(s, "\n"), s);
	printf("\n");
}

int help_modules(const char *module, enum help_form form)
{
	json_t *all = json_array();
	bool found = false;
	if (form == HELP_MARKDOWN && !module) markdown_contents();
	if (form == HELP_PLAIN && !module) printf("What a step can call; rung help modules MODULE tells more\n\n");
	for (const struct module_doc *d = module_docs, *end; d->module; d = end) {
		end = end_of(d);
		if (module && strcmp(d->module, module) != 0) continue;
		found = true;
		if (form == HELP_JSON)
			json_array_append_new(all, json_of(d, end));
		else if (form == HELP_MARKDOWN)
			end = markdown_module(d);
		else if (module || is_tag(d, "call"))
			plain(d, end, module != NULL);
	}
	if (form == HELP_MARKDOWN && !module) markdown_callables();
	if (form == HELP_JSON) print_json(all);
	json_decref(all);
	if (found) return 0;
	message("there is no module \"%s\": `rung help modules` lists them", module);
	return err_info(ERR_USAGE)->exit_status;
}
