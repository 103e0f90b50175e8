#ifndef RUNG_FLOW_LEASE_H
#define RUNG_FLOW_LEASE_H

#include <stdbool.h>
#include <stdint.h>

/* One executor at a time: each execution has a lease with an epoch in the store, and every write carries the epoch of who writes. Decisions without clock or
 * I/O: store/ asks them inside its transaction, service/ when it takes up what another engine left, and so does the simulation in tests/simulate/.
 *
 * Taking over is a write like others, with the next epoch: it is taken only where the store still is what the new executor has read, and nothing else of it is
 * submitted before that is durable. So of two that take over at once one is refused, and none goes on from a record that has grown meanwhile. What becomes
 * of calls in flight then is call_fate_of (LOSS_ENGINE): unknown, never a second run.
 * source: DESIGN.md 5.5 */

/* What the store holds of an execution. */
struct lease {
	uint64_t epoch; /* 0: it has never been written */
	uint64_t last;  /* its last record */
};

/* What the new executor has read. */
struct lease_claim {
	uint64_t epoch; /* that it takes: lease_next of the one it read */
	uint64_t last;
};

/* A new execution's first, and the one behind a lease. */
uint64_t lease_next(uint64_t epoch);

/* The epoch that the record tells, from a record of it. */
uint64_t lease_read(uint64_t known, uint64_t of_record);

/* May a write with the epoch `mine` be stored? */
bool lease_admits(const struct lease *held, uint64_t mine);

/* May it be taken over? */
bool lease_is_free_for(const struct lease *held, const struct lease_claim *claim);

/* May more be submitted? Not while the claim is under way. */
bool lease_may_submit(bool is_claiming, unsigned under_way);

#endif
