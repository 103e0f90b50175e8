#ifndef RUNG_SERVICE_ALERTS_AT_H
#define RUNG_SERVICE_ALERTS_AT_H

#include "alert/alerts_file.h"
#include "alert/book_index.h"
#include "service/engine_state.h"

/* `.rung/alerts.yaml` and the books of the engine's workspace, as they are now: looked at in each round of the loop that has deliveries. Loop thread only. */

/* ERR_OK with the file (one without sources where there is none), valid until the next round of the loop; else its error: nothing is received then. */
enum err alerts_now(struct engine *en, const struct alerts_file **out, struct error *e);

/* The index of the workspace's books, read again where a folder or a file of it changed. Valid as long. */
const struct book_index *alerts_books(struct engine *en);

/* The longest time that a guard rail of the file looks back; 0 where there is none. While the file cannot be read, that of when it could; or the longest that
 * there may be. */
int64_t alerts_longest_window_us(struct engine *en);

/* Bodies that came before are stored once; which ones is forgotten: they may not be in the store. */
void intake_forget_bodies(struct engine *en);

void alerts_free(struct engine *en);

#endif
