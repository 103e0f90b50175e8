#ifndef RUNG_STORE_STORE_H
#define RUNG_STORE_STORE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "flow/lease.h"
#include "journal/record.h"

#include <stdbool.h>
#include <stdint.h>

/* The store: journal, blobs, executions, incidents, plans, timers and leases of one state directory. One writer thread owns the one connection that
 * writes; the loop thread submits batches and gets an answer each, by callback, on the loop thread. */
struct store;

struct store_options {
	const char *dir;       /* state directory; made with mode 0700 where it is not there */
	const char *guard_dir; /* where the guard file stands; NULL: $XDG_STATE_HOME/rung/guard */
	const char *origin;    /* name of a new log; NULL: made from the host's name and random bytes */
	const char *node;
	/* Called on the writer thread when a batch has been answered and store_deliver should run on the loop thread (uv_async_send, say). */
	void (*wake)(void *arg);
	void *wake_arg;
	bool is_read_only;         /* no writer, no lock: for verify, log and report without an engine */
	int64_t (*clock_us)(void); /* NULL: clock_now_us */
};

/* Opens or makes the store: keys, database, guard, reserve file; recovers the tree; checks guard against store. ERR_VERIFY where the guard says that
 * the store is smaller or different, ERR_CONFLICT where another process holds state/lock. */
enum err store_open(const struct store_options *o, struct store **out, struct error *e);
/* Commits what was submitted and waits for the writer; answers that nobody took are dropped (store_drain first to get them). NULL is fine. */
void store_close(struct store *s);

/* Sets a log aside so that the next store_open makes a new one: the database, its keys and its guard are renamed, never deleted. The old log's last checkpoint
 * (a note, for the new log's log.continued; empty where it cannot be read) is appended to note. ERR_CONFLICT where an engine owns the store. */
enum err store_set_aside(const char *dir, const char *guard_dir, struct buf *note, struct error *e);

/* A row that lists show; written with the records that make it so. Strings are copied by the batch. */
struct store_execution {
	const char *id, *book, *title, *state, *driver, *parent, *plan; /* plan: digest, hex */
	int64_t started_us, finished_us;                                /* 0: not yet */
	uint64_t steps, steps_done;                                     /* of the book; over */
	bool is_open;
	uint64_t epoch;
};

/* The same of an incident. */
struct store_incident {
	const char *id, *key, *title, *state, *assigned_to;          /* key: of its alert or group, 64 hex digits; NULL: no alert opened it */
	int64_t opened_us, changed_us, acknowledged_us, resolved_us; /* 0: not yet */
	int priority;                                                /* 1 to 5; 0: not said */
	uint64_t alerts;
	bool is_open, is_live; /* open: not resolved; live: open, or an execution of it runs */
	bool is_new;           /* to be written: there is no row of it yet */
};

struct store_batch;
struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch *b); /* only for one that was never submitted */

/* Adds to a batch; everything in it is durable together or not at all. Order is kept. */
enum err store_batch_record(struct store_batch *b, const struct record *r,
                            struct error *e);                                       /* encoded now, seq added by the writer; t_us 0: the writer's clock */
void store_batch_execution(struct store_batch *b, const struct store_execution *x); /* insert or replace */
void store_batch_incident(struct store_batch *b, const struct store_incident *i);   /* the same */
/* Batches of one chain build on each other: where one of them could not be stored none behind it is, and each gets ERR_CONFLICT. Whoever then goes on from what
 * is stored begins another one. A batch without a chain stands alone.
 *
 * chain    zeros at first; the writer's while a batch of it is not answered, and must live as long */
struct store_chain {
	bool is_cut;
};
void store_batch_chain(struct store_batch *b, struct store_chain *chain);
/* The batch takes the execution over: it is refused (ERR_CONFLICT) where the lease or the execution's last record is not what the claim says. */
void store_batch_lease(struct store_batch *b, const char *execution, struct lease_claim claim);
/* digest: the hex SHA-256 of exactly these bytes (asserted: what is stored under a digest must have it); a plan that is there already is left as it is. */
enum { STORE_PLAN_BYTES_MAX = 32 << 20 };
void store_batch_plan(struct store_batch *b, const char *digest, const void *bytes, size_t n);
void store_batch_timer(struct store_batch *b, const char *execution, const char *step, const char *kind, int64_t due_us); /* due_us 0 removes it */

/* Makes a blob of any bytes: 32 random bytes of salt, name = "hmac-sha256:" + hex HMAC-SHA-256(salt, bytes). The name is written to name (77 bytes with the
 * NUL) and can be put in a record of the same batch. At most 1 MiB: larger things are pieces. */
enum { STORE_BLOB_NAME_BYTES = 77, STORE_BLOB_BYTES_MAX = 1 << 20 };
void store_batch_blob(struct store_batch *b, const char *execution, const void *bytes, size_t n, char name[STORE_BLOB_NAME_BYTES]);

/* Erases a blob: its bytes and salt are gone from the files once the batch is answered (later where a reader holds
 * an old snapshot for seconds), its name stays, so that the journal still verifies. Put blob.erased in the same batch.
 */
enum err store_batch_erase(struct store_batch *b, const char *name, struct error *e);

/* Called on the loop thread from store_deliver. first_seq is the leaf index of the batch's first record. */
typedef void store_done(void *arg, enum err err, uint64_t first_seq, int64_t t_us, const struct error *e);

/* Queues a batch; takes it; never blocks. Batches are committed in the order they were submitted, many in one transaction where many wait (group commit: one
 * fsync, one signed checkpoint, one guard write). done gets ERR_OK once durable; ERR_FULL; ERR_UNCERTAIN. On EIO or a failed fsync the store is broken: done
 * gets ERR_IO, so does every later batch, and the engine must stop. source: DESIGN.md 2 (threads), 5, 6. */
void store_submit(struct store *s, struct store_batch *b, store_done *done, void *arg);

/* Has the disk been full, so that the reserve was spent? Intake is refused then, until there is a reserve again: by store_regain_reserve, or the next
 * store_open that finds space. */
bool store_is_reserve_spent(struct store *s);

/* Has the writer look whether there is room for a reserve again, twice over, and make it then. Nothing where it is there. */
void store_regain_reserve(struct store *s);

/* Loop thread: runs the callbacks of the batches that were answered. Returns how many. */
int store_deliver(struct store *s);

/* Blocks until everything submitted is answered, delivering as it goes: for tests, tools and shutting down. */
void store_drain(struct store *s);

/* Reads, on read-only connections; from the loop thread or any one other thread at a time (each reader has its own connection). */
struct store_reader;
enum err store_reader_open(struct store *s, struct store_reader **out, struct error *e);
void store_reader_close(struct store_reader *r);

/* Records of an execution (NULL: of all) with seq >= from, in order, at most limit (0: all). The line is the stored bytes. Return false to stop. */
typedef bool store_record_fn(void *arg, uint64_t seq, const char *line, size_t n);
enum err store_records(struct store_reader *r, const char *execution, uint64_t from, size_t limit, store_record_fn *fn, void *arg, struct error *e);

/* Records that belong to no execution (log.opened, book.approved, ...), in order. */
enum err store_log_records(struct store_reader *r, store_record_fn *fn, void *arg, struct error *e);

/* Executions, newest first; open_only; before: id to page on from, or NULL; limit. id_prefix (or NULL) finds one by the start of its ULID. */
typedef bool store_execution_fn(void *arg, const struct store_execution *x);
enum err store_executions(struct store_reader *r, bool open_only, const char *id_prefix, const char *before, size_t limit, store_execution_fn *fn, void *arg,
                          struct error *e);

/* Incidents by their ULID, newest first. which: all, those that are open, those that are live or changed since since_us. */
enum store_incidents { STORE_INCIDENTS_ALL, STORE_INCIDENTS_OPEN, STORE_INCIDENTS_RECENT };
typedef bool store_incident_fn(void *arg, const struct store_incident *i);
enum err store_incidents(struct store_reader *r, enum store_incidents which, int64_t since_us, const char *id_prefix, const char *before, size_t limit,
                         store_incident_fn *fn, void *arg, struct error *e);

enum err store_plan(struct store_reader *r, const char *digest, struct buf *out, struct error *e);
enum err store_blob(struct store_reader *r, const char *name, struct buf *out,
                    struct error *e); /* ERR_NOT_FOUND: erased or never there; ERR_VERIFY: bytes do not match the name */

typedef bool store_timer_fn(void *arg, const char *execution, const char *step, const char *kind, int64_t due_us);
enum err store_timers(struct store_reader *r, store_timer_fn *fn, void *arg, struct error *e);

/* A verdict over the whole store: every record decoded and hashed again, gapless seq, every checkpoint's signature, size and root, the key epochs, the guard,
 * every blob against its name, executions' and incidents' rows against what their records say. ERR_NOT_FOUND: there is no store and, as far as the guard knows,
 * never was. */
struct store_verdict {
	bool is_whole;
	uint64_t records, checkpoints, blobs, erased;
	char origin[256], root[65];
	uint64_t wrong_seq;  /* the first record that is wrong; UINT64_MAX: none, or not a matter of one record */
	uint64_t guard_size; /* records that the guard has seen; 0: no guard, and whether the tail was cut off, checkpoints and all, cannot be told */
	char no_guard[ERROR_TEXT_BYTES]; /* why there was none; empty: there was */
	char reason[ERROR_TEXT_BYTES];
};
enum err store_verify(const char *dir, const char *guard_dir, struct store_verdict *out, struct error *e);

/* The last signed checkpoint as a C2SP note, and the log's verifier key. */
enum err store_checkpoint(struct store_reader *r, struct buf *note, struct error *e);
const char *store_vkey(const struct store *s);

/* When the last record was written that the log had when it was opened: until then whoever wrote it lived. 0: it was new. */
int64_t store_alive_us(const struct store *s);

#endif
