#ifndef RUNG_TESTS_SSH_PEER_H
#define RUNG_TESTS_SSH_PEER_H

#include "base/buf.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* An SSH server for tests: one process, one loop, one key exchange (curve25519-sha256), one host key, one cipher (AES-GCM), any user and any key accepted
 * without a look at the signature. It costs a client's peer as little as can be, and does wrong what its port is for (peer_faults.c). Its own words are in RFC
 * 4250 to 4254, 5647, 8731. */

enum {
	CHANNELS_MAX = 64,            /* of one connection */
	WINDOW_BYTES = 2 << 20,       /* that a client may send ahead */
	DATA_BYTES_MAX = 32768,       /* of one packet */
	PACKET_BYTES_MAX = 256 << 10, /* that is taken */
	OUT_BYTES_MAX = 64 << 20,     /* that wait to be sent on one connection */
	OUT_BYTES_ENOUGH = 256 << 10, /* from here on nothing more is made */
	BANNER_BYTES_MAX = 255,
	HASH_BYTES = 32,
	TAG_BYTES = 16,
	IV_BYTES = 12,
};

/* Where a connection is when something may go wrong. */
enum stage {
	STAGE_CONNECT, /* the connection is there, nothing is said */
	STAGE_BANNER,  /* its banner is said */
	STAGE_KEXINIT, /* its KEXINIT is said */
	STAGE_KEX,     /* the client's half of the key exchange has come */
	STAGE_NEWKEYS, /* the keys are exchanged, and the client asks for the service */
	STAGE_AUTH,    /* the client has signed */
	STAGE_CHANNEL, /* it asks for a session */
	STAGE_EXEC,    /* it asks for a command */
	STAGE_RUNNING, /* the command is accepted, and has not begun */
	STAGE_OUTPUT,  /* a part of its output is sent, or all is where there is little */
	STAGE_STATUS,  /* its output is sent */
	STAGE_EOF,     /* its exit status and the end of its output are sent */
	STAGE_CLOSED,  /* the channel is closed */
	STAGES
};

enum action { ACTION_NONE, ACTION_HANG, ACTION_DROP, ACTION_RESET, ACTION_GARBAGE, ACTION_SLOW, ACTION_DISCONNECT, ACTIONS };

enum oddity {
	ODD_NONE,
	ODD_WRONG_KEY,
	ODD_BAD_SIGNATURE,
	ODD_BAD_SHARE,
	ODD_ZERO_SHARE,
	ODD_NO_COMMON,
	ODD_LINES_BEFORE,
	ODD_LINES_ENDLESS,
	ODD_BANNER_ENDLESS,
	ODD_BANNER_OLD,
	ODD_BANNER_ESCAPES,
	ODD_PACKET_HUGE,
	ODD_PACKET_EMPTY,
	ODD_PADDING_WRONG,
	ODD_TAG_WRONG,
	ODD_TYPE_UNKNOWN,
	ODD_IGNORE_ENDLESS,
	ODD_AUTH_REFUSED,
	ODD_AUTH_PARTIAL,
	ODD_AUTH_BANNER,
	ODD_AUTH_BANNERS_ENDLESS,
	ODD_CHANNEL_REFUSED,
	ODD_CHANNEL_UNASKED,
	ODD_NO_WINDOW,
	ODD_SMALL_PACKETS,
	ODD_EXEC_REFUSED,
	ODD_EXIT_SIGNAL,
	ODD_NO_EOF,
	ODD_NO_STATUS,
	ODD_NO_CLOSE,
	ODD_EOF_FIRST,
	ODD_STATUS_TWICE,
	ODD_OUTPUT_LATE,
	ODD_OUTPUT_ENDLESS,
	ODD_ERRORS_ENDLESS,
	ODD_WINDOW_OVERRUN,
	ODD_CHANNEL_WRONG,
	ODD_REQUESTS_ENDLESS,
	ODDITIES
};

/* What a port does wrong. */
struct fault {
	enum action action;
	enum stage stage; /* of the action */
	enum oddity oddity;
	unsigned nth; /* the session of a connection from which on it does so, from 1: those before are served */
};

struct cipher {
	EVP_CIPHER_CTX *context; /* NULL: not yet */
	uint8_t iv[IV_BYTES];
};

struct channel {
	uint32_t theirs;  /* the client's number of it */
	uint64_t window;  /* bytes that may be sent */
	uint32_t packet;  /* in one piece */
	uint32_t taken;   /* bytes that came since the last window adjustment */
	struct buf input; /* for the command, not written yet */
	bool has_input_end, is_asked, has_sent, sent_end, sent_close;
	pid_t pid;               /* 0: no process */
	int pidfd, in, out, err; /* -1: none */
	int status;              /* of wait, once there is no process */
	size_t overrun;          /* bytes that were sent without leave */
};

enum phase { PHASE_BANNER, PHASE_KEXINIT, PHASE_KEX, PHASE_NEWKEYS, PHASE_SERVICE, PHASE_AUTH, PHASE_OPEN };

struct conn {
	int fd;
	enum phase phase;
	const struct fault *fault;
	struct buf in, out, packet;
	struct buf client_banner, client_kexinit, server_kexinit;
	uint8_t session[HASH_BYTES], keys[2][44]; /* client to server, server to client: an IV and a key, until NEWKEYS */
	size_t key_bytes;
	struct cipher receive, transmit;
	struct channel *channels[CHANNELS_MAX];
	unsigned sessions; /* so far */
	bool is_hung;      /* nothing that comes is looked at */
	bool is_slow;      /* a byte a second */
	bool ends;         /* once what waits is sent */
	bool is_reset;     /* it does so with a reset */
	bool is_over;      /* freed at the end of the round */
	struct conn *previous, *next;
};

/* peer_main.c: the loop. */
enum watch_kind { WATCH_LISTENER, WATCH_STDIN, WATCH_CONN, WATCH_IN, WATCH_OUT, WATCH_ERR, WATCH_EXIT };
struct watch {
	enum watch_kind kind;
	struct conn *conn;
	unsigned channel;
	int fd; /* filled in */
};
void stop(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* events 0: not for now. */
void watch(int fd, uint32_t events, struct watch what);
void unwatch_and_close(int *fd);                              /* -1: nothing is done */
const char *instant_answer(const char *command, int *status); /* NULL: the command is run */

/* peer_wire.c: bytes and packets. */
struct reader {
	const uint8_t *at;
	size_t left;
	bool is_bad;
};
uint32_t read_u32(struct reader *r);
bool read_bool(struct reader *r);
struct reader read_string(struct reader *r);
bool reads_as(struct reader r, const char *text);

void put_u32(struct buf *b, uint32_t n);
void put_string(struct buf *b, const void *data, size_t n);
void put_text(struct buf *b, const char *text);
void put_mpint(struct buf *b, const uint8_t *data, size_t n); /* of a positive number */

struct buf *packet_begin(struct conn *c, uint8_t type); /* what is added to it goes behind the type */
void packet_end(struct conn *c);
void packet_raw(struct conn *c, const void *payload, size_t n);
/* 1: a packet is at *payload (until the next call); 0: more bytes are needed; -1: that is none. */
int packet_next(struct conn *c, const uint8_t **payload, size_t *n);
void cipher_set(struct cipher *cipher, const uint8_t *iv_and_key, size_t key_bytes, bool encrypts);
void cipher_clear(struct cipher *cipher);

/* peer_kex.c */
void kex_prepare(void);         /* makes what all connections share */
const char *kex_host_key(void); /* as known_hosts has it */
void kex_banner(struct conn *c);
void kex_start(struct conn *c); /* says KEXINIT */
bool kex_packet(struct conn *c, const uint8_t *payload, size_t n);

/* peer_session.c: authentication and channels. Each gives false where the connection is to end. */
bool session_packet(struct conn *c, const uint8_t *payload, size_t n);
void session_clear(struct conn *c);
void session_more(struct conn *c); /* what goes on for as long as it is read */
void channel_data(struct conn *c, struct channel *ch, bool is_error, const void *data, size_t n);
void channel_over(struct conn *c, unsigned id); /* says status, end of output and close where all of the command is over */

/* peer_command.c: processes behind channels. */
bool command_start(struct conn *c, unsigned id, const char *command);
void command_input(struct conn *c, unsigned id);                 /* writes what waits */
void command_output(struct conn *c, unsigned id, bool is_error); /* reads what is there, as far as the window goes */
void command_resume(struct conn *c, unsigned id);                /* the window is open again */
void command_exited(struct conn *c, unsigned id);
void command_clear(struct channel *ch);

/* peer_faults.c */
bool fault_read(const char *text, struct fault *out); /* "none", "ACTION:STAGE", a name of an oddity; "@N" behind it */
void fault_list(void);
bool fault_is(const struct conn *c, enum oddity oddity);
/* Does what the port does at this stage; false where nothing else is to be said or heard there. */
bool fault_at(struct conn *c, enum stage stage);

#endif
