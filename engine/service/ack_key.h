#ifndef RUNG_SERVICE_ACK_KEY_H
#define RUNG_SERVICE_ACK_KEY_H

#include "escalate/ack_link.h"
#include "service/engine_state.h"

/* The secret that signs links which acknowledge: keys/ack.secret of the state directory, 64 hex digits and a newline, mode 0600; made where it is not there. A
 * log that is set aside leaves it behind: what its links named is not in the new one. ERR_IO, ERR_INVALID with the sentence. */
enum err ack_key_load(struct engine *en, struct error *e);

#endif
