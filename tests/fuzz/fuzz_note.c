#include "base/buf.h"
#include "journal/checkpoint.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Whatever is read as a note has its text at its beginning; a checkpoint without foreign lines is written again as the same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct note note;
	static const struct note_key key = {.name = "rb.example.net/journal/prod", .id = 0xd8c5fa3d, .algorithm = NOTE_ED25519};
	struct checkpoint c, again;
	struct buf text;
	if (note_parse((const char *)data, n, &note, NULL) != ERR_OK) return 0;
	must(note.text == (const char *)data && note.text_len < n && note.n > 0);
	note_verify(&note, &key, NULL, NULL);
	if (checkpoint_parse(note.text, note.text_len, &c, NULL) != ERR_OK) return 0;
	buf_init(&text, 1024);
	checkpoint_text(&c, &text);
	must(checkpoint_parse(text.data, text.len, &again, NULL) == ERR_OK && memcmp(&c, &again, sizeof c) == 0);
	buf_clear(&text);
	return 0;
}
