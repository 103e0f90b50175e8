#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/fs.h"
#include "base/text.h"
#include "book/document.h"
#include "book/graph.h"
#include "book/render.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

/* All that the tree says of lines agrees with the raw text; and the public runbooks, where they are at hand, give steps. */

static void check_fence(const struct document *d, const struct block *b)
{
	size_t n;
	const char *line = document_line(d, b->line, &n);
	if (!memmem(line, n, "```", 3) && !memmem(line, n, "~~~", 3)) fail_msg("line %d opens no fence: %.*s", b->line, (int)n, line);
}

static void check_lines(const struct document *d, const struct block *parent)
{
	int last = parent->line;
	for (const struct block *b = parent->first; b; b = b->next) {
		if (b->line < last || b->line < parent->line || b->line_end < b->line || b->line_end > parent->line_end)
			fail_msg("%s at %d..%d inside %s %d..%d", block_word(b->kind), b->line, b->line_end, block_word(parent->kind), parent->line,
			         parent->line_end);
		if (b->kind == BLOCK_FENCE) check_fence(d, b);
		last = b->line;
		if (parent->kind != BLOCK_TABLE && parent->kind != BLOCK_ROW) check_lines(d, b);
	}
}

static struct document *parse(struct arena *a, const char *text)
{
	struct document *d;
	struct error e;
	if (document_parse(a, text, strlen(text), &d, &e) != ERR_OK) fail_msg("%s", e.text);
	check_lines(d, d->root);
	return d;
}

/* "kind line-line_end ..." of the top blocks, one level of items below. */
static void shape(const char *text, const char *want)
{
	struct arena *a = arena_new();
	struct document *d = parse(a, text);
	struct buf got;
	buf_init(&got, 1 << 16);
	for (const struct block *b = d->root->first; b; b = b->next) {
		buf_printf(&got, "%s%s %d-%d", got.len ? ", " : "", block_word(b->kind), b->line, b->line_end);
		for (const struct block *c = b->kind == BLOCK_LIST || b->kind == BLOCK_QUOTE ? b->first : NULL; c; c = c->next)
			buf_printf(&got, " (%s %d-%d)", block_word(c->kind), c->line, c->line_end);
	}
	assert_string_equal(got.data ? got.data : "", want);
	buf_clear(&got);
	arena_free(a);
}

static void blocks_know_their_lines(void **state)
{
	(void)state;
	shape("# a\n\nb\nc\n", "heading 1-1, paragraph 3-4");
	shape("a\n===\n\nb\n---\n", "heading 1-2, heading 4-5");
	shape("```\n```\n\n```sh\nx\n```\n", "fence 1-2, fence 4-6");
	shape("```\n\n\nx\n", "fence 1-4");
	shape("~~~\n~~~\n~~~\n~~~\n", "fence 1-2, fence 3-4");
	shape("-\n-\n\n1.\n", "list 1-2 (item 1-1) (item 2-2), list 4-4 (item 4-4)");
	shape("- - a\n- b\n\n  c\n", "list 1-4 (item 1-1) (item 2-4)");
	shape("#\n\n***\n\n#\n", "heading 1-1, rule 3-3, heading 5-5");
	shape("> a\n> b\n\n> ```\n> x\n> ```\ny\n", "quote 1-2 (paragraph 1-2), quote 4-6 (fence 4-6), paragraph 7-7");
	shape("|a|\n|---|\n||\n|b|\n\nx", "table 1-4, paragraph 6-6");
	shape("a\n\n    code\n\n    more\n\nb\n", "paragraph 1-1, code 3-5, paragraph 7-7");
	shape("<div>\nx\n</div>\n\ny\n", "html 1-3, paragraph 5-5");
	shape("---\na: b\n---\n# c\n", "heading 4-4");
	shape("[a]: /x\n\n```\n```\n", "fence 3-4");
	shape("![](x)\n\n- ***\n", "paragraph 1-1, list 3-3 (item 3-3)");
	shape("1. a\n```\nb\n```\n2. c\n", "list 1-1 (item 1-1), fence 2-4, list 5-5 (item 5-5)");
}

static void info_strings_are_as_written(void **state)
{
	struct arena *a = arena_new();
	struct document *d = parse(a, "- ```lua {if=\"a &amp; \\\\b\"}  \n  ```\n");
	(void)state;
	assert_string_equal(d->root->first->first->first->info, "lua {if=\"a &amp; \\\\b\"}");
	arena_free(a);
}

static void front_matter_is_flattened(void **state)
{
	struct arena *a = arena_new();
	struct document *d = parse(a, "---\ntitle: 'a: b'\ntags: [x, y]\nn:\n  m:\n    k: 1\nlist:\n- p: q\n- r\n---\n\n# t\n");
	struct buf got;
	(void)state;
	buf_init(&got, 4096);
	for (size_t i = 0; i < d->front_matter_count; i++)
		buf_printf(&got, "%d %s=%s\n", d->front_matter[i].line, d->front_matter[i].key, d->front_matter[i].value);
	assert_string_equal(got.data, "2 title=a: b\n3 tags=x, y\n6 n.m.k=1\n8 list.p=q\n9 list=r\n");
	assert_int_equal(d->body_line, 11);
	buf_clear(&got);
	arena_free(a);
}

static void no_escape_of_an_author_reaches_the_terminal(void **state)
{
	static const char text[] = "# a\x1b[31mb\n\n- `\x1b]0;t\x07`\n\n```\n\x1b[2J\x9b\n```\n\n|\x1bx|\n|---|\n|\xe2\x80\xae|\n\n[x](\x1by) <b\x1b> &#27; "
	                           "![\x1b](z)\n\n<p>\x1b</p>\n";
	struct render_options plain = {.columns = 40}, color = {.columns = 40, .color = true, .unicode = true};
	struct buf out;
	(void)state;
	buf_init(&out, 1 << 20);
	render_markdown(&out, text, &plain);
	render_wrapped(&out, text, 4, &plain);
	assert_null(memchr(out.data, 0x1b, out.len));
	assert_null(memchr(out.data, 0x07, out.len));
	buf_reset(&out);
	render_markdown(&out, text, &color);
	for (size_t i = 0; i < out.len; i++) {
		if (out.data[i] != 0x1b) continue;
		assert_int_equal(out.data[i + 1], '[');
		size_t end = i + 2 + strspn(out.data + i + 2, "0123456789;");
		assert_int_equal(out.data[end], 'm');
		assert_int_equal(out.data[i + 2], '0'); /* ours begin with a reset */
	}
	buf_clear(&out);
}

static void nothing_rendered_is_wider_than_asked(void **state)
{
	static const char text[] =
	    "Words that go on and on until a line is full, 中文字符也要在适当的地方换行才好看，不然就会超出屏幕的宽度。\n\n1. item with a `code span` and "
	    "https://example.org/a/very/long/address/that/fits/nowhere\n"
	    "   - nested item that is long enough to be wrapped as well\n\n```\na line of code that is far too long for such a narrow terminal\n```\n\n"
	    "| Name | Description | Another |\n|---|---|---|\n| x | a cell with much more text than there is room | 中文 |\n\n> quoted text that is long "
	    "enough to wrap\n";
	static const int widths[] = {20, 40, 80, 200};
	(void)state;
	for (size_t w = 0; w < 4; w++) {
		struct render_options o = {.columns = widths[w], .unicode = true};
		struct buf out;
		buf_init(&out, 1 << 20);
		render_markdown(&out, text, &o);
		for (const char *line = out.data; *line;) {
			size_t n = strcspn(line, "\n");
			if (text_columns(line, n) > (size_t)widths[w]) fail_msg("%d columns: %.*s", widths[w], (int)n, line);
			line += n + (line[n] == '\n');
		}
		buf_clear(&out);
	}
}

static char *shared_folder(void)
{
	const char *shared = getenv("RUNG_SHARED");
	return mem_printf("%s/fixtures/runbooks", shared ? shared : "../shared");
}

/* Books there that are no procedures: an account of an incident and a team's charter. What is read from them is not steps to a person. */
static void public_runbooks_give_steps(void **state)
{
	char *folder = shared_folder();
	struct dirent **files;
	int n = scandir(folder, &files, NULL, alphasort), books = 0, with_steps = 0;
	(void)state;
	if (n < 0) {
		free(folder);
		skip();
	}
	for (int i = 0; i < n; i++) {
		if (strstr(files[i]->d_name, ".md")) {
			char *path = mem_printf("%s/%s", folder, files[i]->d_name);
			struct book *b;
			struct graph *g;
			struct error e;
			if (book_open(path, &b, &e) != ERR_OK) fail_msg("%s", e.text);
			if (graph_build(b, &g, &e) != ERR_OK) fail_msg("%s", e.text);
			check_lines(b->document, b->document->root);
			books++;
			with_steps += b->step_count > 0;
			for (size_t s = 0; s < b->step_count; s++) {
				assert_true(*b->steps[s].title && *b->steps[s].id);
				assert_true(text_columns(b->steps[s].title, strlen(b->steps[s].title)) <= 100);
				assert_true(s == 0 || b->steps[s].line > b->steps[s - 1].line);
			}
			graph_free(g);
			book_free(b);
			free(path);
		}
		free(files[i]);
	}
	free(files);
	free(folder);
	assert_int_equal(books, with_steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(blocks_know_their_lines),
	    cmocka_unit_test(info_strings_are_as_written),
	    cmocka_unit_test(front_matter_is_flattened),
	    cmocka_unit_test(no_escape_of_an_author_reaches_the_terminal),
	    cmocka_unit_test(nothing_rendered_is_wider_than_asked),
	    cmocka_unit_test(public_runbooks_give_steps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
