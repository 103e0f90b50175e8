#include "base/buf.h"
#include "base/frame.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* However a stream is cut into reads, the frames in it are the same, and each is written again as a frame that reads the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t step = n > 0 ? data[0] % 16 + 1u : 1;
	struct frame_reader whole, pieces;
	struct frame a, b;
	struct error e;
	enum err err;
	frame_reader_init(&whole, 4096, 4096);
	frame_reader_init(&pieces, 4096, 4096);
	if (n > 0) data++, n--;
	if (frame_reader_feed(&whole, data, n) == ERR_OK) {
		size_t at = 0;
		while ((err = frame_reader_next(&whole, &a, &e)) == ERR_OK) {
			enum err other;
			while ((other = frame_reader_next(&pieces, &b, &e)) == ERR_WAITING && at < n) {
				size_t some = n - at < step ? n - at : step;
				must(frame_reader_feed(&pieces, data + at, some) == ERR_OK);
				at += some;
			}
			must(other == ERR_OK && json_equal(a.head, b.head) && a.payload_len == b.payload_len);
			struct buf again;
			buf_init(&again, 65536);
			must(frame_write(&again, a.head, a.payload, a.payload_len) == ERR_OK);
			buf_clear(&again);
		}
		must(err == ERR_WAITING || err == ERR_PROTOCOL);
	}
	frame_reader_clear(&whole);
	frame_reader_clear(&pieces);
	return 0;
}
