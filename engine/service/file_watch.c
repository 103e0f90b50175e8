#include "service/file_watch.h"
#include "base/clock.h"

enum { YOUNG_S = 2 };

bool file_watch_is_same(const struct file_watch *w, const struct stat *now)
{
	const struct stat *a = &w->seen, *b = now;
	return w->is_read && !w->is_young && a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

void file_watch_was_read(struct file_watch *w, const struct stat *now, bool is_whole)
{
	w->seen = *now;
	w->is_read = is_whole;
	w->is_young = clock_now_us() / 1000000 - now->st_ctim.tv_sec < YOUNG_S;
}
