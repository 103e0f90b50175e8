#include "book/book_reader.h"

#include "base/text.h"
#include "book/shell.h"
#include "book/source_lines.h"

#include <ctype.h>
#include <string.h>

/* One step from the lines it spans. */

enum { ID_BYTES_MAX = 60 };
static const int64_t TIMEOUT_DEFAULT_US = 5LL * 60 * 1000000;

const struct span *inline_command(const struct block *b)
{
	char start[200];
	if (b->kind != BLOCK_PARAGRAPH || !b->spans || b->spans->kind != SPAN_CODE || b->spans->next) return NULL;
	const struct span *text = b->spans->first;
	if (!text || text->kind != SPAN_TEXT || !memchr(text->text, ' ', text->text_len)) return NULL;
	size_t n = text->text_len < sizeof start ? text->text_len : sizeof start - 1;
	memcpy(start, text->text, n);
	start[n] = 0;
	return shell_looks_like_commands(start) ? b->spans : NULL;
}

enum fence_role fence_role_of(struct arena *a, const struct block *b)
{
	const char *language = b->kind == BLOCK_FENCE ? attributes_language(a, b->info) : "";
	if (strcmp(language, "lua") == 0) {
		struct attributes t;
		attributes_parse(a, b->info, strlen(b->info), &t);
		for (size_t i = 0; i < t.count; i++) {
			if (t.items[i].value) continue;
			if (strcmp(t.items[i].name, "verify") == 0) return FENCE_VERIFY;
			if (strcmp(t.items[i].name, "undo") == 0) return FENCE_UNDO;
			if (strcmp(t.items[i].name, "if") == 0) return FENCE_IF;
		}
		return FENCE_ACTION;
	}
	if (shell_is_language(language)) return FENCE_SHELL;
	if (b->kind == BLOCK_PARAGRAPH) return FENCE_SHELL;
	return !*language && shell_looks_like_commands(b->source) ? FENCE_SHELL : FENCE_SHOWN;
}

/* The column (from 1) at which an info string stands in its line. */
static int info_column(const struct document *d, const struct block *b)
{
	size_t n;
	const char *line = document_line(d, b->line, &n);
	const char *at = memmem(line, n, b->info, strlen(b->info));
	return at ? (int)(at - line) + 1 : 1;
}

static void read_fence_attributes(struct book_reader *r, struct book_step *s, struct book_fence *f, const struct block *b)
{
	struct attributes t;
	bool is_ours = f->role != FENCE_SHOWN && b->kind == BLOCK_FENCE;
	if (!is_ours) return;
	attributes_parse(r->book->arena, b->info, strlen(b->info), &t);
	f->is_run = f->role == FENCE_SHELL && attributes_get(&t, "run") != NULL;
	step_apply_attributes(r, s, &t, b->line, info_column(r->d, b));
}

static void add_fence(struct book_reader *r, struct book_step *s, size_t *capacity, const struct block *b)
{
	struct arena *a = r->book->arena;
	s->fences = arena_grow(a, s->fences, s->fence_count, capacity, sizeof *s->fences);
	struct book_fence *f = &s->fences[s->fence_count++];
	*f = (struct book_fence){
	    .role = fence_role_of(a, b), .source = b->source, .line_end = b->line_end, .line = b->kind == BLOCK_FENCE ? b->line + 1 : b->line};
	if (b->kind == BLOCK_PARAGRAPH) f->source = document_plain_dup(a, b);
	f->language = b->kind == BLOCK_FENCE ? attributes_language(a, b->info) : "";
	if (f->role == FENCE_SHELL) shell_split(a, f);
	read_fence_attributes(r, s, f, b);
}

/* Does a line stand in a fence of the step? What a fence shows is no attribute of the step. */
static bool is_in_fence(const struct book_step *s, int line)
{
	size_t low = 0, high = s->fence_count;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (s->fences[mid].line <= line)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && line <= s->fences[low - 1].line_end;
}

/* `<!-- step: id=x owner=dba -->` in the lines of the step. */
static void read_comments(struct book_reader *r, struct book_step *s)
{
	const struct document *d = r->d;
	size_t from = d->line_starts[s->line - 1], to = d->line_starts[s->line_end];
	static const char open[] = "<!-- step:";
	for (;;) {
		const char *at = memmem(d->text + from, to - from, open, sizeof open - 1);
		if (!at) return;
		const char *inside = at + sizeof open - 1, *end = memmem(inside, (size_t)(d->text + to - inside), "-->", 3);
		if (!end) return;
		int line = source_line_of(d, (size_t)(inside - d->text));
		from = (size_t)(end - d->text);
		if (is_in_fence(s, line)) continue;
		struct attributes t;
		attributes_parse_bare(r->book->arena, inside, (size_t)(end - inside), &t);
		step_apply_attributes(r, s, &t, line, (int)(inside - (d->text + d->line_starts[line - 1])) + 1);
	}
}

/* The item's text without its marker and box, what follows without the indentation that the marker asks for. */
static const char *item_markdown(struct book_reader *r, const struct block *item, int line_end)
{
	size_t n, start = 0;
	const char *line = document_line(r->d, item->line, &n);
	while (start < n && strchr(" \t>", line[start])) start++;
	while (start < n && !strchr(" \t", line[start])) start++;
	while (start < n && strchr(" \t", line[start])) start++;
	size_t indent = start;
	if (item->is_task && n - start >= 3 && line[start] == '[') start += 3;
	while (start < n && line[start] == ' ') start++;
	const char *rest = item->line < line_end ? document_lines_by(r->d, r->book->arena, item->line + 1, line_end, indent) : "";
	return arena_printf(r->book->arena, "%.*s\n%s", (int)(n - start), line + start, rest);
}

static void set_defaults(struct book_step *s)
{
	bool is_automatic = step_fence(s, FENCE_ACTION) != NULL;
	for (size_t i = 0; i < s->fence_count; i++) is_automatic = is_automatic || s->fences[i].is_run;
	s->is_manual = !is_automatic;
	if (is_automatic && !s->timeout_us) s->timeout_us = TIMEOUT_DEFAULT_US;
	bool reads = s->is_manual || s->phase == PHASE_DIAGNOSIS || s->phase == PHASE_VERIFICATION;
	if (!s->risk_given) s->risk = reads ? RISK_READ : RISK_CHANGE;
}

/* First code block that begins at or behind a line. */
static size_t first_code(const struct code_blocks *code, int line)
{
	size_t low = 0, high = code->count;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (code->items[mid]->line < line)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct book_step *add_step(struct book_reader *r, const struct step_place *place)
{
	struct book *b = r->book;
	b->steps = arena_grow(b->arena, b->steps, b->step_count, &r->step_capacity, sizeof *b->steps);
	struct book_step *s = &b->steps[b->step_count++];
	*s = (struct book_step){
	    .title = place->title, .line = place->line, .line_end = place->line_end, .phase = place->phase, .goto_max = 10, .backoff = 1, .item = place->item};
	s->section = place->section->heading ? place->section->title : NULL;
	return s;
}

/* Trailing empty lines are nobody's. */
static int last_text_line(const struct document *d, int from, int to)
{
	size_t n;
	for (; to > from; to--) {
		const char *s = document_line(d, to, &n);
		for (size_t i = 0; i < n; i++)
			if (!isspace((unsigned char)s[i])) return to;
	}
	return to;
}

void step_build(struct book_reader *r, const struct step_place *place, const struct code_blocks *code)
{
	struct step_place rest = *place;
	rest.line_end = last_text_line(r->d, place->line, place->line_end);
	size_t next = first_code(code, rest.line), part = 1;
	for (bool more = true; more; part++) {
		more = false;
		if (r->book->step_count == BOOK_STEPS_MAX) return;
		struct book_step *s = add_step(r, &rest);
		size_t capacity = 0;
		for (bool has_action = false; next < code->count && code->items[next]->line <= rest.line_end; next++) {
			const struct block *b = code->items[next];
			bool is_action = fence_role_of(r->book->arena, b) == FENCE_ACTION;
			if (is_action && has_action) {
				s->line_end = b->line - 1;
				rest.line = b->line;
				rest.item = NULL;
				rest.title = arena_printf(r->book->arena, "%s (%zu)", place->title, part + 1);
				book_note_add(r, "second-action", b->line, 0, "make it a numbered step of its own, with a sentence that says what it does",
				              "a step has one Lua fence; this second one is read as a step of its own");
				more = true;
				break;
			}
			has_action = has_action || is_action;
			add_fence(r, s, &capacity, b);
		}
		s->markdown = s->item ? item_markdown(r, s->item, s->line_end) : document_lines(r->d, r->book->arena, s->line, s->line_end);
		read_comments(r, s);
		set_defaults(s);
		if (!*s->title) s->title = arena_printf(r->book->arena, "Step %zu", r->book->step_count);
	}
}

static const char *slug_of(struct arena *a, const char *title, size_t index)
{
	struct buf b;
	buf_init(&b, 4 * BOOK_BYTES_MAX);
	text_slug(&b, title, strlen(title));
	size_t n = b.len, from = 0;
	while (from < n && b.data[from] == '-') from++;
	if (n - from > ID_BYTES_MAX) {
		n = from + ID_BYTES_MAX;
		while (n > from && ((unsigned char)b.data[n] & 0xc0) == 0x80) n--;
		size_t word = n;
		while (word > from + ID_BYTES_MAX / 2 && b.data[word] != '-') word--;
		if (word > from + ID_BYTES_MAX / 2) n = word;
	}
	while (n > from && b.data[n - 1] == '-') n--;
	const char *slug = n > from ? arena_strndup(a, b.data + from, n - from) : arena_printf(a, "step-%zu", index + 1);
	buf_clear(&b);
	return slug;
}

/* Claims an id; where it is taken, the next free of id-2, id-3, ... The table counts how often each was asked for. */
static const char *claim(struct arena *a, json_t *taken, const char *wish)
{
	const char *id = wish;
	json_int_t asked = json_integer_value(json_object_get(taken, wish));
	while (json_object_get(taken, id)) id = arena_printf(a, "%s-%lld", wish, (long long)++asked);
	json_object_set_new(taken, wish, json_integer(asked ? asked : 1));
	if (id != wish) json_object_set_new(taken, id, json_integer(1));
	return id;
}

void steps_name(struct book_reader *r)
{
	struct book *b = r->book;
	json_t *taken = json_object();
	for (size_t i = 0; i < b->step_count; i++) {
		struct book_step *s = &b->steps[i];
		if (!s->given_id) continue;
		s->id = claim(b->arena, taken, s->given_id);
		if (strcmp(s->id, s->given_id) != 0)
			book_note_add(r, "duplicate-id", s->line, 0, "give each step its own id",
			              "another step has the id \"%s\" already; this one is called \"%s\"", s->given_id, s->id);
	}
	for (size_t i = 0; i < b->step_count; i++) {
		struct book_step *s = &b->steps[i];
		if (!s->given_id) s->id = claim(b->arena, taken, slug_of(b->arena, s->title, i));
	}
	json_decref(taken);
}
