#include "sandbox/worker/worker.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "sandbox/worker/limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OUT_BYTES_MAX = 16 << 20, OUT_FLUSH_BYTES = 256 << 10 };

struct worker *worker_of(lua_State *L)
{
	struct worker *w;
	memcpy(&w, lua_getextraspace(L), sizeof w);
	return w;
}

void worker_flush(struct worker *w)
{
	failpoint(BOX_FLUSH);
	w->is_writing = 1;
	const char *p = w->out.data;
	for (size_t left = w->out.len; left;) {
		ssize_t n = write(w->fd, p, left);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) _exit(0);
		p += n, left -= (size_t)n;
	}
	w->is_writing = 0;
	buf_reset(&w->out);
	w->said_bytes = 0;
}

void worker_say(struct worker *w, json_t *head)
{
	/* No memory for a header: nothing can be said of it but the end of file. */
	if (!head || frame_write(&w->out, head, NULL, 0) != ERR_OK) _exit(1);
	json_decref(head);
	w->said_bytes = w->out.len;
	if (w->out.len > OUT_FLUSH_BYTES) worker_flush(w);
}

_Noreturn static void broken(struct worker *w, const char *why)
{
	worker_say(w, json_pack("{s:s,s:s}", "t", "broken", "why", why));
	worker_flush(w);
	_exit(1);
}

static void read_frame(struct worker *w)
{
	static char chunk[65536];
	struct error e;
	for (;;) {
		enum err err = frame_reader_next(&w->in, &w->frame, &e);
		if (err == ERR_OK) return;
		if (err != ERR_WAITING) broken(w, e.text);
		ssize_t n = read(w->fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) _exit(0); /* the engine has gone, or wants this worker to */
		if (frame_reader_feed(&w->in, chunk, (size_t)n) != ERR_OK) broken(w, "more came than a frame may hold");
	}
}

static bool payload_fits(const struct frame *f)
{
	json_int_t out = json_int(f->head, "stdout", 0), err = json_int(f->head, "stderr", 0);
	return out >= 0 && err >= 0 && out <= WIRE_PAYLOAD_BYTES_MAX && err <= WIRE_PAYLOAD_BYTES_MAX && (size_t)(out + err) == f->payload_len;
}

void worker_read_answer(struct worker *w)
{
	worker_say(w, json_pack("{s:s,s:I}", "t", "idle", "open", (json_int_t)w->open));
	worker_flush(w);
	read_frame(w);
	json_int_t c = json_int(w->frame.head, "c", 0);
	if (strcmp(json_str(w->frame.head, "t", ""), "answer") != 0) broken(w, "an answer was expected");
	if (c < 1 || c > w->calls || !(w->is_open[c / 8] & 1 << c % 8)) broken(w, "an answer to a call that waits for none");
	if (!payload_fits(&w->frame)) broken(w, "an answer whose payload is not as long as it says");
	w->is_open[c / 8] &= (unsigned char)~(1 << c % 8);
	w->open--;
	failpoint(BOX_ANSWER);
	w->answer = (uint32_t)c;
	w->now_us = json_int(w->frame.head, "now_us", w->now_us);
}

/* ---- the attempt's message ---- */

static bool part_read(struct worker *w, const json_t *o, size_t *at)
{
	static const char *const roles[] = {[PART_ACTION] = "action", [PART_VERIFY] = "verify", [PART_IF] = "if", [PART_EXPRESSION] = "expression"};
	const char *role = json_str(o, "role", ""), *chunk = json_str(o, "chunk", NULL);
	json_int_t bytes = json_int(o, "bytes", -1), line = json_int(o, "line", 1);
	struct part *p = &w->parts[w->part_count++];
	*p = (struct part){.role_name = role, .chunk = chunk, .line = (int)line, .source = w->payload + *at, .bytes = (size_t)bytes};
	bool known = false;
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
		if (strcmp(role, roles[i]) == 0) p->role = (enum part_role)i, known = true;
	if (!known || !chunk || line < 1 || line > 1 << 20 || bytes < 0 || (size_t)bytes > w->frame.payload_len - *at) return false;
	*at += (size_t)bytes;
	return true;
}

static bool module_read(struct worker *w, const json_t *o, size_t *at)
{
	const char *name = json_str(o, "name", NULL);
	json_int_t bytes = json_int(o, "bytes", -1);
	if (!name || bytes < 0 || (size_t)bytes > w->frame.payload_len - *at) return false;
	w->modules[w->module_count++] = (struct module_source){.name = name, .source = w->payload + *at, .bytes = (size_t)bytes};
	*at += (size_t)bytes;
	return true;
}

/* Header and payload are kept: the reader's own go with the first answer. */
static bool attempt_read(struct worker *w)
{
	const json_t *parts = json_arr(w->frame.head, "parts"), *modules = json_arr(w->frame.head, "modules"), *o;
	size_t i, at = 0;
	if (json_array_size(parts) == 0 || json_array_size(parts) > PARTS_MAX || json_array_size(modules) > MODULES_MAX) return false;
	w->head = json_incref(w->frame.head);
	w->payload = malloc(w->frame.payload_len + 1);
	if (!w->payload) return false;
	if (w->frame.payload_len) memcpy(w->payload, w->frame.payload, w->frame.payload_len);
	json_array_foreach(parts, i, o) if (!part_read(w, o, &at)) return false;
	json_array_foreach(modules, i, o) if (!module_read(w, o, &at)) return false;
	return at == w->frame.payload_len;
}

static size_t clamp(json_int_t value, size_t least, size_t most)
{
	if (value < (json_int_t)least) return least;
	return value > (json_int_t)most ? most : (size_t)value;
}

static void attempt_begin(struct worker *w)
{
	w->attempts++;
	w->part_count = w->module_count = w->part_now = 0;
	memset(w->is_open, 0, w->calls / 8 + 1); /* no more than was used: the rest of it costs no page */
	w->calls = w->open = w->answer = 0;
	if (strcmp(json_str(w->frame.head, "t", ""), "attempt") != 0 || !attempt_read(w))
		broken(w, "an attempt was expected, with parts whose bytes are the payload");
	w->now_us = json_int(w->head, "now_us", 0);
	w->cpu_ms = (int64_t)clamp(json_int(w->head, "cpu_ms", 10000), 10, 600000);
	w->memory_max = clamp(json_int(w->head, "memory_bytes", 64 << 20), 1 << 20, 256 << 20);
	w->memory_used = w->refused_bytes = 0;
}

static void attempt_end(struct worker *w)
{
	json_decref(w->head);
	free(w->payload);
	free(w->branch_trace);
	w->head = NULL;
	w->payload = w->branch_trace = NULL;
	w->branch_error = NULL;
}

void worker_main(int fd, const struct confined *confined)
{
	static struct worker w;
	w.fd = fd;
	frame_reader_init(&w.in, WIRE_HEAD_BYTES_MAX, WIRE_PAYLOAD_BYTES_MAX);
	buf_init(&w.out, OUT_BYTES_MAX);
	buf_init(&w.last_word, 4096);
	buf_init(&w.memory_word, 4096);
	worker_say(&w, json_pack("{s:s,s:{s:b,s:i,s:b,s:b}}", "t", "ready", "confined", "seccomp", confined->seccomp, "landlock", confined->landlock, "rlimits",
	                         confined->rlimits, "address_space", confined->address_space));
	worker_flush(&w);
	for (;;) {
		read_frame(&w);
		attempt_begin(&w);
		failpoint(BOX_ATTEMPT);
		attempt_run(&w);
		failpoint(BOX_END);
		attempt_end(&w);
		if (clock() / CLOCKS_PER_SEC >= WORKER_CPU_SECONDS_MAX) _exit(0);
	}
}
