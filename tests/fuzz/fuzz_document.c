#include "book/book_names.h"
#include "book/graph.h"
#include "book/lint.h"
#include "book/render.h"
#include "policy/book_children.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any bytes are a book or too big: every stage holds, and no byte of an author steers the terminal. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct book *b;
	struct graph *g;
	struct error e;
	if (book_parse("fuzz.md", NULL, (const char *)data, size, &b, &e) != ERR_OK) {
		must(e.kind == ERR_TOO_BIG);
		return 0;
	}
	if (graph_build(b, &g, &e) == ERR_OK) {
		json_decref(graph_json(g));
		graph_free(g);
	}
	struct lint_report *l = lint_book(b, 1795392000000000);
	book_children_lint(b, NULL, "fuzz.md", l);
	lint_free(l);
	for (size_t i = 0; i < b->cause_count; i++) {
		const char *name = book_cause_runbook(b->arena, b, &b->causes[i]);
		must(!name || *name);
	}
	json_decref(document_json(b->document));
	json_decref(book_json(b));
	struct render_options options = {.columns = 40, .unicode = true};
	struct buf out;
	buf_init(&out, 64 << 20);
	render_markdown(&out, b->document->text, &options);
	must(!out.data || !memchr(out.data, 0x1b, out.len));
	buf_clear(&out);
	book_free(b);
	return 0;
}
