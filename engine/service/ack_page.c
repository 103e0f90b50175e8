#include "service/ack_page.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/text.h"
#include "escalate/ack_link.h"
#include "service/escalation.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES_MAX = 32 << 10, TITLE_BYTES_MAX = 300 };

static const char style[] = "body{font:18px/1.5 system-ui,sans-serif;max-width:34em;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
                            "h1{font-size:1.3em}dt{color:#666;font-size:.8em}dd{margin:0 0 .6em}"
                            "button{font:inherit;padding:.6em 1.4em;border:0;border-radius:.4em;background:#0a6640;color:#fff}"
                            "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}dt{color:#999}}";

/* ---- the page ---- */

static void add_text(struct buf *b, const char *s)
{
	struct buf seen;
	size_t n = strlen(s);
	buf_init(&seen, 16 * TITLE_BYTES_MAX);
	text_visible(&seen, s, text_cut(s, n, TITLE_BYTES_MAX), TEXT_KEEP_NOTHING);
	for (const char *p = seen.data ? seen.data : ""; *p; p++) {
		static const char *const escaped[256] = {['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;"};
		const char *as = escaped[(unsigned char)*p];
		if (as)
			buf_str(b, as);
		else
			buf_char(b, *p);
	}
	buf_clear(&seen);
}

static void begin(struct buf *b, const char *heading)
{
	buf_init(b, PAGE_BYTES_MAX);
	buf_printf(b,
	           "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n"
	           "<meta name=\"robots\" content=\"noindex\">\n<title>rung</title>\n<style>%s</style>\n<h1>",
	           style);
	add_text(b, heading);
	buf_str(b, "</h1>\n");
}

static void add_row(struct buf *b, const char *name, const char *value)
{
	if (!value || !*value) return;
	buf_printf(b, "<dt>%s</dt><dd>", name);
	add_text(b, value);
	buf_str(b, "</dd>\n");
}

static void add_time(struct buf *b, const char *name, int64_t us)
{
	char text[CLOCK_RFC3339_BYTES];
	if (!us) return;
	clock_rfc3339(text, us);
	memcpy(text + 19, "Z", 2);
	add_row(b, name, text);
}

static void add_incident(struct buf *b, const struct incident *inc)
{
	char priority[8];
	snprintf(priority, sizeof priority, "P%d", inc->flow->priority);
	buf_str(b, "<dl>\n");
	add_row(b, "What", inc->title);
	add_row(b, "Priority", inc->flow->priority ? priority : NULL);
	add_time(b, "Since", inc->flow->opened_us);
	add_row(b, "Incident", inc->id);
	buf_str(b, "</dl>\n");
}

/* No script runs, nothing is fetched, no other page frames it or learns its address. */
static void policy_of(char *out, size_t n)
{
	unsigned char digest[DIGEST_BYTES];
	struct buf b;
	buf_init(&b, 64);
	digest_sha256(digest, style, sizeof style - 1);
	encode_base64(&b, digest, sizeof digest);
	snprintf(out, n, "default-src 'none'; style-src 'sha256-%s'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'", b.data);
	buf_clear(&b);
}

static void end(struct buf *b, int status, ack_done *done, void *arg)
{
	char policy[256];
	const char *const headers[] = {"Content-Type",
	                               "text/html; charset=utf-8",
	                               "Content-Security-Policy",
	                               policy,
	                               "Referrer-Policy",
	                               "no-referrer",
	                               "Cache-Control",
	                               "no-store",
	                               "X-Content-Type-Options",
	                               "nosniff",
	                               "X-Frame-Options",
	                               "DENY",
	                               "X-Robots-Tag",
	                               "noindex",
	                               status == 405 ? "Allow" : NULL,
	                               "GET, HEAD, POST",
	                               NULL};
	policy_of(policy, sizeof policy);
	buf_str(b, "</html>\n");
	done(arg, &(struct ack_answer){.status = status, .body = b->data, .n = b->len, .headers = headers});
	buf_clear(b);
}

static void say(int status, const char *heading, const char *text, const struct incident *inc, ack_done *done, void *arg)
{
	struct buf b;
	begin(&b, heading);
	buf_str(&b, "<p>");
	add_text(&b, text);
	buf_str(&b, "</p>\n");
	if (inc) add_incident(&b, inc);
	end(&b, status, done, arg);
}

/* ---- what it does ---- */

struct posted {
	ack_done *done;
	void *arg;
	char incident[INCIDENT_ID_BYTES], person[ACK_LINK_PERSON_BYTES_MAX + 1];
	struct engine *engine;
};

static void stored(void *arg, const struct error *failed)
{
	struct posted *p = arg;
	struct incident *inc = incident_find(p->engine, p->incident);
	char text[200];
	failpoint(ACK_STORED);
	snprintf(text, sizeof text, "%s has it, and nobody else is notified.", p->person);
	if (failed)
		say(503, "That could not be stored", "Nothing has changed: try again in a moment, or use rung ack.", NULL, p->done, p->arg);
	else
		say(200, "You have it", text, inc, p->done, p->arg);
	free(p);
}

static void acknowledge(struct incident *inc, const struct ack_link *l, ack_done *done, void *arg)
{
	struct error e;
	struct posted *p = mem_zero(sizeof *p);
	char by[ACK_LINK_PERSON_BYTES_MAX + 6];
	*p = (struct posted){.done = done, .arg = arg, .engine = inc->engine};
	memcpy(p->incident, inc->id, sizeof p->incident);
	snprintf(p->person, sizeof p->person, "%s", l->person);
	snprintf(by, sizeof by, "user:%s", l->person);
	json_t *d = json_pack("{s:s,s:I}", "how", "link", "link", (json_int_t)l->number);
	failpoint(ACK_POSTED);
	if (incident_emit(inc, (struct incident_emit){.kind = RECORD_INCIDENT_ACKNOWLEDGED, .by = by, .data = d}, &e)) {
		free(p);
		say(409, "That did not work", e.text, inc, done, arg);
		return;
	}
	incidents_when_durable(inc->engine, stored, p);
	incident_commit(inc->engine);
}

static void ask(const struct incident *inc, const struct ack_link *l, ack_done *done, void *arg)
{
	struct buf b;
	begin(&b, "Somebody must look");
	add_incident(&b, inc);
	buf_printf(&b, "<p>You acknowledge as %s. Nobody else is notified then.</p>\n<form method=\"post\"><button>I have it</button></form>\n", l->person);
	end(&b, 200, done, arg);
}

/* The one that has it, as people are named; NULL: nobody. */
static const char *who_has(const struct escalation *x)
{
	const char *by = x->state == ESCALATION_ACKNOWLEDGED ? x->acknowledged_by : NULL;
	return by && strncmp(by, "user:", 5) == 0 ? by + 5 : by;
}

static void serve(struct incident *inc, const struct ack_link *l, bool is_post, ack_done *done, void *arg)
{
	const struct escalation *x = escalation_get(inc);
	char text[200];
	const char *has = x ? who_has(x) : NULL;
	if (has) snprintf(text, sizeof text, "%.100s has it, and nobody else is notified.", has);
	if (!x || inc->flow->state == INCIDENT_RESOLVED)
		say(410, "It is over", "There is nothing to acknowledge any more.", inc, done, arg);
	else if (has)
		/* Also a link that is used: its person sees that it worked, whoever asks again changes nothing. */
		say(is_post || escalation_is_link_used(x, l->number) ? 409 : 200, "Somebody has it", text, inc, done, arg);
	else if (escalation_is_link_used(x, l->number))
		say(409, "This link was used already",
		    "It acknowledges once, and somebody was asked for again since. Use rung ack, or the link of the newest message.", inc, done, arg);
	else if (is_post)
		acknowledge(inc, l, done, arg);
	else
		ask(inc, l, done, arg);
}

void ack_page(struct engine *en, const char *method, const char *token, ack_done *done, void *arg)
{
	struct ack_link l;
	bool is_get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0, is_post = strcmp(method, "POST") == 0;
	enum ack_link_verdict verdict = ack_link_check(en->ack_secret, token, strlen(token), clock_now_us(), &l);
	struct incident *inc = verdict == ACK_LINK_FORGED ? NULL : incident_find(en, l.escalation);
	if (!is_get && !is_post)
		say(405, "That is not possible here", "A link is opened, or its button pressed.", NULL, done, arg);
	else if (verdict == ACK_LINK_FORGED)
		say(404, "There is no such link", "It is cut, changed, or of another log: copy all of it from the message, or use rung ack.", NULL, done, arg);
	else if (verdict == ACK_LINK_EXPIRED)
		say(410, "This link has expired", "Use rung ack, or the link of the newest message.", inc, done, arg);
	else if (!inc)
		say(410, "It is over", "There is nothing to acknowledge any more.", NULL, done, arg);
	else
		serve(inc, &l, is_post, done, arg);
}
