#include "book/book_reader.h"

#include "book/shell.h"

#include <stdint.h>
#include <string.h>

/* Chooses what is a step. Each section yields candidates in the shape that its own text has (numbered list, task list, commands with their prose, bullets,
 * prose, the heading itself); strong candidates are those that a person would call steps at once; weak ones are used only where a page has no strong one. */

enum strength { STRONG, WEAK, LAST_RESORT };

struct candidate {
	struct step_place place;
	enum strength strength;
	bool is_fence; /* made of prose and the commands behind it */
};

struct chooser {
	struct book_reader *r;
	struct candidate *items;
	size_t count, capacity;
	struct code_blocks code;
};

/* A stretch of blocks under one heading (or one paragraph in bold that serves as a heading). */
struct stretch {
	const struct section *section;
	const struct block *from, *to; /* to: first block behind it, or NULL */
	const char *heading;           /* "" where there is none */
	struct heading_meaning meaning;
	int line_end;
	bool is_title; /* what stands under the page's own title */
	bool is_part;  /* under a bold paragraph inside a section */
};

/* What a stretch holds. */
struct contents {
	size_t ordered_items, imperative_items, tasks, bullets, imperative_bullets, link_bullets, actions, shells, shown, paragraphs, tables, ordered_with_code;
	bool has_any;
};

static bool is_code(const struct block *b)
{
	return b->kind == BLOCK_FENCE || b->kind == BLOCK_CODE || inline_command(b) != NULL;
}

/* Has this paragraph nothing to say (TODO, a table of contents)? */
static bool is_empty(struct arena *a, const struct block *p)
{
	return words_is_placeholder(document_plain_dup(a, p));
}

static bool has_code_inside(const struct block *b)
{
	for (const struct block *c = b->first; c; c = c->next)
		if (is_code(c)) return true;
	return false;
}

/* An item that is only links is a reference, not a step. */
static bool is_only_links(const struct block *item)
{
	const struct block *p = item->first;
	if (!p || p->kind != BLOCK_PARAGRAPH || p->next) return false;
	bool has_link = false;
	for (const struct span *s = p->spans; s; s = s->next) {
		if (s->kind == SPAN_LINK)
			has_link = true;
		else if (s->kind == SPAN_TEXT) {
			for (size_t i = 0; i < s->text_len; i++)
				if (!strchr(" \t.,;:-", s->text[i])) return strncmp(s->text, "http", 4) == 0 && !p->spans->next;
		} else if (s->kind != SPAN_SOFT_BREAK && s->kind != SPAN_BREAK)
			return false;
	}
	return has_link;
}

static bool is_imperative_item(struct arena *a, const struct block *item)
{
	return item->first && item->first->kind == BLOCK_PARAGRAPH && words_is_imperative(document_plain_dup(a, item->first));
}

static void count_list(struct chooser *x, const struct block *list, struct contents *c)
{
	for (const struct block *item = list->first; item; item = item->next) {
		bool is_imperative = is_imperative_item(x->r->book->arena, item);
		if (item->is_task)
			c->tasks++;
		else if (list->is_ordered) {
			c->ordered_items++;
			c->imperative_items += is_imperative;
			c->ordered_with_code += has_code_inside(item);
		} else if (is_only_links(item)) {
			c->link_bullets++;
		} else {
			c->bullets++;
			c->imperative_bullets += is_imperative || has_code_inside(item);
		}
	}
}

static struct contents look(struct chooser *x, const struct stretch *s)
{
	struct contents c = {.tasks = 0};
	for (const struct block *b = s->from; b && b != s->to; b = b->next) {
		if (b->kind == BLOCK_LIST) {
			count_list(x, b, &c);
			c.ordered_with_code += b->is_ordered && b->next && b->next != s->to && is_code(b->next); /* a fence at the margin belongs to the item */
		} else if (is_code(b)) {
			enum fence_role role = fence_role_of(x->r->book->arena, b);
			if (role == FENCE_SHELL)
				c.shells++;
			else if (role == FENCE_SHOWN)
				c.shown++;
			else
				c.actions++;
		} else if (b->kind == BLOCK_PARAGRAPH) {
			if (is_empty(x->r->book->arena, b)) continue;
			c.paragraphs++;
		} else if (b->kind == BLOCK_TABLE) {
			c.tables++;
		} else if (b->kind == BLOCK_QUOTE) {
			c.paragraphs++;
		} else {
			continue;
		}
		c.has_any = true;
	}
	return c;
}

static struct candidate *add(struct chooser *x, const struct stretch *s, int line, const char *title, enum strength strength)
{
	x->items = arena_grow(x->r->book->arena, x->items, x->count, &x->capacity, sizeof *x->items);
	struct candidate *n = &x->items[x->count++];
	*n = (struct candidate){.strength = strength};
	n->place = (struct step_place){.line = line, .line_end = s->line_end, .title = title, .section = s->section, .phase = s->meaning.phase};
	return n;
}

static const char *heading_title(const struct stretch *s)
{
	return s->heading + s->meaning.number_len;
}

/* May the heading itself be the title of a step? "Diagnosis" says too little, the page's title says what the page is about. */
static bool has_telling_heading(const struct stretch *s)
{
	return *s->heading && (!s->meaning.is_bare || s->meaning.is_numbered) && !s->is_title;
}

/* Which lists of a stretch are steps. */
struct shape {
	bool ordered, bullets;
	enum strength strength;
};

static bool is_step_list(const struct block *b, const struct shape *shape)
{
	if (b->kind != BLOCK_LIST) return false;
	if (b->first && b->first->is_task) return true;
	return b->is_ordered ? shape->ordered : shape->bullets;
}

/* The line of the last list of steps. What stands before it belongs to the item before: a list that a fence at the margin has broken goes on. */
static int last_list_line(const struct stretch *s, const struct shape *shape)
{
	int line = 0;
	for (const struct block *b = s->from; b && b != s->to; b = b->next)
		if (is_step_list(b, shape)) line = b->line;
	return line;
}

/* Where a sequence of blocks is turned into candidates. */
struct sequence {
	struct chooser *x;
	const struct stretch *s;
	const struct shape *shape;

	size_t at_index;           /* the candidate that what follows belongs to, or SIZE_MAX; an index, since the array moves */
	const struct block *lead;  /* last paragraph since the last fence or list: the title of a fence that follows */
	const struct block *intro; /* first block since then */
	bool has_action;           /* the candidate has its Lua action already */
	bool was_in_list;
	int last_list_line;
};

static void begin(struct sequence *q, int line, const char *title, bool is_fence)
{
	struct chooser *x = q->x;
	if (q->at_index != SIZE_MAX) x->items[q->at_index].place.line_end = line - 1;
	struct candidate *n = add(x, q->s, line, title, q->shape->strength);
	n->is_fence = is_fence;
	q->at_index = x->count - 1;
	q->lead = q->intro = NULL;
	q->has_action = false;
	q->was_in_list = !is_fence;
}

static void take_list(struct sequence *q, const struct block *list)
{
	struct arena *a = q->x->r->book->arena;
	for (const struct block *item = list->first; item; item = item->next) {
		if (!item->first || (!item->is_task && is_only_links(item) && !list->is_ordered)) continue;
		const struct block *p = item->first;
		const char *title = p->kind == BLOCK_PARAGRAPH ? title_from(a, p, false) : "";
		begin(q, item->line, title, false);
		q->x->items[q->at_index].place.item = item;
		for (const struct block *c = p; c; c = c->next) q->has_action = q->has_action || (is_code(c) && fence_role_of(a, c) == FENCE_ACTION);
	}
}

static const char *command_title(struct arena *a, const struct block *b)
{
	const char *s = b->kind == BLOCK_PARAGRAPH ? document_plain_dup(a, b) : b->source;
	while (*s && (strchr(" \t\n$", *s) || *s == '#')) s += *s == '#' ? strcspn(s, "\n") : 1;
	size_t n = strcspn(s, "\n");
	if (n > 60) {
		n = 60;
		while (n > 20 && s[n] != ' ') n--;
		return arena_printf(a, "Run %.*s …", (int)n, s);
	}
	return arena_printf(a, "Run %.*s", (int)n, s);
}

/* A fence at the margin: detail of the step before it, or a step of its own with the paragraph before it as title. */
static void take_code(struct sequence *q, const struct block *b)
{
	struct arena *a = q->x->r->book->arena;
	enum fence_role role = fence_role_of(a, b);
	bool is_command = role == FENCE_SHELL || role == FENCE_ACTION;
	bool is_output = q->lead && words_is_about_output(document_plain_dup(a, q->lead));
	bool starts = is_command && (!q->lead || !is_output || role == FENCE_ACTION);
	if (q->at_index != SIZE_MAX) {
		if (role == FENCE_ACTION)
			starts = q->has_action || !q->was_in_list;
		else if (!q->lead)
			starts = false; /* right behind a step: its command */
		else if (q->was_in_list && b->line < q->last_list_line)
			starts = false;
	}
	if (starts) {
		const struct block *first = q->at_index == SIZE_MAX ? q->s->from : q->lead;
		const struct block *lead = q->lead;
		bool use_heading = !lead && has_telling_heading(q->s) && q->at_index == SIZE_MAX;
		const char *title = lead ? title_from(a, lead, true) : use_heading ? heading_title(q->s) : command_title(a, b);
		begin(q, first ? first->line : b->line, title, true);
	}
	if (role == FENCE_ACTION) q->has_action = true;
	q->lead = q->intro = NULL;
}

static void take_paragraph(struct sequence *q, const struct block *b)
{
	struct arena *a = q->x->r->book->arena;
	const char *plain = document_plain_dup(a, b);
	if (words_is_placeholder(plain)) return;
	if (q->at_index != SIZE_MAX && q->s->meaning.role == ROLE_ACTION && words_is_escalation(plain)) {
		begin(q, b->line, title_from(a, b, false), true);
		q->x->items[q->at_index].place.phase = PHASE_ESCALATION;
		return;
	}
	q->lead = b;
	if (!q->intro) q->intro = b;
}

static void take_sequence(struct chooser *x, const struct stretch *s, const struct shape *shape)
{
	struct sequence q = {.x = x, .s = s, .shape = shape, .at_index = SIZE_MAX, .last_list_line = last_list_line(s, shape)};
	for (const struct block *b = s->from; b && b != s->to; b = b->next) {
		if (is_step_list(b, shape))
			take_list(&q, b);
		else if (is_code(b))
			take_code(&q, b);
		else if (b->kind == BLOCK_PARAGRAPH)
			take_paragraph(&q, b);
	}
}

/* "If you cannot resolve the issue, ..." at the end of prose is what comes last: a step of its own. */
static void split_escalation(struct chooser *x, const struct stretch *s, enum strength strength)
{
	struct arena *a = x->r->book->arena;
	for (const struct block *b = s->from->next; b && b != s->to && s->meaning.role == ROLE_ACTION; b = b->next) {
		if (b->kind != BLOCK_PARAGRAPH || !words_is_escalation(document_plain_dup(a, b))) continue;
		x->items[x->count - 1].place.line_end = b->line - 1;
		add(x, s, b->line, title_from(a, b, false), strength)->place.phase = PHASE_ESCALATION;
		return;
	}
}

/* Is the prose of a stretch only an introduction to the sections below, or does it say what to do itself? */
static bool only_introduces(struct chooser *x, const struct stretch *s)
{
	if (!s->section->first || s->is_part) return false;
	for (const struct block *b = s->from; b && b != s->to; b = b->next)
		if (b->kind == BLOCK_PARAGRAPH && words_is_imperative(document_plain_dup(x->r->book->arena, b))) return false;
	return true;
}

/* The whole stretch as one step, under its heading where that says something, else under its first sentence. */
static void take_whole(struct chooser *x, const struct stretch *s, enum strength strength)
{
	struct arena *a = x->r->book->arena;
	const char *title = has_telling_heading(s) ? heading_title(s) : "";
	for (const struct block *b = s->from; b && b != s->to && !*title; b = b->next) {
		if (b->kind == BLOCK_PARAGRAPH)
			title = title_from(a, b, false);
		else if (b->kind == BLOCK_LIST && b->first && b->first->first && b->first->first->kind == BLOCK_PARAGRAPH)
			title = title_from(a, b->first->first, false);
		else if (is_code(b))
			title = command_title(a, b);
	}
	if (!*title) title = *s->heading ? heading_title(s) : x->r->book->title;
	must(s->from); /* an empty stretch is none */
	add(x, s, s->from->line, title, strength);
	split_escalation(x, s, strength);
}

/* One command under a heading that names the task: the heading is the better title, and all of the text belongs to it. */
static void merge_single(struct chooser *x, const struct stretch *s, size_t first)
{
	if (x->count != first + 1 || !x->items[first].is_fence || !has_telling_heading(s)) return;
	x->items[first].place.title = heading_title(s);
	x->items[first].place.line = s->from->line;
}

static bool take_lists(struct chooser *x, const struct stretch *s, const struct contents *c)
{
	bool is_action = s->meaning.role == ROLE_ACTION, is_numbered = s->meaning.is_numbered;
	size_t steps = c->ordered_items + c->tasks;
	bool says_so = is_action && !s->meaning.is_inherited;
	bool reads_as_steps = says_so || c->tasks || c->ordered_with_code || 2 * c->imperative_items >= c->ordered_items;
	struct shape shape = {.ordered = true, .strength = reads_as_steps ? STRONG : WEAK};
	if (steps == 0 || (is_numbered && steps < 2)) return false;
	if (is_action && !reads_as_steps) { /* a list of facts under a section of steps */
		take_whole(x, s, STRONG);
		return true;
	}
	if (shape.strength == WEAK && (c->shells || c->actions)) return false; /* a list of facts beside commands */
	shape.bullets = false;
	take_sequence(x, s, &shape);
	return true;
}

static bool take_bullets(struct chooser *x, const struct stretch *s, const struct contents *c)
{
	bool is_action = s->meaning.role == ROLE_ACTION;
	bool are_instructions = c->bullets >= 2 && 5 * c->imperative_bullets >= 3 * c->bullets;
	if (!c->bullets || s->meaning.is_numbered) return false;
	if (!are_instructions && (c->shells || c->actions)) return false;
	struct shape shape = {.bullets = true, .strength = is_action || are_instructions ? STRONG : WEAK};
	if (is_action && 3 * c->imperative_bullets < c->bullets && c->paragraphs)
		take_whole(x, s, STRONG); /* a list of facts and what to think of them */
	else
		take_sequence(x, s, &shape);
	return true;
}

/* Candidates of one stretch. */
static void take_stretch(struct chooser *x, const struct stretch *s)
{
	struct contents c = look(x, s);
	size_t first = x->count;
	if (!c.has_any) return;
	if (s->meaning.role != ROLE_ACTION && s->meaning.role != ROLE_NEUTRAL) {
		if (s->meaning.role == ROLE_NOT_STEPS) take_whole(x, s, LAST_RESORT);
		return;
	}
	bool is_action = s->meaning.role == ROLE_ACTION;
	if (take_lists(x, s, &c)) {
		/* done */
	} else if (s->meaning.is_numbered) {
		bool introduces = !c.shells && !c.actions && !c.shown && only_introduces(x, s);
		take_whole(x, s, introduces ? WEAK : STRONG);
	} else if (take_bullets(x, s, &c)) {
		/* done */
	} else if (c.shells || c.actions) {
		struct shape shape = {.strength = STRONG};
		take_sequence(x, s, &shape);
		merge_single(x, s, first);
		if (x->count == first) take_whole(x, s, is_action ? STRONG : WEAK);
	} else if (c.paragraphs || c.tables || c.shown || c.link_bullets) {
		bool is_only_references = !c.paragraphs && !c.tables && !c.shown;
		bool introduces = !c.shown && only_introduces(x, s);
		take_whole(x, s, is_action && !is_only_references && !introduces ? STRONG : WEAK);
	}
	if (x->r->is_native && !is_action)
		for (size_t i = first; i < x->count; i++) x->items[i].strength = WEAK;
}

/* A paragraph that is one bold text, perhaps with a colon, stands in many pages for a heading. */
static const char *bold_heading(struct arena *a, const struct block *b)
{
	if (b->kind != BLOCK_PARAGRAPH || !b->spans || b->spans->kind != SPAN_STRONG) return NULL;
	const struct span *rest = b->spans->next;
	if (rest && (rest->next || rest->kind != SPAN_TEXT || rest->text_len != 1 || rest->text[0] != ':')) return NULL;
	const char *text = document_plain_dup(a, b);
	size_t n = strlen(text);
	return n && n < 100 ? text : NULL;
}

/* Does a bold paragraph open a stretch of its own here? */
static bool splits(const struct stretch *s, const char *bold, struct heading_meaning *meaning)
{
	*meaning = words_of_heading(bold);
	if (meaning->is_numbered) return true;
	if (s->meaning.is_numbered) return false;
	return meaning->role == ROLE_NOT_STEPS || (meaning->role == ROLE_ACTION && !meaning->is_verb);
}

/* Cuts a section's body at its bold headings. */
static void take_body(struct chooser *x, struct stretch whole)
{
	struct arena *a = x->r->book->arena;
	struct stretch part = whole;
	for (const struct block *b = whole.from; b && b != whole.to; b = b->next) {
		struct heading_meaning meaning;
		const char *bold = bold_heading(a, b);
		if (!bold || !b->next || b->next == whole.to || !splits(&whole, bold, &meaning)) continue;
		part.to = b;
		part.line_end = b->line - 1;
		if (part.from != b) take_stretch(x, &part);
		if (meaning.role == ROLE_NEUTRAL || meaning.is_verb) {
			meaning.role = whole.meaning.role == ROLE_NOT_STEPS && !meaning.is_numbered ? ROLE_NOT_STEPS : ROLE_ACTION;
			meaning.phase = whole.meaning.phase;
		}
		part = whole;
		part.from = b->next;
		part.heading = bold;
		part.meaning = meaning;
		part.is_title = false;
		part.is_part = true;
	}
	take_stretch(x, &part);
}

/* What a section means, given what it stands under. */
static struct heading_meaning inherit(const struct book_reader *r, const struct section *s, const struct heading_meaning *above)
{
	struct heading_meaning m = r->meanings[s->index];
	bool is_named = m.role == ROLE_ACTION && !m.is_verb;
	if (above->role == ROLE_NOT_STEPS && !(is_named && m.is_bare)) m.role = ROLE_NOT_STEPS;
	if (above->role == ROLE_ACTION && (m.role == ROLE_NEUTRAL || m.is_verb)) {
		m.is_inherited = m.role == ROLE_NEUTRAL;
		m.role = ROLE_ACTION;
		m.phase = above->phase;
	}
	return m;
}

static void take_section(struct chooser *x, const struct section *s, const struct heading_meaning *above)
{
	bool is_title = s == x->r->title || s == x->r->d->sections;
	struct heading_meaning m = inherit(x->r, s, above);
	if (is_title || s == x->r->book->scope) m = (struct heading_meaning){.role = ROLE_NEUTRAL, .phase = PHASE_STEPS};
	if (m.role >= ROLE_INFO) return;
	if (s->body) {
		const struct block *to = s->body;
		while (to && to->kind != BLOCK_HEADING) to = to->next;
		int line_end = to ? to->line - 1 : (int)x->r->d->line_count;
		take_body(x, (struct stretch){
		                 .section = s, .from = s->body, .to = to, .heading = s->title, .meaning = m, .line_end = line_end, .is_title = is_title});
	}
	if (s != x->r->d->sections || s == x->r->book->scope)
		for (const struct section *c = s->first; c; c = c->next) take_section(x, c, &m);
}

static void collect_code(struct chooser *x, const struct block *parent)
{
	for (const struct block *b = parent->first; b; b = b->next) {
		if (is_code(b)) {
			x->code.items = arena_grow(x->r->book->arena, x->code.items, x->code.count, &x->code.capacity, sizeof *x->code.items);
			x->code.items[x->code.count++] = b;
		} else {
			collect_code(x, b);
		}
	}
}

void book_read_steps(struct book_reader *r)
{
	struct chooser x = {.r = r};
	struct heading_meaning none = {.role = ROLE_NEUTRAL, .phase = PHASE_STEPS};
	collect_code(&x, r->d->root);
	take_section(&x, r->book->scope, &none);
	enum strength best = LAST_RESORT;
	for (size_t i = 0; i < x.count; i++)
		if (x.items[i].strength < best) best = x.items[i].strength;
	for (size_t i = 0; i < x.count && r->book->step_count < BOOK_STEPS_MAX; i++)
		if (x.items[i].strength == best) step_build(r, &x.items[i].place, &x.code);
	steps_name(r);
}
