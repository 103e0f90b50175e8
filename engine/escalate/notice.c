#include "escalate/notice.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <string.h>

/* A piece of somebody's text on one line, or on several. */
static void add_text(struct buf *b, const char *s, size_t most, enum text_keep keep)
{
	size_t n = s ? strlen(s) : 0, kept = text_cut(s ? s : "", n, most);
	text_visible(b, s ? s : "", kept, keep);
	if (kept < n) buf_str(b, "…");
}

static bool has(const char *s)
{
	return s && *s;
}

void notice_key(const struct notice *n, char out[NOTICE_KEY_BYTES])
{
	if (n->key)
		snprintf(out, NOTICE_KEY_BYTES, "%s", n->key);
	else
		snprintf(out, NOTICE_KEY_BYTES, "%.40s.%u", n->incident, n->number);
}

bool notice_subject(const struct notice *n, struct buf *b)
{
	buf_str(b, "[rung] ");
	if (n->kind == NOTICE_TEST) return buf_printf(b, "a test message for %.64s", n->person);
	if (has(n->priority)) {
		add_text(b, n->priority, 20, TEXT_KEEP_NOTHING);
		buf_char(b, ' ');
	}
	add_text(b, has(n->title) ? n->title : "an incident", 120, TEXT_KEEP_NOTHING);
	if (has(n->host)) {
		buf_str(b, " on ");
		add_text(b, n->host, 64, TEXT_KEEP_NOTHING);
	}
	if (has(n->trigger)) buf_printf(b, " (%s)", n->trigger);
	return !b->is_full;
}

static void add_line(struct buf *b, const char *name, const char *value)
{
	if (!has(value)) return;
	buf_printf(b, "%-10s ", name);
	add_text(b, value, NOTICE_LINE_BYTES_MAX, TEXT_KEEP_NOTHING);
	buf_char(b, '\n');
}

static void add_where(struct buf *b, const struct notice *n)
{
	const struct {
		const char *before, *value;
	} parts[] = {{"", n->host}, {"", n->book}, {"step ", n->step}, {"execution ", n->execution}};
	bool is_first = true;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (!has(parts[i].value)) continue;
		if (is_first)
			buf_printf(b, "%-10s ", "Where:");
		else
			buf_str(b, ", ");
		is_first = false;
		buf_str(b, parts[i].before);
		add_text(b, parts[i].value, NOTICE_LINE_BYTES_MAX, TEXT_KEEP_NOTHING);
	}
	if (!is_first) buf_char(b, '\n');
}

static void add_since(struct buf *b, const struct notice *n)
{
	char since[CLOCK_RFC3339_BYTES];
	if (!n->since_us) return;
	clock_rfc3339(since, n->since_us);
	buf_printf(b, "%-10s %.19sZ", "Since:", since);
	if (n->sent_us - n->since_us >= INT64_C(60000000)) {
		buf_str(b, ", for ");
		clock_duration_words(b, n->sent_us - n->since_us);
	}
	buf_char(b, '\n');
}

static void add_reason(struct buf *b, const struct notice *n)
{
	if (has(n->means)) buf_printf(b, "%-10s %s\n", "Why:", n->means);
	if (!has(n->reason)) return;
	buf_printf(b, "%-10s ", has(n->means) ? "" : "Why:");
	add_text(b, n->reason, NOTICE_REASON_BYTES_MAX, TEXT_KEEP_NOTHING);
	buf_char(b, '\n');
}

static void add_level(struct buf *b, const struct notice *n)
{
	if (!has(n->policy)) return;
	buf_printf(b, "%-10s level %u of %.64s", "Ladder:", n->level, n->policy);
	if (n->round > 1) buf_printf(b, ", round %u", n->round);
	buf_char(b, '\n');
}

static void add_what_to_do(struct buf *b, const struct notice *n)
{
	buf_str(b, "\nYou are asked to look. Say that you have it, and nobody else is notified:\n\n");
	buf_printf(b, "  rung ack %.40s\n", n->incident);
	if (has(n->link)) buf_printf(b, "  %.*s\n", NOTICE_LINK_BYTES_MAX, n->link);
	if (has(n->execution)) buf_printf(b, "\nSee it, and take part:\n\n  rung attach %.40s\n", n->execution);
}

bool notice_body(const struct notice *n, struct buf *b)
{
	if (n->kind == NOTICE_TEST) {
		buf_printf(b, "This is a test message for %.64s. Nothing has happened, and nothing is to be done.\n", n->person);
		return !b->is_full;
	}
	if (n->kind == NOTICE_MESSAGE) {
		add_text(b, n->text, NOTICE_TEXT_BYTES_MAX, TEXT_KEEP_NEWLINE | TEXT_KEEP_TAB);
		buf_str(b, "\n\n");
	}
	add_line(b, "What:", n->title);
	add_reason(b, n);
	add_where(b, n);
	add_since(b, n);
	add_line(b, "Priority:", n->priority);
	add_level(b, n);
	add_line(b, n->kind == NOTICE_MESSAGE ? "Of:" : "Incident:", n->incident);
	add_line(b, "Engine:", n->workspace_host);
	if (n->kind == NOTICE_ESCALATION) add_what_to_do(b, n);
	return !b->is_full;
}

static json_t *cut(const char *s, size_t most, enum text_keep keep)
{
	struct buf b;
	if (!has(s)) return NULL;
	buf_init(&b, NOTICE_BYTES_MAX);
	add_text(&b, s, most, keep);
	json_t *v = json_text(b.data ? b.data : "");
	buf_clear(&b);
	return v;
}

static json_t *time_json(int64_t us)
{
	char text[CLOCK_RFC3339_BYTES];
	if (!us) return NULL;
	clock_rfc3339(text, us);
	return json_string(text);
}

json_t *notice_json(const struct notice *n)
{
	static const char *const kinds[] = {[NOTICE_ESCALATION] = "escalation", [NOTICE_MESSAGE] = "message", [NOTICE_TEST] = "test"};
	char key[NOTICE_KEY_BYTES];
	struct buf subject, body;
	buf_init(&subject, NOTICE_BYTES_MAX);
	buf_init(&body, NOTICE_BYTES_MAX);
	notice_key(n, key);
	notice_subject(n, &subject);
	notice_body(n, &body);
	json_t *o = json_pack("{s:i,s:s,s:s,s:s,s:I,s:s,s:o,s:o}", "version", 1, "kind", kinds[n->kind], "key", key, "incident", n->incident, "notification",
	                      (json_int_t)n->number, "person", n->person, "subject", json_text(subject.data ? subject.data : ""), "body",
	                      json_text(body.data ? body.data : ""));
	const struct {
		const char *key;
		json_t *value;
	} more[] = {{"title", cut(n->title, NOTICE_LINE_BYTES_MAX, TEXT_KEEP_NOTHING)},
	            {"priority", cut(n->priority, NOTICE_LINE_BYTES_MAX, TEXT_KEEP_NOTHING)},
	            {"trigger", cut(n->trigger, NOTICE_LINE_BYTES_MAX, TEXT_KEEP_NOTHING)},
	            {"reason", cut(n->reason, NOTICE_REASON_BYTES_MAX, TEXT_KEEP_NOTHING)},
	            {"host", cut(n->host, NOTICE_LINE_BYTES_MAX, TEXT_KEEP_NOTHING)},
	            {"book", cut(n->book, NOTICE_LINE_BYTES_MAX, TEXT_KEEP_NOTHING)},
	            {"execution", cut(n->execution, NOTICE_LINE_BYTES_MAX, TEXT_KEEP_NOTHING)},
	            {"step", cut(n->step, NOTICE_LINE_BYTES_MAX, TEXT_KEEP_NOTHING)},
	            {"policy", cut(n->policy, NOTICE_LINE_BYTES_MAX, TEXT_KEEP_NOTHING)},
	            {"level", n->policy ? json_integer(n->level) : NULL},
	            {"round", n->policy ? json_integer(n->round) : NULL},
	            {"text", cut(n->text, NOTICE_TEXT_BYTES_MAX, TEXT_KEEP_NEWLINE | TEXT_KEEP_TAB)},
	            {"link", cut(n->link, NOTICE_LINK_BYTES_MAX, TEXT_KEEP_NOTHING)},
	            {"since", time_json(n->since_us)},
	            {"sent", time_json(n->sent_us)}};
	for (size_t i = 0; i < sizeof more / sizeof *more; i++)
		if (more[i].value) json_object_set_new(o, more[i].key, more[i].value);
	buf_clear(&subject);
	buf_clear(&body);
	return o;
}
