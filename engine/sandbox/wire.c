#include "sandbox/wire.h"
#include "base/json.h"
#include "base/shape.h"
#include "sandbox/callable.h"

#include <limits.h>
#include <string.h>

/* What a worker and an actor may say: a row each. Whatever differs from its row is refused whole, before anything looks at it. */

enum {
	LINES_MAX = 1 << 24, /* of a book; what the worker's Lua counts to */
	NAME_BYTES_MAX = 1024,
	ACTOR_WHY_BYTES_MAX = 16384, /* a sentence of base/error.h, made visible */
	LANDLOCK_VERSION_MAX = 1000,
	SIGNAL_MAX = 64
};
#define DURATION_US_MAX (INT64_C(1) << 60)

/* ---- a worker ---- */

static const struct shape confined[] = {
    {.key = "seccomp", .kind = SHAPE_BOOLEAN, .is_required = true},
    {.key = "landlock", .kind = SHAPE_INTEGER, .is_required = true, .most = LANDLOCK_VERSION_MAX},
    {.key = "rlimits", .kind = SHAPE_BOOLEAN, .is_required = true},
    {.key = "address_space", .kind = SHAPE_BOOLEAN, .is_required = true},
    {.key = NULL},
};

static const struct shape worker_ready[] = {
    {.key = "confined", .kind = SHAPE_OBJECT, .is_required = true, .of = confined},
    {.key = NULL},
};

static const char *const calling_parts[] = {"action", "verify", NULL};

/* arguments and options: as the row of sandbox/callable.c says. */
static const struct shape worker_call[] = {
    {.key = "c", .kind = SHAPE_INTEGER, .is_required = true, .least = 1, .most = WIRE_CALLS_MAX},
    {.key = "part", .kind = SHAPE_WORD, .is_required = true, .words = calling_parts},
    {.key = "module", .kind = SHAPE_TEXT, .is_required = true, .least = 1, .most = NAME_BYTES_MAX},
    {.key = "function", .kind = SHAPE_TEXT, .is_required = true, .least = 1, .most = NAME_BYTES_MAX},
    {.key = "arguments", .kind = SHAPE_ANY, .is_required = true, .most = CALLABLE_ARGUMENTS_DEPTH_MAX + 1},
    {.key = "options", .kind = SHAPE_ANY, .is_required = true, .most = 2},
    {.key = NULL},
};

static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

static const struct shape worker_log[] = {
    {.key = "level", .kind = SHAPE_WORD, .is_required = true, .words = levels},
    {.key = "text", .kind = SHAPE_TEXT, .is_required = true, .most = WIRE_TEXT_BYTES_MAX},
    {.key = NULL},
};

static const struct shape worker_idle[] = {
    {.key = "open", .kind = SHAPE_INTEGER, .is_required = true, .least = 1, .most = WIRE_CALLS_MAX},
    {.key = NULL},
};

static const char *const outcomes[] = {"succeeded", "failed", "skipped", "go", NULL};
static const char *const kinds[] = {"lua", "call", "fail", "expect", "verify", "result", "skip", "go", "limit", NULL};
static const char *const parts[] = {"action", "verify", "if", "expression", NULL};

static const struct shape place[] = {
    {.key = "chunk", .kind = SHAPE_STRING, .is_required = true, .least = 1, .most = PATH_MAX},
    {.key = "line", .kind = SHAPE_INTEGER, .is_required = true, .least = 1, .most = LINES_MAX},
    {.key = NULL},
};

static const struct shape worker_end[] = {
    {.key = "outcome", .kind = SHAPE_WORD, .is_required = true, .words = outcomes},
    {.key = "value", .kind = SHAPE_ANY, .most = WIRE_RESULT_DEPTH_MAX},
    {.key = "to", .kind = SHAPE_TEXT, .most = WIRE_TEXT_BYTES_MAX},
    {.key = "why", .kind = SHAPE_TEXT, .most = WIRE_TEXT_BYTES_MAX},
    {.key = "kind", .kind = SHAPE_WORD, .words = kinds},
    {.key = "at", .kind = SHAPE_OBJECT, .of = place},
    {.key = "trace", .kind = SHAPE_TEXT, .most = WIRE_TEXT_BYTES_MAX},
    {.key = "part", .kind = SHAPE_WORD, .words = parts},
    {.key = "call", .kind = SHAPE_INTEGER, .least = 1, .most = WIRE_CALLS_MAX},
    {.key = "reason", .kind = SHAPE_TEXT, .most = NAME_BYTES_MAX},
    {.key = NULL},
};

static const struct shape worker_broken[] = {
    {.key = "why", .kind = SHAPE_TEXT, .is_required = true, .most = ACTOR_WHY_BYTES_MAX},
    {.key = NULL},
};

/* ---- an actor ---- */

/* clang-format off */
#define CALL_ID {.key = "id", .kind = SHAPE_INTEGER, .is_required = true, .least = 1, .most = INT64_MAX}
/* clang-format on */

static const struct shape actor_ready[] = {
    {.key = "pid", .kind = SHAPE_INTEGER, .is_required = true, .least = 1, .most = INT_MAX},
    {.key = "uid", .kind = SHAPE_INTEGER, .is_required = true, .most = UINT32_MAX},
    {.key = NULL},
};

static const struct shape actor_started[] = {
    CALL_ID,
    {.key = "pid", .kind = SHAPE_INTEGER, .least = 1, .most = INT_MAX},
    {.key = "path", .kind = SHAPE_STRING, .least = 1, .most = 8 * PATH_MAX},
    {.key = "peer", .kind = SHAPE_STRING, .least = 1, .most = NAME_BYTES_MAX},
    {.key = "host_key", .kind = SHAPE_STRING, .least = 1, .most = NAME_BYTES_MAX},
    {.key = NULL},
};

static const char *const streams[] = {"stdout", "stderr", NULL};

static const struct shape actor_output[] = {
    CALL_ID,
    {.key = "stream", .kind = SHAPE_WORD, .is_required = true, .words = streams},
    {.key = "redacted", .kind = SHAPE_TRUE},
    {.key = NULL},
};

static const struct shape actor_finished[] = {
    CALL_ID,
    {.key = "code", .kind = SHAPE_INTEGER, .most = 255},
    {.key = "signal", .kind = SHAPE_INTEGER, .least = 1, .most = SIGNAL_MAX},
    {.key = "data", .kind = SHAPE_ANY, .most = WIRE_DATA_DEPTH_MAX},
    {.key = "us", .kind = SHAPE_INTEGER, .is_required = true, .most = DURATION_US_MAX},
    {.key = "timed_out", .kind = SHAPE_TRUE},
    {.key = "cancelled", .kind = SHAPE_TRUE},
    {.key = NULL},
};

static const char *const losses[] = {"connection", "timed_out", "cancelled", NULL};

static const struct shape actor_lost_call[] = {
    CALL_ID,
    {.key = "how", .kind = SHAPE_WORD, .is_required = true, .words = losses},
    {.key = "why", .kind = SHAPE_STRING, .is_required = true, .most = ACTOR_WHY_BYTES_MAX},
    {.key = NULL},
};

static const struct shape actor_failed[] = {
    CALL_ID,
    {.key = "kind", .kind = SHAPE_TEXT, .is_required = true, .least = 1, .most = NAME_BYTES_MAX},
    {.key = "why", .kind = SHAPE_STRING, .is_required = true, .most = ACTOR_WHY_BYTES_MAX},
    {.key = NULL},
};

/* ---- what no row can say ---- */

static enum err check_call(const json_t *head, struct wire_message *m, struct error *e)
{
	const char *module = json_str(head, "module", ""), *function = json_str(head, "function", "");
	m->callable = callable_find(module, function, &m->module);
	if (!m->callable) return error_set(e, ERR_PROTOCOL, "no module declares %.60s.%.60s", module, function);
	const json_t *arguments = json_obj(head, "arguments"), *options = json_obj(head, "options");
	if (!arguments || !options) return error_set(e, ERR_PROTOCOL, "arguments and options must be objects");
	if (shape_check(m->callable->arguments, arguments, e)) return error_context(e, "in its arguments");
	return shape_check(m->callable->options, options, e) ? error_context(e, "in its options") : ERR_OK;
}

/* Which members an end has follows from its outcome. */
static enum err check_end(const json_t *head, struct wire_message *m, struct error *e)
{
	static const char *const of_failure[] = {"why", "kind", "at", "trace", "part", "call", "reason"};
	const char *outcome = json_str(head, "outcome", "");
	const json_t *value = json_object_get(head, "value");
	bool succeeded = strcmp(outcome, "succeeded") == 0;
	(void)m;
	if (succeeded != (value != NULL)) return error_set(e, ERR_PROTOCOL, "an end has a \"value\" where it succeeded, and nowhere else");
	if ((strcmp(outcome, "go") == 0) != (json_object_get(head, "to") != NULL))
		return error_set(e, ERR_PROTOCOL, "an end has a \"to\" where it goes somewhere, and nowhere else");
	if (!succeeded && (!json_object_get(head, "why") || !json_object_get(head, "kind")))
		return error_set(e, ERR_PROTOCOL, "an end that did not succeed has a \"why\" and a \"kind\"");
	for (size_t i = 0; succeeded && i < sizeof of_failure / sizeof *of_failure; i++)
		if (json_object_get(head, of_failure[i])) return error_set(e, ERR_PROTOCOL, "an end that succeeded has no \"%s\"", of_failure[i]);
	if (value && json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) > WIRE_RESULT_BYTES_MAX)
		return error_set(e, ERR_PROTOCOL, "the value is larger than %d KiB as JSON", WIRE_RESULT_BYTES_MAX >> 10);
	return ERR_OK;
}

static enum err check_started(const json_t *head, struct wire_message *m, struct error *e)
{
	(void)m;
	bool has_pid = json_object_get(head, "pid") != NULL, has_path = json_object_get(head, "path") != NULL;
	bool has_peer = json_object_get(head, "peer") != NULL, has_key = json_object_get(head, "host_key") != NULL;
	if (has_pid == has_path && has_path != has_peer && (has_peer || !has_key)) return ERR_OK;
	return error_set(e, ERR_PROTOCOL, "either a pid and a path, or a peer, were expected");
}

static enum err check_finished(const json_t *head, struct wire_message *m, struct error *e)
{
	const json_t *data = json_object_get(head, "data");
	bool has_code = json_object_get(head, "code") != NULL, has_signal = json_object_get(head, "signal") != NULL;
	(void)m;
	if (has_code ? has_signal : !has_signal && !data) return error_set(e, ERR_PROTOCOL, "a code, a signal or data was expected");
	if (!data) return ERR_OK;
	if (!json_is_object(data)) return error_set(e, ERR_PROTOCOL, "\"data\" must be an object");
	if (json_dumpb(data, NULL, 0, JSON_COMPACT) > WIRE_DATA_BYTES_MAX)
		return error_set(e, ERR_PROTOCOL, "\"data\" is larger than %d KiB", WIRE_DATA_BYTES_MAX >> 10);
	return ERR_OK;
}

static enum err check_failed(const json_t *head, struct wire_message *m, struct error *e)
{
	const char *kind = json_str(head, "kind", "");
	(void)m;
	for (int k = ERR_OK + 1; k < ERR_N; k++)
		if (strcmp(err_info((enum err)k)->name, kind) == 0) return ERR_OK;
	return error_set(e, ERR_PROTOCOL, "\"%.60s\" is no kind of error", kind);
}

/* ---- the table ---- */

struct row {
	enum wire_peer from;
	const char *type;
	enum wire_said said;
	const struct shape *members; /* beside "t" */
	size_t payload_least, payload_most;
	enum err (*check)(const json_t *head, struct wire_message *m, struct error *e);
};

static const struct row rows[] = {
    {WIRE_WORKER, "ready", WIRE_READY, worker_ready, 0, 0, NULL},
    {WIRE_WORKER, "call", WIRE_CALL, worker_call, 0, 0, check_call},
    {WIRE_WORKER, "log", WIRE_LOG, worker_log, 0, 0, NULL},
    {WIRE_WORKER, "idle", WIRE_IDLE, worker_idle, 0, 0, NULL},
    {WIRE_WORKER, "end", WIRE_END, worker_end, 0, 0, check_end},
    {WIRE_WORKER, "broken", WIRE_BROKEN, worker_broken, 0, 0, NULL},
    {WIRE_ACTOR, "ready", WIRE_READY, actor_ready, 0, 0, NULL},
    {WIRE_ACTOR, "started", WIRE_STARTED, actor_started, 0, 0, check_started},
    {WIRE_ACTOR, "output", WIRE_OUTPUT, actor_output, 1, WIRE_OUTPUT_BYTES_MAX, NULL},
    {WIRE_ACTOR, "finished", WIRE_FINISHED, actor_finished, 0, 0, check_finished},
    {WIRE_ACTOR, "lost", WIRE_LOST, actor_lost_call, 0, 0, NULL},
    {WIRE_ACTOR, "failed", WIRE_FAILED, actor_failed, 0, 0, check_failed},
};

static const struct row *row_of(enum wire_peer from, const json_t *type)
{
	const char *name = json_string_value(type);
	for (size_t i = 0; name && i < sizeof rows / sizeof *rows; i++)
		if (rows[i].from == from && strlen(rows[i].type) == json_string_length(type) && strcmp(rows[i].type, name) == 0) return &rows[i];
	return NULL;
}

enum err wire_decode(enum wire_peer from, const struct frame *f, struct wire_message *m, struct error *e)
{
	const struct row *row = row_of(from, json_object_get(f->head, "t"));
	if (!row) return error_set(e, ERR_PROTOCOL, "a message of no known type");
	*m = (struct wire_message){.said = row->said, .head = f->head, .payload = f->payload, .payload_len = f->payload_len, .head_len = f->head_len};
	enum err err = ERR_OK;
	if (f->payload_len < row->payload_least || f->payload_len > row->payload_most)
		err = error_set(e, ERR_PROTOCOL, "a payload of %zu bytes, %zu to %zu were expected", f->payload_len, row->payload_least, row->payload_most);
	/* The type is known; the table has what stands beside it. */
	json_object_del(f->head, "t");
	if (!err) err = shape_check(row->members, f->head, e);
	if (!err && row->check) err = row->check(f->head, m, e);
	return err ? error_context(e, "\"%s\"", row->type) : ERR_OK;
}
