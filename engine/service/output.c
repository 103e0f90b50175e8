#include "base/failpoint.h"
#include "base/fs.h"
#include "sandbox/wire.h"
#include "service/call.h"
#include "service/engine_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What commands print: the first 1 and the last 9 MiB of a call are kept, the rest is counted; spooled as it comes, blobs when the call ends. */

enum { OUTPUT_HEAD_BYTES = 1 << 20, OUTPUT_TAIL_BYTES = 9 << 20, EXECUTION_OUTPUT_BYTES = 256 << 20 };

static const char *const stream_names[2] = {"stdout", "stderr"};

static char *spool_path(const struct execution *x, const struct call *c, int stream)
{
	return mem_printf("%s/spool/%s.%s.%u.%u.%s", x->engine->state_dir, x->id, x->book->steps[c->step].id, c->attempt, c->number, stream_names[stream]);
}

static void spool(struct execution *x, struct call *c, int stream, const void *data, size_t n)
{
	if (c->spool_fd[stream] < 0) {
		char *path = spool_path(x, c, stream);
		c->spool_fd[stream] = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		free(path);
		c->is_spooled[stream] = c->spool_fd[stream] >= 0;
	}
	/* The spool is for looking at after a crash: where it cannot be written, the outcome's blobs still are. */
	if (!failpoint(SPOOL_WRITE) && c->spool_fd[stream] >= 0) fs_write_all(c->spool_fd[stream], data, n, NULL);
}

static void read_piece(int fd, off_t from, size_t n, struct buf *out)
{
	char chunk[65536];
	for (ssize_t got; n && (got = pread(fd, chunk, n < sizeof chunk ? n : sizeof chunk, from)) > 0; from += got, n -= (size_t)got)
		buf_add(out, chunk, (size_t)got);
}

/* What a command printed before the engine that watched it ended. */
void output_recover(struct execution *x, struct call *c)
{
	if (c->seen_bytes[0] || c->seen_bytes[1]) return; /* this engine watched it */
	failpoint(SPOOL_READ);
	for (int stream = 0; stream < 2; stream++) {
		char *path = spool_path(x, c, stream);
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
		size_t first = size < OUTPUT_HEAD_BYTES ? (size_t)size : OUTPUT_HEAD_BYTES;
		size_t last = (size_t)size - first < OUTPUT_TAIL_BYTES ? (size_t)size - first : OUTPUT_TAIL_BYTES;
		buf_init(&c->out[stream], OUTPUT_HEAD_BYTES + OUTPUT_TAIL_BYTES);
		read_piece(fd, 0, first, &c->out[stream]);
		read_piece(fd, size - (off_t)last, last, &c->out[stream]);
		c->seen_bytes[stream] = (uint64_t)size;
		c->is_spooled[stream] = fd >= 0;
		if (fd >= 0) close(fd);
		free(path);
	}
}

void output_begin(struct call *c)
{
	for (int s = 0; s < 2; s++) {
		buf_clear(&c->out[s]);
		buf_clear(&c->tail[s]);
		c->out[s].max = 0;
		c->seen_bytes[s] = 0;
	}
	c->is_redacted = false;
}

static void spool_remove(struct execution *x, json_t *data)
{
	const struct call *c =
	    execution_call(x, (size_t)json_int(data, "step", 0), (uint32_t)json_int(data, "attempt", 0), (uint32_t)json_int(data, "call", 0));
	failpoint(SPOOL_FORGET);
	char *path = spool_path(x, c, (int)json_int(data, "stream", 0));
	unlink(path);
	free(path);
}

/* The file stays until the blobs that hold the same are durable. */
void output_forget(struct execution *x, struct call *c)
{
	for (int stream = 0; stream < 2; stream++) {
		if (c->spool_fd[stream] >= 0) close(c->spool_fd[stream]);
		c->spool_fd[stream] = -1;
		if (!c->is_spooled[stream]) continue;
		c->is_spooled[stream] = false;
		execution_later(x, spool_remove,
		                json_pack("{s:I,s:I,s:I,s:i}", "step", (json_int_t)c->step, "attempt", (json_int_t)c->attempt, "call", (json_int_t)c->number,
		                          "stream", stream));
	}
}

static bool note_open(void *arg, const struct store_execution *x)
{
	json_object_set_new(arg, x->id, json_true());
	return true;
}

enum err output_sweep(struct engine *en, struct error *e)
{
	json_t *open_ones = json_object();
	char *folder = mem_printf("%s/spool", en->state_dir);
	enum err err = store_executions(en->reader, true, NULL, NULL, 0, note_open, open_ones, e);
	DIR *d = err ? NULL : opendir(folder);
	for (struct dirent *entry; d && (entry = readdir(d));) {
		char id[27];
		snprintf(id, sizeof id, "%.26s", entry->d_name);
		if (entry->d_name[0] != '.' && !json_object_get(open_ones, id)) unlinkat(dirfd(d), entry->d_name, 0);
	}
	if (d) closedir(d);
	free(folder);
	json_decref(open_ones);
	return err;
}

void call_output(struct execution *x, struct call *c, int stream, const void *data, size_t n)
{
	json_t *head = json_pack("{s:s,s:s,s:s,s:i,s:i,s:s,s:s*}", "ev", "output", "execution", x->id, "step", x->book->steps[c->step].id, "attempt",
	                         (int)c->attempt, "call", (int)c->number, "stream",
	                         c->client && stream == 0 && strcmp(c->function, "terminal") == 0 ? "terminal" : stream_names[stream], "host", c->host);
	engine_broadcast(x->engine, x, head, data, n);
	c->seen_bytes[stream] += n;
	if (x->output_bytes >= EXECUTION_OUTPUT_BYTES) return;
	x->output_bytes += n;
	if (c->out[stream].max == 0) {
		buf_init(&c->out[stream], OUTPUT_HEAD_BYTES);
		buf_init(&c->tail[stream], 2 * OUTPUT_TAIL_BYTES + WIRE_OUTPUT_BYTES_MAX);
	}
	spool(x, c, stream, data, n);
	size_t room = OUTPUT_HEAD_BYTES - c->out[stream].len, first = n < room ? n : room;
	buf_add(&c->out[stream], data, first);
	buf_add(&c->tail[stream], (const char *)data + first, n - first);
	/* Cut in large strokes: a move for each frame would be quadratic. */
	if (c->tail[stream].len > 2 * OUTPUT_TAIL_BYTES) buf_drop(&c->tail[stream], c->tail[stream].len - OUTPUT_TAIL_BYTES);
}

void output_whole(struct call *c)
{
	for (int s = 0; s < 2; s++) {
		if (c->tail[s].len > OUTPUT_TAIL_BYTES) buf_drop(&c->tail[s], c->tail[s].len - OUTPUT_TAIL_BYTES);
		if (c->tail[s].len == 0) continue;
		c->out[s].max = OUTPUT_HEAD_BYTES + OUTPUT_TAIL_BYTES;
		buf_add(&c->out[s], c->tail[s].data, c->tail[s].len);
		buf_clear(&c->tail[s]);
	}
}

json_t *output_blobs(struct execution *x, struct call *c, int stream)
{
	const struct buf *b = &c->out[stream];
	if (b->len == 0) return NULL;
	failpoint(OUTPUT_BLOBS);
	json_t *names = json_array();
	for (size_t at = 0; at < b->len; at += STORE_BLOB_BYTES_MAX) {
		size_t n = b->len - at < STORE_BLOB_BYTES_MAX ? b->len - at : STORE_BLOB_BYTES_MAX;
		json_array_append_new(names, json_string(execution_blob(x, b->data + at, n)));
	}
	return names;
}

size_t output_add(struct execution *x, const struct call *c, int stream, struct buf *out)
{
	size_t before = out->len, i;
	json_t *name, *names = json_arr(c->finished, stream_names[stream]);
	if (c->out[stream].len) {
		buf_add(out, c->out[stream].data, c->out[stream].len);
		buf_add(out, c->tail[stream].data, c->tail[stream].len);
		return out->len - before;
	}
	json_array_foreach(names, i, name)
	{
		size_t n;
		char *bytes = execution_read_blob(x, json_string_value(name), &n);
		buf_add(out, bytes, n);
		free(bytes);
	}
	return out->len - before;
}

void call_release(struct call *c)
{
	for (int s = 0; s < 2; s++) {
		buf_clear(&c->out[s]);
		buf_clear(&c->tail[s]);
		if (c->spool_fd[s] >= 0) close(c->spool_fd[s]);
		c->spool_fd[s] = -1;
	}
	json_decref(c->finished);
	json_decref(c->facts);
	c->finished = c->facts = NULL;
}
