#ifndef RUNG_BOOK_DOCUMENT_H
#define RUNG_BOOK_DOCUMENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A Markdown file as a tree of blocks, each with its lines. Everything lives in the document's arena; strings are valid UTF-8 and
 * NUL-terminated. Lines count from 1 and are those of the file; line_end is the last line of the block itself. */

enum {
	DOCUMENT_BYTES_MAX = 1 << 20,
	DOCUMENT_DEPTH_MAX = 64,           /* lists and quotes inside one another */
	DOCUMENT_PARTS_MAX = 160000,       /* blocks and spans: keeps a document of 1 MiB within 64 MiB of memory */
	DOCUMENT_HEADINGS_MAX = 10000,     /* each is compared with the tables of words */
	DOCUMENT_TEXT_BYTES_MAX = 4 << 20, /* of text that had to be copied: a link target used a thousand times, entities */
};

enum block_kind {
	BLOCK_DOCUMENT,
	BLOCK_HEADING,
	BLOCK_PARAGRAPH,
	BLOCK_LIST,
	BLOCK_ITEM,
	BLOCK_QUOTE,
	BLOCK_FENCE,
	BLOCK_CODE, /* indented */
	BLOCK_TABLE,
	BLOCK_ROW,
	BLOCK_CELL,
	BLOCK_HTML,
	BLOCK_RULE,
	BLOCK_KIND_N
};

enum span_kind { SPAN_TEXT, SPAN_CODE, SPAN_STRONG, SPAN_EMPHASIS, SPAN_STRIKE, SPAN_LINK, SPAN_IMAGE, SPAN_HTML, SPAN_BREAK, SPAN_SOFT_BREAK, SPAN_KIND_N };

/* Inline content. TEXT and HTML have text; CODE, STRONG, EMPHASIS, STRIKE, LINK and IMAGE have children. */
struct span {
	enum span_kind kind;
	const char *text; /* not NUL-terminated: text_len bytes */
	size_t text_len;
	const char *target; /* of a link or image; target_len bytes */
	size_t target_len;
	struct span *first, *last, *next, *parent;
};

struct block {
	enum block_kind kind;
	int line, line_end;
	int level;          /* of a heading, 1..6 */
	bool is_ordered;    /* list */
	bool is_task;       /* item with a box */
	bool is_done;       /* ... that is ticked */
	bool is_head;       /* row of a table's head */
	unsigned start;     /* first number of an ordered list */
	const char *info;   /* of a fence: what follows the fence characters, as written; "" where there is nothing */
	const char *source; /* FENCE, CODE, HTML: the lines, without the indentation of the block; source_len bytes */
	size_t source_len;
	size_t first_offset, last_offset; /* bytes of the text where this block's content begins and ends; SIZE_MAX where it has none */
	struct span *spans, *last_span;   /* HEADING, PARAGRAPH, CELL */
	struct block *parent, *first, *last, *next;
	size_t child_count;
};

/* A heading and all that stands under it up to the next heading of the same or a higher rank. */
struct section {
	const struct block *heading; /* NULL: what stands before the first heading, and the whole document */
	int level;                   /* 0 for the document */
	const char *title;           /* plain text; "" for the document */
	const char *anchor;          /* GitHub's slug, made unique in the document as GitHub does (-1, -2, ...) */
	const struct block *body;    /* first block of its own body, or NULL; the body ends at the next heading */
	size_t index;                /* in reading order; 0 is the document */
	int line, line_end;          /* heading's first line (1 for the document) to the last line under it */
	struct section *parent, *first, *last, *next;
};

struct front_matter_entry {
	const char *key, *value; /* nested keys are joined with '.', lists of scalars with ", " */
	int line;
};

struct document {
	struct arena *arena; /* borrowed */
	const char *text;    /* the file as UTF-8: no mark at the start, '\n' for every line end, U+FFFD for NULs and what is not UTF-8 */
	size_t text_len;
	const size_t *line_starts; /* offset of each line; line_starts[line_count] is text_len */
	size_t line_count;
	int body_line; /* first line after the front matter */
	struct front_matter_entry *front_matter;
	size_t front_matter_count;
	const char *front_matter_error; /* why the front matter could not be read (lint says so), or NULL */
	int front_matter_error_line;
	struct block *root;
	struct section *sections; /* the tree's root */
	size_t section_count;
	size_t part_count;
};

/* Reads Markdown into a tree that lives in the arena. ERR_TOO_BIG where a limit above is passed, with a sentence; nothing else fails.
 * Takes time and memory linear in n. source: DESIGN.md 3, 10. */
enum err document_parse(struct arena *arena, const char *bytes, size_t n, struct document **out, struct error *e);

/* The same for a part of a page: `---` at its start is a rule and no front matter. */
enum err document_parse_body(struct arena *arena, const char *bytes, size_t n, struct document **out, struct error *e);

/* The tree as JSON (`rung show --stage document`). New reference. */
json_t *document_json(const struct document *d);

/* Appends the plain text of a block: markup gone, line breaks as spaces; of an item only its first paragraph. */
void document_plain(struct buf *out, const struct block *b);

/* The same, trimmed and in the arena; "" where there is none. */
const char *document_plain_dup(struct arena *a, const struct block *b);

/* Appends the plain text of spans. */
void document_plain_spans(struct buf *out, const struct span *first);

/* The raw lines from..to (both included), as one text with the indentation of the first line taken off each. */
const char *document_lines(const struct document *d, struct arena *a, int from, int to);

/* The same with `indent` columns taken off each line. */
const char *document_lines_by(const struct document *d, struct arena *a, int from, int to, size_t indent);

/* The bytes of one line, without its line end. line: 1..line_count. */
const char *document_line(const struct document *d, int line, size_t *len);

/* The section that an anchor names, or NULL: GitHub's slug, else the heading's text without regard to case. */
const struct section *document_section(const struct document *d, const char *anchor);

/* The next section in reading order under root, or NULL. */
const struct section *section_next(const struct section *root, const struct section *s);

const char *block_word(enum block_kind k);
const char *span_word(enum span_kind k);

#endif
