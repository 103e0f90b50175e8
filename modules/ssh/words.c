#include "modules/ssh/words.h"
#include "base/json.h"
#include "modules/ssh/parts.h"
#include "sandbox/receipt.h"

#include <string.h>

#define MARK "\036rung\036"

const char words_mark[] = MARK;
_Static_assert(sizeof MARK == WORDS_MARK_BYTES + 1, "its length");

/* fish takes no braces and no bare case, csh knows neither of both, and others have no PPID: they stop before anything runs. */
static const char probe[] = "case \"${PPID:+rung}\" in rung) printf '\\036rung\\036';";

void words_quote(struct buf *b, const char *word)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:,@%+";
	if (*word && strspn(word, plain) == strlen(word)) {
		buf_str(b, word);
		return;
	}
	buf_char(b, '\'');
	for (const char *quote; (quote = strchr(word, '\'')) != NULL; word = quote + 1) {
		buf_add(b, word, (size_t)(quote - word));
		buf_str(b, "'\\''");
	}
	buf_str(b, word);
	buf_char(b, '\'');
}

static void add_word(struct buf *b, const char *word)
{
	buf_char(b, ' ');
	words_quote(b, word);
}

/* The shell that keeps a receipt, in a folder of the user that logs in. */
static void add_receipt(struct buf *b, const json_t *receipt)
{
	buf_str(b, " sh -c");
	add_word(b, receipt_text);
	buf_printf(b, " rung-receipt %s \"$HOME\"/.local/state/rung/receipts", json_bool(receipt, "is_repeat", true) ? "again" : "first");
	add_word(b, json_str(receipt, "execution", ""));
	add_word(b, json_str(receipt, "name", ""));
}

enum err words_command(struct buf *b, const json_t *head, struct error *e)
{
	const json_t *argv = json_arr(head, "argv"), *v;
	const char *as = json_str(head, "as", NULL), *key = json_str(head, "key", NULL);
	size_t i, before = b->len;
	buf_str(b, probe);
	if (key && as) return error_set(e, ERR_INVALID, "a keyed call cannot be made as another user: sudo does not hand on the key");
	if (key) {
		buf_str(b, "RUNG_KEY=");
		words_quote(b, key);
		buf_str(b, ";export RUNG_KEY;");
	}
	buf_str(b, "exec");
	if (json_obj(head, "receipt")) add_receipt(b, json_obj(head, "receipt"));
	if (as) {
		buf_str(b, " sudo -n -u");
		add_word(b, as);
		buf_str(b, " --");
	}
	json_array_foreach(argv, i, v)
	{
		const char *word = json_string_value(v);
		if (!word || strlen(word) != json_string_length(v))
			return error_set(e, ERR_INVALID, "argument %zu of the command is no string without zero bytes", i);
		if (i == 0 && !as && (*word == '-' || !*word)) return error_set(e, ERR_INVALID, "\"%.60s\" is no command", word);
		add_word(b, word);
	}
	if (i == 0) return error_set(e, ERR_INVALID, "a command has at least one word");
	buf_str(b, ";; esac");
	if (!b->is_full && b->len - before <= SSH_COMMAND_BYTES_MAX) return ERR_OK;
	return error_set(e, ERR_TOO_BIG, "the command has more than the %d KiB that a login shell takes: pass long data as stdin", SSH_COMMAND_BYTES_MAX >> 10);
}
