#include "book/shell.h"

#include <ctype.h>
#include <string.h>

enum { HEREDOCS_MAX = 4, WORD_BYTES = 64 };

/* How far a command has been read. It is whole when nothing is open. */
struct open {
	char quote;           /* ' or " or 0 */
	int brackets, blocks; /* ( ) and $( ); if..fi, for..done, case..esac, { } */
	bool is_continued;    /* the line ended in \, |, && or || */
	bool at_command;      /* the next word is a command or a keyword */
	char heredocs[HEREDOCS_MAX][WORD_BYTES];
	bool is_dashed[HEREDOCS_MAX]; /* <<-: tabs before the end word do not count */
	size_t heredoc_count;
};

static bool is_open(const struct open *o)
{
	return o->quote || o->brackets > 0 || o->blocks > 0 || o->is_continued || o->heredoc_count;
}

static bool is_one_of(const char *s, size_t n, const char *const *words)
{
	for (; *words; words++)
		if (strlen(*words) == n && strncmp(s, *words, n) == 0) return true;
	return false;
}

/* A word at the place of a command: keywords open and close blocks. */
static void take_word(struct open *o, const char *s, size_t n)
{
	static const char *const opening[] = {"if", "for", "while", "until", "case", "select", "{", NULL}, *const closing[] = {"fi", "done", "esac", "}", NULL},
	                         *const before_command[] = {"then", "do", "else", "elif", "!", "if", "while", "until", "{", "time", NULL};
	if (is_one_of(s, n, opening)) o->blocks++;
	if (is_one_of(s, n, closing) && o->blocks > 0) o->blocks--;
	o->at_command = is_one_of(s, n, before_command);
}

/* Reads <<WORD, <<-WORD, <<'WORD'; s stands behind the two signs. Bytes taken. */
static size_t take_heredoc(struct open *o, const char *s, size_t n)
{
	size_t i = 0, len = 0;
	bool is_dashed = i < n && s[i] == '-';
	if (is_dashed) i++;
	while (i < n && s[i] == ' ') i++;
	char quote = i < n && (s[i] == '\'' || s[i] == '"') ? s[i++] : 0;
	char word[WORD_BYTES];
	while (i < n && len + 1 < WORD_BYTES && (isalnum((unsigned char)s[i]) || s[i] == '_' || s[i] == '-' || s[i] == '\\')) {
		if (s[i] != '\\') word[len++] = s[i];
		i++;
	}
	if (quote && i < n && s[i] == quote) i++;
	word[len] = 0;
	if (len && o->heredoc_count < HEREDOCS_MAX) {
		o->is_dashed[o->heredoc_count] = is_dashed;
		memcpy(o->heredocs[o->heredoc_count++], word, len + 1);
	}
	return i;
}

/* An operator outside quotes; bytes taken. */
static size_t take_operator(struct open *o, const char *s, size_t n)
{
	if (s[0] == '<' && n > 2 && s[1] == '<' && s[2] == '<') return 3;
	if (s[0] == '<' && n > 1 && s[1] == '<') return 2 + take_heredoc(o, s + 2, n - 2);
	if (s[0] == '(') o->brackets++;
	if (s[0] == ')' && o->brackets > 0) o->brackets--;
	if (strchr(";|&(", s[0])) o->at_command = true;
	if (s[0] == ')') o->at_command = true; /* name() { ... }, pattern) command */
	if (s[0] == '|' || (s[0] == '&' && n > 1 && s[1] == '&')) o->is_continued = true;
	return s[0] == '&' && n > 1 && s[1] == '&' ? 2 : 1;
}

static size_t skip_quoted(struct open *o, const char *s, size_t n)
{
	size_t i = 0;
	for (; i < n; i++) {
		if (s[i] == '\\' && o->quote == '"')
			i++;
		else if (s[i] == o->quote) {
			o->quote = 0;
			return i + 1;
		}
	}
	return n;
}

/* Reads one line of a command. */
static void take_line(struct open *o, const char *s, size_t n)
{
	if (o->heredoc_count) {
		size_t skip = 0;
		while (o->is_dashed[0] && skip < n && s[skip] == '\t') skip++;
		if (strlen(o->heredocs[0]) == n - skip && strncmp(s + skip, o->heredocs[0], n - skip) == 0) {
			o->heredoc_count--;
			memmove(o->heredocs[0], o->heredocs[1], sizeof o->heredocs - sizeof o->heredocs[0]);
			memmove(&o->is_dashed[0], &o->is_dashed[1], (HEREDOCS_MAX - 1) * sizeof o->is_dashed[0]);
		}
		return;
	}
	bool was_continued = o->is_continued;
	o->is_continued = false;
	if (!o->quote && !was_continued) o->at_command = true;
	for (size_t i = 0; i < n;) {
		char c = s[i];
		if (o->quote) {
			i += skip_quoted(o, s + i, n - i);
		} else if (c == '\\') {
			o->is_continued = i + 1 == n;
			i += 2;
		} else if (c == '\'' || c == '"') {
			o->quote = c;
			o->is_continued = o->at_command = false;
			i++;
		} else if (c == '#' && (i == 0 || isspace((unsigned char)s[i - 1]))) {
			return;
		} else if (isspace((unsigned char)c)) {
			i++;
		} else if (strchr(";|&()<>", c)) {
			o->is_continued = false;
			i += take_operator(o, s + i, n - i);
		} else {
			size_t start = i;
			while (i < n && !strchr(" \t;|&()<>'\"\\", s[i])) i++;
			o->is_continued = false;
			bool is_brace = i - start == 1 && s[start] == '{';
			if (o->at_command || is_brace) take_word(o, s + start, i - start);
		}
	}
}

/* "$ ", "user@host:~$ ", "[root@host ~]$ ": bytes of the prompt, or 0. */
static size_t prompt_of(const char *s, size_t n)
{
	if (n >= 2 && s[0] == '$' && s[1] == ' ') return 2;
	if (n == 1 && s[0] == '$') return 1;
	const char *at = memchr(s, '@', n < 64 ? n : 64);
	if (!at || memchr(s, ' ', (size_t)(at - s)) || (isspace((unsigned char)s[0]))) return 0;
	for (size_t i = (size_t)(at - s); i + 1 < n && i < 100; i++)
		if ((s[i] == '$' || s[i] == '#') && s[i + 1] == ' ') return i + 2;
	return 0;
}

/* The lines of a source, one at a time. */
struct lines {
	const char *s, *next;
	size_t n;
	int line;
};

static bool next_line(struct lines *l)
{
	if (!*l->next) return false;
	l->s = l->next;
	l->n = strcspn(l->s, "\n");
	l->next = l->s + l->n + (l->s[l->n] == '\n');
	l->line++;
	return true;
}

struct splitter {
	struct arena *arena;
	struct book_fence *fence;
	size_t capacity, line_capacity;
	struct buf command, expected;
	int start;
};

static void end_command(struct splitter *x)
{
	struct book_fence *f = x->fence;
	size_t n = x->command.len;
	while (n && isspace((unsigned char)x->command.data[n - 1])) n--;
	if (n) {
		f->commands = arena_grow(x->arena, f->commands, f->command_count, &x->capacity, sizeof *f->commands);
		f->command_lines = arena_grow(x->arena, f->command_lines, f->command_count, &x->line_capacity, sizeof *f->command_lines);
		f->command_lines[f->command_count] = x->start;
		f->commands[f->command_count++] = arena_strndup(x->arena, x->command.data, n);
	}
	buf_reset(&x->command);
}

static bool is_comment(const struct lines *l)
{
	size_t i = 0;
	while (i < l->n && isspace((unsigned char)l->s[i])) i++;
	return i == l->n || l->s[i] == '#';
}

static bool has_prompts(const char *source)
{
	struct lines l = {.next = source};
	while (next_line(&l))
		if (prompt_of(l.s, l.n)) return true;
	return false;
}

/* Does a line between commands without prompts look like something a command printed: `ls -l`, a table's head of capitals, a time stamp? */
static bool is_output(const struct lines *l)
{
	static const char *const words[] = {"total ", "drwx", "-rw", "lrwx", "Error:", "error:", "Warning:", "...", "{", "[", "}", "]"};
	size_t capitals = 0, digits = 0;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strncmp(l->s, words[i], strlen(words[i])) == 0 && !(words[i][0] == '[' && l->n > 1 && l->s[1] == '[')) return true;
	while (digits < l->n && (isdigit((unsigned char)l->s[digits]) || l->s[digits] == '-')) digits++;
	if (digits == 10 && l->s[4] == '-' && l->s[7] == '-') return true;
	while (capitals < l->n && (isupper((unsigned char)l->s[capitals]) || l->s[capitals] == '_' || l->s[capitals] == '-')) capitals++;
	return capitals >= 2 && capitals + 2 < l->n && l->s[capitals] == ' ' && l->s[capitals + 1] == ' ';
}

/* One line that belongs to a command; the command ends where nothing is open. */
static void add_line(struct splitter *x, struct open *o, const char *s, size_t n, int line)
{
	if (!x->command.len) {
		x->start = line;
		*o = (struct open){.quote = 0};
	} else {
		buf_char(&x->command, '\n');
	}
	buf_add(&x->command, s, n);
	take_line(o, s, n);
	if (!is_open(o)) end_command(x);
}

static void split_prompts(struct splitter *x, struct lines *l)
{
	struct open o = {.quote = 0};
	while (next_line(l)) {
		size_t prompt = prompt_of(l->s, l->n);
		if (prompt && x->command.len) end_command(x); /* a quote was left open: the next prompt is a new command all the same */
		if (prompt) {
			add_line(x, &o, l->s + prompt, l->n - prompt, l->line);
		} else if (x->command.len) {
			size_t skip = l->n >= 2 && l->s[0] == '>' && l->s[1] == ' ' ? 2 : 0; /* the shell's second prompt */
			add_line(x, &o, l->s + skip, l->n - skip, l->line);
		} else if (!is_comment(l)) {
			buf_add(&x->expected, l->s, l->n);
			buf_char(&x->expected, '\n');
		}
	}
}

/* Commands without prompts. From a line on that looks printed, all is expected output up to the next empty line. */
static void split_plain(struct splitter *x, struct lines *l)
{
	struct open o = {.quote = 0};
	bool in_output = false;
	while (next_line(l)) {
		if (l->n == 0) in_output = false;
		if (!x->command.len && x->fence->command_count && is_output(l)) in_output = true;
		if (in_output) {
			buf_add(&x->expected, l->s, l->n);
			buf_char(&x->expected, '\n');
		} else if (x->command.len || !is_comment(l)) {
			add_line(x, &o, l->s, l->n, l->line);
		}
	}
}

void shell_split(struct arena *a, struct book_fence *fence)
{
	struct splitter x = {.arena = a, .fence = fence};
	struct lines l = {.next = fence->source, .line = fence->line - 1};
	buf_init(&x.command, BOOK_BYTES_MAX * 4);
	buf_init(&x.expected, BOOK_BYTES_MAX * 4);
	if (has_prompts(fence->source)) {
		split_prompts(&x, &l);
	} else if (strncmp(fence->source, "#!", 2) == 0) {
		x.start = fence->line;
		buf_str(&x.command, fence->source);
	} else {
		split_plain(&x, &l);
	}
	end_command(&x);
	if (x.expected.len) fence->expected = arena_strndup(a, x.expected.data, x.expected.len - 1);
	buf_clear(&x.command);
	buf_clear(&x.expected);
}
