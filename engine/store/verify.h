#ifndef RUNG_STORE_VERIFY_H
#define RUNG_STORE_VERIFY_H

#include "store/internal.h"

/* What the files of the verification share: one pass over everything in one snapshot, ended by the first thing that is wrong. */

enum { VERIFY_KEYS_MAX = 64 };

/* A record that opens, resumes or ends an execution, or opens or moves an incident: what its row must agree with. */
struct life {
	char id[27], state[65], plan[65]; /* plan: of an incident its key */
	uint64_t seq;
	enum record_kind kind;
};

struct verify {
	sqlite3 *db;
	int version; /* of the store's tables */
	struct store_verdict *out;
	struct error *error;

	/* Where the walk stands. */
	struct tree tree;
	struct rowset rows;
	int64_t last_t_us;
	uint64_t covered;                      /* size of the last checkpoint that was checked */
	struct tree_hash last_rows;            /* what it said of the other rows */
	struct note_key keys[VERIFY_KEYS_MAX]; /* of the epochs; the last one signs from rotated_at on */
	int keys_n;
	bool is_rotating; /* key.rotated was read, the checkpoint that covers it was not */
	sqlite3_stmt *has_blob;

	struct life *lives;
	size_t lives_n, lives_cap;

	bool has_guard;
	struct checkpoint guard;
};

/* Notes the first thing that is wrong and gives ERR_VERIFY. seq is UINT64_MAX where it is no matter of one record. */
enum err verify_wrong(struct verify *v, uint64_t seq, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What SQLite could not read is a finding, but for a disk that does not answer: that is ERR_IO. */
enum err verify_wrong_sql(struct verify *v, uint64_t seq, int rc, const char *what);

enum err verify_prepare(struct verify *v, const char *sql, sqlite3_stmt **q);

/* verify_log.c: records, tree, checkpoints, keys, the guard's root. */
enum err verify_log(struct verify *v);

/* verify_rows.c: blobs, plans, executions, timers, and the digest over them. */
enum err verify_rows(struct verify *v);

#endif
