#ifndef RUNG_SANDBOX_SANITIZED_H
#define RUNG_SANDBOX_SANITIZED_H

/* Is this a build with AddressSanitizer? It makes system calls and maps memory as it likes, and reports on stderr. */
#if defined __SANITIZE_ADDRESS__
#define CONFINE_SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define CONFINE_SANITIZED 1
#endif
#endif
#ifndef CONFINE_SANITIZED
#define CONFINE_SANITIZED 0
#endif

#endif
