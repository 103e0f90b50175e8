#include "base/text.h"
#include "cli/guided.h"

#include <stdlib.h>
#include <string.h>

/* Dialogs of guided mode: a line to type, a key to press. The execution goes on meanwhile and the panel shows it. */

/* The person went back, or something happened that takes precedence; the loop outside deals with that. */
static bool ends_dialog(struct guided *g, int key)
{
	if (key == KEY_HANGUP) g->leaving = HUNG_UP;
	if (key == KEY_GONE && g->leaving == STAYS) g->leaving = ENGINE_GONE;
	return key == KEY_HANGUP || key == KEY_GONE || key == KEY_ESCAPE || key == KEY_INTERRUPT || key == KEY_END_OF_INPUT;
}

struct editor {
	struct buf text;
	size_t cursor;
};

static size_t before(const char *text, size_t at)
{
	if (at == 0) return 0;
	do at--;
	while (at > 0 && (text[at] & 0xc0) == 0x80);
	return at;
}

static size_t after(const char *text, size_t len, size_t at)
{
	if (at >= len) return len;
	do at++;
	while (at < len && (text[at] & 0xc0) == 0x80);
	return at;
}

static void cut(struct editor *ed, size_t from, size_t to)
{
	memmove(ed->text.data + from, ed->text.data + to, ed->text.len - to + 1);
	ed->text.len -= to - from;
	ed->cursor = from;
}

static void insert(struct editor *ed, uint32_t code)
{
	struct buf one;
	buf_init(&one, 8);
	text_encode(&one, code);
	size_t n = one.len, tail = ed->text.len - ed->cursor;
	if (buf_add(&ed->text, one.data, n)) {
		memmove(ed->text.data + ed->cursor + n, ed->text.data + ed->cursor, tail);
		memcpy(ed->text.data + ed->cursor, one.data, n);
		ed->cursor += n;
	}
	buf_clear(&one);
}

static void edit(struct editor *ed, int key)
{
	enum { CTRL_A = 1, CTRL_E = 5, CTRL_K = 11, CTRL_U = 21, CTRL_W = 23 };
	const char *text = ed->text.data;
	size_t len = ed->text.len, from = ed->cursor;
	switch (key) {
	case KEY_LEFT:
		ed->cursor = before(text, ed->cursor);
		break;
	case KEY_RIGHT:
		ed->cursor = after(text, len, ed->cursor);
		break;
	case KEY_HOME:
	case CTRL_A:
		ed->cursor = 0;
		break;
	case KEY_END:
	case CTRL_E:
		ed->cursor = len;
		break;
	case KEY_BACKSPACE:
		cut(ed, before(text, ed->cursor), ed->cursor);
		break;
	case KEY_DELETE:
		cut(ed, ed->cursor, after(text, len, ed->cursor));
		break;
	case CTRL_U:
		cut(ed, 0, ed->cursor);
		break;
	case CTRL_K:
		cut(ed, ed->cursor, len);
		break;
	case CTRL_W:
		while (from > 0 && text[from - 1] == ' ') from--;
		while (from > 0 && text[from - 1] != ' ') from--;
		cut(ed, from, ed->cursor);
		break;
	default:
		if (key >= ' ' && key < 0x110000 && !text_is_control((uint32_t)key)) insert(ed, (uint32_t)key);
	}
}

char *guided_ask_line(struct guided *g, const char *title, const char *const *text, const char *typed)
{
	enum { TYPED_BYTES_MAX = 16384 };
	static const struct choice choices[] = {{KEY_ENTER, "Enter", "ok"}, {KEY_ESCAPE, "Esc", "back"}, {0, NULL, NULL}};
	struct editor ed = {.cursor = strlen(typed)};
	struct screen_dialog d = {.title = title, .text = text, .choices = g->terminal.is_raw ? choices : NULL, .is_typing = true};
	buf_init(&ed.text, TYPED_BYTES_MAX);
	buf_str(&ed.text, typed);
	buf_str(&ed.text, "");
	if (!ed.text.data) buf_char(&ed.text, ' '), cut(&ed, 0, 1);
	g->dialog = &d;
	g->is_line_wanted = true;
	int key;
	do {
		d.typed = ed.text.data, d.cursor = ed.cursor;
		g->is_dirty = true;
		key = guided_wait(g, -1);
		if (key != KEY_ENTER) edit(&ed, key);
	} while (key != KEY_ENTER && !ends_dialog(g, key));
	g->dialog = NULL;
	g->is_line_wanted = false;
	g->is_dirty = true;
	char *out = buf_take(&ed.text);
	if (key == KEY_ENTER && !g->terminal.is_raw && g->line) {
		/* An empty line keeps what stood there. */
		if (*g->line || !*typed)
			free(out), out = g->line;
		else
			free(g->line);
		g->line = NULL;
	}
	if (key == KEY_ENTER) return out;
	free(out);
	return NULL;
}

int guided_ask_key(struct guided *g, const char *title, const char *const *text, const struct choice *choices)
{
	struct screen_dialog d = {.title = title, .text = text, .choices = choices};
	g->dialog = &d;
	int key, answer = KEY_NONE;
	while (answer == KEY_NONE) {
		g->is_dirty = true;
		key = guided_wait(g, -1);
		for (const struct choice *c = choices; c->key; c++)
			if (c->key == key) answer = key;
		if (answer == KEY_NONE && ends_dialog(g, key)) answer = KEY_ESCAPE;
	}
	g->dialog = NULL;
	g->is_dirty = true;
	return answer;
}
