#include "http/route.h"

/* Is it alive, can it be sent requests: for those that watch over it. Both go through the loop: one that stands still answers neither. */

static void say(struct exchange *x, int status, const char *word)
{
	struct buf b;
	buf_init(&b, 256);
	buf_printf(&b, "%s\n", word);
	reply_text(&x->reply, status, "text/plain; charset=utf-8", &b);
	exchange_done(x);
}

void route_health(struct exchange *x)
{
	say(x, 200, "ok");
}

void route_ready(struct exchange *x)
{
	const struct engine *en = x->http->en;
	if (en->drain.is_begun)
		say(x, 503, "ending");
	else if (store_is_reserve_spent(en->store))
		say(x, 503, "the disk is full: alerts are refused");
	else
		say(x, 200, "ready");
}
