#include "service/inventory_command.h"
#include "base/log.h"
#include "base/text.h"
#include "sandbox/wire.h"
#include "service/config.h"
#include "service/configure.h"
#include "service/link.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GRACE_MS = 10000, SAID_BYTES_MAX = 4096, SAID_SHOWN_MAX = 300 };

struct inventory_command_run {
	struct engine *engine;
	char *program;
	struct link *link;
	struct sandbox_child child;
	uv_timer_t timer; /* of an actor that does not end it */
	inventory_command_done *done;
	void *arg;
	struct buf printed, said; /* said: the end of its standard error */
	bool is_ready, is_started;
};

static void freed(uv_handle_t *h)
{
	struct inventory_command_run *r = h->data;
	buf_clear(&r->printed);
	buf_clear(&r->said);
	free(r->program);
	free(r);
}

void inventory_command_stop(struct inventory_command_run *r)
{
	/* End of file is the actor's word to end everything that it started. */
	if (r->link) link_close(r->link);
	r->link = NULL;
	close(r->child.pidfd);
	uv_close((uv_handle_t *)&r->timer, freed);
}

static void end(struct inventory_command_run *r, enum err err, const struct error *e)
{
	if (err) log_line(LOG_WARN, "the inventory's command %s: %s", r->program, e->text);
	r->done(r->arg, err, &r->printed, e);
	inventory_command_stop(r);
}

/* The last line of what it said on its standard error, as the end of a sentence. */
static char *last_words(const struct inventory_command_run *r)
{
	struct buf seen;
	size_t to = r->said.len, from;
	while (to && (r->said.data[to - 1] == '\n' || r->said.data[to - 1] == ' ')) to--;
	for (from = to; from && r->said.data[from - 1] != '\n' && to - from < SAID_SHOWN_MAX; from--) continue;
	if (from == to) return mem_strdup("");
	buf_init(&seen, 8 * SAID_SHOWN_MAX);
	text_visible(&seen, r->said.data + from, to - from, TEXT_KEEP_NOTHING);
	char *text = mem_printf(", and said: %s", seen.data);
	buf_clear(&seen);
	return text;
}

static void finished(struct inventory_command_run *r, const json_t *head)
{
	struct error e = {ERR_OK, ""};
	char *said = last_words(r);
	json_int_t code = json_int(head, "code", -1), signal = json_int(head, "signal", 0);
	if (json_bool(head, "timed_out", false))
		error_set(&e, ERR_TIMEOUT, "the command of the inventory (%.100s) took longer than its timeout%s", r->program, said);
	else if (code > 0)
		error_set(&e, ERR_FAILED, "the command of the inventory (%.100s) ended with exit status %d%s", r->program, (int)code, said);
	else if (code < 0)
		error_set(&e, ERR_FAILED, "the command of the inventory (%.100s) was ended by signal %d%s", r->program, (int)signal, said);
	free(said);
	end(r, e.kind, &e);
}

static void keep(struct inventory_command_run *r, const struct wire_message *m)
{
	struct error e;
	if (strcmp(json_str(m->head, "stream", ""), "stdout") == 0) {
		if (buf_add(&r->printed, m->payload, m->payload_len)) return;
		error_set(&e, ERR_TOO_BIG, "the command of the inventory (%.100s) printed more than %d MiB", r->program, INVENTORY_ANSWER_BYTES_MAX >> 20);
		end(r, ERR_TOO_BIG, &e);
		return;
	}
	size_t n = m->payload_len < SAID_BYTES_MAX ? m->payload_len : SAID_BYTES_MAX;
	if (r->said.len + n > SAID_BYTES_MAX) buf_drop(&r->said, r->said.len + n - SAID_BYTES_MAX);
	buf_add(&r->said, m->payload + m->payload_len - n, n);
}

/* Its outcome. */
static void over(struct inventory_command_run *r, const struct wire_message *m)
{
	struct error e;
	if (m->said == WIRE_FINISHED) {
		finished(r, m->head);
		return;
	}
	error_set(&e, ERR_FAILED, "the command of the inventory (%.100s) could not be run: %.600s", r->program, json_str(m->head, "why", "?"));
	end(r, ERR_FAILED, &e);
}

static enum err frame(void *owner, const struct frame *f, struct error *e)
{
	struct inventory_command_run *r = owner;
	struct wire_message m;
	enum err err = wire_decode(WIRE_ACTOR, f, &m, e);
	if (err) return err;
	if ((m.said == WIRE_READY) == r->is_ready) return error_set(e, ERR_PROTOCOL, "it says once that it is ready, before anything else");
	if (m.said == WIRE_READY) {
		r->is_ready = true;
		return ERR_OK;
	}
	bool is_first = m.said == WIRE_STARTED || m.said == WIRE_FAILED;
	if (json_int(m.head, "id", 0) != 1 || is_first == r->is_started) return error_set(e, ERR_PROTOCOL, "it says what does not belong here");
	if (m.said == WIRE_STARTED)
		r->is_started = true;
	else if (m.said == WIRE_OUTPUT)
		keep(r, &m);
	else
		over(r, &m);
	return ERR_OK;
}

static void closed(void *owner, const struct error *e)
{
	struct inventory_command_run *r = owner;
	struct error why;
	r->link = NULL;
	error_set(&why, ERR_FAILED, "the process that runs the command of the inventory (%.100s) ended: %.300s", r->program, e->text);
	end(r, ERR_FAILED, &why);
}

static void too_late(uv_timer_t *t)
{
	struct inventory_command_run *r = t->data;
	struct error e;
	sandbox_kill(&r->child);
	error_set(&e, ERR_TIMEOUT, "the command of the inventory (%.100s) did not end at its timeout", r->program);
	end(r, ERR_TIMEOUT, &e);
}

static json_t *call_of(const struct engine *en, const struct inventory_command *c, const char *root)
{
	/* Programs that ask a cloud look into the home of their user. */
	json_t *given = json_pack("{s:s*}", "HOME", getenv("HOME")), *env = engine_environment(en, "", given), *argv = json_array();
	json_object_del(env, "RUNG_EXECUTION");
	for (size_t i = 0; i < c->word_count; i++) json_array_append_new(argv, json_string(c->words[i]));
	json_decref(given);
	return json_pack("{s:s,s:i,s:s,s:s,s:o,s:o,s:s,s:I}", "t", "call", "id", 1, "module", "sh", "function", "run", "argv", argv, "env", env, "cwd", root,
	                 "timeout_us", (json_int_t)c->timeout_us);
}

enum err inventory_command_start(struct engine *en, const struct inventory_command *c, const char *root, inventory_command_done *done, void *arg,
                                 struct inventory_command_run **out, struct error *e)
{
	struct inventory_command_run *r = mem_zero(sizeof *r);
	*r = (struct inventory_command_run){.engine = en, .program = mem_strdup(c->words[0]), .done = done, .arg = arg};
	enum err err = engine_spawn(en, SANDBOX_ACTOR, NULL, &r->child, e);
	if (err) {
		free(r->program);
		free(r);
		return err;
	}
	buf_init(&r->printed, INVENTORY_ANSWER_BYTES_MAX);
	buf_init(&r->said, SAID_BYTES_MAX);
	uv_timer_init(&en->loop, &r->timer);
	r->timer.data = r;
	uv_timer_start(&r->timer, too_late, (uint64_t)(c->timeout_us / 1000) + GRACE_MS, 0);
	r->link = link_open(&en->loop, r->child.fd, 65536, WIRE_OUTPUT_BYTES_MAX, frame, closed, r);
	link_send_new(r->link, command_rules_setup(&en->config->rules), NULL, 0);
	link_send_new(r->link, call_of(en, c, root), NULL, 0);
	*out = r;
	return ERR_OK;
}
