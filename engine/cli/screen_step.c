#include "book/render.h"
#include "cli/printed.h"
#include "cli/screen.h"
#include "cli/screen_parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { RENDERED_BYTES_MAX = 4 << 20 };

/* Length of the fence (``` or ~~~) that a line opens with, after its indentation; 0: none. */
static size_t fence_at(const char *line, char *mark)
{
	const char *p = line + strspn(line, " \t");
	if (*p != '`' && *p != '~') return 0;
	char set[2] = {*p, 0};
	size_t n = strspn(p, set);
	*mark = *p;
	return n >= 3 ? n : 0;
}

static bool opens_lua(const char *line)
{
	char mark;
	size_t n = fence_at(line, &mark);
	if (!n) return false;
	const char *word = line + strspn(line, " \t") + n;
	word += strspn(word, " ");
	return strncmp(word, "lua", 3) == 0 && !isalnum((unsigned char)word[3]);
}

/* The Markdown without its fences of Lua: their source is one key away, and a tired person reads what it does, not how. */
static char *without_lua(const char *markdown)
{
	struct buf b;
	buf_init(&b, strlen(markdown) + 2);
	size_t inside = 0;
	char mark = 0, other;
	while (*markdown) {
		size_t n = strcspn(markdown, "\n"), whole = n + (markdown[n] == '\n');
		char *line = strndup(markdown, n);
		must(line != NULL);
		size_t fence = fence_at(line, &other);
		if (inside) {
			if (fence >= inside && other == mark) inside = 0;
		} else if (opens_lua(line)) {
			inside = fence_at(line, &mark);
		} else {
			buf_add(&b, markdown, whole);
		}
		free(line);
		markdown += whole;
	}
	return buf_take(&b);
}

static void render(struct lines *out, const char *markdown, int columns, const struct screen *s)
{
	struct buf b;
	buf_init(&b, RENDERED_BYTES_MAX);
	render_markdown(&b, markdown, &(struct render_options){.columns = columns, .color = s->color, .unicode = s->unicode});
	lines_split(out, b.data ? arena_strdup(out->arena, b.data) : "");
	buf_clear(&b);
}

/* Letters and digits alone: what two ways of writing a title have in common. Colours are skipped. */
static char *letters_of(struct arena *a, const char *text)
{
	char *out = arena_alloc(a, strlen(text) + 1);
	size_t n = 0;
	for (const char *p = text; *p; p++) {
		if (*p == '\033') {
			while (*p && *p != 'm') p++;
			if (!*p) break;
		} else if (isalnum((unsigned char)*p) || (unsigned char)*p >= 0x80) {
			out[n++] = (char)tolower((unsigned char)*p);
		}
	}
	return out;
}

size_t screen_title_lines(const struct lines *text, const char *title)
{
	struct arena *a = text->arena;
	const char *wanted = letters_of(a, title), *have = "";
	size_t i = 0;
	while (i < text->count && !*letters_of(a, text->line[i])) i++;
	for (; i < text->count && *letters_of(a, text->line[i]); i++) have = arena_printf(a, "%s%s", have, letters_of(a, text->line[i]));
	size_t h = strlen(have), w = strlen(wanted);
	if (w == 0 || h < w || strcmp(have + h - w, wanted) != 0 || h > w + 12) return 0;
	while (i < text->count && !*letters_of(a, text->line[i])) i++;
	return i;
}

void screen_step_text(struct lines *out, const json_t *step, const struct screen *s)
{
	struct lines text;
	lines_init(&text, out->arena);
	char *markdown = without_lua(json_str(step, "markdown", ""));
	render(&text, markdown, s->columns - 3, s);
	free(markdown);
	size_t from = screen_title_lines(&text, json_str(step, "title", ""));
	while (from < text.count && !line_columns(text.line[from])) from++;
	while (text.count > from && !line_columns(text.line[text.count - 1])) text.count--;
	if (from < text.count) lines_add(out, "");
	for (size_t i = from; i < text.count; i++)
		lines_add(out, line_clip(out->arena, arena_printf(out->arena, "  %s", text.line[i]), (size_t)s->columns - 1, s->unicode));
}

static void add_title(struct lines *out, const char *text, const struct screen *s)
{
	lines_add(out, "");
	lines_add(out, screen_paint(out->arena, s, "1", text));
}

static void add_calls(struct lines *out, const json_t *step, const struct screen *s)
{
	struct arena *a = out->arena;
	size_t i;
	json_t *call;
	json_array_foreach(json_arr(step, "calls"), i, call)
	{
		if (i == 0) add_title(out, "Called", s);
		const char *state = line_safe(a, json_str(call, "state", ""));
		const char *code = json_object_get(call, "code") && !json_is_null(json_object_get(call, "code"))
		                       ? arena_printf(a, " %lld", (long long)json_int(call, "code", 0))
		                       : "";
		lines_printf(out, "  %s  %s  %s%s  %s", printed_call_name(a, call), line_safe(a, json_str(call, "words", "")), state, code,
		             screen_duration(a, call, s->now_us));
	}
}

static void add_fences(struct lines *out, const json_t *step, const struct screen *s)
{
	struct arena *a = out->arena;
	size_t i;
	json_t *fence;
	json_array_foreach(json_arr(step, "fences"), i, fence)
	{
		struct lines source;
		lines_init(&source, a);
		lines_split(&source, json_str(fence, "source", ""));
		add_title(out,
		          arena_printf(a, "%s (%s), line %lld", line_safe(a, json_str(fence, "role", "")), line_safe(a, json_str(fence, "language", "")),
		                       (long long)json_int(fence, "line", 0)),
		          s);
		for (size_t k = 0; k < source.count; k++) {
			char *safe = tail_visible(source.line[k], strlen(source.line[k]));
			lines_printf(out, "  %s", safe);
			free(safe);
		}
	}
}

void screen_step_in_full(struct lines *out, const json_t *view, const json_t *step, const struct screen *s)
{
	struct arena *a = out->arena;
	size_t i;
	json_t *one;
	lines_add(out, screen_paint(a, s, "1", line_safe(a, json_str(step, "title", ""))));
	lines_printf(out, "%s · %s:%lld", line_safe(a, json_str(step, "id", "")), line_safe(a, json_str(json_obj(view, "book"), "path", "")),
	             (long long)json_int(step, "line", 0));
	lines_printf(out, "%s, %s, effect %s", json_bool(step, "manual", false) ? "by hand" : "by itself", line_safe(a, json_str(step, "risk", "read")),
	             line_safe(a, json_str(step, "effect", "once")));
	screen_step_text(out, step, s);
	const char *expect = line_safe(a, json_str(step, "expect", "")), *condition = line_safe(a, json_str(step, "if", "")),
	           *why = line_safe(a, json_str(step, "why", ""));
	const char *result = screen_result(a, json_object_get(step, "result"));
	if (*expect) add_title(out, "You should see", s), lines_wrap(out, expect, (size_t)s->columns - 1, "  ", "");
	if (*condition) add_title(out, "Only if", s), lines_printf(out, "  %s", condition);
	json_array_foreach(json_arr(step, "needs"), i, one)
	{
		if (i == 0) add_title(out, "After", s);
		lines_printf(out, "  %s", line_safe(a, json_string_value(one) ? json_string_value(one) : ""));
	}
	json_array_foreach(json_arr(step, "permissions"), i, one)
	{
		if (i == 0) add_title(out, "May call", s);
		lines_printf(out, "  %s", line_exact(a, json_string_value(one) ? json_string_value(one) : ""));
	}
	if (*why) add_title(out, "Why", s), lines_wrap(out, why, (size_t)s->columns - 1, "  ", "");
	if (*result) add_title(out, "Result", s), lines_wrap(out, result, (size_t)s->columns - 1, "  ", "");
	add_calls(out, step, s);
	add_fences(out, step, s);
}
