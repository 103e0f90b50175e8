#include "base/json.h"
#include "sandbox/callable.h"
#include "sandbox/wire.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What is accepted keeps the promises that the engine builds on. */
static void check(enum wire_peer from, const struct wire_message *m)
{
	const json_t *value = json_object_get(m->head, "value");
	must(!json_object_get(m->head, "t"));
	must(m->payload_len <= WIRE_OUTPUT_BYTES_MAX && (m->said == WIRE_OUTPUT || m->payload_len == 0));
	must(from == WIRE_ACTOR || (m->said != WIRE_STARTED && m->said != WIRE_OUTPUT && m->said != WIRE_FINISHED && m->said != WIRE_FAILED));
	if (m->said == WIRE_CALL) {
		must(m->callable && strcmp(m->module->name, json_str(m->head, "module", "")) == 0);
		must(json_obj(m->head, "arguments") && json_obj(m->head, "options"));
		must(json_int(m->head, "c", 0) >= 1 && json_int(m->head, "c", 0) <= WIRE_CALLS_MAX);
	}
	if (m->said == WIRE_FINISHED) {
		must(json_int(m->head, "code", 0) >= 0 && json_int(m->head, "code", 0) <= 255 && json_int(m->head, "us", -1) >= 0);
		must(!json_object_get(m->head, "code") || !json_object_get(m->head, "signal"));
		must(json_object_get(m->head, "code") || json_object_get(m->head, "signal") || json_obj(m->head, "data"));
	}
	if (m->said == WIRE_END) must(!value == (strcmp(json_str(m->head, "outcome", ""), "succeeded") != 0));
	if (value) must(json_depth(value) <= WIRE_RESULT_DEPTH_MAX);
}

/* A stream of frames as a worker's, and as an actor's. A refusal says why. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	for (enum wire_peer from = WIRE_WORKER; from <= WIRE_ACTOR; from++) {
		struct frame_reader r;
		struct frame f;
		struct wire_message m;
		struct error e = {ERR_OK, ""};
		enum err err = ERR_OK;
		frame_reader_init(&r, WIRE_HEAD_BYTES_MAX, from == WIRE_WORKER ? 0 : WIRE_OUTPUT_BYTES_MAX);
		if (frame_reader_feed(&r, data, n) == ERR_OK) {
			while (!err && (err = frame_reader_next(&r, &f, &e)) == ERR_OK) {
				err = wire_decode(from, &f, &m, &e);
				if (!err) check(from, &m);
			}
			must(err == ERR_WAITING || (err == ERR_PROTOCOL && e.kind == ERR_PROTOCOL && e.text[0]));
		}
		frame_reader_clear(&r);
	}
	return 0;
}
