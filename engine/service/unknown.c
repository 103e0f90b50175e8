#include "service/unknown.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/text.h"
#include "sandbox/wire.h"
#include "service/call.h"
#include "service/evidence.h"

#include <stdlib.h>
#include <string.h>

enum { CALLS_SHOWN = 50, NAMES_SHOWN = 50, NAME_BYTES = 200, WORDS_BYTES = 2000, LAST_BYTES = 600, LAST_LINES = 6, SUMMARY_BYTES = 16384 };

/* Why nobody knows, by the word of its call.unknown. */
static const struct {
	const char *word, *means;
} reasons[] = {
    {"engine_ended", "the engine ended while it was under way; all that ran was ended before anything else was done"},
    {"actor_ended", "the process that had made it ended; what it had started was ended too"},
    {"deadline", "it was ended at its deadline"},
    {"cancelled", "it was ended because the step was cancelled"},
    {"no_receipt", "its receipt has a beginning and no end, and nothing of it runs any more"},
    {"not_asked", "it could not be asked again what became of it"},
    {"denied", "the right to ask again what became of it is not there any more"},
    {"terminal_closed", "the terminal that it ran on was closed"},
};

static const char *why_of(const char *word)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (strcmp(reasons[i].word, word) == 0) return reasons[i].means;
	return word;
}

static json_t *names_of(const json_t *env)
{
	json_t *names = json_array(), *v;
	const char *name;
	json_object_foreach((json_t *)env, name, v) if (json_array_size(names) < NAMES_SHOWN)
	{
		json_array_append_new(names, json_stringn(name, text_cut(name, strlen(name), NAME_BYTES)));
	}
	return names;
}

/* How many bytes it was given there: a string, {"b64"}, or a list of pieces, each with such a "value". Secrets count for nothing. */
static json_int_t count_bytes(const json_t *arguments, const char *key)
{
	const json_t *v = json_object_get(arguments, key);
	size_t i;
	json_t *piece;
	struct buf b;
	buf_init(&b, WIRE_PAYLOAD_BYTES_MAX);
	if (v && !json_is_array(v)) json_bytes_get(v, &b);
	json_array_foreach(v, i, piece) if (json_object_get(piece, "value")) json_bytes_get(json_object_get(piece, "value"), &b);
	json_int_t n = (json_int_t)b.len;
	buf_clear(&b);
	return n;
}

json_t *unknown_facts(struct execution *x, const struct call *c)
{
	json_t *form = call_arguments(x, c), *arguments = json_obj(form, "arguments");
	const char *cwd = strcmp(c->module, "sh") == 0 ? json_str(arguments, "cwd", x->workspace) : NULL;
	json_t *o = json_pack("{s:s,s:s?,s:I,s:I,s:s*,s:o,s:I}", "why", why_of(json_str(c->finished, "why", "")), "cwd", cwd, "stdin_bytes",
	                      count_bytes(arguments, "stdin"), "body_bytes", count_bytes(arguments, "body"), "stdin_secret",
	                      json_str(json_object_get(arguments, "stdin"), "secret", NULL), "env", names_of(json_obj(arguments, "env")), "output_bytes",
	                      json_int(c->finished, "output_bytes", 0));
	json_decref(form);
	return o ? o : json_object();
}

/* --- the proof ----------------------------------------------------------------------------------------------------------------------------- */

static json_t *text_of(struct execution *x, const char *blob)
{
	char *text = blob ? execution_read_blob(x, blob, NULL) : NULL;
	json_t *v = json_text(text);
	free(text);
	return v;
}

static json_t *words_of(struct execution *x, struct call *c)
{
	const char *words = call_words(x, c);
	return json_stringn(words, text_cut(words, strlen(words), WORDS_BYTES));
}

static json_t *proof_calls(struct execution *x, size_t step)
{
	json_t *list = json_array();
	struct step_data *s = &x->steps[step];
	for (size_t i = 0; i < s->call_count && json_array_size(list) < CALLS_SHOWN; i++) {
		struct call *c = s->calls[i];
		bool is_of_it = c->attempt == x->flow->steps[step].attempt && call_range_of(c->number) == CALLS_OF_PROOF && c->number > s->proof.first;
		if (!is_of_it) continue;
		json_t *o = json_pack("{s:I,s:o,s:s?}", "call", (json_int_t)c->number, "words", words_of(x, c), "outcome", c->outcome);
		if (json_object_get(c->finished, "code")) json_object_set(o, "code", json_object_get(c->finished, "code"));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *proof_view(struct execution *x, size_t step)
{
	static const char *const ends[][2] = {
	    {"engine_ended", "the engine ended while it ran"}, {"resolved", "somebody answered while it ran"}, {"cancelled", "it was stopped"}};
	const struct proof *p = &x->steps[step].proof;
	if (!p->started_us) return json_null();
	const char *state = !p->finished_us ? "running" : p->why ? "ended" : p->outcome;
	json_t *why = text_of(x, p->error_blob);
	for (size_t i = 0; p->why && i < sizeof ends / sizeof *ends; i++)
		if (strcmp(ends[i][0], p->why) == 0) json_decref(why), why = json_string(ends[i][1]);
	return json_pack("{s:s,s:s?,s:I,s:I,s:o,s:o}", "state", state, "by", p->by, "started_us", (json_int_t)p->started_us, "finished_us",
	                 (json_int_t)p->finished_us, "why", why, "calls", proof_calls(x, step));
}

/* --- what is shown ------------------------------------------------------------------------------------------------------------------------- */

/* The last lines of what was printed. */
static json_t *last_lines(const struct buf *b)
{
	size_t from = b->len > LAST_BYTES ? b->len - LAST_BYTES : 0, lines = 0;
	for (size_t i = b->len; i > from && lines <= LAST_LINES; i--) {
		if (b->data[i - 1] != '\n' || i == b->len) continue;
		if (++lines == LAST_LINES) from = i;
	}
	while (from < b->len && ((unsigned char)b->data[from] & 0xc0) == 0x80) from++;
	struct buf text;
	buf_init(&text, 16 * LAST_BYTES);
	text_visible(&text, b->len ? b->data + from : "", b->len - from, TEXT_KEEP_NEWLINE | TEXT_KEEP_TAB);
	json_t *v = json_text(text.data ? text.data : "");
	buf_clear(&text);
	return v;
}

static json_t *output_shown(struct execution *x, struct call *c)
{
	static const char *const names[] = {"stdout", "stderr"};
	json_t *o = json_object();
	for (int stream = 0; stream < 2; stream++) {
		struct buf b;
		buf_init(&b, SIZE_MAX / 2);
		size_t n = output_add(x, c, stream, &b);
		if (n) json_object_set_new(o, names[stream], json_pack("{s:I,s:o}", "kept_bytes", (json_int_t)n, "last", last_lines(&b)));
		buf_clear(&b);
	}
	return o;
}

static json_t *call_shown(struct execution *x, struct call *c, bool is_selected)
{
	json_t *o = unknown_facts(x, c);
	json_t *more =
	    json_pack("{s:I,s:o,s:b,s:s,s:s,s:s,s:s?,s:I,s:I,s:o,s:o}", "call", (json_int_t)c->number, "words", words_of(x, c), "selected", is_selected,
	              "module", c->module, "function", c->function, "effect", effect_word(c->effect), "host", call_host(x, c), "started_us",
	              (json_int_t)c->started_us, "unknown_us", (json_int_t)c->lost_us, "output", output_shown(x, c), "facts", evidence_of(x, c));
	must(more != NULL);
	json_object_update(o, more);
	json_decref(more);
	return o;
}

static void clock_of(struct buf *b, json_int_t us)
{
	char text[CLOCK_RFC3339_BYTES];
	clock_rfc3339(text, us);
	buf_printf(b, "%.19sZ", text);
}

/* For the report: what was known when it was answered, in a line. */
static json_t *summary_of(const json_t *calls, const json_t *proof)
{
	struct buf b;
	size_t i, k;
	json_t *c, *f;
	buf_init(&b, SUMMARY_BYTES);
	json_array_foreach(calls, i, c)
	{
		if (!json_bool(c, "selected", false)) continue;
		buf_printf(&b, "%scall %lld sent ", b.len ? "; " : "", (long long)json_int(c, "call", 0));
		clock_of(&b, json_int(c, "started_us", 0));
		buf_printf(&b, ": %s, %lld bytes printed by then", json_str(c, "why", "?"), (long long)json_int(c, "output_bytes", 0));
		json_array_foreach(json_arr(c, "facts"), k, f) buf_printf(&b, ", %s", json_str(f, "says", "?"));
	}
	if (json_is_object(proof)) {
		const char *state = json_str(proof, "state", "?"), *why = json_str(proof, "why", NULL);
		buf_printf(&b, "; verify of ");
		clock_of(&b, json_int(proof, "started_us", 0));
		buf_printf(&b, " %s%s%s", strcmp(state, "failed") == 0 ? "did not hold" : state, why ? ": " : "", why ? why : "");
	}
	json_t *v = json_text(b.data ? b.data : "");
	buf_clear(&b);
	return v;
}

static void add_digest(json_t *o)
{
	char hex[DIGEST_HEX_BYTES];
	struct buf b;
	buf_init(&b, STORE_BLOB_BYTES_MAX);
	must(json_canonical(o, &b));
	digest_sha256_hex(hex, b.data, b.len);
	json_object_set_new(o, "digest", json_string(hex));
	buf_clear(&b);
}

json_t *unknown_shown(struct execution *x, const struct selection *sel)
{
	const struct book_step *b = &x->book->steps[sel->step];
	const struct selection all = {.step = sel->step};
	struct step_data *s = &x->steps[sel->step];
	json_t *calls = json_array();
	size_t unknown = 0, selected = 0;
	for (size_t i = 0; i < s->call_count; i++) {
		bool is_selected = selection_has(x, sel, s->calls[i]);
		if (!selection_has(x, &all, s->calls[i])) continue;
		selected += is_selected;
		if (unknown++ < CALLS_SHOWN) json_array_append_new(calls, call_shown(x, s->calls[i], is_selected));
	}
	if (!selected) {
		json_decref(calls);
		return NULL;
	}
	json_t *proof = proof_view(x, sel->step);
	json_t *o = json_pack("{s:s,s:s,s:i,s:b,s:I,s:I,s:o,s:o,s:o,s:o}", "step", b->id, "title", b->title, "attempt", (int)x->flow->steps[sel->step].attempt,
	                      "can_verify", step_fence(b, FENCE_VERIFY) != NULL, "unknown", (json_int_t)unknown, "selected", (json_int_t)selected, "summary",
	                      summary_of(calls, proof), "calls", calls, "proof", proof, "answers", consequences_of(x, sel));
	must(o != NULL);
	json_object_set_new(o, "readers", result_readers(x, sel->step));
	add_digest(o);
	return o;
}
