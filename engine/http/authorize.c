#include "http/authorize.h"
#include "base/clock.h"
#include "service/config.h"
#include "service/rights.h"
#include "service/token.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MINUTE_US INT64_C(60000000)

/* ---- wrong tokens ---- */

struct wrong {
	char address[INET6_ADDRSTRLEN + 4]; /* "": free */
	int64_t since_us;
	int count;
};

struct wrong_tokens {
	struct wrong of[HTTP_WRONG_ADDRESSES_MAX];
};

/* That of the address, or the one that makes room for it: a place of few that its name leads to, the oldest of them. */
static struct wrong *wrong_of(struct http *h, const char *address, int64_t now_us)
{
	enum { PLACES = 8 };
	uint64_t hash = 1469598103934665603u;
	for (const char *p = address; *p; p++) hash = (hash ^ (unsigned char)*p) * 1099511628211u;
	struct wrong *first = &h->wrong->of[hash % (HTTP_WRONG_ADDRESSES_MAX / PLACES) * PLACES], *oldest = first;
	for (struct wrong *w = first; w < first + PLACES; w++) {
		if (strcmp(w->address, address) == 0) {
			if (now_us - w->since_us > MINUTE_US) *w = (struct wrong){.since_us = now_us}, snprintf(w->address, sizeof w->address, "%s", address);
			return w;
		}
		if (w->since_us < oldest->since_us) oldest = w;
	}
	*oldest = (struct wrong){.since_us = now_us};
	snprintf(oldest->address, sizeof oldest->address, "%s", address);
	return oldest;
}

static void answer_wrong(struct exchange *x)
{
	int64_t now_us = clock_monotonic_us();
	struct wrong *w = wrong_of(x->http, x->from->address, now_us);
	/* Looked at only after the token was: who has a right one is let in, whoever else comes from that address. */
	if (w->count >= HTTP_WRONG_TOKENS_MAX) {
		reply_status(&x->reply, 429, "too many wrong tokens came from this address");
		x->reply.retry_after_s = (w->since_us + MINUTE_US - now_us) / 1000000 + 1;
	} else {
		w->count++;
		reply_status(&x->reply, 401, "send a token that holds: Authorization: Bearer rung_... (rung token create)");
	}
	x->reply.is_last = true;
	exchange_done(x);
}

/* ---- rates ---- */

struct rate {
	char *principal;
	int64_t at_us;
	double left;
};

/* One a principal that tokens stand for: as many as there are tokens, at most. */
struct rates {
	struct rate *of;
	size_t count;
};

static struct rate *rate_of(struct rates *r, const char *principal, double burst)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->of[i].principal, principal) == 0) return &r->of[i];
	r->of = mem_realloc(r->of, (r->count + 1) * sizeof *r->of);
	r->of[r->count] = (struct rate){mem_strdup(principal), clock_monotonic_us(), burst};
	return &r->of[r->count++];
}

static bool take_from_rate(struct exchange *x)
{
	double rate = (double)x->http->en->config->rate, burst = rate * HTTP_BURST_MAX;
	struct rate *r = rate_of(x->http->rates, x->principal, burst);
	int64_t now_us = clock_monotonic_us();
	r->left += (double)(now_us - r->at_us) * rate / 1e6;
	if (r->left > burst) r->left = burst;
	r->at_us = now_us;
	if (r->left < 1) return false;
	r->left -= 1;
	return true;
}

/* ---- who ---- */

static const struct token *token_of(struct http *h, const char *authorization)
{
	if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0) return NULL;
	const char *text = authorization + 7;
	text += strspn(text, " ");
	return token_find(h->en, text, strlen(text));
}

char *authorize_again(struct http *h, const char *authorization)
{
	const struct token *t = token_of(h, authorization);
	return t ? mem_strdup(token_principal(t)) : NULL;
}

/* A service is one that the policy names; everybody who is not the engine's own user takes a policy that lets them in. */
static enum err may_talk(struct exchange *x, struct error *e)
{
	const struct policy *p;
	struct engine *en = x->http->en;
	enum err err = rights_talk(en, x->principal, e);
	if (err || strncmp(x->principal, "service:", 8) != 0) return err;
	err = policy_file_now(engine_policy(en, en->root), &p, e);
	if (!err && (!p || !policy_service_find(p, x->principal + 8))) err = error_set(e, ERR_DENIED, "no policy knows %s", x->principal);
	return err;
}

bool authorize(struct exchange *x)
{
	struct error e;
	const struct token *t = token_of(x->http, x->authorization);
	if (!t) {
		answer_wrong(x);
		return false;
	}
	x->principal = mem_strdup(token_principal(t));
	if (!take_from_rate(x)) {
		reply_status(&x->reply, 429, "this principal asks more often than it may");
		x->reply.retry_after_s = 1;
	} else if (may_talk(x, &e)) {
		reply_problem(&x->reply, &e);
	} else {
		return true;
	}
	exchange_done(x);
	return false;
}

void authorize_start(struct http *h)
{
	h->wrong = mem_zero(sizeof *h->wrong);
	h->rates = mem_zero(sizeof *h->rates);
}

void authorize_stop(struct http *h)
{
	for (size_t i = 0; h->rates && i < h->rates->count; i++) free(h->rates->of[i].principal);
	if (h->rates) free(h->rates->of);
	free(h->rates);
	free(h->wrong);
}
