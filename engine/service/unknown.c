#include "service/unknown.h"
#include "base/json.h"
#include "sandbox/wire.h"
#include "service/call.h"

#include <string.h>

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

static const char *again_means(enum step_effect effect)
{
	switch (effect) {
	case EFFECT_KEYED:
		return "it is made once more with the same key: a target that has done it does not do it again";
	case EFFECT_RECEIPT:
		return "it is made once more, under a new receipt: if it did happen, it happens twice";
	case EFFECT_READ:
	case EFFECT_IDEMPOTENT:
		return "it is made once more, which does no harm by what the book says";
	default:
		return "it is made once more: if it did happen, it happens twice";
	}
}

static json_t *names_of(const json_t *env)
{
	json_t *names = json_array(), *v;
	const char *name;
	json_object_foreach((json_t *)env, name, v) json_array_append_new(names, json_string(name));
	return names;
}

json_t *unknown_facts(struct execution *x, const struct call *c)
{
	json_t *form = call_arguments(x, c), *arguments = json_obj(form, "arguments");
	const json_t *stdin_value = json_object_get(arguments, "stdin");
	struct buf input;
	buf_init(&input, WIRE_PAYLOAD_BYTES_MAX);
	if (stdin_value) json_bytes_get(stdin_value, &input);
	const json_t *cwd = json_object_get(arguments, "cwd");
	json_t *answers = json_pack("{s:s,s:s,s:s}", "again", again_means(c->effect), "failed",
	                            "the step sees it fail and goes on from there; where it lets that pass or tries again, its next calls are made", "done",
	                            "the whole step counts as succeeded with the result that you give; calls that it had not made are not made");
	json_t *o = json_pack("{s:s,s:s,s:I,s:s*,s:o,s:I,s:o}", "why", why_of(json_str(c->finished, "why", "")), "cwd",
	                      json_is_string(cwd) ? json_string_value(cwd) : x->workspace, "stdin_bytes", (json_int_t)input.len, "stdin_secret",
	                      json_str(stdin_value, "secret", NULL), "env", names_of(json_obj(arguments, "env")), "output_bytes",
	                      json_int(c->finished, "output_bytes", 0), "answers", answers);
	buf_clear(&input);
	json_decref(form);
	return o ? o : json_object();
}
