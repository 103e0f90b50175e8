#ifndef TESTS_STORE_LYING_DISK_H
#define TESTS_STORE_LYING_DISK_H

#include "lying_trace.h"

/* The file system of a test program: it stands below SQLite and below our own code, for it defines open, pread, pwrite, fsync and the rest itself, which the
 * dynamic linker prefers to the C library's. Below one folder everything is noted down (lying_trace.h) and can be made to fail; elsewhere it passes through.
 * Nothing is ever really synced: the program is about disks that it only imagines. */

enum disk_call {
	DISK_OPEN,
	DISK_READ,
	DISK_WRITE,
	DISK_SYNC,
	DISK_RESIZE, /* truncate, allocate */
	DISK_NAME,   /* make a file or a folder, rename */
	DISK_DELETE,
	DISK_CALL_N
};

struct disk_fault {
	const char *what;
	enum disk_call call;
	int error;        /* 0: half of what was asked is done */
	bool is_for_good; /* every such call from the nth on */
	bool is_full;     /* the disk is full from the nth on: what grows fails with ENOSPC */
	bool is_freed;    /* ... until a large file is deleted */
};

/* Starts to note down; the folder must be there. */
void disk_watch(const char *root);
/* Stops; the caller frees the trace. */
struct trace *disk_stop(void);

/* Makes the nth call (from 1) fail from now on; NULL: none. */
void disk_fail(const struct disk_fault *f, int nth);
int disk_failed(void); /* how many calls did since then */
/* How many writes and syncs of the database or its WAL failed with EIO since then. */
int disk_store_failed(void);

void disk_mark(int mark);
size_t disk_length(void); /* of the trace up to now */

#endif
