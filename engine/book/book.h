#ifndef RUNG_BOOK_BOOK_H
#define RUNG_BOOK_BOOK_H

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "book/document.h"

#include <stdbool.h>
#include <stdint.h>

/* A book: what the document says to rung. Strings are NUL-terminated, live in the arena, and are NULL where the author gave none.
 * Lines count from 1 and are those of the file. */

enum { BOOK_BYTES_MAX = 1 << 20, BOOK_STEPS_MAX = 10000 };

enum book_kind { BOOK_RUNBOOK, BOOK_PLAYBOOK };

struct book_meta {
	const char *key; /* snake_case: runbook_id, description, tools_used, special_permissions, author, last_updated, escalation_poc, stakeholders, ... */
	const char *value;
	int line;
};

enum param_type { PARAM_STRING, PARAM_INT, PARAM_NUMBER, PARAM_BOOL, PARAM_ENUM, PARAM_LIST, PARAM_MAP, PARAM_HOST, PARAM_HOSTS, PARAM_DURATION, PARAM_SECRET };

struct book_param {
	const char *name;
	enum param_type type;
	const char *pattern;  /* PARAM_STRING: matched against the whole value (PCRE2) */
	const char **choices; /* PARAM_ENUM */
	size_t choice_count;
	bool has_min, has_max;
	double min, max;  /* PARAM_INT, PARAM_NUMBER */
	bool is_required; /* no default */
	const char *default_text;
	const char *description;
	bool is_input; /* found as a placeholder in a shell fence rather than declared: passed as an environment variable of this name */
	int line;
};

struct book_permission {
	const char *pattern;
	bool is_read; /* stands under read: */
	int line;
};

enum book_phase { PHASE_STEPS, PHASE_PREPARATION, PHASE_DIAGNOSIS, PHASE_MITIGATION, PHASE_VERIFICATION, PHASE_ROLLBACK, PHASE_ESCALATION, PHASE_OTHER };

enum fence_role { FENCE_ACTION, FENCE_VERIFY, FENCE_UNDO, FENCE_IF, FENCE_SHELL, FENCE_SHOWN };

struct book_fence {
	enum fence_role role;
	const char *language; /* "lua", "bash", "" ... */
	const char *source;   /* the lines between the fences, without the indentation of the fence */
	int line;             /* of the first line of source */
	int line_end;         /* of the block, its closing line included */
	bool is_run;          /* a shell fence that says {run} */
	/* FENCE_SHELL: the commands one at a time, as shown, and what output the author expects. */
	const char **commands;
	int *command_lines;
	size_t command_count;
	const char *expected; /* lines of output shown after "$ " commands, or NULL */
};

enum step_effect { EFFECT_UNSET, EFFECT_ONCE, EFFECT_READ, EFFECT_IDEMPOTENT, EFFECT_KEYED, EFFECT_RECEIPT };
enum step_risk { RISK_READ, RISK_CHANGE, RISK_DESTRUCTIVE };
enum step_on_failure { ON_FAILURE_STOP, ON_FAILURE_CONTINUE, ON_FAILURE_GOTO, ON_FAILURE_UNDO };

struct book_step {
	const char *id;       /* unique in the book */
	const char *given_id; /* as the author wrote it, NULL where id comes from the title */
	const char *title;    /* one line of plain text, markup removed */
	const char *markdown; /* the step's own text as written, fences included: what a person reads */
	int line, line_end;
	enum book_phase phase;
	const char *section; /* heading it stands under */
	bool is_manual;      /* no Lua action and no {run} shell fence */

	struct book_fence *fences;
	size_t fence_count;

	/* Attributes; *_us are 0 where there is none. timeout_us is 5 minutes for an automatic step that says nothing. */
	const char **needs; /* ids as written; needs_given says whether the attribute was there at all */
	size_t needs_count;
	bool needs_given;
	const char *if_source; /* Lua expression */
	int if_line;
	const char *each_source, *targets_source;
	const char *max_concurrency, *max_errors;
	int64_t timeout_us, delay_us, expect_within_us;
	int retry;
	double backoff;
	enum step_on_failure on_failure;
	const char *goto_id;
	int goto_max; /* 10 */
	enum step_effect effect;
	enum step_risk risk; /* where none is given: read for manual steps and under Diagnosis and Verification, else change */
	bool risk_given;
	int approve;
	const char *from, *owner, *expect, *irreversible;
	const char **permissions;
	size_t permission_count;
	struct book_meta *other; /* attributes that rung does not know: lint says so */
	size_t other_count;
	const struct block *item; /* the list item that is this step, or NULL (heading, fence, prose) */
	bool is_implicit;         /* no step that the author wrote: what a playbook's causes lead to */
};

/* What a root cause gives its runbook for one parameter. */
enum cause_value { CAUSE_LITERAL, CAUSE_PARAM, CAUSE_EVIDENCE };

struct cause_param {
	const char *name;
	enum cause_value kind;
	const char
	    *text; /* CAUSE_LITERAL: the value; CAUSE_PARAM: a parameter of this book; CAUSE_EVIDENCE: "field" or "field.of.it" of the finding's evidence */
};

enum cause_mode { CAUSE_ASK, CAUSE_AUTOMATIC };

enum { BOOK_CAUSES_MAX = 200, CAUSE_ID_BYTES_MAX = 64 };

/* A row of ## Root Causes. source: DESIGN.md 3 */
struct book_cause {
	const char *id;      /* what cause("...") names: the code in its cell, else the slug of its text */
	const char *text;    /* the cell, for people */
	const char *runbook; /* as written: an id, a name, or a path; NULL where the cell names none */
	bool is_none;        /* the cell says "none", and perhaps what to do instead */
	bool is_link;        /* the path is a link: it leads from this book's folder */
	enum cause_mode mode;
	const char *parameters; /* the cell, for people; or NULL */
	struct cause_param *params;
	size_t param_count;
	int64_t within_us; /* behind the runbook's end, the alert is to resolve; 0: not said */
	int line;
};

/* The time that an alert has to resolve where the table says none. */
#define CAUSE_WITHIN_US INT64_C(900000000)

/* Something odd that was found while reading; lint tells it. rule: an id of lint's table. */
struct book_note {
	const char *rule;
	int line, column; /* column 0: the whole line */
	const char *text, *mend;
};

struct book {
	struct arena *arena; /* owns everything here, the document too */
	const char *path;    /* as opened */
	const char *anchor;  /* the part after '#', or NULL */
	enum book_kind kind;
	const char *id;    /* RUN001, or NULL */
	const char *title; /* H1, else front matter's title, else the file's name */
	const char *description;
	struct book_meta *meta;
	size_t meta_count;
	struct book_param *params;
	size_t param_count;
	bool has_permissions; /* a Permissions section is there, perhaps empty */
	struct book_permission *permissions;
	size_t permission_count;
	struct book_step *steps;
	size_t step_count;
	const char **alerts; /* ## Alerts of a playbook */
	size_t alert_count;
	struct book_cause *causes;
	size_t cause_count;
	int causes_line; /* of the heading; 0: there is none */
	struct book_note *notes;
	size_t note_count;
	const char *link_definitions; /* `[name]: address` lines of the page, or "" */
	const struct section *scope;  /* the section of the anchor, else the whole document */
	char digest[65];              /* SHA-256 of the file's bytes, hex */
	struct document *document;
	const char *bytes;
	size_t byte_count;
};

/* Reads the bytes of a Markdown file into a book. No Markdown is an error; ERR_TOO_BIG only (over BOOK_BYTES_MAX or nested deeper
 * than DOCUMENT_DEPTH_MAX), and ERR_NOT_FOUND where the anchor names no heading. path is for names and messages; bytes are copied.
 * source: DESIGN.md 3. */
enum err book_parse(const char *path, const char *anchor, const char *bytes, size_t n, struct book **out, struct error *e);

/* Opens path ("file.md" or "file.md#anchor") and parses it. */
enum err book_open(const char *path, struct book **out, struct error *e);

void book_free(struct book *b); /* NULL is fine */

/* The value of a metadata key, or NULL. */
const char *book_meta_get(const struct book *b, const char *key);

/* Appends a step's markdown and the definitions of links that stand elsewhere on the page, so that it renders as it does there. */
void book_step_text(struct buf *out, const struct book *b, const struct book_step *s);

/* The row of ## Root Causes with that id, or NULL. */
const struct book_cause *book_cause_get(const struct book *b, const char *id);

/* The parameter with that name, or NULL. */
const struct book_param *book_param_get(const struct book *b, const char *name);

/* Reads text as a value of the parameter's type and checks it. A new reference, or NULL with the reason in why. */
json_t *book_param_read(const struct book_param *p, const char *text, struct error *why);

/* The first fence of the step with that role, or NULL. */
const struct book_fence *step_fence(const struct book_step *s, enum fence_role role);

/* Checks given values (an object of name to string, number, boolean, array or object; strings are read by the parameter's type) against the declared
 * parameters and fills in defaults. A new object with typed values in out. ERR_INVALID names the parameter, what was expected and what came; all that
 * are wrong or missing are named in one error. */
enum err book_bind(const struct book *b, const json_t *given, json_t **out, struct error *e);

/* Takes the values of parameters of type secret out of what book_bind gave and puts {"secret": "param:NAME"} in their place; values gets them by name. */
void book_take_secrets(const struct book *b, json_t *bound, json_t *values);

/* The book as JSON (`rung show --stage book`). New reference. */
json_t *book_json(const struct book *b);

/* Words of the enums, as they stand in books and JSON: "mitigation", "once", "destructive", ... */
/* The attributes that a step may have, in the order of their table: what a value looks like ("" for a bare one) and what it means. False past the last. */
struct attribute_info {
	const char *name, *value, *means;
};
bool step_attribute_info(size_t i, struct attribute_info *out);

const char *phase_word(enum book_phase p);
const char *effect_word(enum step_effect e);
const char *risk_word(enum step_risk r);
const char *on_failure_word(enum step_on_failure o);
const char *param_type_word(enum param_type t);
const char *fence_role_word(enum fence_role r);
const char *book_kind_word(enum book_kind k);
const char *cause_mode_word(enum cause_mode m);

#endif
