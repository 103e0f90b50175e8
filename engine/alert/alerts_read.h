#ifndef RUNG_ALERT_ALERTS_READ_H
#define RUNG_ALERT_ALERTS_READ_H

#include "alert/alerts_file.h"
#include "base/yaml.h"

/* What the files that read alerts.yaml share, nobody else's: each reads one part of it, and says what was expected, where. */

struct alerts_reader {
	struct arena *arena;
	struct alerts_file *f;
	struct error *e;
};

/* A name of a source, binding, window, account or escalation policy. */
enum err alerts_read_name(const struct alerts_reader *r, const struct yaml *v, const char *what, const char **out);

/* A text of at most ALERTS_TEXT_BYTES_MAX bytes; may be "" where it stands in quotes and may_be_empty. */
enum err alerts_read_text(const struct alerts_reader *r, const struct yaml *v, const char *what, bool may_be_empty, const char **out);

/* A map of at most `most` items, nothing counts as empty; how many there are. */
enum err alerts_read_count(const struct alerts_reader *r, const struct yaml *v, const char *what, size_t most, size_t *count);

enum err alerts_read_pattern(const struct alerts_reader *r, const struct yaml *v, const char *what, struct pattern **out);

enum err alerts_read_source(const struct alerts_reader *r, const struct yaml *key, const struct yaml *v, struct alert_source *out);
enum err alerts_read_fields(const struct alerts_reader *r, const struct yaml *v, struct alert_source *out);
enum err alerts_read_auth(const struct alerts_reader *r, const struct yaml *v, struct alert_auth *out);
enum err alerts_read_matchers(const struct alerts_reader *r, const struct yaml *v, struct alert_matcher **out, size_t *count);
enum err alerts_read_source_name(const struct alerts_reader *r, const struct yaml *v, const char **out);
enum err alerts_read_parameters(const struct alerts_reader *r, const struct yaml *v, struct alert_binding *out);

/* A binding, or the defaults (is_default): what it leaves out is as in r->f->defaults. */
enum err alerts_read_binding(const struct alerts_reader *r, const struct yaml *v, bool is_default, struct alert_binding *out);

#endif
