#ifndef RUNG_MODULES_HTTP_VAULT_H
#define RUNG_MODULES_HTTP_VAULT_H

#include "base/buf.h"
#include "base/error.h"

/* Secrets of HashiCorp Vault and what speaks as it does (OpenBao): the key-value engines, version 1 and 2, over their HTTP API. */

/* Takes a field out of the body of an answer: {"data":{FIELD:...}}, or of version 2 {"data":{"data":{FIELD:...},"metadata":{...}}}. A text as it is, a number
 * or true or false as JSON writes it. ERR_NOT_FOUND where it has no such field, ERR_PROTOCOL where it is no such answer; no sentence holds anything of it. */
enum err vault_field(const char *body, size_t n, const char *field, struct buf *out, struct error *e);

/* Why there is none, by the status of the answer. */
enum err vault_refusal(int status, struct error *e);

#endif
