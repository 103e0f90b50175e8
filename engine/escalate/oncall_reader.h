#ifndef RUNG_ESCALATE_ONCALL_READER_H
#define RUNG_ESCALATE_ONCALL_READER_H

#include "base/yaml.h"
#include "escalate/oncall.h"

/* What the files that read oncall.yaml share. */

struct reader {
	struct arena *arena;
	struct oncall *o;
	struct error *e;
	int64_t wait_us;
	uint32_t repeats;
	const struct yaml **ends; /* of each policy: its `finally`, or NULL */
};

/* From a second up to `most` ("5m"). */
enum err oncall_read_seconds(const struct reader *r, const struct yaml *v, const char *what, const char *most, int64_t *us);

/* One mail address, with no name around it: ana@example.net. */
enum err oncall_read_address(const struct reader *r, const struct yaml *v, const char **out);

/* The name of a secret of secrets.yaml. */
enum err oncall_read_secret(const struct reader *r, const struct yaml *v, const char **out);

/* Does that host lead to this one, as it is written? */
bool oncall_is_loopback(const char *host);

/* The sections `mail:` and `after:`. */
enum err oncall_read_mail(const struct reader *r, const struct yaml *v);
enum err oncall_read_after(const struct reader *r, const struct yaml *v);

#endif
