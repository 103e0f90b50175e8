#include "http/route.h"

#include <string.h>

/* What there is. A path that ends in a star has its last part from the request. */
const struct route routes[] = {
    {HTTP_GET, "/healthz", false, 0, route_health, NULL, NULL},
    {HTTP_GET, "/readyz", false, 0, route_ready, NULL, NULL},
    {HTTP_GET, "/metrics", true, 0, route_metrics, NULL, NULL},
    {HTTP_GET, "/v1", true, 0, route_index, NULL, NULL},
    {HTTP_GET, "/v1/executions", true, 0, route_look, "log", NULL},
    {HTTP_GET, "/v1/executions/*", true, 0, route_look, "attach", "execution"},
    {HTTP_GET, "/v1/executions/*/events", true, 0, route_events, NULL, NULL},
    {HTTP_GET, "/v1/executions/*/records", true, 0, route_look, "records", "execution"},
    {HTTP_GET, "/v1/executions/*/report", true, 0, route_look, "report", "execution"},
    {HTTP_GET, "/v1/incidents", true, 0, route_look, "incidents", NULL},
    {HTTP_GET, "/v1/incidents/*", true, 0, route_look, "incident.show", "incident"},
    {HTTP_GET, "/v1/incidents/*/report", true, 0, route_look, "incident.report", "incident"},
    {HTTP_GET, "/v1/alerts", true, 0, route_look, "alerts.list", NULL},
    {HTTP_POST, "/v1/alerts/*", false, HTTP_INTAKE_BODY_MAX, route_alerts, NULL, NULL},
    {HTTP_POST, "/v1/*", true, HTTP_OPERATION_BODY_MAX, route_operation, NULL, NULL},
    {HTTP_GET, "/a/*", false, 0, route_acknowledge, NULL, NULL},
    {HTTP_POST, "/a/*", false, HTTP_OPERATION_BODY_MAX, route_acknowledge, NULL, NULL},
    {HTTP_GET, NULL, false, 0, NULL, NULL, NULL},
};

static bool is_path(const struct target *t, const char *path)
{
	size_t part = 0;
	for (const char *at = path; *at; part++) {
		size_t n = strcspn(++at, "/"); /* behind the slash */
		if (part == t->part_count) return false;
		if (!(n == 1 && *at == '*') && (strlen(t->part[part]) != n || strncmp(t->part[part], at, n) != 0)) return false;
		at += n;
	}
	return part == t->part_count;
}

static bool is_method(enum http_method m, const char *name)
{
	if (m == HTTP_POST) return strcmp(name, "POST") == 0;
	return strcmp(name, "GET") == 0 || strcmp(name, "HEAD") == 0;
}

int route_find(const struct target *t, const char *method, const struct route **out, const char **allow)
{
	static const char *const allowed[] = {NULL, "GET, HEAD", "POST", "GET, HEAD, POST"};
	int methods = 0;
	*out = NULL;
	for (const struct route *r = routes; r->path && !*out; r++) {
		if (!is_path(t, r->path)) continue;
		methods |= 1 << (int)r->method;
		if (is_method(r->method, method)) *out = r;
	}
	if (*out) return 0;
	*allow = allowed[methods];
	return methods ? 405 : 404;
}
