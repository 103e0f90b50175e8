/* Books read a second: bytes to graph, over the files that are named, for about a second; and the slowest of them. */
#include "base/clock.h"
#include "base/fs.h"
#include "book/graph.h"

#include <stdio.h>

enum { SECOND_US = 1000000 };

int main(int argc, char **argv)
{
	int64_t begun = clock_monotonic_us(), slowest = 0, took;
	long books = 0, bytes = 0;
	const char *slow = "";
	do {
		for (int i = 1; i < argc; i++) {
			struct buf b;
			struct book *book;
			struct graph *graph = NULL;
			struct error e;
			buf_init(&b, BOOK_BYTES_MAX);
			if (fs_read(argv[i], &b, &e)) return fprintf(stderr, "%s\n", e.text), 1;
			int64_t from = clock_monotonic_us();
			if (book_parse(argv[i], NULL, b.data ? b.data : "", b.len, &book, &e)) return fprintf(stderr, "%s\n", e.text), 1;
			if (graph_build(book, &graph, NULL)) graph = NULL; /* an odd one: its needs name nobody */
			int64_t one = clock_monotonic_us() - from;
			if (one > slowest) slowest = one, slow = argv[i];
			bytes += (long)b.len;
			books++;
			graph_free(graph);
			book_free(book);
			buf_clear(&b);
		}
		took = clock_monotonic_us() - begun;
	} while (took < SECOND_US && argc > 1);
	printf("books: %d files, %.0f a second, %.1f MB/s; the slowest %.2f ms (%s)\n", argc - 1, (double)books * 1e6 / (double)took,
	       (double)bytes / (double)took, (double)slowest / 1e3, slow);
	return 0;
}
