#ifndef RUNG_STORE_INTERNAL_H
#define RUNG_STORE_INTERNAL_H

#include "base/arena.h"
#include "journal/checkpoint.h"
#include "journal/rowset.h"
#include "store/guard.h"
#include "store/rows.h"
#include "store/stats.h"
#include "store/store.h"

#include <pthread.h>
#include <sqlite3.h>

/* What the files of the store share. */

enum { BLOB_SALT_BYTES = 32, SALTS_AT_ONCE = 8 };

/* One change of a batch. */
enum op_kind { OP_RECORD, OP_EXECUTION, OP_INCIDENT, OP_LEASE, OP_PLAN, OP_TIMER, OP_BLOB, OP_ERASE };

struct op {
	struct op *next;
	enum op_kind kind;
	const char *execution; /* of all kinds but plans; NULL where there is none */
	union {
		struct {
			const char *tail;
			size_t n;
			int64_t t_us;
			uint64_t epoch;
			enum record_kind kind;
			const char *word; /* how it ended, for the statistics */
		} record;
		struct store_execution row;
		struct store_incident incident;
		struct lease_claim claim;
		struct {
			const char *digest;
			const void *bytes;
			size_t n;
		} plan;
		struct {
			const char *step, *kind;
			int64_t due_us;
		} timer;
		struct {
			unsigned char name[BLOB_RAW_BYTES], salt[BLOB_SALT_BYTES];
			const void *bytes;
			size_t n;
		} blob;
	};
};

struct store_batch {
	struct arena *arena; /* owns every op and every byte of them */
	struct op *first, **last;
	size_t bytes, records;
	unsigned char salts[SALTS_AT_ONCE][BLOB_SALT_BYTES]; /* for blobs to come: to ask the kernel takes longer than to get some more */
	size_t salts_left;
	bool has_erase;
	struct store_chain *chain; /* that it belongs to, or NULL */
	store_done *done;
	void *arg;
	/* The answer. */
	enum err err;
	struct error error;
	uint64_t first_seq;
	int64_t t_us;
	int64_t submitted_us; /* on the monotonic clock */
	struct store_batch *next;
};

struct batch_queue {
	struct store_batch *first, **last;
};

void queue_init(struct batch_queue *q);
void queue_add(struct batch_queue *q, struct store_batch *b);
struct store_batch *queue_take(struct batch_queue *q); /* NULL where it is empty */

enum sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_RECORD,
	SQL_CHECKPOINT,
	SQL_HEAD,
	SQL_EXECUTION_GET,
	SQL_LAST_RECORD,
	SQL_EXECUTION_PUT,
	SQL_INCIDENT_GET,
	SQL_INCIDENT_PUT,
	SQL_PLAN,
	SQL_TIMER_GET,
	SQL_TIMER_PUT,
	SQL_TIMER_DELETE,
	SQL_BLOB,
	SQL_BLOB_GET,
	SQL_BLOB_ERASE,
	SQL_N
};

/* What a transaction moves forward; a copy takes its place only after the commit. */
struct progress {
	struct tree tree;
	struct rowset rows;
	int64_t last_t_us;
};

struct store {
	char *dir, *db_path, *guard_folder, *node;
	char origin[NOTE_NAME_BYTES], vkey[NOTE_VKEY_BYTES];
	bool is_read_only;
	void (*wake)(void *arg);
	void *wake_arg;
	int64_t (*clock_us)(void);
	int lock_fd;
	int64_t alive_us; /* of the last record when it was opened */
	dev_t db_dev;     /* which file db_path is; 0 and 0: not a file of this system */
	ino_t db_ino;

	/* The writer thread's alone while it runs. */
	sqlite3 *db;
	sqlite3_stmt *sql[SQL_N];
	struct note_signer *signer;
	struct guard *guard;
	struct progress now;
	int wal_pages;

	pthread_t writer;
	bool has_writer;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t submitted, answered;
	struct batch_queue queue, answers;
	size_t open_batches; /* submitted and not delivered */
	bool is_stopping, is_broken, is_reserve_released, is_reserve_wanted;
	struct error broken;
	struct store_stats stats;
};

/* writer.c */
enum err writer_prepare(struct store *s, struct error *e);
void writer_remember_place(struct store *s);                /* so that a directory that is deleted or moved away is seen before the next commit */
enum err writer_open_log(struct store *s, struct error *e); /* record 0 and the first checkpoint */
void *writer_run(void *store);

/* apply.c: the changes of a batch, inside the writer's transaction. ERR_CONFLICT before anything was changed. */
enum err apply_check_epochs(struct store *s, const struct store_batch *b, struct error *e);
enum err apply_batch(struct store *s, struct progress *p, struct store_batch *b, struct error *e);
enum err apply_checkpoint(struct store *s, struct progress *p, struct buf *note, struct error *e);

/* keys.c: the seed in keys/, made where it is not there. */
enum err keys_load(struct store *s, const char *origin, bool may_make, struct error *e);
enum err keys_read_vkey(const char *dir, char out[NOTE_VKEY_BYTES], struct error *e);

/* reserve.c */
enum err reserve_make(const char *dir, struct error *e);
bool reserve_release(const char *dir);
bool reserve_has_room(const char *dir); /* for it, and as much again */

/* The little steps that a fault can hit, one function each. */
int sql_step(sqlite3_stmt *q);                                                       /* and reset */
enum err sql_done(struct store *s, enum sql id, const char *doing, struct error *e); /* for statements without rows */

#endif
