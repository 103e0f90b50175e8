#include "policy/capability_parts.h"
#include "policy/url.h"

#include <string.h>

/* A request, taken apart and normalised as the patterns are. What cannot be read has a fault and matches nothing. */

static enum err request_ssh(struct arena *a, struct capability_request *r, const char *const *words, size_t count, struct error *e)
{
	bool has_as = count > 1 && strcmp(words[1], "as") == 0;
	size_t dashes = has_as ? 3 : 1;
	bool has_file = count == 3 && (strcmp(words[1], "put") == 0 || strcmp(words[1], "get") == 0);
	if (!has_file && (count < dashes + 2 || strcmp(words[dashes], "--") != 0)) return error_set(e, ERR_INVALID, "a host, -- and a command were expected");
	const char *at = strchr(words[0], '@'), *host = at ? at + 1 : words[0];
	enum host_kind kind;
	char *normal;
	if (at && !login_is_valid(words[0], (size_t)(at - words[0]))) return error_set(e, ERR_INVALID, "the login of \"%.100s\" is no user", words[0]);
	if (has_as && !login_is_valid(words[2], strlen(words[2]))) return error_set(e, ERR_INVALID, "\"%.100s\" is no user", words[2]);
	enum err err = host_normal(a, host, strlen(host), &normal, &kind, e);
	if (err) return err;
	if (at) r->parts[PART_LOGIN] = arena_strndup(a, words[0], (size_t)(at - words[0]));
	r->parts[PART_HOST] = normal;
	if (has_file) {
		r->parts[PART_METHOD] = words[1];
		r->parts[PART_BOOK] = words[2];
		return file_path_check(words[2], e);
	}
	r->parts[PART_AS] = has_as ? words[2] : NULL;
	r->words = words + dashes + 1;
	r->count = count - dashes - 1;
	return ERR_OK;
}

static enum err request_http(struct arena *a, struct capability_request *r, const char *const *words, size_t count, struct error *e)
{
	struct url u;
	if (count != 2) return error_set(e, ERR_INVALID, "a method and a URL were expected");
	enum err err = url_parse(a, words[1], &u, e);
	if (err) return err;
	r->parts[PART_METHOD] = words[0];
	r->parts[PART_SCHEME] = u.scheme;
	r->parts[PART_HOST] = u.host;
	r->parts[PART_PORT] = arena_printf(a, "%u", u.port);
	r->parts[PART_PATH] = u.path;
	r->parts[PART_QUERY] = u.query;
	return ERR_OK;
}

static enum err request_name(struct arena *a, struct capability_request *r, const char *const *words, size_t count, enum part part, struct error *e)
{
	if (count != 1 || !*words[0]) return error_set(e, ERR_INVALID, "one name was expected");
	for (const char *s = words[0]; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 127 || *s == '\\') return error_set(e, ERR_INVALID, "\"%.100s\" has a byte that no name has", words[0]);
	enum err err = part == PART_BOOK ? url_check_path(arena_printf(a, "/%s", words[0]), e) : ERR_OK;
	r->parts[part] = words[0];
	return err;
}

static enum err read_request(struct arena *a, struct capability_request *r, const char *const *words, size_t count, struct error *e)
{
	if (strcmp(r->kind, "ssh") == 0) return request_ssh(a, r, words, count, e);
	if (strcmp(r->kind, "http") == 0) return request_http(a, r, words, count, e);
	if (strcmp(r->kind, "runbook") == 0) return request_name(a, r, words, count, PART_BOOK, e);
	if (strcmp(r->kind, "sh") != 0) return request_name(a, r, words, count, PART_NAME, e);
	r->words = words;
	r->count = count;
	return count && *words[0] ? ERR_OK : error_set(e, ERR_INVALID, "the command is empty");
}

const struct capability_request *capability_request_make(struct arena *a, const char *kind, const char *const *words, size_t count)
{
	struct capability_request *r = arena_alloc(a, sizeof *r);
	struct error e = {0};
	*r = (struct capability_request){.kind = kind};
	if (read_request(a, r, words, count, &e)) r->fault = arena_strdup(a, e.text);
	return r;
}

const char *capability_request_fault(const struct capability_request *r)
{
	return r->fault;
}

bool capability_allows(const struct capability *c, const char *kind, const char *const *words, size_t count, const json_t *params)
{
	if (strcmp(c->kind, kind) != 0) return false;
	/* An argument list is matched as it is: nothing to normalise, nothing to allocate. */
	struct capability_request plain = {.kind = kind};
	if (strcmp(kind, "sh") == 0) return read_request(NULL, &plain, words, count, NULL) == ERR_OK && capability_allows_request(c, &plain, params);
	struct arena *a = arena_new();
	bool allows = capability_allows_request(c, capability_request_make(a, kind, words, count), params);
	arena_free(a);
	return allows;
}
