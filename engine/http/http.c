#include "http/http.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/authorize.h"
#include "http/listen.h"
#include "http/operation.h"
#include "http/route.h"
#include "http/server.h"
#include "http/stream.h"

#include <stdlib.h>
#include <string.h>

/* The loop's side: takes requests that came over, has their routes answer them, and keeps time. */

enum { TICK_MS = 250 };

static struct exchange *take_all(struct http *h)
{
	pthread_mutex_lock(&h->lock);
	struct exchange *first = h->first;
	h->first = NULL;
	h->last = &h->first;
	pthread_mutex_unlock(&h->lock);
	return first;
}

static void requests_came(uv_async_t *a)
{
	struct http *h = a->data;
	for (struct exchange *x = take_all(h), *next; x; x = next) {
		next = x->next;
		x->next = NULL;
		if (!x->route->needs_token || authorize(x)) x->route->run(x);
	}
	stream_sweep(h);
}

static void tick(uv_timer_t *t)
{
	struct http *h = t->data;
	server_reap(h);
	stream_tick(h);
}

static enum err start(struct engine *en, struct error *e)
{
	struct http *h = en->part_data = mem_zero(sizeof *h);
	h->en = en;
	h->started_us = clock_now_us();
	h->listen_fd = -1;
	h->last = &h->first;
	must(pthread_mutex_init(&h->lock, NULL) == 0);
	uv_async_init(&en->loop, &h->wake, requests_came);
	h->wake.data = h;
	uv_timer_init(&en->loop, &h->timer);
	h->timer.data = h;
	uv_timer_start(&h->timer, tick, TICK_MS, TICK_MS);
	authorize_start(h);
	enum err err = listen_open(h, e);
	if (!err) err = server_start(h, e);
	if (!err) log_line(LOG_INFO, "listening on %s", h->address);
	return err;
}

static void drain(struct engine *en)
{
	server_quiesce(en->part_data);
}

static bool is_busy(const struct engine *en)
{
	return server_is_busy(en->part_data);
}

static void free_http(uv_handle_t *last)
{
	free(last->data);
}

/* Whoever is left waiting is told, so that the library's thread can end. */
static void stop(struct engine *en)
{
	struct http *h = en->part_data;
	if (!h) return;
	server_quiesce(h);
	server_refuse_all(h);
	operation_end_all(h);
	others_end_all(h);
	stream_end_all(h);
	for (struct exchange *x = take_all(h), *next; x; x = next) {
		next = x->next;
		reply_status(&x->reply, 503, "the engine is ending");
		exchange_done(x);
	}
	server_stop(h);
	stream_free_all(h);
	authorize_stop(h);
	free(h->certificate);
	if (h->key) explicit_bzero(h->key, strlen(h->key));
	free(h->key);
	pthread_mutex_destroy(&h->lock);
	en->part_data = NULL;
	uv_close((uv_handle_t *)&h->wake, NULL);
	uv_close((uv_handle_t *)&h->timer, free_http); /* handles are closed in the order in which that is asked for, or the other way */
}

const struct engine_part http_part = {start, drain, is_busy, stop};
