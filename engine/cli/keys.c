#include "cli/keys.h"
#include "base/text.h"
#include "cli/screen.h"
#include "cli/session.h"

#include <stdint.h>
#include <string.h>

const struct key_info key_table[] = {
    {KEY_ENTER, "Enter", ACTION_GO, WHEN_GO | WHEN_ANSWER | WHEN_RESOLVE | WHEN_TAKE_UP | WHEN_SHELL, "run", "does what is next: runs, answers, goes on"},
    {'d', "d", ACTION_DONE, WHEN_PERSON | WHEN_DECISION, "done", "you did it and it is done"},
    {'f', "f", ACTION_FAILED, WHEN_PERSON, "failed", "it did not work; you are asked what you saw"},
    {'s', "s", ACTION_SKIP, WHEN_PERSON | WHEN_GO | WHEN_DECISION | WHEN_APPROVAL, "skip", "leaves the step out; you are asked why"},
    {'a', "a", ACTION_AGAIN, WHEN_DECISION, "again", "tries the step once more"},
    {'y', "y", ACTION_ALLOW, WHEN_DENIED, "allow it", "allows what was denied, for this execution, and tries again"},
    {'x', "x", ACTION_STOP, WHEN_DECISION, "stop and keep", "ends the execution as it stands; everything done is kept"},
    {'r', "r", ACTION_RUN, WHEN_SHELL, "run next command", "runs the next command, as shown, as you, in your folder"},
    {'e', "e", ACTION_EDIT, WHEN_SHELL, "edit it", "changes the next command before it runs"},
    {'t', "t", ACTION_TERMINAL, WHEN_SHELL, "with the terminal", "runs it with your terminal (editors, passwords); recorded"},
    {'n', "n", ACTION_NOTE, WHEN_ALWAYS & ~(unsigned)WHEN_OVER, "note", "writes a note into the record"},
    {'o', "o", ACTION_OUTPUT, WHEN_PRINTED, "output", "all that the step, or the last one that ran, printed"},
    {'v', "v", ACTION_VIEW, WHEN_ALWAYS, "view", "the whole step: text, source of its action, rights, what it called"},
    {'b', "b", ACTION_BACK, WHEN_BEFORE, "back", "does the step before again, and what depends on it"},
    {'g', "g", ACTION_OVERVIEW, WHEN_ALWAYS, "all steps", "every step and its state"},
    {KEY_UP, "Up", ACTION_COMMAND_BEFORE, WHEN_SHELL_ANY, NULL, "chooses the command before as the next one (also <)"},
    {KEY_DOWN, "Down", ACTION_COMMAND_AFTER, WHEN_SHELL_ANY, NULL, "chooses the command after as the next one (also >)"},
    {'<', "<", ACTION_COMMAND_BEFORE, WHEN_SHELL_ANY, NULL, NULL},
    {'>', ">", ACTION_COMMAND_AFTER, WHEN_SHELL_ANY, NULL, NULL},
    {KEY_TAB, "Tab", ACTION_NEXT, WHEN_SEVERAL, "next waiting step", "goes to the next step that waits"},
    {'?', "?", ACTION_HELP, WHEN_ALWAYS, "all keys", "this list"},
    {'q', "q", ACTION_QUIT, WHEN_ALWAYS, "leave", "leaves; nothing is lost: `rung attach` comes back"},
    {KEY_INTERRUPT, "Ctrl-C", ACTION_INTERRUPT, WHEN_ALWAYS, NULL, "asks: pause, cancel, leave; goes to a command that runs"},
    {KEY_END_OF_INPUT, "Ctrl-D", ACTION_QUIT, WHEN_ALWAYS, NULL, "leaves, like q"},
    {0, NULL, ACTION_NONE, 0, NULL, NULL},
};

static const struct sequence {
	const char *bytes;
	int key;
} sequences[] = {
    {"\033[A", KEY_UP},    {"\033[B", KEY_DOWN}, {"\033[C", KEY_RIGHT},    {"\033[D", KEY_LEFT},       {"\033OA", KEY_UP},   {"\033OB", KEY_DOWN},
    {"\033OC", KEY_RIGHT}, {"\033OD", KEY_LEFT}, {"\033[5~", KEY_PAGE_UP}, {"\033[6~", KEY_PAGE_DOWN}, {"\033[H", KEY_HOME}, {"\033[F", KEY_END},
    {"\033[1~", KEY_HOME}, {"\033[4~", KEY_END}, {"\033[3~", KEY_DELETE},  {"\033OH", KEY_HOME},       {"\033OF", KEY_END},
};

/* Bytes of an escape sequence at the start, known or not; 0 where it is not whole. */
static size_t sequence_length(const char *bytes, size_t n)
{
	if (n < 2) return 0;
	if (bytes[1] == 'O') return n < 3 ? 0 : 3;
	if (bytes[1] != '[') return 1;
	for (size_t i = 2; i < n && i < 32; i++)
		if (bytes[i] >= 0x40 && bytes[i] <= 0x7e) return i + 1;
	return n >= 32 ? n : 0;
}

static int decode_escape(const char *bytes, size_t n, bool is_last, size_t *used)
{
	*used = sequence_length(bytes, n);
	if (*used == 0 && is_last) *used = n > 2 ? n : 1;
	if (*used == 0) return KEY_NONE;
	if (*used == 1) return KEY_ESCAPE;
	for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++)
		if (strlen(sequences[i].bytes) == *used && memcmp(sequences[i].bytes, bytes, *used) == 0) return sequences[i].key;
	return KEY_NONE;
}

int key_decode(const char *bytes, size_t n, bool is_last, size_t *used)
{
	uint32_t code;
	*used = 0;
	if (n == 0) return KEY_NONE;
	if (bytes[0] == '\033') return decode_escape(bytes, n, is_last, used);
	*used = text_decode(bytes, bytes + n, &code);
	if (!*used) {
		/* The rest of a code point may still be on its way. */
		if (!is_last && n < 4 && (unsigned char)bytes[0] >= 0xc2) return KEY_NONE;
		*used = 1;
		return KEY_NONE;
	}
	if (code == '\n') return KEY_ENTER;
	if (code == 8) return KEY_BACKSPACE;
	return (int)code;
}

static unsigned when_of_waiting(const char *waiting)
{
	static const struct {
		const char *waiting;
		unsigned when;
	} table[] = {{"person", WHEN_PERSON},     {"go", WHEN_GO},         {"answer", WHEN_ANSWER}, {"resolve", WHEN_RESOLVE},
	             {"decision", WHEN_DECISION}, {"retry", WHEN_RUNNING}, {"child", WHEN_RUNNING}, {"approval", WHEN_APPROVAL}};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (strcmp(waiting, table[i].waiting) == 0) return table[i].when;
	return 0;
}

static bool is_denied(const json_t *view, const char *step)
{
	json_t *patterns = view_denied(view, step);
	bool yes = json_array_size(patterns) > 0;
	json_decref(patterns);
	return yes;
}

/* Is a step before this one, in the book's order, over? */
static bool has_step_before(const json_t *view, const json_t *step)
{
	size_t i;
	json_t *other;
	json_array_foreach(json_arr(view, "steps"), i, other)
	{
		if (other == step) return false;
		if (!step_is_over(other)) continue;
		return true;
	}
	return false;
}

unsigned keys_when(const json_t *view, const json_t *step, size_t next_command, size_t waiting_count)
{
	if (view_is_over(view)) return WHEN_OVER;
	unsigned when = (waiting_count > 1 ? WHEN_SEVERAL : 0) | (view_last_called(view, step) ? WHEN_PRINTED : 0);
	if (json_bool(view, "interrupted", false) || json_bool(view, "paused", false)) return when | WHEN_TAKE_UP;
	if (!step) return when | WHEN_RUNNING;
	const char *waiting = json_str(step, "waiting", "");
	when |= when_of_waiting(waiting);
	if (!*waiting) when |= WHEN_RUNNING;
	if ((when & (WHEN_PERSON | WHEN_DECISION)) && next_command < step_commands(step)) when |= WHEN_SHELL;
	if ((when & (WHEN_PERSON | WHEN_DECISION)) && step_commands(step) > 0) when |= WHEN_SHELL_ANY;
	if ((when & WHEN_DECISION) && is_denied(view, json_str(step, "id", ""))) when |= WHEN_DENIED;
	if (!(when & WHEN_RUNNING) && has_step_before(view, step)) when |= WHEN_BEFORE;
	return when;
}

enum action keys_action(int key, unsigned when)
{
	for (const struct key_info *k = key_table; k->key; k++)
		if (k->key == key && (k->when & when || k->when == WHEN_ALWAYS)) return k->action;
	return ACTION_NONE;
}

const char *keys_word(const struct key_info *k, unsigned when)
{
	if (k->action == ACTION_DONE && when & WHEN_DECISION) return "mark done";
	if (k->action != ACTION_GO) return k->what;
	if (when & WHEN_TAKE_UP) return "go on";
	if (when & WHEN_ANSWER) return "answer";
	if (when & WHEN_RESOLVE) return "resolve";
	if (when & WHEN_GO) return "run it";
	return "run next command";
}
