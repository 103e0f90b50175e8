#include "service/diverged.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum {
	SHOWN_BYTES_MAX = 300, /* of a question in a sentence */
	SHOWN_BEFORE = 80      /* in front of the first difference */
};

json_t *diverged_question(const char *module, const char *function, const json_t *form)
{
	return json_pack("{s:s,s:s,s:O?,s:O?}", "module", module, "function", function, "arguments", json_object_get(form, "arguments"), "options",
	                 json_object_get(form, "options"));
}

static json_t *recorded_question(struct execution *x, const struct call *c)
{
	json_t *form = call_arguments(x, c), *q = diverged_question(c->module, c->function, form);
	json_decref(form);
	return q;
}

/* {"argv":["true"]} with {"effect":"read"} */
static void add_given(struct buf *out, const json_t *question)
{
	const json_t *options = json_object_get(question, "options");
	json_canonical(json_object_get(question, "arguments"), out);
	if (json_object_size(options) == 0) return;
	buf_str(out, " with ");
	json_canonical(options, out);
}

static char *shown(const json_t *question, const struct buf *given, size_t from)
{
	const char *text = given->data + from;
	size_t n = given->len - from, kept = text_cut(text, n, SHOWN_BYTES_MAX);
	return mem_printf("%s.%s %s%.*s%s", json_str(question, "module", "?"), json_str(question, "function", "?"), from ? "..." : "", (int)kept, text,
	                  kept < n ? "..." : "");
}

/* Where both begin to be shown: a little before they differ, at the beginning of a character. */
static size_t common(const struct buf *a, const struct buf *b)
{
	size_t n = 0;
	while (n < a->len && n < b->len && a->data[n] == b->data[n]) n++;
	if (n <= 2 * SHOWN_BEFORE) return 0;
	n -= SHOWN_BEFORE;
	while (n && (a->data[n] & 0xc0) == 0x80) n--;
	return n;
}

char *diverged_why(struct execution *x, const struct call *c, const json_t *asked)
{
	struct buf given[2];
	json_t *recorded = recorded_question(x, c);
	for (int i = 0; i < 2; i++) buf_init(&given[i], 2 * WIRE_HEAD_BYTES_MAX);
	add_given(&given[0], recorded);
	if (asked) add_given(&given[1], asked);
	size_t from = asked ? common(&given[0], &given[1]) : 0;
	char *was = shown(recorded, &given[0], from), *is = asked ? shown(asked, &given[1], from) : NULL;
	char *why = asked
	                ? mem_printf("run again over its recorded answers, the step asked something else as call %u: the record has %s, now it asked %s",
	                             c->number, was, is)
	                : mem_printf("run again over its recorded answers, the step ended without asking call %u, which its record holds: %s", c->number, was);
	free(was);
	free(is);
	for (int i = 0; i < 2; i++) buf_clear(&given[i]);
	json_decref(recorded);
	return why;
}

static void add_words(struct arena *a, json_t *question)
{
	if (json_is_object(question)) json_object_set_new(question, "words", json_text(call_words_of(a, question)));
}

json_t *diverged_view(struct execution *x, size_t step)
{
	const struct step_data *s = &x->steps[step];
	const struct call *c = s->diverged_call ? execution_call(x, step, x->flow->steps[step].attempt, s->diverged_call) : NULL;
	if (!c) return NULL;
	size_t n = 0;
	char *text = s->asked_blob ? execution_read_blob(x, s->asked_blob, &n) : NULL;
	json_t *recorded = recorded_question(x, c), *asked = text ? json_loadb(text, n, JSON_ALLOW_NUL, NULL) : NULL;
	struct arena *scratch = arena_new();
	add_words(scratch, recorded);
	add_words(scratch, asked);
	arena_free(scratch);
	free(text);
	return json_pack("{s:I,s:o,s:o}", "call", (json_int_t)c->number, "recorded", recorded, "asked", asked ? asked : json_null());
}
