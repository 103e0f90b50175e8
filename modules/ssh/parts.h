#ifndef RUNG_SSH_PARTS_H
#define RUNG_SSH_PARTS_H

#include "base/buf.h"
#include "modules/ssh/auth.h"
#include "modules/ssh/dial.h"
#include "modules/ssh/known.h"
#include "modules/ssh/route.h"
#include "sandbox/hand.h"
#include "sandbox/resolve.h"

#include <sys/types.h>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>

/* What the files of the hand share. A *peer* is one authenticated connection to a host, kept for the execution; an *exec* is one call, a channel of a peer; a
 * *tunnel* is a channel through which another peer is reached. All of it belongs to the actor's one thread; only an agent's answers are waited for in others
 * (auth.c). */

enum {
	SSH_CHANNELS_MAX = 8, /* of one connection: OpenSSH's servers take 10 */
	SSH_STDIN_BYTES = 65536,
	SSH_COMMAND_BYTES_MAX = 122880, /* Linux gives the login shell no longer text: 128 KiB with what goes around it */
	SSH_NOISE_BYTES_MAX = 65536     /* of what a login shell prints before the command */
};

#define SSH_DIAL_US INT64_C(15000000)      /* until a connection stands */
#define SSH_HANDSHAKE_US INT64_C(20000000) /* until both sides have keys */
#define SSH_AUTH_US INT64_C(30000000)      /* until it lets us in; an agent may ask a person */
#define SSH_OPEN_US INT64_C(20000000)      /* until it has taken the command */
#define SSH_PATIENCE_US INT64_C(120000000) /* for a host that has the receipt of what it may have done */
#define SSH_AGAIN_US INT64_C(1000000)      /* between two tries of that */
#define SSH_LINGER_US INT64_C(1000000)     /* what a command leaves running holds its output open so long, as on this host */

struct ssh_hand;
struct peer;
struct exec;

/* ---- the loop (hand.c) ---- */

/* A descriptor of the hand's own epoll: what is ready costs, what waits does not. */
struct watch {
	int fd;
	uint32_t events; /* what it is in epoll for; 0: it is not */
	void (*ready)(void *owner, uint32_t events);
	void *owner;
};

/* Adds, changes or removes (0) it. */
void watch_set(struct ssh_hand *h, struct watch *w, uint32_t events);

/* Asks for a round at that moment: h's deadlines are looked at then. */
void hand_wake_at(struct ssh_hand *h, int64_t at_us);

struct ssh_hand {
	struct actor *actor;
	int epoll_fd;
	int64_t next_us; /* no deadline is earlier */
	struct resolver *resolver;
	struct watch resolver_watch;
	struct auth *auth;
	struct known *known;
	struct peer **peers; /* by hash of their key */
	size_t bucket_count, peer_count;
	struct exec *execs;
	struct peer *dead; /* freed at the end of the round: an event of it may follow */
	struct dial *dead_dials;
	bool is_stopped;
};

/* The peer that goes that way, made where there is none. Takes route. */
struct peer *hand_peer(struct ssh_hand *h, struct route *route);
void hand_forget_peer(struct ssh_hand *h, struct peer *p);

/* ---- a connection to a host (peer.c) ---- */

enum peer_stage { PEER_WAITS, PEER_DIALS, PEER_SHAKES, PEER_PROVES, PEER_SERVES, PEER_IS_DEAD };

struct peer {
	struct ssh_hand *hand;
	struct route *route;
	enum peer_stage stage;
	ssh_session session;
	ssh_event event;
	struct watch watch;
	ino_t socket; /* which one watch.fd is */
	struct dial *dial;
	struct auth_try *auth;
	struct tunnel *tunnel;      /* the way through another host; NULL: it is reached directly */
	struct tunnel *carrying;    /* those that go through this one */
	struct exec *execs;         /* calls that have a channel, or are about to */
	struct exec *first, **last; /* calls that wait for one */
	int channels;
	int64_t deadline_us;
	char peer_text[80]; /* "address:port" */
	char *host_key;     /* its fingerprint; NULL: it has not proved one */
	int channels_max;   /* as the host has shown */
	bool is_agent_due;  /* it has said something since an agent was asked */
	struct peer *next;  /* in its bucket, then among the dead */
};

struct peer *peer_new(struct ssh_hand *h, struct route *route);
void peer_free(struct peer *p);

/* A call that is to go there: soon, or when a channel is free. */
void peer_add(struct peer *p, struct exec *x);

/* The same, before the others. */
void peer_add_first(struct peer *p, struct exec *x);

/* It has gone: its channel is free again. */
void peer_remove(struct peer *p, struct exec *x);

/* Does the connection stand, and has nothing come on it that makes no sense? */
bool peer_is_sound(const struct peer *p);

/* Goes as far as it can without waiting. */
void peer_go(struct peer *p);

/* The end of the connection: calls that have not left fail, the others are lost. Freed at the end of the round. */
void peer_fail(struct peer *p, enum err kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The address:port that it is connected to now stands; takes the descriptor. */
void peer_connected(struct peer *p, int fd, const char *where);

/* ---- a call (exec.c) ---- */

struct exec {
	struct hand_call *call;
	struct ssh_hand *hand;
	struct peer *peer;
	ssh_channel channel;
	struct ssh_channel_callbacks_struct callbacks;
	enum exec_stage { EXEC_WAITS, EXEC_OPENS, EXEC_ASKS, EXEC_RUNS } stage;
	char *command; /* what the login shell is given */
	size_t command_bytes;
	struct buf input;
	size_t input_at;
	bool is_input_over;
	struct buf noise; /* what came before the mark */
	bool is_marked;   /* the login shell took the command */
	bool is_retried;  /* it has had a connection that was gone when it came */
	bool is_eof, is_closed, has_code;
	struct route *route; /* of one that is asked again for what it may have done: tried until patient_us; else NULL */
	int64_t patient_us, retry_us;
	unsigned code;
	char signal[32];
	int64_t started_us, deadline_us, stage_us, linger_us;
	struct exec *next;         /* of the hand */
	struct exec *next_of_peer; /* in its queue, or among those with a channel */
};

enum err exec_start(struct ssh_hand *h, struct hand_call *call, const json_t *head, const void *input, size_t n, const struct secret_call *secrets,
                    struct error *e);
/* Goes on: opens its channel, asks, sends what it reads. False: it is over and gone. */
bool exec_go(struct exec *x);
void exec_cancel(struct exec *x);
/* Its connection is gone. */
void exec_peer_lost(struct exec *x, const struct error *e);
/* Deadlines. */
bool exec_is_late(struct exec *x, int64_t now_us);
void exec_drop(struct exec *x);

/* ---- through another host (tunnel.c) ---- */

struct tunnel {
	struct peer *inner, *via;
	ssh_channel channel;
	struct ssh_channel_callbacks_struct callbacks;
	struct watch watch;
	struct buf back; /* from the channel, on its way to inner */
	bool is_open, is_over;
	struct tunnel *next; /* of via's */
};

void tunnel_open(struct peer *inner);
void tunnel_go(struct tunnel *t);
/* inner is gone: nothing goes through it any more. Freed with inner. */
void tunnel_close(struct tunnel *t);
void tunnel_free(struct tunnel *t);
/* via is gone. */
void tunnel_lost(struct tunnel *t, const struct error *e);

#endif
