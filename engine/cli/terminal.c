#include "cli/terminal.h"
#include "base/buf.h"
#include "base/fs.h"
#include "base/text.h"
#include "cli/print.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { PAST_LINES_MAX = 2000, DRAWING_BYTES_MAX = 16 << 20 };

/* What the handlers of signals need: they may run at any moment, and there is one terminal. */
static struct {
	struct termios cooked;
	volatile sig_atomic_t is_changed, is_full_screen;
	volatile sig_atomic_t resized, hangup, interrupt;
	int wake[2];
	struct sigaction old[32];
} shared = {.wake = {-1, -1}};

static const int handled[] = {SIGWINCH, SIGHUP, SIGTERM, SIGINT};
static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT};

/* Leaves the pager's screen, shows the cursor, ends colours; async-signal-safe. */
static void restore_now(void)
{
	static const char page[] = "\033[?1049l", plain[] = "\033[?25h\033[0m";
	if (!shared.is_changed) return;
	int saved = errno;
	ssize_t ignored = 0;
	if (shared.is_full_screen) ignored += write(STDOUT_FILENO, page, sizeof page - 1);
	ignored += write(STDOUT_FILENO, plain, sizeof plain - 1);
	(void)ignored;
	tcsetattr(STDIN_FILENO, TCSANOW, &shared.cooked);
	shared.is_changed = 0;
	errno = saved;
}

static void on_signal(int number)
{
	int saved = errno;
	if (number == SIGWINCH)
		shared.resized = 1;
	else if (number == SIGINT)
		shared.interrupt = 1;
	else
		shared.hangup = 1;
	ssize_t ignored = write(shared.wake[1], "", 1);
	(void)ignored;
	errno = saved;
}

static void on_deadly(int number)
{
	restore_now();
	signal(number, SIG_DFL);
	raise(number);
}

static void take_signals(void)
{
	size_t n = 0;
	for (size_t i = 0; i < sizeof handled / sizeof *handled; i++) sigaction(handled[i], &(struct sigaction){.sa_handler = on_signal}, &shared.old[n++]);
	for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) {
		sigaction(deadly[i], NULL, &shared.old[n]);
		/* A sanitizer's own handler says more than ours. */
		if (shared.old[n].sa_handler == SIG_DFL) sigaction(deadly[i], &(struct sigaction){.sa_handler = on_deadly}, NULL);
		n++;
	}
}

static void give_back_signals(void)
{
	size_t n = 0;
	for (size_t i = 0; i < sizeof handled / sizeof *handled; i++) sigaction(handled[i], &shared.old[n++], NULL);
	for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) sigaction(deadly[i], &shared.old[n++], NULL);
}

static void set_raw(bool fully)
{
	struct termios raw = shared.cooked;
	if (fully) {
		cfmakeraw(&raw);
	} else {
		/* Output is processed as before; keys come at once, Ctrl-C and Ctrl-Z too. */
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
		raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR);
		raw.c_cc[VMIN] = 1, raw.c_cc[VTIME] = 0;
	}
	shared.is_changed = 1;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

void terminal_enter(struct terminal *t)
{
	const char *term = getenv("TERM");
	struct style style = style_of(STDOUT_FILENO);
	*t = (struct terminal){.color = style.color, .unicode = style.unicode, .is_block_lost = true};
	t->is_dumb = !isatty(STDIN_FILENO) || !style.is_terminal || !term || !*term || strcmp(term, "dumb") == 0;
	t->columns = style.columns < 20 ? 20 : style.columns;
	t->rows = style.rows < 6 ? 6 : style.rows;
	if (pipe2(shared.wake, O_CLOEXEC | O_NONBLOCK) != 0) die("no pipe for signals");
	t->wake_fd = shared.wake[0];
	if (!t->is_dumb && tcgetattr(STDIN_FILENO, &shared.cooked) == 0) {
		set_raw(false);
		t->is_raw = true;
		atexit(restore_now);
	}
	take_signals();
}

void terminal_leave(struct terminal *t)
{
	if (t->is_raw) {
		if (t->block_rows) fs_write_all(STDOUT_FILENO, "\r\n", 2, NULL);
		restore_now();
	} else if (t->is_prompt_open) {
		fs_write_all(STDOUT_FILENO, "\n", 1, NULL);
	}
	give_back_signals();
	close(shared.wake[0]);
	close(shared.wake[1]);
	for (size_t i = 0; i < t->past_count; i++) free(t->past[i]);
	free(t->past);
	free(t->block);
	*t = (struct terminal){0};
}

unsigned terminal_signals(struct terminal *t)
{
	char drop[64];
	while (read(t->wake_fd, drop, sizeof drop) > 0) {
	}
	unsigned bits = (shared.resized ? SIGNAL_RESIZED : 0) | (shared.hangup ? SIGNAL_HANGUP : 0) | (shared.interrupt ? SIGNAL_INTERRUPT : 0);
	shared.resized = shared.hangup = shared.interrupt = 0;
	return bits;
}

bool terminal_resized(struct terminal *t)
{
	struct style style = style_of(STDOUT_FILENO);
	int columns = style.columns < 20 ? 20 : style.columns, rows = style.rows < 6 ? 6 : style.rows;
	bool differs = columns != t->columns || rows != t->rows;
	t->columns = columns, t->rows = rows;
	return differs;
}

static void remember(struct terminal *t, const struct lines *permanent)
{
	for (size_t i = 0; i < permanent->count; i++) {
		if (t->past_count == PAST_LINES_MAX) {
			free(t->past[0]);
			memmove(t->past, t->past + 1, --t->past_count * sizeof *t->past);
		}
		if (t->past_count == t->past_capacity) {
			t->past_capacity = t->past_capacity ? 2 * t->past_capacity : 64;
			t->past = mem_realloc(t->past, t->past_capacity * sizeof *t->past);
		}
		t->past[t->past_count++] = mem_strdup(permanent->line[i]);
	}
}

/* Text as this terminal can show it: without UTF-8 each other character is a question mark. */
static void add_text(const struct terminal *t, struct buf *b, const char *text)
{
	uint32_t code;
	if (t->unicode) {
		buf_str(b, text);
		return;
	}
	for (const char *end = text + strlen(text); text < end;) {
		size_t n = text_decode(text, end, &code);
		buf_char(b, n == 1 ? *text : '?');
		text += n ? n : 1;
	}
}

/* A line and the end of the terminal's line erased. Lines are shorter than the terminal is wide, so that nothing wraps. */
static void add_line(const struct terminal *t, struct buf *b, const char *text, bool is_last)
{
	add_text(t, b, text);
	buf_printf(b, "\033[K%s", is_last ? "" : "\r\n");
}

static void add_plain_line(const struct terminal *t, struct buf *b, const char *text, bool is_last)
{
	add_text(t, b, text);
	if (!is_last) buf_char(b, '\n');
}

static void add_block(struct terminal *t, struct buf *b, const struct lines *block, size_t cursor)
{
	for (size_t i = 0; i < block->count; i++) add_line(t, b, block->line[i], i + 1 == block->count);
	buf_printf(b, "\033[J\r");
	if (cursor > 0) buf_printf(b, "\033[%zuC", cursor);
	t->block_rows = block->count;
}

/* To the first column of the block's first line. */
static void add_to_top(const struct terminal *t, struct buf *b)
{
	buf_str(b, "\r");
	if (t->block_rows > 1) buf_printf(b, "\033[%zuA", t->block_rows - 1);
}

static char *text_of(const struct lines *block, size_t cursor)
{
	struct buf b;
	buf_init(&b, DRAWING_BYTES_MAX);
	for (size_t i = 0; i < block->count; i++) buf_printf(&b, "%s\n", block->line[i]);
	buf_printf(&b, "%zu", cursor);
	return buf_take(&b);
}

/* Lines only: the block follows what is there; none is left out as unchanged by the caller. */
static void print_plainly(struct terminal *t, const struct lines *permanent, const struct lines *block)
{
	struct buf b;
	buf_init(&b, DRAWING_BYTES_MAX);
	if (t->is_prompt_open && (permanent->count || block->count)) buf_str(&b, "\n");
	for (size_t i = 0; i < permanent->count; i++) add_plain_line(t, &b, permanent->line[i], false);
	for (size_t i = 0; i < block->count; i++) add_plain_line(t, &b, block->line[i], i + 1 == block->count);
	if (permanent->count || block->count) t->is_prompt_open = block->count > 0;
	fs_write_all(STDOUT_FILENO, b.data ? b.data : "", b.len, NULL);
	buf_clear(&b);
}

void terminal_draw(struct terminal *t, const struct lines *permanent, const struct lines *block, size_t cursor)
{
	if (!t->is_raw) {
		print_plainly(t, permanent, block);
		return;
	}
	char *text = text_of(block, cursor);
	if (permanent->count == 0 && t->block && !t->is_block_lost && strcmp(t->block, text) == 0) {
		free(text);
		return;
	}
	struct buf b;
	buf_init(&b, DRAWING_BYTES_MAX);
	buf_str(&b, "\033[?25l");
	if (!t->is_block_lost) add_to_top(t, &b);
	for (size_t i = 0; i < permanent->count; i++) add_line(t, &b, permanent->line[i], false);
	add_block(t, &b, block, cursor);
	buf_str(&b, "\033[?25h");
	fs_write_all(STDOUT_FILENO, b.data, b.len, NULL);
	buf_clear(&b);
	remember(t, permanent);
	free(t->block);
	t->block = text;
	t->is_block_lost = false;
}

void terminal_clear_block(struct terminal *t)
{
	if (t->is_raw && t->block_rows && !t->is_block_lost) {
		struct buf b;
		buf_init(&b, 256);
		add_to_top(t, &b);
		buf_str(&b, "\033[J");
		fs_write_all(STDOUT_FILENO, b.data, b.len, NULL);
		buf_clear(&b);
	}
	t->block_rows = 0;
	t->is_block_lost = true;
}

void terminal_redraw(struct terminal *t, const struct lines *block, size_t cursor)
{
	if (!t->is_raw) return;
	struct arena *a = arena_new();
	struct buf b;
	buf_init(&b, DRAWING_BYTES_MAX);
	buf_str(&b, "\033[?25l\033[H\033[2J");
	size_t room = (size_t)t->rows > block->count ? (size_t)t->rows - block->count : 0;
	for (size_t i = t->past_count > room ? t->past_count - room : 0; i < t->past_count; i++)
		add_line(t, &b, line_clip(a, t->past[i], (size_t)t->columns - 1, t->unicode), false);
	add_block(t, &b, block, cursor);
	buf_str(&b, "\033[?25h");
	fs_write_all(STDOUT_FILENO, b.data, b.len, NULL);
	buf_clear(&b);
	arena_free(a);
	free(t->block);
	t->block = text_of(block, cursor);
	t->is_block_lost = false;
}

void terminal_full_screen(struct terminal *t, bool on)
{
	if (!t->is_raw) return;
	const char *text = on ? "\033[?1049h\033[H\033[2J" : "\033[?1049l";
	shared.is_full_screen = on;
	fs_write_all(STDOUT_FILENO, text, strlen(text), NULL);
}

void terminal_write_page(struct terminal *t, const struct lines *page)
{
	struct buf b;
	buf_init(&b, DRAWING_BYTES_MAX);
	if (t->is_raw) buf_str(&b, "\033[?25l\033[H");
	for (size_t i = 0; i < page->count; i++) {
		if (t->is_raw)
			add_line(t, &b, page->line[i], i + 1 == page->count);
		else
			add_plain_line(t, &b, page->line[i], false);
	}
	if (t->is_raw) buf_str(&b, "\033[J\033[?25h");
	fs_write_all(STDOUT_FILENO, b.data ? b.data : "", b.len, NULL);
	buf_clear(&b);
}

void terminal_lend(struct terminal *t, bool raw)
{
	terminal_clear_block(t);
	if (raw)
		set_raw(true);
	else if (t->is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &shared.cooked);
}

void terminal_take_back(struct terminal *t, bool is_full_screen)
{
	/* Whatever the command left on: its own screen, mouse and focus reports, bracketed paste, keypad keys, insert mode, reverse video, lines that do not
	 * wrap, another character set, colours, a hidden cursor, a scrolling region. */
	static const char page[] = "\033[?1049l", calm[] = "\033[?9l\033[?1000l\033[?1002l\033[?1003l\033[?1004l\033[?1005l\033[?1006l\033[?1015l"
	                                                   "\033[?2004l\033[?1l\033>\033[4l\033[?5l\033[?6l\033[?7h\033(B\017\033[0m\033[?25h\0337\033[r\0338";
	if (!t->is_raw) return;
	/* Where it was not switched on, switching the other screen off moves the cursor: only a command that left it on gets that. */
	if (is_full_screen) fs_write_all(STDOUT_FILENO, page, sizeof page - 1, NULL);
	fs_write_all(STDOUT_FILENO, calm, sizeof calm - 1, NULL);
	set_raw(false);
	t->block_rows = 0;
	t->is_block_lost = true;
}
