#include "service/ack_key.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/fs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TEXT_BYTES = 2 * ACK_LINK_SECRET_BYTES + 1 };

static enum err make(const char *path, unsigned char secret[ACK_LINK_SECRET_BYTES], struct error *e)
{
	struct buf b;
	random_bytes(secret, ACK_LINK_SECRET_BYTES);
	buf_init(&b, TEXT_BYTES);
	must(encode_hex(&b, secret, ACK_LINK_SECRET_BYTES) && buf_char(&b, '\n'));
	enum err err = fs_write_atomic(path, b.data, b.len, 0600, e);
	buf_wipe(&b);
	return err;
}

static enum err read_it(const char *path, unsigned char secret[ACK_LINK_SECRET_BYTES], struct error *e)
{
	struct stat st;
	struct buf b;
	if (stat(path, &st) == 0 && (st.st_mode & 077))
		return error_set(e, ERR_INVALID,
		                 "%s can be read by others: remove it, and the next engine makes another one; links that were sent are void then", path);
	buf_init(&b, TEXT_BYTES);
	enum err err = fs_read(path, &b, e);
	if (!err && b.len == TEXT_BYTES && b.data[b.len - 1] == '\n') b.data[--b.len] = 0;
	if (!err && (b.len != TEXT_BYTES - 1 || !decode_hex(secret, b.data, ACK_LINK_SECRET_BYTES)))
		err = error_set(e, ERR_INVALID, "%s does not hold 64 hex digits: remove it, and the next engine makes another one", path);
	buf_wipe(&b);
	return err;
}

enum err ack_key_load(struct engine *en, struct error *e)
{
	char *path = mem_printf("%s/keys/ack.secret", en->state_dir);
	enum err err = fs_exists(path) ? read_it(path, en->ack_secret, e) : make(path, en->ack_secret, e);
	free(path);
	return err;
}
