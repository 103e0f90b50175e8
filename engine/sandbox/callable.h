#ifndef RUNG_SANDBOX_CALLABLE_H
#define RUNG_SANDBOX_CALLABLE_H

#include "base/shape.h"

/* What a step can call: one row a function of a module. A worker that asks for anything else, or with arguments that the row does not have, is ended. */

enum callable_by {
	CALLABLE_ACTOR, /* makes it, once its intent is durable */
	CALLABLE_PERSON /* answers it */
};

struct callable {
	const char *module, *function;
	enum callable_by by;
	const struct shape *arguments, *options;
};

/* The row, or NULL where no module declares it. */
const struct callable *callable_find(const char *module, const char *function);

enum {
	CALLABLE_WORDS_MAX = 4096,              /* of a command; more fails that call only */
	CALLABLE_ARGUMENTS_BYTES_MAX = 1 << 20, /* of one call, as a frame bounds them */
	CALLABLE_ARGUMENTS_DEPTH_MAX = 16
};

#endif
