#ifndef RUNG_ALERT_ALERTS_FILE_H
#define RUNG_ALERT_ALERTS_FILE_H

#include "alert/alert.h"
#include "alert/pattern.h"
#include "alert/pointer.h"

/* `.rung/alerts.yaml`: who may deliver alerts, which playbook they start, and what holds that back. Pure: bytes become one structure that never changes.
 * README.md beside this has the format. source: DESIGN.md 8 */

/* The longest that a guard rail looks back. */
#define ALERTS_WINDOW_MAX_US (30 * INT64_C(86400000000))

enum {
	ALERTS_SOURCES_MAX = 256,
	ALERTS_BINDINGS_MAX = 1024,
	ALERTS_WINDOWS_MAX = 1024,
	ALERTS_MATCHERS_MAX = 32,    /* of one binding */
	ALERTS_VALUES_MAX = 256,     /* of one matcher */
	ALERTS_PARAMETERS_MAX = 64,  /* of one binding */
	ALERTS_SECRETS_MAX = 4,      /* of one source: the old one beside the new while it is exchanged */
	ALERTS_POINTERS_MAX = 16,    /* of one field: the first that is there counts */
	ALERTS_MAP_MAX = 256,        /* words of one field's mapping */
	ALERTS_TEXT_BYTES_MAX = 1024 /* of a value that is matched or given: shorter than what an alert's label is cut to */
};

/* ---- sources ---- */

enum alert_source_kind { ALERT_SOURCE_ALERTMANAGER, ALERT_SOURCE_GENERIC, ALERT_SOURCE_KIND_N };

enum alert_field_id {
	ALERT_FIELD_ALERTS, /* where the list of alerts is; the other pointers start at an item of it */
	ALERT_FIELD_NAME,
	ALERT_FIELD_STATE,
	ALERT_FIELD_SEVERITY,
	ALERT_FIELD_FINGERPRINT,
	ALERT_FIELD_GROUP,
	ALERT_FIELD_LABELS,
	ALERT_FIELD_ANNOTATIONS,
	ALERT_FIELD_STARTS,
	ALERT_FIELD_ENDS,
	ALERT_FIELD_LINK,
	ALERT_FIELD_RUNBOOK,
	ALERT_FIELD_VALUE,
	ALERT_FIELD_N
};

/* Where one field of an alert comes from. */
struct alert_field {
	bool is_given;
	struct pointer *at; /* the first that is there counts; none: the usual places (generic.c) */
	size_t at_count;
	struct alert_word {
		const char *from, *to;
	} * map; /* the source's words in ours; others stay as they are */
	size_t map_count;
	const char *otherwise; /* default: where nothing is there; or NULL */
	struct alert_member {
		const char *name;
		struct pointer at;
	} * members; /* labels and annotations gathered one by one */
	size_t member_count;
};

enum alert_algorithm { ALERT_SHA256, ALERT_SHA1, ALERT_SHA512 };
enum alert_encoding { ALERT_HEX, ALERT_BASE64 };
enum alert_proof { ALERT_PROOF_BEARER, ALERT_PROOF_HMAC };

/* How a delivery proves that it is the source's (authenticate.h). */
struct alert_auth {
	enum alert_proof proof;
	const char *secrets[ALERTS_SECRETS_MAX]; /* names in secrets.yaml: bearer tokens or keys; any one counts */
	size_t secret_count;
	unsigned char token_hash[DIGEST_BYTES]; /* SHA-256 of the bearer token that alerts.yaml names by its hash */
	bool has_token_hash;
	/* hmac: */
	const char *header; /* that has the signature */
	enum alert_algorithm algorithm;
	enum alert_encoding encoding;
	const char *prefix;                         /* before the signature: "sha256="; "" */
	const char *timestamp_header;               /* NULL: the time is not signed */
	int64_t within_us;                          /* how far the signed time may be from now */
	const char *signed_before, *signed_between; /* signed are: before, timestamp, between, body; "" and "" without a timestamp */
};

struct alert_source {
	const char *name;
	int line;
	enum alert_source_kind kind;
	struct alert_auth auth;
	struct alert_field fields[ALERT_FIELD_N];
};

/* ---- bindings ---- */

enum alert_matcher_kind { ALERT_MATCH_ANY_OF, ALERT_MATCH_NONE_OF, ALERT_MATCH_REGEX, ALERT_MATCH_NOT_REGEX };

/* One condition on a label; a label that is not there is the empty text. */
struct alert_matcher {
	const char *label;
	enum alert_matcher_kind kind;
	const char **values; /* ANY_OF, NONE_OF; in the order of bytes */
	size_t value_count;
	struct pattern *pattern; /* REGEX, NOT_REGEX */
	int line;
};

enum alert_parameter_from { ALERT_FROM_LABEL, ALERT_FROM_ANNOTATION, ALERT_FROM_FIELD, ALERT_FROM_VALUE };

/* A parameter of the playbook: a text, typed and checked by the book when the plan is made (book_bind). */
struct alert_parameter {
	const char *name;
	enum alert_parameter_from from;
	const char *key;         /* of the label or annotation, the field's word; of FROM_VALUE the value */
	struct pattern *pattern; /* takes its first group out of the value; or NULL */
	const char *otherwise;   /* where the label is not there or the pattern does not match; NULL: the parameter is left out */
	int line;
};

struct alert_guards {
	int64_t cooldown_us;               /* after an execution for the same alert has ended */
	int64_t runs, runs_us;             /* at most that many starts in that time, for all alerts together; 0: no bound */
	int64_t max_running;               /* executions at once; 0: no bound */
	int64_t breaker_count, breaker_us; /* after that many failures in that time a person decides; 0: never */
};

struct alert_binding {
	const char *id;
	int line;
	const char *source; /* NULL: any */
	struct alert_matcher *matchers;
	size_t matcher_count;
	const char *playbook;   /* "playbooks/disk.md", "page.md#anchor" */
	const char *owner;      /* NULL: nobody is named */
	int priority;           /* 1 (most urgent) to 5; 0: not said */
	const char *escalation; /* a policy's name in oncall.yaml; NULL: the book's own */
	const char *as;         /* the service account, without "service:" */
	struct alert_parameter *parameters;
	size_t parameter_count;
	struct alert_guards guards;
	int64_t resolves_within_us; /* behind what was run for it; 0: as the book says */
	bool is_by_group;           /* alerts of one group key share an incident; else each alert has its own */
};

/* Starts are suppressed while now is in [from, to) and the alert matches. */
struct alert_window {
	const char *id, *why; /* why: or NULL */
	int line;
	int64_t from_us, to_us;
	const char *source; /* NULL: any */
	struct alert_matcher *matchers;
	size_t matcher_count; /* 0: every alert */
};

struct alerts_file {
	const char *file;
	char digest[DIGEST_HEX_BYTES];
	struct alert_source *sources;
	size_t source_count;
	struct alert_binding *bindings; /* as they stand in the file: the first that matches decides */
	size_t binding_count;
	struct alert_binding
	    defaults; /* what a binding leaves out, and what holds for alerts that lead to a book without one; as is NULL where none is named */
	struct alert_window *windows;
	size_t window_count;
};

/* Reads the file's bytes; file is for messages. ERR_INVALID with file, line, column and what was expected. */
enum err alerts_file_read(struct arena *a, const char *file, const char *bytes, size_t n, const struct alerts_file **out, struct error *e);

/* A workspace without the file: no sources, no bindings, no account. */
const struct alerts_file *alerts_file_none(struct arena *a);

/* The source with that name, or NULL. */
const struct alert_source *alerts_source_find(const struct alerts_file *f, const char *name);

/* What a field's mapping makes of a source's word; its default for NULL and "", "" where there is none. */
const char *alert_mapped(const struct alert_field *f, const char *word);

/* The word of a field in alerts.yaml, NULL past the last. */
const char *alert_field_word(size_t id);

#endif
