#include "service/client.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "service/attempt.h"
#include "service/protocol.h"
#include "service/rights.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOW_CLIENT_BYTES = 64 << 20 };

struct client *engine_client(struct engine *en, uint64_t id)
{
	for (struct client *c = en->clients; c; c = c->next)
		if (c->id == id) return c;
	return NULL;
}

bool client_is_attached(const struct client *c, const char *execution)
{
	for (size_t i = 0; i < c->attached_count; i++)
		if (strcmp(c->attached[i], execution) == 0) return true;
	return false;
}

void client_attach(struct client *c, const char *execution)
{
	if (client_is_attached(c, execution)) return;
	c->attached = mem_realloc(c->attached, (c->attached_count + 1) * sizeof *c->attached);
	c->attached[c->attached_count++] = mem_strdup(execution);
}

void client_detach(struct client *c, const char *execution)
{
	for (size_t i = 0; i < c->attached_count; i++) {
		if (strcmp(c->attached[i], execution) != 0) continue;
		free(c->attached[i]);
		c->attached[i] = c->attached[--c->attached_count];
		return;
	}
}

/* An answer that no frame holds ends no connection: who asked hears why. */
static json_t *too_big(const json_t *head)
{
	const char *text = "the answer is larger than an answer may be (16 MiB): ask for less of it";
	json_t *error = json_pack("{s:s,s:s}", "kind", err_info(ERR_TOO_BIG)->name, "text", text);
	return json_pack("{s:O,s:b,s:o}", "re", json_object_get(head, "re"), "ok", 0, "error", error);
}

void client_say(struct client *c, const json_t *head, const void *payload, size_t n)
{
	if (!c->link)
		c->sink->said(c, head, payload, n);
	else if (json_object_get(head, "re") && frame_bytes(head, 0) > PROTOCOL_HEAD_BYTES_MAX)
		link_send_new(c->link, too_big(head), NULL, 0);
	else
		link_send(c->link, head, payload, n);
}

void client_say_new(struct client *c, json_t *head, const void *payload, size_t n)
{
	client_say(c, head, payload, n);
	json_decref(head);
}

static size_t queued_bytes(const struct client *c)
{
	return c->link ? link_queued_bytes(c->link) : c->sink->queued_bytes(c);
}

/* Who attached while they might read it hears no more when they may not. */
static bool may_hear(struct client *c, const struct execution *x)
{
	struct error e;
	client_identify(c);
	if (rights_verb((struct execution *)x, c->principal, VERB_READ, &e) == ERR_OK) return true;
	client_detach(c, x->id);
	client_say_new(c, json_pack("{s:s,s:s,s:o}", "ev", "detached", "execution", x->id, "text", json_text(e.text)), NULL, 0);
	return false;
}

void engine_broadcast(struct engine *en, const struct execution *x, json_t *head, const void *payload, size_t n)
{
	failpoint(CLIENT_EVENT);
	bool may_be_missed = n > 0 || strcmp(json_str(head, "ev", ""), "logged") == 0;
	/* A client that does not read misses what steps print; it is in the journal, and it can ask for it. */
	for (struct client *c = en->clients, *next; c; c = next) {
		next = c->next;
		if (client_is_attached(c, x->id) && may_hear(c, x) && !(may_be_missed && queued_bytes(c) > SLOW_CLIENT_BYTES)) client_say(c, head, payload, n);
	}
	json_decref(head);
}

/* A command that ran on the terminal that is gone: nobody knows what became of it. */
static void settle_terminal(struct client *c)
{
	for (struct execution *x = c->engine->executions, *next; x; x = next) {
		next = x->next;
		for (size_t i = 0; i < x->graph->count; i++)
			for (size_t k = 0; k < x->steps[i].call_count; k++) {
				struct call *call = x->steps[i].calls[k];
				if (call->client == c->id && call->state == CALL_STARTED) call_unknown(x, call, "terminal_closed");
			}
		execution_step_on(x);
	}
}

static void unlink_client(struct client *c)
{
	for (struct client **at = &c->engine->clients; *at; at = &(*at)->next) {
		if (*at != c) continue;
		*at = c->next;
		break;
	}
}

static void free_client(struct client *c)
{
	for (size_t i = 0; i < c->attached_count; i++) free(c->attached[i]);
	free(c->attached);
	free(c->account);
	free(c);
}

static void client_closed(void *owner, const struct error *e)
{
	struct client *c = owner;
	failpoint(CLIENT_CLOSED);
	if (e->kind != ERR_CLOSED) log_line(LOG_WARN, "client %s: %s", c->principal, e->text);
	settle_terminal(c);
	unlink_client(c);
	free_client(c);
}

void client_end(struct client *c)
{
	unlink_client(c);
	c->next = c->engine->gone_clients;
	c->engine->gone_clients = c;
}

void client_sweep(struct engine *en)
{
	while (en->gone_clients) {
		struct client *c = en->gone_clients;
		en->gone_clients = c->next;
		free_client(c);
	}
}

static enum err client_frame(void *owner, const struct frame *f, struct error *e)
{
	return operations_frame(owner, f) ? ERR_OK : error_set(e, ERR_PROTOCOL, "a request that is none");
}

char *principal_of_uid(uid_t uid)
{
	struct passwd pw, *found = NULL;
	char space[65536];
	int failed = getpwuid_r(uid, &pw, space, sizeof space, &found);
	/* Whose name cannot be looked up now is not somebody without a name: rules that deny them something know the name. */
	if (!found && failed && failed != ENOENT && failed != ESRCH && failed != EBADF && failed != EPERM) return NULL;
	return found ? mem_printf("user:%s", found->pw_name) : mem_printf("user:%u", (unsigned)uid);
}

void client_identify(struct client *c)
{
	const struct policy *p = NULL;
	bool is_person = strncmp(c->account, "user:", 5) == 0;
	if (is_person) policy_file_now(engine_policy(c->engine, c->engine->root), &p, NULL);
	const struct policy_service *s = p ? policy_service_of_user(p, c->account + strlen("user:")) : NULL;
	snprintf(c->principal_text, sizeof c->principal_text, "%s%s", s ? "service:" : "", s ? s->name : c->account);
	c->principal = c->principal_text;
}

/* The account of the process at the other end: nobody can name another. */
static bool account_of(int fd, char **out)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) return false;
	*out = principal_of_uid(peer.uid);
	return *out != NULL;
}

/* In the list, and known; not yet reachable. */
static void add_client(struct engine *en, struct client *c)
{
	c->engine = en;
	c->id = ++en->next_client;
	client_identify(c);
	c->next = en->clients;
	en->clients = c;
}

struct client *client_new(struct engine *en, const char *account, const struct client_sink *sink, void *owner)
{
	struct client *c = mem_zero(sizeof *c);
	c->account = mem_strdup(account);
	c->sink = sink;
	c->sink_owner = owner;
	add_client(en, c);
	return c;
}

void client_accept(struct engine *en, int fd)
{
	size_t count = 0;
	for (const struct client *c = en->clients; c; c = c->next) count += c->link != NULL;
	struct client *c = mem_zero(sizeof *c);
	if (count >= PROTOCOL_CLIENTS_MAX || !account_of(fd, &c->account)) {
		close(fd);
		free(c);
		return;
	}
	add_client(en, c);
	c->link = link_open(&en->loop, fd, PROTOCOL_HEAD_BYTES_MAX, PROTOCOL_PAYLOAD_BYTES_MAX, client_frame, client_closed, c);
}

void client_drop_all(struct engine *en)
{
	while (en->clients) {
		struct client *c = en->clients;
		en->clients = c->next;
		if (c->link)
			link_close(c->link);
		else
			c->sink->ended(c);
		free_client(c);
	}
	client_sweep(en);
}
