#ifndef RUNG_SERVICE_FILE_WATCH_H
#define RUNG_SERVICE_FILE_WATCH_H

#include <stdbool.h>
#include <sys/stat.h>

/* Whether a file that is looked at often has to be read again. */
struct file_watch {
	struct stat seen;
	bool is_read, is_young; /* young: it was written so lately that another write may bear the same time */
};

/* now: of the file as it is. */
bool file_watch_is_same(const struct file_watch *w, const struct stat *now);

/* It was read; is_whole: with success. What could not be read at all may be readable in a moment. */
void file_watch_was_read(struct file_watch *w, const struct stat *now, bool is_whole);

#endif
