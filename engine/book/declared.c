#include "book/book_reader.h"

#include "book/shell.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* What a book declares besides metadata and parameters: permissions, the alerts it answers, the inputs of its commands. */

static bool is_kind(const char *text)
{
	static const char *const kinds[] = {"sh", "ssh", "http", "secret", "notify", "runbook"};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		size_t n = strlen(kinds[i]);
		if (strncmp(text, kinds[i], n) == 0 && (text[n] == ' ' || !text[n])) return true;
	}
	return false;
}

static void add_permission(struct book_reader *r, const char *pattern, bool is_read, int line)
{
	struct book *b = r->book;
	b->permissions = arena_grow(b->arena, b->permissions, b->permission_count, &r->permission_capacity, sizeof *b->permissions);
	b->permissions[b->permission_count++] = (struct book_permission){.pattern = pattern, .is_read = is_read, .line = line};
}

const struct span *cell_code(const struct block *p)
{
	for (const struct span *s = p->spans; s; s = s->next)
		if (s->kind == SPAN_CODE) return s;
	return NULL;
}

const char *span_dup(struct arena *a, const struct span *s)
{
	struct buf b;
	buf_init(&b, BOOK_BYTES_MAX);
	document_plain_spans(&b, s->first);
	const char *text = arena_strdup(a, b.data ? b.data : "");
	buf_clear(&b);
	return text;
}

/* `pattern`, read: `pattern`, and below "read:" a list of them. */
static void read_permission_item(struct book_reader *r, const struct block *item, bool is_read)
{
	struct arena *a = r->book->arena;
	const struct block *p = item->first;
	if (!p || p->kind != BLOCK_PARAGRAPH) return;
	const char *text = document_plain_dup(a, p);
	const struct span *code = cell_code(p);
	bool says_read = strncasecmp(text, "read:", 5) == 0 || strcasecmp(text, "read") == 0;
	if (says_read) {
		is_read = true;
		text += text[4] == ':' ? 5 : 4;
		while (isspace((unsigned char)*text)) text++;
	}
	if (code)
		add_permission(r, span_dup(a, code), is_read, item->line);
	else if (is_kind(text))
		add_permission(r, text, is_read, item->line);
	else if (*text && !says_read)
		book_note_add(r, "permission", item->line, 0, "write a pattern in backticks, as `sh systemctl restart nginx`",
		              "this line of Permissions holds no pattern: \"%.80s\"", text);
	for (const struct block *list = p->next; list; list = list->next)
		for (const struct block *c = list->kind == BLOCK_LIST ? list->first : NULL; c; c = c->next) read_permission_item(r, c, is_read);
}

void book_read_permissions(struct book_reader *r)
{
	const struct section *s = book_section_with(r, ROLE_PERMISSIONS);
	if (!s) return;
	size_t items = 0;
	bool is_read = false;
	for (const struct block *b = s->body; b && b->kind != BLOCK_HEADING; b = b->next) {
		if (b->kind == BLOCK_PARAGRAPH) is_read = strncasecmp(document_plain_dup(r->book->arena, b), "read", 4) == 0;
		if (b->kind != BLOCK_LIST) continue;
		for (const struct block *item = b->first; item; item = item->next, items++) read_permission_item(r, item, is_read);
	}
	/* A stranger's section of prose about permissions sets no bound: it would deny every call. */
	r->book->has_permissions = r->book->permission_count > 0 || items == 0;
	r->is_native = r->is_native || r->book->permission_count > 0;
}

static void read_alerts(struct book_reader *r, const struct section *s)
{
	struct book *b = r->book;
	for (const struct block *list = s->body; list && list->kind != BLOCK_HEADING; list = list->next) {
		for (const struct block *item = list->kind == BLOCK_LIST ? list->first : NULL; item; item = item->next) {
			if (!item->first || item->first->kind != BLOCK_PARAGRAPH) continue;
			const struct span *code = cell_code(item->first);
			const char *name = code ? span_dup(b->arena, code) : document_plain_dup(b->arena, item);
			if (!*name) continue;
			b->alerts = arena_grow(b->arena, b->alerts, b->alert_count, &r->alert_capacity, sizeof *b->alerts);
			b->alerts[b->alert_count++] = name;
		}
	}
}

void book_read_alerts(struct book_reader *r)
{
	const struct section *s = book_section_with(r, ROLE_ALERTS);
	if (s) read_alerts(r, s);
}

/* Inputs of the commands. */
struct inputs {
	struct book_reader *r;
	const struct book_fence *fence;
	json_t *assigned, *inputs;
	bool collects; /* first pass: names that the book assigns; second: names that it needs */
};

static int line_in(const struct book_fence *f, size_t offset)
{
	int line = f->line;
	for (size_t i = 0; i < offset; i++) line += f->source[i] == '\n';
	return line;
}

static void take_name(enum shell_name_kind kind, const char *name, size_t n, size_t offset, void *arg)
{
	struct inputs *in = arg;
	struct arena *a = in->r->book->arena;
	if (in->collects) {
		char key[128];
		if (kind != SHELL_ASSIGNED || n >= sizeof key) return;
		memcpy(key, name, n);
		key[n] = 0;
		json_object_set_new(in->assigned, key, json_true());
		return;
	}
	if (kind == SHELL_ASSIGNED || n >= 128) return;
	const char *input = kind == SHELL_PLACEHOLDER ? shell_input_name(a, name, n) : arena_strndup(a, name, n);
	bool is_assigned = json_object_get(in->assigned, input) != NULL;
	if (kind == SHELL_VARIABLE && (is_assigned || shell_is_environment(input))) return;
	if (is_assigned || shell_is_environment(input)) input = arena_printf(a, "%s_INPUT", input);
	if (json_object_get(in->inputs, input)) return;
	json_object_set_new(in->inputs, input, json_true());
	if (book_param_get(in->r->book, input)) return;
	struct book_param *p = book_param_add(in->r, input, line_in(in->fence, offset));
	p->is_input = p->is_required = true;
	if (kind == SHELL_PLACEHOLDER)
		p->description = arena_printf(a, "<%.*s> in the commands", (int)n, name);
	else
		p->description = arena_printf(a, "$%s in the commands", input);
}

static void each_command(struct inputs *in)
{
	const struct book *b = in->r->book;
	for (size_t i = 0; i < b->step_count; i++) {
		for (size_t k = 0; k < b->steps[i].fence_count; k++) {
			in->fence = &b->steps[i].fences[k];
			if (in->fence->role != FENCE_SHELL) continue;
			if (!in->fence->expected) {
				shell_each_name(in->fence->source, take_name, in);
				continue;
			}
			/* With prompts, the output between the commands names nothing. */
			for (size_t c = 0; c < in->fence->command_count; c++) shell_each_name(in->fence->commands[c], take_name, in);
		}
	}
}

void book_read_inputs(struct book_reader *r)
{
	struct inputs in = {.r = r, .assigned = json_object(), .inputs = json_object(), .collects = true};
	each_command(&in);
	in.collects = false;
	each_command(&in);
	json_decref(in.assigned);
	json_decref(in.inputs);
}

/* `[name]: address`, as far as one line tells. */
static bool is_definition(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n && i < 3 && s[i] == ' ') i++;
	if (i >= n || s[i] != '[' || (i + 1 < n && s[i + 1] == '^')) return false;
	const char *close = memchr(s + i, ']', n - i);
	return close && close > s + i + 1 && close + 2 < s + n && close[1] == ':' && (close[2] == ' ' || close[2] == '\t');
}

void book_read_link_definitions(struct book_reader *r)
{
	enum { DEFINITIONS_BYTES_MAX = 64 * 1024 };
	struct buf all;
	size_t n;
	buf_init(&all, DEFINITIONS_BYTES_MAX);
	for (int line = r->d->body_line; line <= (int)r->d->line_count; line++) {
		const char *s = document_line(r->d, line, &n);
		if (is_definition(s, n) && all.len + n + 1 < DEFINITIONS_BYTES_MAX) {
			buf_add(&all, s, n);
			buf_char(&all, '\n');
		}
	}
	r->book->link_definitions = arena_strdup(r->book->arena, all.data ? all.data : "");
	buf_clear(&all);
}

void book_step_text(struct buf *out, const struct book *b, const struct book_step *s)
{
	buf_str(out, s->markdown);
	buf_char(out, '\n');
	if (!*b->link_definitions || !strstr(s->markdown, "]")) return;
	/* An open fence at the step's end would swallow the definitions: a page whose fence is not closed shows them, which is harmless. */
	buf_char(out, '\n');
	buf_str(out, b->link_definitions);
}
