/* Sizes are checked here by nobody but us: the names below must be the functions themselves. */
#undef _FORTIFY_SOURCE
#include "lying_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FDS_MAX = 1024, FREED_BYTES = 1 << 20 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards all that follows */
static struct trace *trace;
static int files[FDS_MAX]; /* the file's number + 1; 0: not ours */
static const struct disk_fault *fault;
static int fault_nth, fault_calls, fault_hits, store_hits;
static bool is_full;

void disk_watch(const char *root)
{
	struct trace *t = trace_new(root);
	pthread_mutex_lock(&mutex);
	memset(files, 0, sizeof files);
	trace = t;
	pthread_mutex_unlock(&mutex);
}

struct trace *disk_stop(void)
{
	pthread_mutex_lock(&mutex);
	struct trace *t = trace;
	trace = NULL;
	pthread_mutex_unlock(&mutex);
	return t;
}

void disk_fail(const struct disk_fault *f, int nth)
{
	pthread_mutex_lock(&mutex);
	fault = f;
	fault_nth = nth;
	fault_calls = fault_hits = store_hits = 0;
	is_full = false;
	pthread_mutex_unlock(&mutex);
}

static int locked(const int *value)
{
	pthread_mutex_lock(&mutex);
	int n = *value;
	pthread_mutex_unlock(&mutex);
	return n;
}

int disk_failed(void)
{
	return locked(&fault_hits);
}

int disk_store_failed(void)
{
	return locked(&store_hits);
}

void disk_mark(int mark)
{
	pthread_mutex_lock(&mutex);
	if (trace) trace_mark(trace, mark);
	pthread_mutex_unlock(&mutex);
}

size_t disk_length(void)
{
	pthread_mutex_lock(&mutex);
	size_t n = trace ? trace_length(trace) : 0;
	pthread_mutex_unlock(&mutex);
	return n;
}

static int file_of(int fd)
{
	return trace && fd >= 0 && fd < FDS_MAX ? files[fd] - 1 : -1;
}

static bool is_ours(const char *path)
{
	return trace && trace_is_inside(trace, path);
}

/* Is it this call's turn? Counts it. grows: it needs room on the disk. */
static bool has_turn(enum disk_call call, bool grows)
{
	if (!fault) return false;
	if (fault->call == call) fault_calls++;
	bool is_now = fault->call == call && (fault_calls == fault_nth || (fault->is_for_good && fault_calls > fault_nth));
	if (is_now && fault->is_full && fault_hits == 0) is_full = true, fault_hits++;
	return fault->is_full ? is_full && grows : is_now;
}

/* Fails a call where it is its turn, with errno set; a short one returns false and says so. */
static bool fails(enum disk_call call, int file, bool grows, bool *is_short)
{
	if (!has_turn(call, grows)) return false;
	fault_hits++;
	if (fault->error == 0) {
		*is_short = true;
		return false;
	}
	if (fault->error == EIO && file > 0 && (call == DISK_WRITE || call == DISK_SYNC)) {
		const char *name = trace_name(trace, file);
		store_hits += strcmp(name, "store.db") == 0 || strcmp(name, "store.db-wal") == 0;
	}
	errno = fault->error;
	return true;
}

static int open_ours(const char *path, int flags, mode_t mode)
{
	int file = trace_find(trace, path);
	bool is_new = file < 0 && (flags & O_CREAT), unused = false;
	if (fails(is_new ? DISK_NAME : DISK_OPEN, file, is_new, &unused)) return -1;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (fd < 0 || fd >= FDS_MAX) return fd;
	if (is_new) file = trace_create(trace, path, false);
	if (flags & O_TRUNC) trace_resize(trace, file, 0);
	files[fd] = file + 1;
	return fd;
}

static int open_any(const char *path, int flags, mode_t mode)
{
	pthread_mutex_lock(&mutex);
	int fd = is_ours(path) ? open_ours(path, flags, mode) : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	int error = errno;
	pthread_mutex_unlock(&mutex);
	errno = error;
	return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(ap, int) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);
	va_end(ap);
	return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = mode_of(flags, ap);
	va_end(ap);
	return open_any(path, flags, mode);
}

int close(int fd)
{
	pthread_mutex_lock(&mutex);
	if (fd >= 0 && fd < FDS_MAX) files[fd] = 0;
	int rc = (int)syscall(SYS_close, fd);
	pthread_mutex_unlock(&mutex);
	return rc;
}

/* Both kinds of reading: at -1 is where the file stands. */
static ssize_t read_any(int fd, void *data, size_t n, int64_t at)
{
	bool is_short = false;
	pthread_mutex_lock(&mutex);
	bool is_failed = file_of(fd) >= 0 && fails(DISK_READ, file_of(fd), false, &is_short);
	int error = errno;
	pthread_mutex_unlock(&mutex);
	errno = error;
	if (is_failed) return -1;
	if (is_short && n > 1) n /= 2;
	return at < 0 ? syscall(SYS_read, fd, data, n) : syscall(SYS_pread64, fd, data, n, at);
}

ssize_t read(int fd, void *data, size_t n)
{
	return read_any(fd, data, n, -1);
}

ssize_t pread(int fd, void *data, size_t n, off_t at)
{
	return read_any(fd, data, n, at);
}

ssize_t pread64(int fd, void *data, size_t n, off64_t at)
{
	return read_any(fd, data, n, at);
}

static ssize_t write_ours(int fd, const void *data, size_t n, int64_t at)
{
	int file = file_of(fd);
	int64_t from = at < 0 ? syscall(SYS_lseek, fd, 0, SEEK_CUR) : at;
	bool is_short = false;
	if (fails(DISK_WRITE, file, from + (int64_t)n > trace_size(trace, file), &is_short)) return -1;
	if (is_short && n > 1) n /= 2;
	ssize_t done = at < 0 ? syscall(SYS_write, fd, data, n) : syscall(SYS_pwrite64, fd, data, n, at);
	if (done > 0) trace_write(trace, file, from, data, (size_t)done);
	return done;
}

static ssize_t write_any(int fd, const void *data, size_t n, int64_t at)
{
	pthread_mutex_lock(&mutex);
	bool ours = file_of(fd) >= 0;
	ssize_t done = ours ? write_ours(fd, data, n, at) : 0;
	int error = errno;
	pthread_mutex_unlock(&mutex);
	errno = error;
	if (ours) return done;
	return at < 0 ? syscall(SYS_write, fd, data, n) : syscall(SYS_pwrite64, fd, data, n, at);
}

ssize_t write(int fd, const void *data, size_t n)
{
	return write_any(fd, data, n, -1);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
	return write_any(fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
	return write_any(fd, data, n, at);
}

static int sync_any(int fd)
{
	bool unused = false, is_failed = false;
	pthread_mutex_lock(&mutex);
	int file = file_of(fd);
	if (file >= 0) {
		is_failed = fails(DISK_SYNC, file, false, &unused);
		trace_sync(trace, file, !is_failed);
	}
	int error = errno;
	pthread_mutex_unlock(&mutex);
	errno = error;
	return is_failed ? -1 : 0;
}

int fsync(int fd)
{
	return sync_any(fd);
}

int fdatasync(int fd)
{
	return sync_any(fd);
}

static int resize_any(int fd, int64_t size)
{
	bool unused = false;
	pthread_mutex_lock(&mutex);
	int file = file_of(fd), rc = -1;
	if (file < 0 || !fails(DISK_RESIZE, file, size > trace_size(trace, file), &unused)) rc = (int)syscall(SYS_ftruncate, fd, size);
	if (rc == 0 && file >= 0) trace_resize(trace, file, size);
	int error = errno;
	pthread_mutex_unlock(&mutex);
	errno = error;
	return rc;
}

int ftruncate(int fd, off_t size)
{
	return resize_any(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
	return resize_any(fd, size);
}

/* Room is only imagined: the file is as large, and takes no blocks. */
int posix_fallocate(int fd, off_t at, off_t n)
{
	struct stat st;
	if (fstat(fd, &st) != 0) return errno;
	return st.st_size >= at + n || resize_any(fd, at + n) == 0 ? 0 : errno;
}

int unlink(const char *path)
{
	bool unused = false;
	pthread_mutex_lock(&mutex);
	int file = is_ours(path) ? trace_find(trace, path) : -1, rc = -1;
	if (file < 0 || !fails(DISK_DELETE, file, false, &unused)) rc = (int)syscall(SYS_unlink, path);
	if (rc == 0 && file >= 0) {
		if (fault && fault->is_freed && trace_size(trace, file) >= FREED_BYTES) is_full = false;
		trace_unlink(trace, path);
	}
	int error = errno;
	pthread_mutex_unlock(&mutex);
	errno = error;
	return rc;
}

int rename(const char *from, const char *to)
{
	bool unused = false;
	pthread_mutex_lock(&mutex);
	bool ours = is_ours(from) && trace_find(trace, from) >= 0;
	int rc = -1;
	if (!ours || !fails(DISK_NAME, 0, false, &unused)) rc = (int)syscall(SYS_rename, from, to);
	if (rc == 0 && ours) trace_rename(trace, from, to);
	int error = errno;
	pthread_mutex_unlock(&mutex);
	errno = error;
	return rc;
}

int mkdir(const char *path, mode_t mode)
{
	bool unused = false;
	pthread_mutex_lock(&mutex);
	bool ours = is_ours(path) && trace_find(trace, path) < 0;
	int rc = -1;
	if (!ours || !fails(DISK_NAME, 0, true, &unused)) rc = (int)syscall(SYS_mkdir, path, mode);
	if (rc == 0 && ours) trace_create(trace, path, true);
	int error = errno;
	pthread_mutex_unlock(&mutex);
	errno = error;
	return rc;
}
