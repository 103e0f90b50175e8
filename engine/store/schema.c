#include "store/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/fs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x72756e67, SCHEMA_VERSION = 3, SCHEMA_OLDEST = 2, BUSY_MS = 5000, VALUE_BYTES_MAX = 64 << 20 };

/* leaf is the RFC 6962 hash of line: it lets a verifier name the one record that was changed. head holds what appending needs: the nodes of the tree and the
 * digest of the other tables' rows. A blob's name is the 32 bytes of its HMAC; an erased one has neither salt nor bytes. */
static const struct {
	int since; /* the version of the store that has it first */
	const char *sql;
} tables[] = {
    {2, "CREATE TABLE record (seq INTEGER PRIMARY KEY, execution TEXT, leaf BLOB NOT NULL, line BLOB NOT NULL) STRICT"},
    {2, "CREATE INDEX record_of_execution ON record (execution, seq) WHERE execution IS NOT NULL"},
    {2, "CREATE INDEX record_of_log ON record (seq) WHERE execution IS NULL"},
    {2, "CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT"},
    {2, "CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 0), nodes BLOB NOT NULL, sum BLOB NOT NULL) STRICT"},
    {2, "CREATE TABLE execution (id TEXT PRIMARY KEY NOT NULL, book TEXT, title TEXT, state TEXT, driver TEXT, parent TEXT, plan TEXT,"
        " started_us INTEGER NOT NULL, finished_us INTEGER NOT NULL, is_open INTEGER NOT NULL, epoch INTEGER NOT NULL,"
        " steps INTEGER NOT NULL, steps_done INTEGER NOT NULL) STRICT, WITHOUT ROWID"},
    {2, "CREATE INDEX execution_open ON execution (id) WHERE is_open = 1"},
    {2, "CREATE TABLE plan (digest TEXT PRIMARY KEY NOT NULL, bytes BLOB NOT NULL) STRICT"},
    {2, "CREATE TABLE blob (name BLOB PRIMARY KEY NOT NULL, execution TEXT, salt BLOB, bytes BLOB) STRICT"},
    {2, "CREATE TABLE timer (execution TEXT NOT NULL, step TEXT NOT NULL, kind TEXT NOT NULL, due_us INTEGER NOT NULL,"
        " PRIMARY KEY (execution, step, kind)) STRICT, WITHOUT ROWID"},
    {3, "CREATE TABLE incident (id TEXT PRIMARY KEY NOT NULL, key TEXT, title TEXT, state TEXT, assigned_to TEXT, priority INTEGER NOT NULL,"
        " opened_us INTEGER NOT NULL, changed_us INTEGER NOT NULL, acknowledged_us INTEGER NOT NULL, resolved_us INTEGER NOT NULL,"
        " alerts INTEGER NOT NULL, is_open INTEGER NOT NULL, is_live INTEGER NOT NULL) STRICT, WITHOUT ROWID"},
    {3, "CREATE INDEX incident_live ON incident (id) WHERE is_live = 1"},
    {3, "CREATE INDEX incident_changed ON incident (changed_us)"},
};
enum { TABLE_N = sizeof tables / sizeof *tables };

enum err schema_error(sqlite3 *db, int rc, const char *doing, struct error *e)
{
	enum err kind = ERR_IO;
	if ((rc & 0xff) == SQLITE_FULL) kind = ERR_FULL;
	/* Every statement is ours and right: SQLITE_ERROR means that the file is not what it should be. */
	static const int damaged[] = {SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_FORMAT, SQLITE_ERROR, SQLITE_TOOBIG, SQLITE_MISMATCH};
	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
		if ((rc & 0xff) == damaged[i]) kind = ERR_VERIFY;
	return error_set(e, kind, "%s: SQLite: %s (%d)", doing, db ? sqlite3_errmsg(db) : sqlite3_errstr(rc), rc);
}

enum err schema_exec(sqlite3 *db, const char *sql, struct error *e)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? ERR_OK : schema_error(db, rc, "store", e);
}

enum err schema_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, struct error *e)
{
	int rc = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
	return rc == SQLITE_OK ? ERR_OK : schema_error(db, rc, "store", e);
}

/* Settings that every connection has: nothing in the file may call functions or be trusted, and values have a size that fits in memory. */
static enum err harden(sqlite3 *db, struct error *e)
{
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, BUSY_MS);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	return schema_exec(db, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY", e);
}

/* Those that came after one version and up to another. */
static enum err make_tables(sqlite3 *db, int after, int version, struct error *e)
{
	enum err err = ERR_OK;
	for (int i = 0; i < TABLE_N && !err; i++)
		if (tables[i].since > after && tables[i].since <= version) err = schema_exec(db, tables[i].sql, e);
	return err;
}

static enum err pragma_int(sqlite3 *db, const char *sql, int *out, struct error *e)
{
	sqlite3_stmt *q = NULL;
	enum err err = schema_prepare(db, sql, &q, e);
	*out = 0;
	if (!err) {
		int rc = sqlite3_step(q);
		if (rc == SQLITE_ROW)
			*out = sqlite3_column_int(q, 0);
		else if (rc != SQLITE_DONE)
			err = schema_error(db, rc, "store", e);
	}
	sqlite3_finalize(q);
	return err;
}

/* The tables as SQLite remembers them, a line each. */
static enum err dump_tables(sqlite3 *db, struct buf *out, struct error *e)
{
	sqlite3_stmt *q = NULL;
	enum err err = schema_prepare(db, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name", &q, e);
	int rc = SQLITE_DONE;
	while (!err && (rc = sqlite3_step(q)) == SQLITE_ROW)
		for (int i = 0; i < 4; i++)
			buf_printf(out, "%s%c", sqlite3_column_text(q, i) ? (const char *)sqlite3_column_text(q, i) : "-", i < 3 ? '|' : '\n');
	if (!err && rc != SQLITE_DONE) err = schema_error(db, rc, "store", e);
	sqlite3_finalize(q);
	return err;
}

/* The expected text is what the same statements leave in an empty database. */
static enum err dump_expected(int version, struct buf *out, struct error *e)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open(":memory:", &db);
	enum err err = rc == SQLITE_OK ? make_tables(db, 0, version, e) : schema_error(db, rc, "store", e);
	if (!err) err = dump_tables(db, out, e);
	sqlite3_close(db);
	return err;
}

enum err schema_check(sqlite3 *db, int *version_out, struct error *e)
{
	int id, version = 0;
	struct buf have, want;
	buf_init(&have, 1 << 16);
	buf_init(&want, 1 << 16);
	enum err err = pragma_int(db, "PRAGMA application_id", &id, e);
	if (!err) err = pragma_int(db, "PRAGMA user_version", &version, e);
	if (!err && id != APPLICATION_ID) err = error_set(e, ERR_VERIFY, "the file is no store of rung (application id %08x)", (unsigned)id);
	if (!err && (version < SCHEMA_OLDEST || version > SCHEMA_VERSION))
		err = error_set(e, ERR_VERIFY, "the store has version %d, this program knows %d to %d", version, SCHEMA_OLDEST, SCHEMA_VERSION);
	if (!err) err = dump_expected(version, &want, e);
	if (!err) err = dump_tables(db, &have, e);
	if (!err && (have.is_full || have.len != want.len || memcmp(have.data, want.data, want.len) != 0))
		err = error_set(e, ERR_VERIFY, "the tables of the store are not those that this program makes");
	buf_clear(&have);
	buf_clear(&want);
	*version_out = version;
	return err;
}

static enum err set_version(sqlite3 *db, struct error *e)
{
	char sql[96];
	sqlite3_snprintf(sizeof sql, sql, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID, SCHEMA_VERSION);
	return schema_exec(db, sql, e);
}

/* A store of an older program gets the tables that came since, all at once: a crash leaves it as it was. What it has already stays. */
static enum err migrate(sqlite3 *db, int version, struct error *e)
{
	if (version == SCHEMA_VERSION) return ERR_OK;
	enum err err = schema_exec(db, "BEGIN IMMEDIATE", e);
	if (!err) err = make_tables(db, version, SCHEMA_VERSION, e);
	if (!err) err = set_version(db, e);
	if (!err) err = schema_exec(db, "COMMIT", e);
	return err ? error_context(e, "a store of version %d becomes one of version %d", version, SCHEMA_VERSION) : ERR_OK;
}

static enum err create(sqlite3 *db, struct error *e)
{
	enum err err = schema_exec(db, "BEGIN IMMEDIATE", e);
	if (!err) err = make_tables(db, 0, SCHEMA_VERSION, e);
	if (!err) err = set_version(db, e);
	if (!err) err = schema_exec(db, "COMMIT", e);
	return err;
}

/* An open that fails still leaves a handle to be closed. */
static enum err give_up(sqlite3 **db, enum err err)
{
	sqlite3_close(*db);
	*db = NULL;
	return err;
}

/* SQLite would make the file readable for others; its WAL takes the mode from it. Its name is durable before there is a WAL beside it. */
static enum err make_private(const char *path, struct error *e)
{
	bool is_new = !fs_exists(path);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) return error_errno(e, "%s", path);
	close(fd);
	if (!is_new) return ERR_OK;
	char *folder = fs_dirname(path);
	enum err err = fs_sync_dir(folder, e);
	free(folder);
	return err;
}

enum err schema_open_writer(const char *path, sqlite3 **out, bool *is_new, struct error *e)
{
	int tables_n = 0, version = 0;
	*out = NULL;
	enum err err = make_private(path, e);
	if (err) return err;
	int rc = sqlite3_open_v2(path, out, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, NULL);
	err = rc == SQLITE_OK ? harden(*out, e) : schema_error(*out, rc, path, e);
	/* secure_delete: what is erased must not stay in free pages. */
	if (!err)
		err = schema_exec(
		    *out,
		    "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = ON",
		    e);
	if (!err) err = pragma_int(*out, "SELECT count(*) FROM sqlite_schema", &tables_n, e);
	*is_new = tables_n == 0;
	if (!err) err = *is_new ? create(*out, e) : schema_check(*out, &version, e);
	if (!err && !*is_new) err = migrate(*out, version, e);
	return err ? give_up(out, err) : ERR_OK;
}

/* A path as a URI that says that nobody writes the file. */
static char *immutable_uri(const char *path)
{
	struct buf b;
	buf_init(&b, 3 * strlen(path) + 32);
	buf_str(&b, "file:");
	for (const char *p = path; *p; p++) {
		if (strchr("%?#", *p))
			buf_printf(&b, "%%%02X", (unsigned char)*p);
		else
			buf_char(&b, *p);
	}
	buf_str(&b, "?immutable=1");
	return buf_take(&b);
}

/* Commits that stand in the WAL only would be missed by a connection that does not look at it. */
static bool has_wal(const char *path)
{
	struct stat st;
	char *wal = mem_printf("%s-wal", path);
	bool has = stat(wal, &st) == 0 && st.st_size > 0;
	free(wal);
	return has;
}

static int try_reader(const char *name, int flags, sqlite3 **out)
{
	int rc = sqlite3_open_v2(name, out, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | flags, NULL);
	if (rc != SQLITE_OK) return rc;
	sqlite3_db_config(*out, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_extended_result_codes(*out, 1);
	return sqlite3_exec(*out, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
}

enum err schema_open_reader(const char *path, sqlite3 **out, struct error *e)
{
	*out = NULL;
	int rc = try_reader(path, 0, out);
	if (((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY) && !has_wal(path)) {
		char *uri = immutable_uri(path);
		sqlite3_close(*out);
		rc = try_reader(uri, SQLITE_OPEN_URI, out);
		free(uri);
	}
	enum err err = rc == SQLITE_OK ? harden(*out, e) : schema_error(*out, rc, path, e);
	return err ? give_up(out, err) : ERR_OK;
}
