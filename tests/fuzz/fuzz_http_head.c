/* Heads of requests: read as generously as the library does, which cuts them in place, and then judged by head_check. What it lets through must be exact: lines
 * that end with CR LF and nowhere else, one space between parts, nothing folded, no NUL, one way to say how long the body is. */
#include "base/arena.h"
#include "http/head.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Cuts the line at *at; NULL where there is none. */
static char *cut_line(char **at, char *end)
{
	char *line = *at, *p = line;
	while (p < end && *p != '\r' && *p != '\n') p++;
	if (p == end) return NULL;
	bool is_pair = *p == '\r' && p + 1 < end && p[1] == '\n';
	*p++ = 0;
	if (is_pair) *p++ = 0;
	*at = p;
	return line;
}

static bool read_first_line(struct head *h, char *line)
{
	char *space = strchr(line, ' '), *last;
	h->method = line;
	if (!space) return false;
	*space++ = 0;
	while (*space == ' ') space++;
	last = strrchr(space, ' ');
	if (!last) return false;
	*last = 0;
	h->version = last + 1;
	h->target = strdup(space);
	return true;
}

static void add_field(struct head *h, char *line, char *colon)
{
	*colon = 0;
	char *value = colon + 1 + strspn(colon + 1, " \t");
	if (h->field_count == HTTP_HEADERS_MAX)
		h->is_over = true;
	else
		h->fields[h->field_count++] = (struct head_field){line, value, strlen(line), strlen(value)};
}

static void fold_into_last(struct head *h, const char *line, char **folded)
{
	struct head_field *f = &h->fields[h->field_count - 1];
	size_t n = strlen(line);
	*folded = realloc(NULL, f->value_n + n + 1);
	memcpy(*folded, f->value, f->value_n);
	memcpy(*folded + f->value_n, line, n + 1);
	f->value = *folded;
	f->value_n += n;
}

static bool read_head(struct head *h, char *bytes, size_t n, char **folded)
{
	char *at = bytes, *end = bytes + n, *line = cut_line(&at, end);
	if (!line || !read_first_line(h, line)) return false;
	while ((line = cut_line(&at, end)) && *line) {
		char *colon = strchr(line, ':');
		if ((*line == ' ' || *line == '\t') && h->field_count && !*folded)
			fold_into_last(h, line, folded);
		else if (colon)
			add_field(h, line, colon);
		else
			return false;
	}
	h->bytes = bytes;
	h->n = (size_t)(at - bytes);
	return line != NULL;
}

static void must_be_exact(const char *raw, size_t n, const struct head_body *body)
{
	size_t spaces = 0, lengths = 0, first = 0;
	must(n >= 4 && memcmp(raw + n - 4, "\r\n\r\n", 4) == 0 && !memchr(raw, 0, n));
	for (size_t i = 0; i < n; i++) {
		must(raw[i] != '\n' || (i > 0 && raw[i - 1] == '\r'));
		must(raw[i] != '\r' || (i + 1 < n && raw[i + 1] == '\n'));
		if (raw[i] == '\n' && !first) first = i;
		if (!first) spaces += raw[i] == ' ';
		if (raw[i] != '\n' || i + 1 == n) continue;
		must(raw[i + 1] != ' ' && raw[i + 1] != '\t');
		must(strncasecmp(raw + i + 1, "transfer-encoding:", 18) != 0);
		lengths += strncasecmp(raw + i + 1, "content-length:", 15) == 0;
		if (i + 4 < n) must(memmem(raw + i, n - i - 3, "\r\n\r\n", 4) == NULL); /* nothing behind the end */
	}
	must(spaces == 2 && lengths == (body->is_given ? 1U : 0U));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *bytes = mem_alloc(n + 1), *raw = mem_alloc(n + 1), *folded = NULL;
	struct head h = {.method = NULL};
	struct head_body body;
	struct error e;
	memcpy(bytes, data, n);
	memcpy(raw, data, n);
	bytes[n] = raw[n] = 0;
	if (!memchr(data, 0, n) && read_head(&h, bytes, n, &folded) && head_check(&h, &body, &e) == ERR_OK) must_be_exact(raw, h.n, &body);
	free(bytes);
	free(raw);
	free(folded);
	free((char *)h.target);
	return 0;
}
