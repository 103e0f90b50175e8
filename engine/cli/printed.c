#include "cli/printed.h"
#include "base/text.h"
#include "cli/tail.h"
#include "service/call.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES_MAX = 4096 };

const char *printed_call_name(struct arena *a, const json_t *call)
{
	static const char *const words[] = {
	    [CALLS_OF_ACTION] = "call", [CALLS_OF_CONDITION] = "condition", [CALLS_OF_TERMINAL] = "command", [CALLS_OF_PROOF] = "proof"};
	json_int_t number = json_int(call, "call", 0);
	if (number < 1 || number > UINT32_MAX) return "call";
	enum call_range range = call_range_of((uint32_t)number);
	return arena_printf(a, "%s %lld.%lld", words[range], (long long)json_int(call, "attempt", 0), (long long)(number - call_range_base(range)));
}

bool printed_is_first(const json_t *call)
{
	json_int_t number = json_int(call, "call", 0);
	return number >= 1 && number <= UINT32_MAX && (uint32_t)number == call_range_base(call_range_of((uint32_t)number)) + 1;
}

enum err printed_read(struct client *c, const char *execution, const char *step, const json_t *call, const char *stream, struct buf *out, struct error *e)
{
	json_int_t from = 0, total = 1;
	enum err err = ERR_OK;
	while (!err && from < total) {
		struct answer a = {0};
		err = client_request(c, "output",
		                     json_pack("{s:s,s:s,s:I,s:I,s:s,s:I}", "execution", execution, "step", step, "attempt", json_int(call, "attempt", 1),
		                               "call", json_int(call, "call", 0), "stream", stream, "from", from),
		                     &a, e);
		if (!err) total = json_int(a.value, "total", 0);
		if (!a.payload_len || !buf_add(out, a.payload, a.payload_len)) total = 0;
		from += (json_int_t)a.payload_len;
		answer_clear(&a);
	}
	return err;
}

void printed_lines(const struct buf *b, void (*line)(void *arg, const char *text), void *arg)
{
	const char *p = b->data, *end = p + b->len;
	while (p < end) {
		const char *feed = memchr(p, '\n', (size_t)(end - p));
		size_t n = feed ? (size_t)(feed - p) : (size_t)(end - p), shown = n;
		if (shown && p[shown - 1] == '\r') shown--;
		size_t kept = text_cut(p, shown, LINE_BYTES_MAX);
		char *safe = tail_visible(p, kept), *cut = kept < shown ? mem_printf("%s <%zu bytes more>", safe, shown - kept) : NULL;
		line(arg, cut ? cut : safe);
		free(cut);
		free(safe);
		p += n + 1;
	}
}
