#include "http/route.h"

/* Paths whose answers others make. */

static void not_yet(struct exchange *x, const char *what)
{
	reply_status(&x->reply, 501, what);
	exchange_done(x);
}

void route_alerts(struct exchange *x)
{
	not_yet(x, "this engine receives no alerts yet");
}

void route_acknowledge(struct exchange *x)
{
	not_yet(x, "this engine sends no links yet");
}

void route_metrics(struct exchange *x)
{
	not_yet(x, "this engine has no metrics yet");
}
