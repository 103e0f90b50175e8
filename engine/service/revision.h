#ifndef RUNG_SERVICE_REVISION_H
#define RUNG_SERVICE_REVISION_H

#include "service/engine_state.h"
#include "service/operations.h"

/* Revisions of books that somebody approved, by path and digest of their bytes: what a service may run above risk read. Any edit is another revision.
 * source: DESIGN.md 7 */

/* Reads them from the journal when the engine starts. */
enum err revisions_load(struct engine *en, struct error *e);
void revisions_free(struct engine *en);

/* book: its path beneath the workspace. Elsewhere the same bytes are another book, which others may have a word in. */
bool revision_is_approved(const struct engine *en, const char *digest, const char *book);

/* Operation book.approve {"books":[paths],"reason"}: all of them, or none. Answers when it is durable. */
void op_book_approve(struct request *q);

/* Takes one start from what the policy gives a service in a time; ERR_DENIED where none is left. */
enum err service_rate_take(struct engine *en, const struct policy_service *s, struct error *e);

#endif
