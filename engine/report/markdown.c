#include "base/clock.h"
#include "base/text.h"
#include "report/report.h"

#include <string.h>
#include <strings.h>

/* Would Markdown or a forge act on this character in the middle of a line? Links that are found by themselves are broken at "://" and "www.". */
static bool acts(const char *c)
{
	if (*c == ':') return strncmp(c, "://", 3) == 0;
	return strchr("\\`*_[]|~@$", *c) != NULL;
}

/* Text of people, hosts and authors in Markdown: on one line, inert. */
static void inert(struct buf *out, const char *text)
{
	struct buf visible;
	buf_init(&visible, 1 << 20);
	text_visible(&visible, text, strlen(text), TEXT_KEEP_NEWLINE);
	for (const char *c = visible.data ? visible.data : ""; *c; c++) {
		bool is_www = *c == '.' && c - visible.data >= 3 && strncasecmp(c - 3, "www", 3) == 0;
		if (*c == '\n')
			buf_str(out, " ");
		else if (*c == '<')
			buf_str(out, "&lt;");
		else if (*c == '>')
			buf_str(out, "&gt;");
		else if (*c == '&')
			buf_str(out, "&amp;");
		else {
			if (*c == '.' ? is_www : acts(c)) buf_char(out, '\\');
			buf_char(out, *c);
		}
	}
	buf_clear(&visible);
}

static void field(struct buf *out, const char *name, const char *value)
{
	if (!value || !*value) return;
	buf_printf(out, "| %s | ", name);
	inert(out, value);
	buf_str(out, " |\n");
}

static void time_field(struct buf *out, const char *name, json_int_t us)
{
	char when[CLOCK_RFC3339_BYTES];
	if (!us) return;
	clock_rfc3339(when, us);
	field(out, name, when);
}

static void head(const json_t *r, struct buf *out)
{
	const json_t *book = json_object_get(r, "book");
	struct buf took;
	buf_str(out, "# Report: ");
	inert(out, json_str(book, "title", "?"));
	buf_str(out, "\n\n| | |\n|---|---|\n");
	field(out, "Execution", json_str(r, "execution", ""));
	field(out, "Outcome", json_str(r, "state", ""));
	field(out, "Book", json_str(book, "path", ""));
	field(out, "Book digest (SHA-256)", json_str(book, "digest", ""));
	field(out, "Plan", json_str(r, "plan", ""));
	field(out, "Driven by", json_str(r, "driver", ""));
	time_field(out, "Began", json_int(r, "started_us", 0));
	time_field(out, "Ended", json_int(r, "finished_us", 0));
	if (json_int(r, "duration_us", 0)) {
		buf_init(&took, 100);
		clock_duration_words(&took, json_int(r, "duration_us", 0));
		field(out, "Took", took.data);
		buf_clear(&took);
	}
	buf_printf(out, "| Steps done | %lld, of them %lld by hand |\n", (long long)json_int(r, "steps_done", 0), (long long)json_int(r, "steps_by_hand", 0));
}

static void steps(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *s;
	buf_str(out, "\n## Steps\n\n| Step | Outcome | Attempts | Took | |\n|---|---|---|---|---|\n");
	json_array_foreach(json_object_get(r, "steps"), i, s)
	{
		struct buf took;
		buf_init(&took, 100);
		if (json_int(s, "duration_us", 0)) clock_duration_words(&took, json_int(s, "duration_us", 0));
		buf_str(out, "| ");
		inert(out, json_str(s, "title", "?"));
		buf_printf(out, "%s | %s | %lld | %s | ", json_bool(s, "manual", false) ? " (by hand)" : "", json_str(s, "state", "?"),
		           (long long)json_int(s, "attempts", 0), took.data ? took.data : "");
		inert(out, json_str(s, "why", ""));
		if (json_str(s, "note", NULL)) buf_str(out, " Note: ");
		inert(out, json_str(s, "note", ""));
		buf_str(out, " |\n");
		buf_clear(&took);
	}
}

static void timeline(const json_t *r, struct buf *out)
{
	size_t i;
	json_t *t;
	buf_str(out, "\n## Timeline\n\n| Time (UTC) | Record | Who | Step | |\n|---|---|---|---|---|\n");
	json_array_foreach(json_object_get(r, "timeline"), i, t)
	{
		buf_printf(out, "| %s | %lld %s | ", json_str(t, "t", ""), (long long)json_int(t, "seq", 0), json_str(t, "kind", ""));
		inert(out, json_str(t, "by", ""));
		buf_str(out, " | ");
		inert(out, json_str(t, "step", ""));
		buf_str(out, " | ");
		inert(out, json_str(t, "text", ""));
		buf_str(out, " |\n");
	}
}

void report_markdown(const json_t *r, struct buf *out)
{
	head(r, out);
	steps(r, out);
	timeline(r, out);
	buf_str(out, "\n## Proof\n\nThe records above are leaves of the log under this checkpoint (`rung verify` checks all of it).\n\n```\n");
	buf_str(out, json_str(r, "checkpoint", ""));
	buf_str(out, "```\n");
}
