#include "modules/notify/mail.h"
#include "sandbox/callable.h"

/* notify.notify: a message to a person, or to those whom a policy notifies first. The engine answers it: it sends it as it sends notifications of escalations.
 * The hand is that of mail. */

static const struct shape arguments[] = {
    {.key = "to", .kind = SHAPE_TEXT, .is_required = true, .least = 1, .most = 256},
    {.key = "text", .kind = SHAPE_BYTES, .is_required = true, .most = CALLABLE_ARGUMENTS_BYTES_MAX},
    {.key = NULL},
};

static const char *request(struct arena *a, const json_t *given, const struct call_site *site, struct call_request *out)
{
	const json_t *to = json_object_get(given, "to");
	(void)site;
	if (!callable_is_plain(to)) return "who is notified is a name of oncall.yaml";
	*out = (struct call_request){.kind = "notify", .words = arena_alloc(a, sizeof *out->words), .count = 1};
	out->words[0] = arena_strdup(a, json_string_value(to));
	return NULL;
}

static const struct callable callables[] = {
    {"notify", CALLABLE_ENGINE, EFFECT_ONCE, arguments, callable_no_options, request, NULL, NULL},
    {.function = NULL},
};

const struct module module_notify = {"notify", callables, &mail_hand};
