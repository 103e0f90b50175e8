#include "service/channel.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "escalate/mail_text.h"
#include "policy/url.h"
#include "sandbox/wire.h"
#include "service/config.h"
#include "service/configure.h"
#include "service/link.h"
#include "service/secret.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The process has a little longer than a channel's time to say what became of it. One that has nothing to do is let go: it knows secrets. */
enum { GRACE_US = 5000000, IDLE_US = 60000000, ANSWER_BYTES_MAX = 65536, SAID_BYTES_MAX = 300, WHY_BYTES_MAX = 2048 };

struct sending {
	struct sending *next;
	uint64_t id;
	enum oncall_channel_kind kind;
	int64_t ends_us; /* monotonic: when the process has had its time */
	bool is_started;
	struct buf said;    /* the end of what a command wrote to its standard error */
	channel_done *done; /* NULL: nobody wants to know any more */
	void *arg;
};

struct notifier {
	struct engine *engine;
	struct link *link;
	struct sandbox_child child;
	uv_timer_t timer; /* the first of its ends; or of its idleness */
	struct sending *sendings;
	uint64_t next_id;
	bool is_ready;
};

/* ---- the process ---- */

static void freed(uv_handle_t *h)
{
	free(h->data);
}

static void sending_free(struct sending *s)
{
	buf_clear(&s->said);
	free(s);
}

/* The end of file is its word to end everything that it started. */
static struct sending *let_go(struct notifier *n)
{
	struct sending *open = n->sendings;
	if (n->engine->notifier == n) n->engine->notifier = NULL;
	if (n->link) link_close(n->link);
	close(n->child.pidfd);
	uv_close((uv_handle_t *)&n->timer, freed);
	n->sendings = NULL;
	return open;
}

/* It is over, or must be: what it had is unknown. */
static void lose(struct notifier *n, const char *why)
{
	log_line(LOG_WARN, "the process that sends messages ended: %s", why);
	for (struct sending *s = let_go(n), *next; s; s = next) {
		next = s->next;
		if (s->done) s->done(s->arg, NOTIFICATION_UNKNOWN, "the process that sent it ended");
		sending_free(s);
	}
}

static void set_timer(struct notifier *n);

static void timer_came(uv_timer_t *t)
{
	struct notifier *n = t->data;
	int64_t now = clock_monotonic_us();
	if (!n->sendings) {
		let_go(n);
		return;
	}
	for (const struct sending *s = n->sendings; s; s = s->next) {
		if (now < s->ends_us) continue;
		sandbox_kill(&n->child);
		lose(n, "it did not say in time what became of a message");
		return;
	}
	set_timer(n);
}

static void set_timer(struct notifier *n)
{
	int64_t now = clock_monotonic_us(), at = n->sendings ? INT64_MAX : now + IDLE_US;
	for (const struct sending *s = n->sendings; s; s = s->next)
		if (s->ends_us < at) at = s->ends_us;
	uv_update_time(&n->engine->loop);
	uv_timer_start(&n->timer, timer_came, at > now ? (uint64_t)((at - now) / 1000 + 1) : 0, 0);
}

static struct sending *find(const struct notifier *n, json_int_t id)
{
	struct sending *s = n->sendings;
	while (s && (json_int_t)s->id != id) s = s->next;
	return s;
}

/* ---- what became of it ---- */

static void tell(struct notifier *n, struct sending *s, enum escalation_result result, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* s is gone behind it, and so may be what is its. */
static void tell(struct notifier *n, struct sending *s, enum escalation_result result, const char *fmt, ...)
{
	char why[WHY_BYTES_MAX];
	va_list ap;
	for (struct sending **at = &n->sendings; *at; at = &(*at)->next) {
		if (*at != s) continue;
		*at = s->next;
		break;
	}
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	failpoint(CHANNEL_TOLD);
	set_timer(n);
	if (s->done) s->done(s->arg, result, result == NOTIFICATION_DELIVERED ? NULL : why);
	sending_free(s);
}

/* The last line that a command said, or a server, made visible. Allocated. */
static char *last_line(const char *s, size_t n)
{
	struct buf b;
	while (n && (s[n - 1] == '\n' || s[n - 1] == '\r')) n--;
	size_t from = n;
	while (from && s[from - 1] != '\n') from--;
	buf_init(&b, 8 * SAID_BYTES_MAX + 64);
	if (n > from) {
		buf_str(&b, ": ");
		text_visible(&b, s + from, n - from < SAID_BYTES_MAX ? n - from : SAID_BYTES_MAX, TEXT_KEEP_NOTHING);
	}
	return buf_take(&b);
}

static void command_over(struct notifier *n, struct sending *s, const json_t *head)
{
	json_int_t code = json_int(head, "code", -1);
	char *said = last_line(s->said.data ? s->said.data : "", s->said.len);
	if (json_bool(head, "timed_out", false))
		tell(n, s, NOTIFICATION_UNKNOWN, "the command took longer than the time that the channel has, and was ended%s", said);
	else if (code == 0)
		tell(n, s, NOTIFICATION_DELIVERED, "%s", "");
	else if (code > 0)
		tell(n, s, NOTIFICATION_FAILED, "the command ended with exit status %d%s", (int)code, said);
	else
		tell(n, s, NOTIFICATION_FAILED, "the command was ended by signal %d%s", (int)json_int(head, "signal", 0), said);
	free(said);
}

static void webhook_over(struct notifier *n, struct sending *s, const json_t *data)
{
	int status = (int)json_int(data, "status", 0);
	if (status >= 200 && status < 300)
		tell(n, s, NOTIFICATION_DELIVERED, "%s", "");
	else if (status >= 300 && status < 400)
		tell(n, s, NOTIFICATION_FAILED, "it answered with status %d: a webhook is not sent on to where that leads", status);
	else
		tell(n, s, NOTIFICATION_FAILED, "it answered with status %d", status);
}

static void mail_over(struct notifier *n, struct sending *s, const json_t *data)
{
	int code = (int)json_int(data, "code", 0);
	const char *words = json_str(data, "said", "");
	char *said = last_line(words, strlen(words));
	if (code >= 200 && code < 300)
		tell(n, s, NOTIFICATION_DELIVERED, "%s", "");
	else
		tell(n, s, NOTIFICATION_FAILED, "the mail server refused the message%s", said);
	free(said);
}

static void over(struct notifier *n, struct sending *s, const struct wire_message *m)
{
	const char *why = json_str(m->head, "why", "nobody knows why");
	if (m->said == WIRE_FAILED)
		tell(n, s, NOTIFICATION_FAILED, "%s", why);
	else if (m->said == WIRE_LOST)
		tell(n, s, NOTIFICATION_UNKNOWN, "%s", why);
	else if (s->kind == CHANNEL_COMMAND)
		command_over(n, s, m->head);
	else if (s->kind == CHANNEL_WEBHOOK)
		webhook_over(n, s, json_obj(m->head, "data"));
	else
		mail_over(n, s, json_obj(m->head, "data"));
}

static void keep(struct sending *s, const struct wire_message *m)
{
	if (s->kind != CHANNEL_COMMAND || strcmp(json_str(m->head, "stream", ""), "stderr") != 0) return;
	size_t count = m->payload_len < SAID_BYTES_MAX ? m->payload_len : SAID_BYTES_MAX;
	if (s->said.len + count > SAID_BYTES_MAX) buf_drop(&s->said, s->said.len + count - SAID_BYTES_MAX);
	buf_add(&s->said, m->payload + m->payload_len - count, count);
}

static enum err frame(void *owner, const struct frame *f, struct error *e)
{
	struct notifier *n = owner;
	struct wire_message m;
	enum err err = wire_decode(WIRE_ACTOR, f, &m, e);
	if (err) return err;
	if ((m.said == WIRE_READY) == n->is_ready) return error_set(e, ERR_PROTOCOL, "it says once that it is ready, before anything else");
	if (m.said == WIRE_READY) {
		n->is_ready = true;
		return ERR_OK;
	}
	struct sending *s = find(n, json_int(m.head, "id", 0));
	bool is_first = m.said == WIRE_STARTED || m.said == WIRE_FAILED;
	if (!s || is_first == s->is_started) return error_set(e, ERR_PROTOCOL, "it says what does not belong here");
	if (m.said == WIRE_STARTED)
		s->is_started = true;
	else if (m.said == WIRE_OUTPUT)
		keep(s, &m);
	else
		over(n, s, &m);
	return ERR_OK;
}

static void closed(void *owner, const struct error *e)
{
	struct notifier *n = owner;
	n->link = NULL;
	sandbox_kill(&n->child);
	lose(n, e->text);
}

static enum err notifier_of(struct engine *en, struct notifier **out, struct error *e)
{
	*out = en->notifier;
	if (*out) return ERR_OK;
	struct notifier *n = mem_zero(sizeof *n);
	n->engine = en;
	enum err err = engine_spawn(en, SANDBOX_ACTOR, NULL, &n->child, e);
	if (err) {
		free(n);
		return err;
	}
	uv_timer_init(&en->loop, &n->timer);
	n->timer.data = n;
	n->link = link_open(&en->loop, n->child.fd, 65536, WIRE_OUTPUT_BYTES_MAX, frame, closed, n);
	link_send_new(n->link, command_rules_setup(&en->config->rules), NULL, 0);
	*out = en->notifier = n;
	return ERR_OK;
}

/* ---- what it gets ---- */

struct outgoing {
	struct engine *engine;
	const char *root;
	const struct oncall *oncall;
	const struct oncall_channel *channel;
	const struct notice *notice;
	json_t *head, *secrets; /* secrets: {name: true} */
	struct buf payload;
};

static void variable(json_t *env, const char *name, const char *value)
{
	if (value && *value) json_object_set_new(env, name, json_text(value));
}

/* What a pager of one line needs stands in the environment, all of it on the standard input. */
static json_t *environment_of(const struct outgoing *out)
{
	const struct notice *n = out->notice;
	char key[NOTICE_KEY_BYTES], number[16];
	struct buf subject;
	buf_init(&subject, NOTICE_BYTES_MAX);
	notice_subject(n, &subject);
	notice_key(n, key);
	snprintf(number, sizeof number, "%u", n->number);
	json_t *given = json_object();
	variable(given, "RUNG_KEY", key);
	variable(given, "RUNG_INCIDENT", n->incident);
	variable(given, "RUNG_NOTIFICATION", number);
	variable(given, "RUNG_PERSON", n->person);
	variable(given, "RUNG_SUBJECT", subject.data);
	variable(given, "RUNG_LINK", n->link);
	json_t *env = engine_environment(out->engine, n->execution ? n->execution : "", given);
	if (!n->execution) json_object_del(env, "RUNG_EXECUTION");
	json_decref(given);
	buf_clear(&subject);
	return env;
}

static void add_notice_text(struct outgoing *out, struct buf *b)
{
	json_t *o = notice_json(out->notice);
	json_canonical(o, b);
	json_decref(o);
}

static enum err put_command(struct outgoing *out, struct error *e)
{
	json_t *argv = json_array();
	(void)e;
	for (size_t i = 0; i < out->channel->word_count; i++) json_array_append_new(argv, json_string(out->channel->words[i]));
	out->head =
	    json_pack("{s:s,s:s,s:o,s:o,s:s}", "module", "sh", "function", "run", "argv", argv, "env", environment_of(out), "cwd", out->root ? out->root : "/");
	add_notice_text(out, &out->payload);
	buf_char(&out->payload, '\n');
	return ERR_OK;
}

static enum err put_webhook(struct outgoing *out, struct error *e)
{
	struct arena *a = arena_new();
	struct url u;
	struct buf body;
	char key[NOTICE_KEY_BYTES], now[32];
	enum err err = url_parse(a, out->channel->address, &u, e);
	if (err) {
		arena_free(a);
		return err;
	}
	buf_init(&body, 4 * NOTICE_BYTES_MAX);
	add_notice_text(out, &body);
	notice_key(out->notice, key);
	/* The file names the host: it may be one on the inside. Sent once, whatever comes of it. */
	out->head = json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:b,s:b,s:b,s:i,s:i,s:s,s:s*,s:{s:s},s:[{s:s,s:s}]}", "module", "http", "function", "request", "method",
	                      "POST", "url", u.text, "host", u.host, "port", (int)u.port, "is_address", u.host_kind != HOST_NAME, "is_named", 1, "repeats", 0,
	                      "retries", 0, "max_bytes", ANSWER_BYTES_MAX, "idempotency_key", key, "ca_file", out->engine->config->http_ca, "headers",
	                      "Content-Type", "application/json", "body", "as", "raw", "value", body.data);
	if (out->channel->secret) {
		snprintf(now, sizeof now, "%lld", (long long)(clock_now_us() / 1000000));
		json_object_set_new(out->head, "sign", json_pack("{s:s,s:s}", "secret", out->channel->secret, "timestamp", now));
		json_object_set_new(out->secrets, out->channel->secret, json_true());
	}
	buf_clear(&body);
	arena_free(a);
	return ERR_OK;
}

static enum err put_mail(struct outgoing *out, struct error *e)
{
	const struct oncall_mail *m = out->oncall->mail;
	char key[NOTICE_KEY_BYTES];
	struct buf subject, body;
	if (!m)
		return error_set(e, ERR_NOT_FOUND,
		                 "oncall.yaml does not say where mail leaves: name it as mail: {server: smtp.example.net, from: rung@example.net}");
	buf_init(&subject, NOTICE_BYTES_MAX);
	buf_init(&body, NOTICE_BYTES_MAX);
	notice_key(out->notice, key);
	notice_subject(out->notice, &subject);
	notice_body(out->notice, &body);
	struct mail_text text = {.from = m->from,
	                         .to = out->channel->address,
	                         .subject = subject.data ? subject.data : "",
	                         .body = body.data ? body.data : "",
	                         .key = key,
	                         .thread = out->notice->incident,
	                         .date_us = clock_now_us()};
	mail_text_make(&text, &out->payload);
	buf_clear(&subject);
	buf_clear(&body);
	out->head = json_pack("{s:s,s:s,s:s,s:i,s:s,s:s,s:s,s:s*,s:s*}", "module", "notify", "function", "mail", "server", m->server, "port", (int)m->port,
	                      "tls", oncall_tls_word(m->tls), "from", m->from, "to", out->channel->address, "ca_file",
	                      m->ca ? m->ca : out->engine->config->http_ca, "user", m->user);
	if (m->secret) {
		json_object_set_new(out->head, "password", json_pack("{s:s}", "secret", m->secret));
		json_object_set_new(out->secrets, m->secret, json_true());
	}
	return ERR_OK;
}

static int64_t time_of(const struct outgoing *out)
{
	int64_t all = out->oncall->retry.timeout_us, own = out->channel->timeout_us;
	return own && own < all ? own : all;
}

static void hand_over(struct notifier *n, struct outgoing *out, int64_t secrets_us, channel_done *done, void *arg)
{
	struct sending *s = mem_zero(sizeof *s);
	int64_t timeout_us = time_of(out);
	*s = (struct sending){.id = ++n->next_id, .kind = out->channel->kind, .done = done, .arg = arg, .next = n->sendings};
	s->ends_us = clock_monotonic_us() + secrets_us + timeout_us + GRACE_US;
	buf_init(&s->said, SAID_BYTES_MAX);
	n->sendings = s;
	json_object_set_new(out->head, "t", json_string("call"));
	json_object_set_new(out->head, "id", json_integer((json_int_t)s->id));
	json_object_set_new(out->head, "timeout_us", json_integer((json_int_t)timeout_us));
	failpoint(CHANNEL_SEND);
	link_send_secret(n->link, out->head, out->payload.data, out->payload.len);
	failpoint(CHANNEL_SENT);
	set_timer(n);
}

enum err channel_send(struct engine *en, const char *root, const struct oncall *o, const struct oncall_channel *c, const struct notice *n, channel_done *done,
                      void *arg, struct error *e)
{
	static enum err (*const put[CHANNEL_N])(struct outgoing *, struct error *) = {put_command, put_webhook, put_mail};
	struct outgoing out = {.engine = en, .root = root, .oncall = o, .channel = c, .notice = n, .secrets = json_object()};
	struct notifier *notifier = NULL;
	int64_t secrets_us = 0;
	buf_init(&out.payload, MAIL_TEXT_BYTES_MAX);
	enum err err = put[c->kind](&out, e);
	if (!err) err = secret_provide_engine(en, root ? root : "", out.secrets, out.head, &secrets_us, e);
	if (!err && out.payload.is_full) err = error_set(e, ERR_TOO_BIG, "the message is too long");
	if (!err) err = notifier_of(en, &notifier, e);
	if (!err) hand_over(notifier, &out, secrets_us, done, arg);
	if (out.head) secret_forget_sources(json_obj(out.head, "secrets"));
	json_decref(out.head);
	json_decref(out.secrets);
	buf_clear(&out.payload);
	return err;
}

void channel_forget(struct engine *en, const void *arg)
{
	for (struct sending *s = en->notifier ? en->notifier->sendings : NULL; s; s = s->next)
		if (s->arg == arg) s->done = NULL;
}

bool channels_are_busy(const struct engine *en)
{
	return en->notifier && en->notifier->sendings;
}

void channels_stop(struct engine *en)
{
	if (!en->notifier) return;
	for (struct sending *s = let_go(en->notifier), *next; s; s = next) {
		next = s->next;
		if (s->done) s->done(s->arg, NOTIFICATION_RESULT_N, NULL);
		sending_free(s);
	}
}
