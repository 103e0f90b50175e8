#ifndef RUNG_BOOK_BOOK_READER_H
#define RUNG_BOOK_BOOK_READER_H

#include "book/attributes.h"
#include "book/book.h"
#include "book/words.h"

/* How the parts of a book are read from its document, one file each. All write into r->book and its arena. */
struct book_reader {
	struct book *book;
	const struct document *d;
	const struct section *title;      /* the H1 that is the page's title, or NULL */
	bool is_native;                   /* the page has rung's own sections: only sections that name an action hold steps */
	struct heading_meaning *meanings; /* of each section, by its index */
	size_t meta_capacity, param_capacity, permission_capacity, step_capacity, note_capacity, alert_capacity, cause_capacity;
};

void book_read_meta(struct book_reader *r);
void book_read_params(struct book_reader *r);
void book_read_permissions(struct book_reader *r);
void book_read_alerts(struct book_reader *r);
void book_read_causes(struct book_reader *r);
void book_read_steps(struct book_reader *r);
void book_read_remedy(struct book_reader *r); /* after the steps */
void book_read_link_definitions(struct book_reader *r);
void book_read_inputs(struct book_reader *r); /* after the steps: placeholders of shell fences become parameters */

/* Remembers something odd for lint. */
void book_note_add(struct book_reader *r, const char *rule, int line, int column, const char *mend, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* Makes room for one more parameter and gives it. */
struct book_param *book_param_add(struct book_reader *r, const char *name, int line);

/* The section with that role that is nearest in reading order, or NULL. */
const struct section *book_section_with(const struct book_reader *r, enum section_role role);

/* First block of that kind in a section's own body, or NULL. */
const struct block *section_block(const struct section *s, enum block_kind kind);

/* Cell i of a row as plain text; "" where there is none. */
const char *row_text(struct arena *a, const struct block *row, size_t i);

/* The first span of code in a paragraph or cell, or NULL; its text. */
const struct span *cell_code(const struct block *p);
const char *span_dup(struct arena *a, const struct span *s);

/* One step from the lines it spans: its fences, attributes, risk (steps choose the lines, see steps.c). */
struct step_place {
	int line, line_end;
	const char *title;
	const struct block *item; /* a list item, or NULL */
	const struct section *section;
	enum book_phase phase;
};

/* The blocks of code in reading order: steps take theirs by line. */
struct code_blocks {
	const struct block **items;
	size_t count, capacity;
};

void step_build(struct book_reader *r, const struct step_place *place, const struct code_blocks *code);

/* Gives every step an id that no other has. */
void steps_name(struct book_reader *r);

/* A paragraph that is one code span with a command: its span, else NULL. Such paragraphs are shell fences of one line. */
const struct span *inline_command(const struct block *b);

/* Is this block of code a Lua action, shell, or only shown? */
enum fence_role fence_role_of(struct arena *a, const struct block *b);

/* A title of one line from a paragraph or heading: its first sentence, cut at a word. prefer_last: the last sentence where the paragraph ends in ':'. */
const char *title_from(struct arena *a, const struct block *b, bool prefer_last);

/* The attributes' table: fills the step; notes what cannot be read. line and column: where the text of attributes begins. */
void step_apply_attributes(struct book_reader *r, struct book_step *s, const struct attributes *t, int line, int column);

#endif
