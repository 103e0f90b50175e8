#include "flow/lease.h"

uint64_t lease_next(uint64_t epoch)
{
	return epoch + 1;
}

uint64_t lease_read(uint64_t known, uint64_t of_record)
{
	return of_record > known ? of_record : known;
}

bool lease_admits(const struct lease *held, uint64_t mine)
{
	return mine >= held->epoch;
}

bool lease_is_free_for(const struct lease *held, const struct lease_claim *claim)
{
	return claim->epoch == lease_next(held->epoch) && claim->last == held->last;
}

bool lease_may_submit(bool is_claiming, unsigned under_way)
{
	return !is_claiming || under_way == 0;
}
