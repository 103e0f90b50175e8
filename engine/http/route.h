#ifndef RUNG_HTTP_ROUTE_H
#define RUNG_HTTP_ROUTE_H

#include "http/server.h"

/* The route of a path and a method (HEAD is GET without the answer's body): 0 with *out; or 404, or 405 with the methods that the path has in *allow. Pure. */
int route_find(const struct target *t, const char *method, const struct route **out, const char **allow);

/* The routes' functions: each ends with exchange_done, now or later. Loop. */
void route_health(struct exchange *x);
void route_ready(struct exchange *x);
void route_metrics(struct exchange *x);
void route_index(struct exchange *x);
void route_operation(struct exchange *x);
void route_look(struct exchange *x);
void route_events(struct exchange *x);
void route_alerts(struct exchange *x);
void route_acknowledge(struct exchange *x);

/* Answers what waits for other parts of the engine, since the engine ends. Loop. */
void others_end_all(struct http *h);

#endif
