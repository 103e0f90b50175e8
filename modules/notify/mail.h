#ifndef RUNG_MODULES_NOTIFY_MAIL_H
#define RUNG_MODULES_NOTIFY_MAIL_H

#include "base/arena.h"
#include "base/buf.h"
#include "sandbox/hand.h"
#include "sandbox/resolve.h"

#include <pthread.h>

/* Mail by SMTP (RFC 5321), by libcurl. The frame of a call, made by the engine (service/channel.c):
 *
 * {"module":"notify","function":"mail","server":"smtp.example.net","port":587,"tls":"starttls"|"implicit"|"none","from":"rung@example.net",
 *  "to":"ana@example.net","user":"rung","password":{"secret":"smtp"},"ca_file":"/..."}, payload: the message (RFC 5322)
 *
 * It has started when the message is sent to its end, and not before: until then nobody gets it. Then data {"code":250} says what the server said of it. */

enum {
	MAIL_SAID_BYTES_MAX = 400,      /* of what a server says, for the sentence */
	MAIL_HEARD_BYTES_MAX = 1 << 16, /* of all that it says: greetings and extensions are lines */
	MAIL_MESSAGE_BYTES_MAX = 1 << 20
};

enum mail_tls { MAIL_STARTTLS, MAIL_IMPLICIT_TLS, MAIL_NO_TLS };

enum letter_stage { LETTER_NEW, LETTER_RESOLVING, LETTER_QUEUED, LETTER_SENDING, LETTER_OVER };

struct postbox;

/* One message. What stands below `lock` is its thread's too. */
struct letter {
	struct postbox *box;
	struct hand_call *call; /* NULL: given up, its outcome is told */
	struct letter *next;
	enum letter_stage stage;
	char *server, *from, *to, *ca_file; /* ca_file NULL: the system's */
	unsigned port;
	enum mail_tls tls;
	struct buf user, password, message;
	struct lookup *lookup;
	char *pinned; /* "host:port:address,..." for libcurl */
	int64_t started_us, deadline_us;
	struct error why; /* why we ended it */
	bool is_cancelled, is_timed_out;
	/* The thread's, and read once it is done. */
	size_t read_at, heard_bytes;
	int result;              /* CURLcode */
	char peer[64];           /* address of the server */
	int code;                /* of the server's last no; 0: it said none */
	bool is_ended, is_taken; /* the message left to its end; and the server said yes to that */
	char said[MAIL_SAID_BYTES_MAX + 1], curl_error[256];
	pthread_mutex_t lock;
	bool is_given_up; /* the loop's word: nothing more is sent */
	bool is_sent;     /* the thread's: the end of the message leaves now */
	bool is_done;
};

/* Sends it, until it is over; in a thread of its own, since libcurl blocks while a server takes its time over a message. */
void mail_perform(struct letter *l);

/* What went wrong, in a sentence. */
enum err mail_explain(const struct letter *l, struct error *e);

extern const struct hand mail_hand;

#endif
