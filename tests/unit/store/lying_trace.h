#ifndef TESTS_STORE_LYING_TRACE_H
#define TESTS_STORE_LYING_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What was done to the files below one folder, in order, and what a power cut may leave of it.
 *
 * Durable is what POSIX promises and no more: bytes and sizes of a file once that file was synced, a name once its folder was synced. What was written
 * before a sync that failed may be lost although a later one succeeds, as Linux does with bytes. */
struct trace;

/* Starts with what is below root, taken as durable. */
struct trace *trace_new(const char *root);
void trace_free(struct trace *t); /* NULL is fine */

/* The number of the file or folder at path, -1 where there is none. */
int trace_find(const struct trace *t, const char *path);
bool trace_is_inside(const struct trace *t, const char *path);
int64_t trace_size(const struct trace *t, int file);
/* The last name that the file was made with. */
const char *trace_name(const struct trace *t, int file);

int trace_create(struct trace *t, const char *path, bool is_folder);
void trace_write(struct trace *t, int file, int64_t at, const void *data, size_t n);
void trace_resize(struct trace *t, int file, int64_t size);
void trace_sync(struct trace *t, int file, bool is_done);
void trace_unlink(struct trace *t, const char *path);
void trace_rename(struct trace *t, const char *from, const char *to);
void trace_mark(struct trace *t, int mark); /* something was acknowledged */

/* How many events there are; a cut is before one of them, or after the last. */
size_t trace_length(const struct trace *t);
bool trace_has_mark(const struct trace *t, int mark, size_t cut);

/* What becomes of what was not durable. */
enum cut_kind {
	CUT_LOSES_ALL,
	CUT_KEEPS_ALL,
	CUT_KEEPS_SOME,  /* each write, size and name by itself: reordered */
	CUT_KEEPS_FIRST, /* up to some moment before */
	CUT_TEARS_512,   /* each sector of each write by itself */
	CUT_TEARS_4096,
	CUT_N
};
const char *cut_name(enum cut_kind kind);

/* Puts in the place of root what the disk holds after the power was cut. The same seed gives the same bytes. */
void trace_cut(const struct trace *t, size_t cut, enum cut_kind kind, unsigned seed);

#endif
