#include "policy/host_key.h"
#include "base/buf.h"
#include "base/encode.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES_MAX = 16384, FINGERPRINT_CHARS = 43 };

static const char prefix[] = "SHA256:";
static const char *const types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"};

static bool is_type(const char *text, size_t n)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strlen(types[i]) == n && memcmp(types[i], text, n) == 0) return true;
	return false;
}

static enum err fingerprint(struct arena *a, const char *text, const char **out, struct error *e)
{
	const char *code = text + strlen(prefix);
	size_t n = strlen(code);
	while (n && code[n - 1] == '=') n--;
	struct buf bytes;
	buf_init(&bytes, 64);
	char *padded = mem_printf("%.*s=", (int)n, code);
	bool good = n == FINGERPRINT_CHARS && decode_base64(&bytes, padded, n + 1) && bytes.len == 32;
	free(padded);
	buf_clear(&bytes);
	if (!good) return error_set(e, ERR_INVALID, "a fingerprint is SHA256: and %d characters of base64, as `ssh-keygen -lf` prints it", FINGERPRINT_CHARS);
	*out = arena_printf(a, "%s%.*s", prefix, (int)n, code);
	return ERR_OK;
}

/* The key itself begins with the name of its type once more. */
static bool blob_has_type(const char *code, size_t n, const char *type, size_t type_n)
{
	struct buf blob;
	buf_init(&blob, KEY_BYTES_MAX);
	bool good = decode_base64(&blob, code, n) && blob.len > 4 + type_n && get_u32(blob.data) == type_n && memcmp(blob.data + 4, type, type_n) == 0;
	buf_clear(&blob);
	return good;
}

enum err host_key_normal(struct arena *a, const char *text, const char **out, struct error *e)
{
	if (strncmp(text, prefix, strlen(prefix)) == 0) return fingerprint(a, text, out, e);
	size_t type_n = strcspn(text, " \t"), gap = strspn(text + type_n, " \t"), n = strcspn(text + type_n + gap, " \t");
	const char *code = text + type_n + gap;
	if (strlen(text) > 2 * (size_t)KEY_BYTES_MAX) return error_set(e, ERR_INVALID, "a host key has at most %d bytes", KEY_BYTES_MAX);
	if (is_type(code, n)) return error_set(e, ERR_INVALID, "a host key stands here without the host before it: write \"%.*s ...\"", (int)n, code);
	if (!is_type(text, type_n))
		return error_set(e, ERR_INVALID,
		                 "a host key is \"ssh-ed25519 AAAA...\" (ecdsa-sha2-nistp256, -nistp384, -nistp521 and ssh-rsa too), or its "
		                 "fingerprint \"SHA256:...\"");
	if (!blob_has_type(code, n, text, type_n))
		return error_set(e, ERR_INVALID, "the %.*s key is cut or changed: copy the whole line again", (int)type_n, text);
	*out = arena_printf(a, "%.*s %.*s", (int)type_n, text, (int)n, code);
	return ERR_OK;
}
