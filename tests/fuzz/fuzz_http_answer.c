#include "base/arena.h"
#include "base/json.h"
#include "modules/http/http.h"
#include "modules/http/http_answer.h"
#include "modules/http/http_body.h"
#include "modules/http/http_vault.h"
#include "sandbox/wire.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_BYTES_MAX = 1 << 20, VALUE_BYTES_MAX = 65536 };

/* Line by line, as libcurl gives them: what is kept fits into the frame that says it, whatever came. */
static void read_head(const char *text, size_t n)
{
	struct http_answer a = {0};
	const char *name;
	json_t *v;
	while (n) {
		const char *end = memchr(text, '\n', n);
		size_t len = end ? (size_t)(end - text) + 1 : n;
		if (!http_answer_line(&a, text, len)) {
			must(http_answer_fault(&a) != NULL);
			break;
		}
		text += len, n -= len;
	}
	must(a.status >= 0 && a.status <= 999);
	json_object_foreach(a.headers, name, v) must(http_is_header_name(name) && (json_array_size(v) > 1 || !json_is_array(v)));
	must(!a.headers || json_dumpb(a.headers, NULL, 0, JSON_COMPACT) <= WIRE_DATA_BYTES_MAX);
	http_answer_header(&a, "location");
	http_answer_clear(&a);
}

/* A piece at a time: each call moves on, and gives no more than there is room for. */
static void read_gzip(const char *in, size_t n)
{
	static char out[4096];
	struct http_body *b = http_body_new();
	size_t given = 1, total = 0;
	while ((n || given) && total < OUT_BYTES_MAX) {
		size_t before = n;
		if (!http_body_decode(b, &in, &n, out, sizeof out, &given)) break;
		must(n <= before && given <= sizeof out && (n < before || given || n == 0));
		total += given;
	}
	http_body_is_whole(b);
	http_body_free(b);
}

static void read_value(const char *text, size_t n)
{
	struct buf out;
	struct error e;
	buf_init(&out, VALUE_BYTES_MAX);
	must(vault_field(text, n, "password", &out, &e) == ERR_OK || *e.text);
	buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0) return 0;
	const char *text = (const char *)data + 1;
	switch (data[0] % 3) {
	case 0:
		read_head(text, size - 1);
		break;
	case 1:
		read_gzip(text, size - 1);
		break;
	default:
		read_value(text, size - 1);
	}
	return 0;
}
