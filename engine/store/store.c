#include "store/store.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/failpoint.h"
#include "base/fs.h"
#include "store/internal.h"
#include "store/recover.h"
#include "store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static char *in_dir(const char *dir, const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static enum err make_folders(const char *dir, struct error *e)
{
	static const char *const names[] = {"keys", "spool", "locks"};
	enum err err = fs_mkdirs(dir, 0700, e);
	for (size_t i = 0; i < sizeof names / sizeof *names && !err; i++) {
		char *path = in_dir(dir, names[i]);
		err = fs_mkdirs(path, 0700, e);
		free(path);
	}
	return err;
}

/* Who holds state/lock owns the store. */
static enum err take_lock(const char *dir, int *fd, struct error *e)
{
	char *path = in_dir(dir, "lock");
	enum err err = ERR_OK;
	failpoint(STORE_LOCK);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*fd < 0)
		err = error_errno(e, "%s", path);
	else if (flock(*fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		err = error_set(e, ERR_CONFLICT, "another process owns the store in %s (it holds %s)", dir, path);
	else if (*fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB) != 0)
		err = error_errno(e, "%s", path);
	if (err && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	failpoint(STORE_LOCKED);
	free(path);
	return err;
}

/* A name that no other log has: HOST/rung/RANDOM, with what a name may not hold left out. */
static void make_origin(char out[NOTE_NAME_BYTES])
{
	char host[128] = "";
	unsigned char raw[8];
	struct buf hex;
	gethostname(host, sizeof host - 1);
	host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")] = 0;
	random_bytes(raw, sizeof raw);
	buf_init(&hex, 2 * sizeof raw);
	must(encode_hex(&hex, raw, sizeof raw));
	memcpy(out, "", 1);
	struct buf name;
	buf_init(&name, NOTE_NAME_BYTES - 1);
	must(buf_printf(&name, "%s/rung/%s", host[0] ? host : "localhost", hex.data));
	memcpy(out, name.data, name.len + 1);
	buf_clear(&name);
	buf_clear(&hex);
}

static enum err open_new(struct store *s, const char *given_origin, struct error *e)
{
	char origin[NOTE_NAME_BYTES];
	make_origin(origin);
	enum err err = recover_check_new(s, e);
	if (!err) err = keys_load(s, given_origin ? given_origin : origin, true, e);
	failpoint(KEYS_MADE);
	if (!err) err = writer_open_log(s, e);
	return err;
}

static enum err open_existing(struct store *s, struct error *e)
{
	char origin[NOTE_NAME_BYTES], vkey[NOTE_VKEY_BYTES];
	enum err err = recover_origin(s->db, origin, vkey, e);
	if (!err) err = keys_load(s, origin, false, e);
	if (!err && strcmp(vkey, s->vkey) != 0)
		err = error_set(e, ERR_VERIFY, "the seed in %s/keys is not the one that the log %s was opened with", s->dir, origin);
	failpoint(STORE_RECOVER);
	if (!err) err = recover_progress(s, e);
	if (!err) err = recover_check_guard(s, e);
	return err;
}

/* A first open that died between making the tables and record 0 leaves tables without a log. */
static bool has_log(sqlite3 *db)
{
	sqlite3_stmt *q = NULL;
	bool has = schema_prepare(db, "SELECT 1 FROM record UNION ALL SELECT 1 FROM checkpoint LIMIT 1", &q, NULL) != ERR_OK || sqlite3_step(q) != SQLITE_DONE;
	sqlite3_finalize(q);
	return has;
}

static enum err open_owner(struct store *s, const struct store_options *o, struct error *e)
{
	bool is_new = false;
	struct error full;
	struct buf note;
	enum err err = make_folders(s->dir, e);
	if (!err) err = take_lock(s->dir, &s->lock_fd, e);
	if (!err) err = (s->guard_folder = guard_folder(o->guard_dir, e)) ? ERR_OK : ERR_INVALID;
	if (!err && reserve_make(s->dir, &full) != ERR_OK) s->is_reserve_released = true;
	if (!err) err = recover_check_files(s, e);
	if (!err) err = schema_open_writer(s->db_path, &s->db, &is_new, e);
	if (!err) writer_remember_place(s);
	if (!err) err = writer_prepare(s, e);
	failpoint(STORE_TABLES);
	if (!err) err = has_log(s->db) ? open_existing(s, e) : open_new(s, o->origin, e);
	if (!err) err = guard_open(s->guard_folder, s->dir, s->origin, &s->guard, e);
	/* The name of the WAL, too: SQLite syncs the folder, but goes on where it cannot be opened for that. */
	if (!err) err = fs_sync_dir(s->dir, e);
	if (err) return err;
	buf_init(&note, NOTE_BYTES_MAX);
	err = recover_note(s->db, &note, e);
	if (!err) err = guard_write(s->guard, note.data, note.len, e);
	buf_clear(&note);
	return err;
}

static enum err open_read_only(struct store *s, struct error *e)
{
	sqlite3 *db = NULL;
	if (!fs_exists(s->db_path)) return error_set(e, ERR_NOT_FOUND, "there is no store in %s", s->dir);
	enum err err = schema_open_reader(s->db_path, &db, e);
	int version;
	if (!err) err = schema_check(db, &version, e);
	if (!err) err = recover_origin(db, s->origin, s->vkey, e);
	sqlite3_close(db);
	return err;
}

static enum err start_writer(struct store *s, struct error *e)
{
	int rc = pthread_create(&s->writer, NULL, writer_run, s);
	s->has_writer = rc == 0;
	errno = rc;
	return rc == 0 ? ERR_OK : error_errno(e, "the thread of the store's writer");
}

enum err store_open(const struct store_options *o, struct store **out, struct error *e)
{
	struct store *s = mem_zero(sizeof *s);
	*out = NULL;
	s->dir = mem_strdup(o->dir);
	s->db_path = in_dir(o->dir, "store.db");
	s->node = mem_strdup(o->node);
	s->is_read_only = o->is_read_only;
	s->wake = o->wake, s->wake_arg = o->wake_arg;
	s->clock_us = o->clock_us ? o->clock_us : clock_now_us;
	s->lock_fd = -1;
	queue_init(&s->queue);
	queue_init(&s->answers);
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->submitted, NULL);
	pthread_cond_init(&s->answered, NULL);
	enum err err = o->is_read_only ? open_read_only(s, e) : open_owner(s, o, e);
	s->alive_us = s->now.last_t_us;
	if (!err && !o->is_read_only) err = start_writer(s, e);
	if (err)
		store_close(s);
	else
		*out = s;
	return err;
}

static void free_queue(struct batch_queue *q)
{
	for (struct store_batch *b; (b = queue_take(q)) != NULL;) store_batch_free(b);
}

static void stop_writer(struct store *s)
{
	pthread_mutex_lock(&s->mutex);
	s->is_stopping = true;
	pthread_cond_signal(&s->submitted);
	pthread_mutex_unlock(&s->mutex);
	pthread_join(s->writer, NULL);
}

void store_close(struct store *s)
{
	if (!s) return;
	failpoint(STORE_CLOSE);
	if (s->has_writer) stop_writer(s);
	free_queue(&s->queue);
	free_queue(&s->answers);
	for (int i = 0; i < SQL_N; i++) sqlite3_finalize(s->sql[i]);
	sqlite3_close(s->db);
	guard_close(s->guard);
	note_signer_free(s->signer);
	failpoint(STORE_CLOSED);
	if (s->lock_fd >= 0) close(s->lock_fd); /* last: it lets the next owner in */
	pthread_mutex_destroy(&s->mutex);
	pthread_cond_destroy(&s->submitted);
	pthread_cond_destroy(&s->answered);
	free(s->dir);
	free(s->db_path);
	free(s->guard_folder);
	free(s->node);
	free(s);
}

int64_t store_alive_us(const struct store *s)
{
	return s->alive_us;
}

const char *store_vkey(const struct store *s)
{
	return s->vkey;
}

bool store_is_reserve_spent(struct store *s)
{
	pthread_mutex_lock(&s->mutex);
	bool is_spent = s->is_reserve_released;
	pthread_mutex_unlock(&s->mutex);
	return is_spent;
}

void store_regain_reserve(struct store *s)
{
	pthread_mutex_lock(&s->mutex);
	s->is_reserve_wanted = s->is_reserve_released && !s->is_broken;
	if (s->is_reserve_wanted) pthread_cond_signal(&s->submitted);
	pthread_mutex_unlock(&s->mutex);
}

void store_submit(struct store *s, struct store_batch *b, store_done *done, void *arg)
{
	must(s->has_writer);
	b->done = done, b->arg = arg;
	b->submitted_us = clock_monotonic_us();
	failpoint(STORE_SUBMIT);
	pthread_mutex_lock(&s->mutex);
	queue_add(&s->queue, b);
	s->open_batches++;
	pthread_cond_signal(&s->submitted);
	pthread_mutex_unlock(&s->mutex);
	failpoint(STORE_SUBMITTED);
}

int store_deliver(struct store *s)
{
	struct batch_queue mine;
	int n = 0;
	queue_init(&mine);
	pthread_mutex_lock(&s->mutex);
	for (struct store_batch *b; (b = queue_take(&s->answers)) != NULL; n++) queue_add(&mine, b);
	s->open_batches -= (size_t)n;
	pthread_mutex_unlock(&s->mutex);
	if (n) failpoint(STORE_DELIVER);
	for (struct store_batch *b; (b = queue_take(&mine)) != NULL;) {
		if (b->done) b->done(b->arg, b->err, b->first_seq, b->t_us, &b->error);
		store_batch_free(b);
	}
	if (n) failpoint(STORE_DELIVERED);
	return n;
}

void store_drain(struct store *s)
{
	for (;;) {
		pthread_mutex_lock(&s->mutex);
		while (s->open_batches && !s->answers.first) pthread_cond_wait(&s->answered, &s->mutex);
		bool is_done = s->open_batches == 0;
		pthread_mutex_unlock(&s->mutex);
		if (is_done) return;
		store_deliver(s);
	}
}

static void rename_aside(const char *dir, const char *name, const char *suffix, enum err *err, struct error *e)
{
	char *from = in_dir(dir, name), *to = mem_printf("%s/%s.%s", dir, name, suffix);
	if (!*err && rename(from, to) != 0 && errno != ENOENT) *err = error_errno(e, "%s", from);
	free(from);
	free(to);
}

/* What can be read of the log that goes: its name and its last checkpoint. Neither need be there; where the database is gone, its guard stays where it is, for
 * the log may live on in another directory. */
static void last_words(const char *dir, char origin[NOTE_NAME_BYTES], struct buf *note)
{
	char *path = in_dir(dir, "store.db"), vkey[NOTE_VKEY_BYTES];
	struct error ignored;
	sqlite3 *db = NULL;
	origin[0] = 0;
	if (fs_exists(path) && schema_open_reader(path, &db, &ignored) == ERR_OK) {
		if (recover_origin(db, origin, vkey, &ignored) != ERR_OK) origin[0] = 0;
		recover_note(db, note, &ignored);
	}
	sqlite3_close(db);
	free(path);
}

enum err store_set_aside(const char *dir, const char *guard_dir, struct buf *note, struct error *e)
{
	static const char *const names[] = {"store.db", "store.db-wal", "keys"};
	char origin[NOTE_NAME_BYTES], *suffix = mem_printf("aside-%lld", (long long)(clock_now_us() / 1000)), *folder = guard_folder(guard_dir, e);
	int lock = -1;
	enum err err = folder ? take_lock(dir, &lock, e) : ERR_INVALID;
	if (!err) last_words(dir, origin, note);
	failpoint(ASIDE_BEGIN);
	/* The database goes first, and its new name is durable before the WAL goes: without its WAL it would be taken for an older log, while a WAL alone is
	 * refused (recover_check_files). */
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		rename_aside(dir, names[i], suffix, &err, e);
		failpoint(ASIDE_HALF);
		if (!err && i == 0) err = fs_sync_dir(dir, e);
	}
	if (!err) {
		char *shm = in_dir(dir, "store.db-shm");
		unlink(shm); /* an index of the WAL, made again from it */
		free(shm);
		err = fs_sync_dir(dir, e);
	}
	failpoint(ASIDE_GUARD);
	if (!err) err = guard_set_aside(folder, dir, origin[0] ? origin : NULL, suffix, e);
	if (lock >= 0) close(lock);
	free(suffix);
	free(folder);
	return err;
}
