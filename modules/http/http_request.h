#ifndef RUNG_MODULES_HTTP_REQUEST_H
#define RUNG_MODULES_HTTP_REQUEST_H

#include "base/buf.h"
#include "modules/http/http_answer.h"
#include "modules/http/http_body.h"
#include "sandbox/hand.h"
#include "sandbox/resolve.h"

#include <curl/curl.h>

/* One request: what the engine's frame says of it, and what libcurl is told. What happens to it is the hand's (http_hand.c). */

enum http_stage {
	HTTP_WAITING,   /* until stage_us: it is to be tried, or tried again */
	HTTP_RESOLVING, /* its name is looked up */
	HTTP_CONNECTING,
	HTTP_SENT, /* it began to be sent: its effect may happen */
	HTTP_ANSWERING,
	HTTP_OVER
};

struct http;

struct http_request {
	struct http *http;
	struct hand_call *call; /* NULL: it gets a secret */
	json_int_t reader;      /* of one that does: its number, below 0 */
	char *field;            /* the same: which field of the answer it is */
	struct buf value;       /* the same: the answer's body */
	struct http_request *next;
	enum http_stage stage;

	/* what is asked */
	char *method, *url, *host, *ca_file;
	unsigned port;
	char *proxy; /* "host:port" of the proxy that it goes through, which looks the name up; NULL: none */
	char *via;   /* whose name is looked up here: the proxy's, else the host */
	unsigned via_port;
	bool is_address; /* the host is written as an address */
	bool is_named;   /* what allows the call has the host written out */
	bool repeats;    /* its effect class lets it be sent again */
	bool has_key;    /* its server knows it by an Idempotency-Key */
	struct buf body, user, password, token, ca, certificate, key;
	struct curl_slist *headers;
	size_t body_bytes_max;
	int retries;
	int64_t connect_us, answer_us;

	/* where it is */
	CURL *easy;
	struct lookup *lookup;
	struct sockaddr_storage addresses[RESOLVE_ADDRESSES_MAX]; /* those that it may connect to */
	size_t address_count;
	struct curl_slist *pinned;
	int64_t started_us, deadline_us, stage_us, moved_us; /* monotonic; deadline_us 0: none; moved_us: when it was sent, or something came last */
	int tries;
	bool is_paused, is_cancelled, is_timed_out, is_sent;
	struct http_answer answer;
	size_t body_bytes; /* of the answer, decoded */
	struct http_body *decoder;
	struct buf undecoded; /* what came before the engine did not keep up */
	char peer[ADDRESS_TEXT_BYTES];
	struct error why;                 /* why we ended it ourselves; kind ERR_OK: we did not */
	char curl_error[CURL_ERROR_SIZE]; /* why libcurl did */
};

/* Reads a "call" frame as http.c makes it. ERR_INVALID, ERR_TOO_BIG for a secret that cannot stand where it is to. */
enum err http_request_read(const json_t *head, const struct secret_call *secrets, struct http_request **out, struct error *e);

/* A header more. ERR_INVALID for a value that cannot stand in one. */
enum err http_request_add_header(struct http_request *r, const char *name, const struct buf *value, struct error *e);

/* Overwrites what it sent. It must be out of the multi handle. */
void http_request_free(struct http_request *r);

/* May it connect there? ERR_DENIED with the sentence. source: DESIGN.md 7; the rule: inner addresses only where a capability names the host */
enum err http_request_may_reach(const struct http_request *r, const struct sockaddr *address, struct error *e);

/* Makes the libcurl handle, with the addresses that it may connect to pinned. */
enum err http_request_prepare(struct http_request *r, struct error *e);

/* What libcurl's result means, in a sentence; a kind of error. */
enum err http_request_explain(const struct http_request *r, CURLcode code, struct error *e);

#endif
