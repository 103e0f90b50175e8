#include "report/markdown_parts.h"
#include "base/clock.h"
#include "report/inert.h"

#include <string.h>

void markdown_member(struct buf *out, const json_t *o, const char *key, bool in_cell)
{
	struct buf bytes;
	buf_init(&bytes, 1 << 20);
	if (json_bytes_get(json_object_get(o, key), &bytes) && bytes.len) markdown_inert(out, bytes.data, bytes.len, in_cell);
	buf_clear(&bytes);
}

void markdown_cell(struct buf *out, const json_t *o, const char *key)
{
	markdown_member(out, o, key, true);
}

void markdown_field(struct buf *out, const char *name, const char *value)
{
	if (!value || !*value) return;
	buf_printf(out, "| %s | ", name);
	markdown_inert(out, value, strlen(value), true);
	buf_str(out, " |\n");
}

void markdown_time(struct buf *out, const char *name, json_int_t us)
{
	char when[CLOCK_RFC3339_BYTES];
	if (!us) return;
	clock_rfc3339(when, us);
	markdown_field(out, name, when);
}

void markdown_duration(struct buf *out, const char *name, json_int_t us)
{
	struct buf words;
	if (!us) return;
	buf_init(&words, 100);
	clock_duration_words(&words, us);
	markdown_field(out, name, words.data);
	buf_clear(&words);
}

void markdown_proof(struct buf *out, const char *checkpoint)
{
	char fence[64] = "```";
	while (strstr(checkpoint, fence) && strlen(fence) + 1 < sizeof fence) strcat(fence, "`");
	size_t n = strlen(checkpoint);
	buf_printf(out, "\n## Proof\n\nThe records above are leaves of the log under this checkpoint (`rung verify` checks all of it).\n\n%s\n%s%s%s\n", fence,
	           checkpoint, n && checkpoint[n - 1] == '\n' ? "" : "\n", fence);
}
