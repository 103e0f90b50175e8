#ifndef RUNG_ALERT_NORMALISER_H
#define RUNG_ALERT_NORMALISER_H

#include "alert/alert.h"
#include "alert/alerts_file.h"

/* One normaliser a kind of source, one file each: a parsed body becomes alerts. A kind that is new is a row of the table in normaliser.c, its file, and its
 * word in alerts_file.h's enum. */

struct normaliser {
	const char *word; /* as kind: in alerts.yaml */
	/* Fills alerts, count, truncated and receiver of a delivery whose other fields are set. ERR_INVALID where the body is nothing that this kind delivers.
	 */
	enum err (*read)(struct arena *a, const struct alert_source *s, const json_t *body, struct alert_delivery *d, struct error *e);
};

/* The row of a kind; never NULL. */
const struct normaliser *normaliser_of(enum alert_source_kind kind);

/* Reads a delivery of the source; authenticate it first (authenticate.h). bytes as they came. Everything lives in the arena. ERR_TOO_BIG, or ERR_INVALID with
 * what was expected; a delivery is read as a whole or not at all. */
enum err alert_read(struct arena *a, const struct alert_source *s, const char *bytes, size_t n, struct alert_delivery *out, struct error *e);

extern const struct normaliser normaliser_alertmanager, normaliser_generic;

/* Room for the alerts of a list, or of the one that v is; what is over ALERTS_MAX counts as truncated. For normalisers. */
void normaliser_make_room(struct arena *a, const json_t *v, struct alert_delivery *d);

/* The ith of them. */
const json_t *normaliser_item(const json_t *v, size_t i);

#endif
