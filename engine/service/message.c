#include "base/digest.h"
#include "base/encode.h"
#include "book/shell.h"
#include "sandbox/wire.h"
#include "service/attempt.h"

#include <stdlib.h>
#include <string.h>

/* The message that starts an attempt: its code, and what the code may see. */

struct parts {
	json_t *list;
	struct buf sources;
};

static void add_part(struct parts *p, const struct attempt *a, const char *role, const char *source, int line)
{
	size_t n = strlen(source);
	json_array_append_new(p->list, json_pack("{s:s,s:s,s:i,s:I}", "role", role, "chunk", a->x->book_path, "line", line, "bytes", (json_int_t)n));
	buf_add(&p->sources, source, n);
}

/* A shell fence that says {run}: one call of sh with the fence's text; inputs of the book are its environment. */
static void add_shell_part(struct parts *p, const struct attempt *a, const struct book_fence *f)
{
	struct buf b, text;
	buf_init(&b, WIRE_PAYLOAD_BYTES_MAX);
	buf_init(&text, WIRE_PAYLOAD_BYTES_MAX);
	shell_fill(&text, a->x->book, f->source);
	buf_str(&b, "return sh(");
	buf_char(&b, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c < 0x20 || c == '"' || c == '\\')
			buf_printf(&b, "\\%03u", c);
		else
			buf_char(&b, (char)c);
	}
	buf_clear(&text);
	buf_str(&b, "\", {env = {");
	for (size_t i = 0; i < a->x->book->param_count; i++)
		if (a->x->book->params[i].is_input)
			buf_printf(&b, "[\"%s\"] = tostring(params[\"%s\"]),", a->x->book->params[i].name, a->x->book->params[i].name);
	buf_str(&b, "}})");
	add_part(p, a, "action", b.data, f->line);
	buf_clear(&b);
}

static void add_parts(struct parts *p, const struct attempt *a)
{
	const struct book_step *b = attempt_step(a);
	const struct book_fence *action = step_fence(b, FENCE_ACTION), *verify = step_fence(b, FENCE_VERIFY), *condition = step_fence(b, FENCE_IF);
	if (a->purpose == ATTEMPT_TARGETS) {
		add_part(p, a, "expression", b->targets_source, b->line);
		return;
	}
	if (a->purpose == ATTEMPT_CONDITION) {
		if (b->if_source)
			add_part(p, a, "if", b->if_source, b->if_line);
		else if (condition)
			add_part(p, a, "action", condition->source, condition->line);
		return;
	}
	if (a->purpose == ATTEMPT_ACTION && !b->is_manual) {
		if (action) add_part(p, a, "action", action->source, action->line);
		for (size_t i = 0; !action && i < b->fence_count; i++)
			if (b->fences[i].role == FENCE_SHELL && b->fences[i].is_run) add_shell_part(p, a, &b->fences[i]);
	}
	if (verify) add_part(p, a, "verify", verify->source, verify->line);
}

bool attempt_results_named(const char *source, json_t *ids)
{
	for (const char *at = source; (at = strstr(at, "steps")); at += 5) {
		const char *p = at + 5;
		char quote = 0;
		if (*p == '.') {
			p++;
		} else if (*p == '[' && (p[1] == '"' || p[1] == '\'')) {
			quote = p[1];
			p += 2;
		} else {
			return false;
		}
		size_t n = quote ? strcspn(p, "\"'\n") : strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
		if (n == 0 || (quote && p[n] != quote)) return false;
		char *id = mem_printf("%.*s", (int)n, p);
		json_object_set_new(ids, id, json_true());
		free(id);
	}
	return true;
}

/* Results of the other steps, those that the code names: a long book's every step would carry all of them otherwise. */
static json_t *results_for(struct execution *x, const struct parts *p)
{
	json_t *results = json_object(), *ids = json_object();
	bool is_all = p->sources.data && !attempt_results_named(p->sources.data, ids);
	for (size_t i = 0; i < x->graph->count && (is_all || json_object_size(ids)); i++) {
		const char *id = x->book->steps[i].id;
		if (!is_all && !json_object_get(ids, id)) continue;
		json_t *v = x->flow->steps[i].state != STEP_PENDING ? execution_result(x, i) : NULL;
		if (v) json_object_set(results, id, v);
	}
	json_decref(ids);
	return results;
}

static json_t *run_object(const struct attempt *a)
{
	char key[256];
	snprintf(key, sizeof key, "%s.%.180s.%u", a->x->id, attempt_step(a)->id, a->replay.attempt);
	return json_pack("{s:s,s:s,s:s,s:i,s:s,s:s}", "id", a->x->id, "driver", a->x->driver, "trigger", a->x->trigger, "attempt", (int)a->replay.attempt,
	                 "key", key, "step", attempt_step(a)->id);
}

/* The alert that started it, and its incident, as they were then: a step that is run again sees the same. */
static void add_reason(const struct attempt *a, json_t *message)
{
	struct execution *x = a->x;
	size_t n;
	char *text = x->alert_blob ? execution_read_blob(x, x->alert_blob, &n) : NULL;
	json_t *alert = text ? json_loadb(text, n, JSON_ALLOW_NUL, NULL) : NULL;
	if (alert) json_object_set_new(message, "alert", alert);
	if (x->incident) json_object_set_new(message, "incident", json_pack("{s:s}", "id", x->incident));
	free(text);
}

/* The same for the same attempt, so that math.random gives the same again when it is run over its record. */
static json_t *seed_of(const struct attempt *a)
{
	char text[512];
	unsigned char raw[DIGEST_BYTES];
	snprintf(text, sizeof text, "%s/%.400s/%u", a->x->id, attempt_step(a)->id, a->replay.attempt);
	digest_sha256(raw, text, strlen(text));
	return json_pack("[I,I]", (json_int_t)(get_u64(raw) >> 1), (json_int_t)(get_u64(raw + 8) >> 1));
}

json_t *attempt_message(struct attempt *a, struct buf *sources, struct error *e)
{
	struct parts p = {.list = json_array()};
	buf_init(&p.sources, WIRE_PAYLOAD_BYTES_MAX);
	add_parts(&p, a);
	json_t *message = json_pack("{s:s,s:O,s:O,s:o,s:o,s:[],s:I,s:o,s:i,s:i}", "t", "attempt", "parts", p.list, "params", a->x->params, "steps",
	                            results_for(a->x, &p), "run", run_object(a), "modules", "now_us", (json_int_t)a->now_us, "seed", seed_of(a), "cpu_ms",
	                            ATTEMPT_CPU_MS, "memory_bytes", ATTEMPT_LUA_BYTES);
	json_decref(p.list);
	add_reason(a, message);
	*sources = p.sources;
	if (json_dumpb(message, NULL, 0, JSON_COMPACT | JSON_REAL_PRECISION(17)) <= WIRE_HEAD_BYTES_MAX) return message;
	error_set(e, ERR_TOO_BIG, "the results that the step asks for are over %d KiB together: name those it needs, as steps.look", WIRE_HEAD_BYTES_MAX >> 10);
	json_decref(message);
	return NULL;
}
