#ifndef RUNG_SERVICE_RECEIPT_H
#define RUNG_SERVICE_RECEIPT_H

#include "sandbox/callable.h"
#include "service/execution.h"

/* Keys of calls, and receipts that are asked with them: what makes it possible to ask again for a call whose outcome did not come. DESIGN.md 5. */

enum { RECEIPT_DAYS = 7 /* how long a receipt is asked; it is removed a day later at the earliest, so that none is looked for that has gone */ };

/* What keyed and receipt calls say in their intent: {"key", "target"} into the data of a call.started. The same each time, until a person says that the call is
 * to be made anew. */
void receipt_record(struct execution *x, const struct callable *what, const json_t *arguments, enum step_effect effect, size_t step, uint32_t attempt,
                    uint32_t number, json_t *data);

/* What the actor gets of a receipt: "receipt" in the frame. The call's intent is recorded. */
void receipt_provide(struct execution *x, const struct call *c, json_t *head);

/* Can the call be asked for again: is its receipt still there, and where this engine would look? True of every other effect. */
bool receipt_can_be_asked(struct execution *x, const struct call *c);

/* What the receipt of a call says, looked at from here: nothing is run. */
enum receipt_word {
	RECEIPT_IS_ELSEWHERE, /* with another user, of another place, or too old: it is not seen from here */
	RECEIPT_NONE,         /* it was never claimed: the command did not start */
	RECEIPT_RUNS,         /* it was begun, and its process runs */
	RECEIPT_LOST,         /* it was begun; no end was written down, and it does not run any more */
	RECEIPT_FINISHED      /* it ended with that status */
};
struct receipt_look {
	enum receipt_word word;
	int pid, status;
	int64_t t_us; /* RECEIPT_FINISHED: when that was written down */
	char *path;   /* where it is kept: for people; allocated */
};
void receipt_look(struct execution *x, const struct call *c, struct receipt_look *out);

/* Removes what an execution that is over kept, where that is the engine's own. */
void receipt_forget(const struct execution *x);

#endif
