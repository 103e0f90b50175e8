#ifndef RUNG_ESCALATE_ONCALL_H
#define RUNG_ESCALATE_ONCALL_H

#include "base/arena.h"
#include "base/digest.h"
#include "base/error.h"
#include "flow/escalation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `.rung/oncall.yaml`: who is notified, how, in which order. Pure: the file's bytes become people, policies and ladders. README.md here has the format; which
 * channel is carried out how is no business of this. source: DESIGN.md 8 */

enum {
	ONCALL_PEOPLE_MAX = 1000,
	ONCALL_TEAMS_MAX = 200,
	ONCALL_POLICIES_MAX = 200,
	ONCALL_MAINTENANCE_MAX = 100,
	ONCALL_COMMAND_WORDS_MAX = 64,
	ONCALL_WHY_BYTES_MAX = 256,
	ONCALL_MAIL_BYTES_MAX = 254
};

enum oncall_channel_kind { CHANNEL_COMMAND, CHANNEL_WEBHOOK, CHANNEL_MAIL, CHANNEL_N };

enum oncall_tls { ONCALL_STARTTLS, ONCALL_IMPLICIT_TLS, ONCALL_NO_TLS };

/* Where mail leaves. All of it lives in the arena. */
struct oncall_mail {
	const char *server, *from;
	unsigned port;
	enum oncall_tls tls;
	const char *user, *secret; /* to log in with; both or none: NULL */
	const char *ca;            /* a file of certificates; NULL: those that HTTP trusts */
};

/* How long what waits may wait before somebody is notified of it. */
struct oncall_after {
	int64_t waiting_us;  /* a step waits for a person */
	int64_t approval_us; /* for others to agree */
};

struct oncall_channel {
	enum oncall_channel_kind kind;
	const char *address; /* of a webhook the URL, as url_parse gives it; of mail the address */
	const char **words;  /* of a command: its arguments; there is no shell */
	size_t word_count;
	const char *secret; /* of a webhook: the name of the secret that signs; NULL: it is not signed */
	int64_t timeout_us; /* 0: that of the retries */
	int line;
};

struct oncall_person {
	const char *name; /* as policy.yaml has it: user:NAME acknowledges */
	struct oncall_channel *channels;
	size_t count;
	int line;
};

struct oncall_team {
	const char *name;
	const struct oncall_person **people; /* each once */
	size_t count;
};

struct oncall_level {
	const struct oncall_person **people; /* each once */
	size_t count;
	int64_t wait_us;
};

/* What comes behind the last round. */
enum oncall_finally { FINALLY_DEFAULT, FINALLY_POLICY, FINALLY_NOBODY };

struct oncall_policy {
	const char *name;
	struct oncall_level *levels;
	size_t count;
	uint32_t repeats; /* of all levels, beside the first time */
	enum oncall_finally finally;
	const struct oncall_policy *behind; /* FINALLY_POLICY */
	int line;
};

/* Until it is over, nobody is notified of what nobody asked for. */
struct oncall_maintenance {
	int64_t from_us, to_us;
	const struct oncall_policy **policies; /* none: all */
	size_t count;
	const char *why; /* or NULL */
};

struct oncall {
	const char *file; /* for messages */
	char digest[DIGEST_HEX_BYTES];
	struct oncall_person *people;
	size_t person_count;
	struct oncall_team *teams;
	size_t team_count;
	struct oncall_policy *policies;
	size_t policy_count;
	const struct oncall_policy *otherwise; /* the workspace's default; NULL: there is none */
	struct escalation_retry retry;
	const struct oncall_mail *mail; /* NULL: none leaves */
	struct oncall_after after;
	int64_t link_us; /* how long the link of a notification acknowledges */
	struct oncall_maintenance *maintenance;
	size_t maintenance_count;
};

/* Reads the file's bytes; file is for messages. ERR_INVALID (ERR_TOO_BIG) with file, line, column and what was expected. */
enum err oncall_read(struct arena *a, const char *file, const char *bytes, size_t n, const struct oncall **out, struct error *e);

/* A workspace without the file: nobody is on call. */
struct oncall *oncall_none(struct arena *a);

/* Those with that name, or NULL. */
const struct oncall_person *oncall_person(const struct oncall *o, const char *name);
const struct oncall_policy *oncall_policy(const struct oncall *o, const char *name);

/* The ladder that begins with that policy: behind it what its `finally` says, none twice. NULL, or a name that the file does not have: the workspace's default;
 * without one, a ladder with nobody on it. Lives in the arena; names are the file's. The index of a person's channel is that of oncall_person()->channels. */
const struct escalation_ladder *oncall_ladder(struct arena *a, const struct oncall *o, const char *policy);

/* How long maintenance lasts from now on (the wall clock) for what is raised under that policy (NULL: none); 0: there is none. */
int64_t oncall_hold_us(const struct oncall *o, const char *policy, int64_t now_us);

/* "command", "webhook", "mail". */
const char *oncall_channel_word(enum oncall_channel_kind kind);

/* "starttls", "implicit", "none". */
const char *oncall_tls_word(enum oncall_tls tls);

/* The people of a name: of the person, or of the first level of the policy that has it. NULL: neither. Lives in the arena; *count of them. */
const struct oncall_person **oncall_people(struct arena *a, const struct oncall *o, const char *name, size_t *count);

#endif
