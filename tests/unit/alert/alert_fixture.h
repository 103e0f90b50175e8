/* What the tests of alert/ share: an alerts.yaml and a delivery from texts, alerts as lines. */
#ifndef ALERT_FIXTURE_H
#define ALERT_FIXTURE_H

#include "alert/normaliser.h"
#include "base/clock.h"
#include "base/fs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;

static inline int open_arena(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static inline int close_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static inline const struct alerts_file *read_alerts(const char *text)
{
	const struct alerts_file *f;
	struct error e;
	if (alerts_file_read(arena, "alerts.yaml", text, strlen(text), &f, &e)) fail_msg("%s", e.text);
	return f;
}

static inline const char *read_text(const char *path, size_t *n)
{
	struct buf b;
	struct error e;
	buf_init(&b, 8 << 20);
	if (fs_read(path, &b, &e)) fail_msg("%s", e.text);
	const char *text = arena_strndup(arena, b.data ? b.data : "", b.len);
	if (n) *n = b.len;
	buf_clear(&b);
	return text;
}

static inline const struct alerts_file *fixture_sources(void)
{
	return read_alerts(read_text("tests/fixtures/alerts/sources.yaml", NULL));
}

/* In memory of just its size, so that reading beyond it is found. */
static inline enum err deliver(const struct alerts_file *f, const char *source, const char *bytes, size_t n, struct alert_delivery *d, struct error *e)
{
	char *exact = malloc(n ? n : 1);
	memcpy(exact, bytes, n);
	enum err err = alert_read(arena, alerts_source_find(f, source), exact, n, d, e);
	free(exact);
	return err;
}

static inline struct alert_delivery delivered(const struct alerts_file *f, const char *source, const char *text)
{
	struct alert_delivery d;
	struct error e;
	if (deliver(f, source, text, strlen(text), &d, &e)) fail_msg("%s", e.text);
	return d;
}

#endif
