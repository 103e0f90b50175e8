#include "book/render_table.h"

#include "base/text.h"

#include <string.h>

/* Tables that fit: columns share the width, cells wrap; where there are too many columns, each row becomes a list of "head: value". */

enum { COLUMNS_MAX = 16, COLUMN_LEAST = 6 };

struct table {
	const struct block *block;
	size_t count;
	size_t natural[COLUMNS_MAX], width[COLUMNS_MAX];
};

static void cell_text(struct styled *s, const struct block *cell, int style, const struct render_options *o)
{
	styled_init(s);
	if (cell) styled_spans(s, cell->spans, style, o);
}

static void measure(struct table *t, const struct render_options *o)
{
	for (const struct block *row = t->block->first; row; row = row->next) {
		size_t i = 0;
		for (const struct block *cell = row->first; cell && i < t->count; cell = cell->next, i++) {
			struct styled s;
			cell_text(&s, cell, 0, o);
			size_t columns = styled_columns(&s, 0, s.text.len);
			if (columns > t->natural[i]) t->natural[i] = columns;
			styled_clear(&s);
		}
	}
}

/* Takes from the widest column until all fit; false where they cannot. */
static bool fit(struct table *t, size_t room)
{
	size_t total = 0;
	if (room < t->count * (COLUMN_LEAST + 3)) return false;
	room -= (t->count - 1) * 3;
	for (size_t i = 0; i < t->count; i++) {
		t->width[i] = t->natural[i] ? t->natural[i] : 1;
		if (t->width[i] > room) t->width[i] = room;
		total += t->width[i];
	}
	while (total > room) {
		size_t widest = 0;
		for (size_t i = 1; i < t->count; i++)
			if (t->width[i] > t->width[widest]) widest = i;
		if (t->width[widest] <= COLUMN_LEAST) return false;
		t->width[widest]--;
		total--;
	}
	return true;
}

static void pad(struct buf *out, size_t n)
{
	while (n--) buf_char(out, ' ');
}

/* One row over as many lines as its tallest cell needs. */
static void write_row(struct buf *out, const struct table *t, const struct block *row, const char *prefix, const struct render_options *o)
{
	struct styled cells[COLUMNS_MAX];
	size_t at[COLUMNS_MAX] = {0}, i = 0;
	const struct block *cell = row->first;
	for (i = 0; i < t->count; i++) {
		cell_text(&cells[i], cell, row->is_head ? STYLE_BOLD : 0, o);
		if (cell) cell = cell->next;
	}
	for (bool more = true; more;) {
		more = false;
		buf_str(out, prefix);
		for (i = 0; i < t->count; i++) {
			size_t next = at[i], end = styled_line(&cells[i], at[i], t->width[i], &next);
			size_t used = styled_columns(&cells[i], at[i], end);
			styled_write(out, &cells[i], at[i], end, o);
			if (i + 1 < t->count) {
				pad(out, t->width[i] - (used < t->width[i] ? used : t->width[i]));
				buf_str(out, o->unicode ? " │ " : " | ");
			}
			at[i] = next;
			more = more || next < cells[i].text.len;
		}
		buf_char(out, '\n');
	}
	for (i = 0; i < t->count; i++) styled_clear(&cells[i]);
}

static void write_line(struct buf *out, const struct table *t, const char *prefix, const struct render_options *o)
{
	buf_str(out, prefix);
	for (size_t i = 0; i < t->count; i++) {
		for (size_t k = 0; k < t->width[i]; k++) buf_str(out, o->unicode ? "─" : "-");
		if (i + 1 < t->count) buf_str(out, o->unicode ? "─┼─" : "-+-");
	}
	buf_char(out, '\n');
}

/* Too many columns for the width: "head: value", a row after the other. */
static void write_as_list(struct buf *out, const struct block *table, const char *prefix, size_t room, const struct render_options *o)
{
	const struct block *head = table->first;
	for (const struct block *row = head ? head->next : NULL; row; row = row->next) {
		const struct block *name = head->first;
		for (const struct block *cell = row->first; cell; cell = cell->next) {
			struct styled s;
			styled_init(&s);
			if (name) styled_spans(&s, name->spans, STYLE_BOLD, o);
			styled_add(&s, ": ", 2, 0);
			styled_spans(&s, cell->spans, 0, o);
			for (size_t from = 0, next; from < s.text.len; from = next) {
				size_t end = styled_line(&s, from, from ? room - 2 : room, &next);
				buf_str(out, prefix);
				if (from) buf_str(out, "  ");
				styled_write(out, &s, from, end, o);
				buf_char(out, '\n');
			}
			styled_clear(&s);
			if (name) name = name->next;
		}
		if (row->next) {
			buf_str(out, prefix);
			buf_char(out, '\n');
		}
	}
}

void render_table(struct buf *out, const struct block *table, const char *prefix, size_t room, const struct render_options *o)
{
	struct table t = {.block = table};
	if (!table->first) return;
	t.count = table->first->child_count;
	if (t.count && t.count <= COLUMNS_MAX) {
		measure(&t, o);
		if (fit(&t, room)) {
			for (const struct block *row = table->first; row; row = row->next) {
				write_row(out, &t, row, prefix, o);
				if (row->is_head) write_line(out, &t, prefix, o);
			}
			return;
		}
	}
	write_as_list(out, table, prefix, room, o);
}
