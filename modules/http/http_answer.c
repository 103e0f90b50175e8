#include "modules/http/http_answer.h"
#include "base/arena.h"
#include "base/json.h"
#include "modules/http/http.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void http_answer_clear(struct http_answer *a)
{
	json_decref(a->headers);
	*a = (struct http_answer){0};
}

/* "HTTP/1.1 204 No Content", "HTTP/2 204": an answer begins, and what an earlier one (100 Continue) had is of no use. */
static bool read_status(struct http_answer *a, const char *line, size_t n)
{
	if (n < 5 || strncmp(line, "HTTP/", 5) != 0) return false;
	size_t at = 5;
	while (at < n && line[at] != ' ') at++;
	while (at < n && line[at] == ' ') at++;
	int status = 0;
	for (size_t i = 0; i < 3; i++) status = at + i < n && isdigit((unsigned char)line[at + i]) ? status * 10 + line[at + i] - '0' : 0;
	json_decref(a->headers);
	a->headers = json_object();
	a->kept = 0;
	a->status = status;
	return true;
}

static void add(struct http_answer *a, const char *name, json_t *value)
{
	json_t *there = json_object_get(a->headers, name);
	if (!there) {
		json_object_set_new(a->headers, name, value);
		return;
	}
	if (!json_is_array(there)) {
		there = json_pack("[O]", there);
		json_object_set_new(a->headers, name, there);
	}
	json_array_append_new(there, value);
}

static void read_header(struct http_answer *a, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	if (!colon || colon == line) return; /* libcurl has refused what is no header */
	size_t name_len = (size_t)(colon - line), at = name_len + 1;
	char *name = mem_printf("%.*s", (int)name_len, line);
	for (char *c = name; *c; c++) *c = (char)tolower((unsigned char)*c);
	while (at < n && (line[at] == ' ' || line[at] == '\t')) at++;
	while (n > at && (line[n - 1] == ' ' || line[n - 1] == '\t')) n--;
	if (http_is_header_name(name)) add(a, name, json_bytes(line + at, n - at));
	free(name);
}

bool http_answer_line(struct http_answer *a, const char *line, size_t n)
{
	a->bytes += n;
	while (n && (line[n - 1] == '\n' || line[n - 1] == '\r')) n--;
	if (a->bytes > HTTP_HEAD_BYTES_MAX) return false;
	if (a->is_whole || read_status(a, line, n)) return true;
	if (n == 0) {
		a->is_whole = a->status >= 200 || a->status == 101;
		return true;
	}
	a->kept += n;
	if (a->kept > HTTP_ANSWER_HEADER_BYTES) return false;
	if (!a->headers) a->headers = json_object();
	read_header(a, line, n);
	return true;
}

const char *http_answer_fault(const struct http_answer *a)
{
	return a->bytes > HTTP_HEAD_BYTES_MAX ? "it sends more than 256 KiB before its answer" : "the headers of its answer are longer than 24 KiB";
}

const char *http_answer_header(const struct http_answer *a, const char *name)
{
	const json_t *v = json_object_get(a->headers, name);
	return json_string_value(json_is_array(v) ? json_array_get(v, 0) : v);
}
