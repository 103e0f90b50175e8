/* For clang-tidy only: what the analyzer cannot see from one file. A function that fills an error never returns ERR_OK; without that, it follows paths
 * on which `return error_set(...)` counts as success. */
#include "base/error.h"

#define error_set(e, kind, ...) ((void)error_set(e, kind, __VA_ARGS__), (kind) ? (kind) : ERR_FAILED)
#define error_errno(...) ((void)error_errno(__VA_ARGS__), ERR_IO)
#define error_context(...) ((void)error_context(__VA_ARGS__), ERR_FAILED)
