#ifndef RUNG_SERVICE_TOKEN_H
#define RUNG_SERVICE_TOKEN_H

#include "service/engine_state.h"
#include "service/operations.h"

/* Tokens: who has one asks over HTTP as the principal that it is for. 256 random bits, shown once; kept is their SHA-256, in the record that says who made it
 * (token.created), and nowhere else. The engine's own user makes them, on the engine's socket: who has a token cannot make another. source: DESIGN.md 7 */
struct token;

/* "rung_" and 43 characters of base64url */
enum { TOKEN_TEXT_BYTES = 48, TOKENS_MAX = 1000 };

/* Reads them from the journal when the engine starts. */
enum err tokens_load(struct engine *en, struct error *e);
void tokens_free(struct engine *en);

/* The token with exactly that text, where it counts now; NULL: none does. The time that it takes says nothing of how near a text comes to one. */
const struct token *token_find(const struct engine *en, const char *text, size_t n);

/* "user:ana", "service:alert-bot" */
const char *token_principal(const struct token *t);

/* token.create {"name","for":principal,"expires":duration or null} -> {"token","name","for","expires_us"}; token.list {} -> {"tokens":[...]};
 * token.revoke {"name"}. Those that change answer when that is durable. */
void op_token_create(struct request *q);
void op_token_list(struct request *q);
void op_token_revoke(struct request *q);

#endif
