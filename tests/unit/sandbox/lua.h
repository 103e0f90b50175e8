/* Runs one piece of Lua as an attempt and answers its calls. */
#ifndef TESTS_SANDBOX_LUA_H
#define TESTS_SANDBOX_LUA_H

#include "harness.h"

struct lua_run {
	struct peer *peer;
	/* Answers call c of the attempt (its frame in head) by lua_answer; NULL: every sh call ends with 0, stdout "out\n". */
	void (*on_call)(struct lua_run *r, const json_t *head);
	void *arg;
	json_t *given;       /* merged into the attempt: params, steps, item, modules ...; taken */
	const char *modules; /* payload of the modules */
	const char *role;
	int line;
	/* What came: every call in order, every log text in order. */
	json_t *calls, *logs;
};

static inline void lua_answer(struct lua_run *r, json_int_t c, json_t *value, const char *out, const char *err)
{
	struct buf payload;
	buf_init(&payload, 32 << 20);
	buf_str(&payload, out);
	buf_str(&payload, err);
	peer_send(r->peer,
	          json_pack("{s:s,s:I,s:I,s:b,s:o,s:i,s:i}", "t", "answer", "c", c, "now_us", 1000000 * c, "ok", 1, "value", value, "stdout", (int)strlen(out),
	                    "stderr", (int)strlen(err)),
	          payload.data, payload.len);
	buf_clear(&payload);
}

static inline json_t *lua_message(struct lua_run *r, const char *source)
{
	json_t *head = json_pack("{s:s,s:[{s:s,s:s,s:i,s:i}],s:I,s:[i,i],s:i,s:i}", "t", "attempt", "parts", "role", r->role ? r->role : "action", "chunk",
	                         "runbooks/x.md", "line", r->line ? r->line : 1, "bytes", (int)strlen(source), "now_us", (json_int_t)1700000000000000, "seed",
	                         1, 2, "cpu_ms", 10000, "memory_bytes", 64 << 20);
	if (r->given) json_object_update(head, r->given);
	json_decref(r->given);
	r->given = NULL;
	return head;
}

/* The attempt's "end" (a new reference), or NULL where the worker closed without one. */
static inline json_t *lua_run(struct lua_run *r, const char *source)
{
	struct buf payload;
	buf_init(&payload, 1 << 20);
	buf_str(&payload, source);
	if (r->modules) buf_str(&payload, r->modules);
	json_decref(r->calls);
	json_decref(r->logs);
	r->calls = json_array();
	r->logs = json_array();
	peer_send(r->peer, lua_message(r, source), payload.data, payload.len);
	buf_clear(&payload);
	json_t *held = json_array(); /* calls since the last idle */
	json_t *end = NULL;
	for (const json_t *head; !end && (head = peer_read(r->peer)) != NULL;) {
		const char *type = json_str(head, "t", "");
		if (strcmp(type, "call") == 0) json_array_append_new(r->calls, json_deep_copy(head)), json_array_append_new(held, json_deep_copy(head));
		if (strcmp(type, "log") == 0) json_array_append_new(r->logs, json_deep_copy(json_object_get(head, "text")));
		if (strcmp(type, "broken") == 0) fail_msg("the worker says: %s", json_str(head, "why", ""));
		if (strcmp(type, "end") == 0) end = json_deep_copy(head);
		if (strcmp(type, "idle") == 0 && json_array_size(held) > 0) {
			size_t i;
			json_t *call;
			json_array_foreach(held, i, call)
			{
				if (r->on_call)
					r->on_call(r, call);
				else
					lua_answer(r, json_int(call, "c", 0), json_pack("{s:i}", "code", 0), "out\n", "");
			}
			json_array_clear(held);
		}
	}
	json_decref(held);
	return end;
}

static inline void lua_clear(struct lua_run *r)
{
	json_decref(r->calls);
	json_decref(r->logs);
	r->calls = r->logs = NULL;
}

#endif
