#include "base/arena.h"
#include "http/route.h"
#include "service/ack_page.h"
#include "service/intake.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Paths whose answers other parts of the engine make, once something is durable. What they are given back is looked up: its exchange may have ended by then. */

struct handed {
	struct handed *next;
	struct http *http;
	struct exchange *x; /* NULL: answered already, since the engine ends */
};

static struct handed *hand_out(struct exchange *x)
{
	struct handed *h = mem_zero(sizeof *h);
	h->http = x->http;
	h->x = x;
	h->next = x->http->handed;
	x->http->handed = h;
	return h;
}

/* The exchange that it stands for, or NULL; h is gone. */
static struct exchange *take_back(struct handed *h)
{
	struct exchange *x = h->x;
	if (x)
		for (struct handed **at = &h->http->handed; *at; at = &(*at)->next) {
			if (*at != h) continue;
			*at = h->next;
			break;
		}
	free(h);
	return x;
}

void others_end_all(struct http *h)
{
	for (struct handed *at = h->handed, *next; at; at = next) {
		next = at->next;
		struct exchange *x = at->x;
		at->x = NULL; /* whoever has it gives it back, and it is freed */
		at->next = NULL;
		reply_status(&x->reply, 503, "the engine ends, and nobody knows yet whether this is stored: send it again");
		x->reply.retry_after_s = 5;
		exchange_done(x);
	}
	h->handed = NULL;
}

static void decided(void *arg, const struct intake_answer *a)
{
	struct exchange *x = take_back(arg);
	if (!x) return;
	if (a->status == 200)
		reply_json(&x->reply, 200, a->body);
	else
		reply_status(&x->reply, a->status, a->e->text);
	x->reply.retry_after_s = a->retry_after_s;
	exchange_done(x);
}

void route_alerts(struct exchange *x)
{
	if (x->http->en->drain.is_begun) {
		/* It would start what this engine does not begin any more: its sender comes again, to the next one. */
		reply_status(&x->reply, 503, "this engine is ending: send it again");
		x->reply.retry_after_s = 5;
		exchange_done(x);
		return;
	}
	struct intake_delivery d = {
	    .source = x->target.part[2], .headers = x->headers, .header_count = x->header_count, .body = x->body.data ? x->body.data : "", .n = x->body.len};
	intake_receive(x->http->en, &d, decided, hand_out(x));
}

/* The headers that a page brings and every answer has already are not said twice; what it may load is its own. */
static const char *page_policy(const struct ack_answer *a)
{
	for (size_t i = 0; a->headers && a->headers[i]; i += 2)
		if (strcasecmp(a->headers[i], "Content-Security-Policy") == 0) return a->headers[i + 1];
	return NULL;
}

static void acknowledged(void *arg, const struct ack_answer *a)
{
	struct exchange *x = take_back(arg);
	struct buf body;
	if (!x) return;
	buf_init(&body, a->n + 1);
	must(buf_add(&body, a->body, a->n));
	reply_text(&x->reply, a->status, "text/html; charset=utf-8", &body);
	x->reply.policy = arena_strdup(x->arena, page_policy(a));
	exchange_done(x);
}

void route_acknowledge(struct exchange *x)
{
	const char *method = x->route->method == HTTP_POST ? "POST" : x->is_head ? "HEAD" : "GET";
	ack_page(x->http->en, method, x->target.part[1], acknowledged, hand_out(x));
}
