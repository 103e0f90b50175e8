#include "http/server.h"

#include <string.h>

static const struct {
	int status;
	const char *title;
} titles[] = {{400, "The request is not valid"},
              {401, "A token is needed"},
              {403, "The right is missing"},
              {404, "Nothing is there"},
              {405, "The method is not allowed"},
              {411, "The length is needed"},
              {413, "The body is too large"},
              {429, "Too many requests"},
              {431, "The headers are too large"},
              {501, "Not offered by this engine"},
              {503, "Not now"}};

static const char *title_of(int status)
{
	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
		if (titles[i].status == status) return titles[i].title;
	return "The request failed";
}

void reply_json(struct reply *r, int status, const json_t *v)
{
	r->status = status;
	if (!r->type) r->type = "application/json";
	must(json_inert(v, JSON_COMPACT, &r->body));
	buf_char(&r->body, '\n');
}

void reply_text(struct reply *r, int status, const char *type, struct buf *body)
{
	r->status = status;
	r->type = type;
	buf_clear(&r->body);
	r->body = *body;
	buf_init(body, 0);
}

static void problem(struct reply *r, int status, const char *kind, const char *title, const char *detail)
{
	char type[64];
	snprintf(type, sizeof type, "urn:rung:error:%s", kind);
	json_t *v = json_pack("{s:s,s:s,s:i,s:o}", "type", type, "title", title, "status", status, "detail", json_text(detail));
	r->type = "application/problem+json";
	reply_json(r, status, v);
	json_decref(v);
}

void reply_problem(struct reply *r, const struct error *e)
{
	const struct err_info *info = err_info(e->kind);
	problem(r, info->http_status, info->name, info->title, e->text);
}

void reply_status(struct reply *r, int status, const char *detail)
{
	char kind[16];
	snprintf(kind, sizeof kind, "http-%d", status);
	problem(r, status, kind, title_of(status), detail);
}
