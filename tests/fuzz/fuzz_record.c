#include "base/buf.h"
#include "journal/record.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Whatever is read as a record is written again as the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct record r;
	struct buf again;
	struct error e;
	json_t *hold;
	if (record_decode((const char *)data, n, &r, &hold, &e) != ERR_OK) return 0;
	buf_init(&again, JOURNAL_RECORD_BYTES_MAX);
	must(record_encode(&r, &again, &e) == ERR_OK && again.len == n && memcmp(again.data, data, n) == 0);
	buf_clear(&again);
	json_decref(hold);
	return 0;
}
