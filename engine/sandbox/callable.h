#ifndef RUNG_SANDBOX_CALLABLE_H
#define RUNG_SANDBOX_CALLABLE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/shape.h"
#include "book/book.h"

/* What a step can call. A module that reaches outside is modules/NAME/: NAME.lua is what the step calls, in the worker; NAME.c declares the calls behind it, a
 * row each, and the hand that makes them in the actor. A worker that asks for anything else, or with arguments that the row does not have, is ended. */

struct hand;
struct inventory;
struct ssh_settings;

enum callable_by {
	CALLABLE_ACTOR,  /* makes it, once its intent is durable */
	CALLABLE_PERSON, /* answers it */
	CALLABLE_ENGINE  /* answers it itself; where the row has no request, nobody needs a right for it */
};

/* What a call needs a right to: as capability_request_make takes it. */
struct call_request {
	const char *kind;
	const char **words;
	size_t count;
};

/* What the engine knows where a call is made. */
struct call_site {
	const char *workspace;             /* absolute: where commands start */
	const char *key;                   /* of a keyed call: what its target knows it by; else NULL */
	bool repeats;                      /* its effect class lets it be made again unasked */
	const char *http_proxy;            /* "host:port" that requests to names go through; NULL: none */
	const char *const *http_direct;    /* names, with all below them, that are asked without it; NULL: none, and behind the last */
	const char *http_ca;               /* the file of certificates that HTTP trusts; NULL: the system's */
	const char *user;                  /* who the engine is */
	const struct inventory *inventory; /* NULL: no_inventory says why there is none */
	struct error no_inventory;
	const struct ssh_settings *ssh; /* of the configuration */
	/* The whole environment of a command with variables of its own (may be NULL) in it. New reference. */
	json_t *(*environment)(const struct call_site *site, json_t *own);
	/* Does what allows the call have its host written out? */
	bool (*names_host)(const struct call_site *site, const struct call_request *r);
	void *engine, *execution; /* for these two */
	size_t step;
};

/* One function of a module. */
struct callable {
	const char *function; /* NULL: the row behind the last */
	enum callable_by by;
	enum step_effect effect; /* where neither the call nor its step says */
	const struct shape *arguments, *options;
	/* What it needs a right to; words live in the arena or in the arguments. NULL; or why it cannot be made, where it is a call of the protocol and yet
	 * none that anything could do. Not for those that a person answers. */
	const char *(*request)(struct arena *a, const json_t *arguments, const struct call_site *site, struct call_request *out);
	/* What the actor gets of it beside "id", "module", "function", "timeout_us", "secrets" and "receipt": members of head, and the frame's payload. */
	enum err (*frame)(const struct call_site *site, const json_t *arguments, json_t *head, struct buf *payload, struct error *e);
	/* Where the receipt of such a call is kept, as a name that is another one for every other place; NULL (the function, or what it gives): with those of
	 * this host's commands. In the arena. */
	const char *(*place)(struct arena *a, const json_t *arguments, const struct call_site *site);
};

struct module {
	const char *name;
	const struct callable *callables;
	const struct hand *hand; /* NULL: nothing that an actor makes */
};

extern const struct module module_approve, module_ask, module_cause, module_escalate, module_evidence, module_hosts, module_http, module_notify, module_remedy,
    module_runbook, module_sh, module_ssh;

/* The row, or NULL where no module declares it. *module is its module. */
const struct callable *callable_find(const char *module_name, const char *function, const struct module **module);

/* The modules that have rows, in order; NULL behind the last. */
const struct module *callable_module(size_t i);

/* The hand that makes the calls of a module, or NULL. */
const struct hand *hand_find(const char *module_name);

/* ---- what rows are made of ---- */

enum {
	CALLABLE_WORDS_MAX = 4096,              /* of a command; more fails that call only */
	CALLABLE_ARGUMENTS_BYTES_MAX = 1 << 20, /* of one call, as a frame bounds them */
	CALLABLE_ARGUMENTS_DEPTH_MAX = 16
};
#define CALLABLE_TIMEOUT_US_MAX (INT64_C(1) << 60)

extern const struct shape callable_no_options[];   /* none */
extern const struct shape callable_sent_options[]; /* effect, timeout_us: of what an actor makes */
extern const struct shape callable_word;           /* of an argument list */

/* A string with no zero byte in it: what a right can be matched against, and the system take. */
bool callable_is_plain(const json_t *v);

/* The words of an argument list, behind those that words has already (room for CALLABLE_WORDS_MAX more). NULL, or why it is none. */
const char *callable_argv(const json_t *argv, struct call_request *out);

#endif
