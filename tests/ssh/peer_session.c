/* Authentication, channels, commands: RFC 4252, RFC 4254. */
#include "peer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum {
	MSG_DISCONNECT = 1,
	MSG_IGNORE = 2,
	MSG_UNIMPLEMENTED = 3,
	MSG_DEBUG = 4,
	MSG_SERVICE_REQUEST = 5,
	MSG_SERVICE_ACCEPT = 6,
	MSG_USERAUTH_REQUEST = 50,
	MSG_USERAUTH_FAILURE = 51,
	MSG_USERAUTH_SUCCESS = 52,
	MSG_USERAUTH_BANNER = 53,
	MSG_USERAUTH_PK_OK = 60,
	MSG_GLOBAL_REQUEST = 80,
	MSG_REQUEST_SUCCESS = 81,
	MSG_REQUEST_FAILURE = 82,
	MSG_CHANNEL_OPEN = 90,
	MSG_CHANNEL_CONFIRM = 91,
	MSG_CHANNEL_REFUSED = 92,
	MSG_CHANNEL_WINDOW = 93,
	MSG_CHANNEL_DATA = 94,
	MSG_CHANNEL_ERRORS = 95,
	MSG_CHANNEL_EOF = 96,
	MSG_CHANNEL_CLOSE = 97,
	MSG_CHANNEL_REQUEST = 98,
	MSG_CHANNEL_SUCCESS = 99,
	MSG_CHANNEL_FAILURE = 100,
};
enum { SMALL_PACKET_BYTES = 1, OVERRUN_BYTES = 4 << 20, COMMAND_BYTES_MAX = 131072 };

static void say(struct conn *c, uint8_t type)
{
	packet_begin(c, type);
	packet_end(c);
}

static void say_about(struct conn *c, uint8_t type, const struct channel *ch)
{
	put_u32(packet_begin(c, type), ch->theirs);
	packet_end(c);
}

/* ---- who asks ---- */

static bool take_service(struct conn *c, struct reader r)
{
	if (!fault_at(c, STAGE_NEWKEYS)) return true;
	if (!reads_as(read_string(&r), "ssh-userauth")) return false;
	put_text(packet_begin(c, MSG_SERVICE_ACCEPT), "ssh-userauth");
	packet_end(c);
	c->phase = PHASE_AUTH;
	return true;
}

static bool refuse_auth(struct conn *c, const char *methods, bool is_partial)
{
	struct buf *b = packet_begin(c, MSG_USERAUTH_FAILURE);
	put_text(b, methods);
	buf_char(b, is_partial);
	packet_end(c);
	return true;
}

static void say_banner(struct conn *c)
{
	struct buf *b = packet_begin(c, MSG_USERAUTH_BANNER);
	put_text(b, "\x1b]0;mine\x07\x1b[2JAll your sessions are \xff watched\r\n");
	put_text(b, "");
	packet_end(c);
}

static bool take_auth(struct conn *c, struct reader r)
{
	read_string(&r), read_string(&r);
	struct reader method = read_string(&r);
	if (!reads_as(method, "publickey")) return refuse_auth(c, "publickey", false);
	bool is_signed = read_bool(&r);
	struct reader algorithm = read_string(&r), key = read_string(&r);
	if (r.is_bad) return false;
	if (!is_signed) {
		if (fault_is(c, ODD_AUTH_REFUSED)) return refuse_auth(c, "publickey", false);
		struct buf *b = packet_begin(c, MSG_USERAUTH_PK_OK);
		put_string(b, algorithm.at, algorithm.left);
		put_string(b, key.at, key.left);
		packet_end(c);
		return true;
	}
	if (!fault_at(c, STAGE_AUTH)) return true;
	if (fault_is(c, ODD_AUTH_REFUSED)) return refuse_auth(c, "publickey", false);
	if (fault_is(c, ODD_AUTH_PARTIAL)) return refuse_auth(c, "keyboard-interactive,password", true);
	if (fault_is(c, ODD_AUTH_BANNER)) say_banner(c);
	say(c, MSG_USERAUTH_SUCCESS);
	c->phase = PHASE_OPEN;
	return true;
}

/* ---- channels ---- */

static struct channel *channel_of(struct conn *c, struct reader *r, unsigned *id)
{
	*id = read_u32(r);
	return !r->is_bad && *id < CHANNELS_MAX ? c->channels[*id] : NULL;
}

static void channel_free(struct conn *c, unsigned id)
{
	command_clear(c->channels[id]);
	buf_clear(&c->channels[id]->input);
	free(c->channels[id]);
	c->channels[id] = NULL;
}

void session_clear(struct conn *c)
{
	for (unsigned i = 0; i < CHANNELS_MAX; i++)
		if (c->channels[i]) channel_free(c, i);
}

static bool refuse_channel(struct conn *c, uint32_t theirs, uint32_t reason, const char *why)
{
	struct buf *b = packet_begin(c, MSG_CHANNEL_REFUSED);
	put_u32(b, theirs);
	put_u32(b, reason);
	put_text(b, why);
	put_text(b, "");
	packet_end(c);
	return true;
}

static bool take_open(struct conn *c, struct reader r)
{
	struct reader type = read_string(&r);
	uint32_t theirs = read_u32(&r), window = read_u32(&r), packet = read_u32(&r);
	if (r.is_bad) return false;
	if (!reads_as(type, "session")) return refuse_channel(c, theirs, 1, "sessions only");
	c->sessions++;
	if (!fault_at(c, STAGE_CHANNEL)) return true;
	if (fault_is(c, ODD_CHANNEL_REFUSED)) return refuse_channel(c, theirs, 4, "no \x1b[1mroom");
	unsigned id = 0;
	while (id < CHANNELS_MAX && c->channels[id]) id++;
	if (id == CHANNELS_MAX) return refuse_channel(c, theirs, 4, "as many as can be");
	struct channel *ch = calloc(1, sizeof *ch);
	if (!ch) stop("no memory");
	*ch = (struct channel){
	    .theirs = theirs, .window = window, .packet = packet < DATA_BYTES_MAX ? packet : DATA_BYTES_MAX, .pidfd = -1, .in = -1, .out = -1, .err = -1};
	buf_init(&ch->input, 2 * WINDOW_BYTES);
	c->channels[id] = ch;
	struct buf *b = packet_begin(c, MSG_CHANNEL_CONFIRM);
	put_u32(b, theirs);
	put_u32(b, id);
	put_u32(b, fault_is(c, ODD_NO_WINDOW) ? 0 : WINDOW_BYTES);
	put_u32(b, fault_is(c, ODD_SMALL_PACKETS) ? SMALL_PACKET_BYTES : DATA_BYTES_MAX);
	packet_end(c);
	return true;
}

void channel_data(struct conn *c, struct channel *ch, bool is_error, const void *data, size_t n)
{
	struct channel nobody = {.theirs = 4711};
	struct buf *b = packet_begin(c, is_error ? MSG_CHANNEL_ERRORS : MSG_CHANNEL_DATA);
	put_u32(b, fault_is(c, ODD_CHANNEL_WRONG) ? nobody.theirs : ch->theirs);
	if (is_error) put_u32(b, 1);
	put_string(b, data, n);
	packet_end(c);
	ch->window -= n < ch->window ? n : ch->window;
	ch->has_sent = true;
}

static void say_status(struct conn *c, const struct channel *ch)
{
	bool is_signal = WIFSIGNALED(ch->status) || fault_is(c, ODD_EXIT_SIGNAL);
	struct buf *b = packet_begin(c, MSG_CHANNEL_REQUEST);
	put_u32(b, ch->theirs);
	put_text(b, is_signal ? "exit-signal" : "exit-status");
	buf_char(b, 0);
	if (is_signal) {
		put_text(b, "KILL");
		buf_char(b, 0);
		put_text(b, "killed \x1b[5mby somebody");
		put_text(b, "");
	} else {
		put_u32(b, (uint32_t)WEXITSTATUS(ch->status));
	}
	packet_end(c);
}

static void say_end(struct conn *c, struct channel *ch)
{
	if (!ch->sent_end && !fault_is(c, ODD_NO_EOF)) say_about(c, MSG_CHANNEL_EOF, ch);
	ch->sent_end = true;
}

void channel_over(struct conn *c, unsigned id)
{
	struct channel *ch = c->channels[id];
	if (ch->sent_close || ch->pid || ch->out >= 0 || ch->err >= 0) return;
	/* Where a command printed nothing, this is the middle of it. */
	if (!ch->has_sent && !fault_at(c, STAGE_OUTPUT)) return;
	if (!fault_at(c, STAGE_STATUS)) return;
	if (fault_is(c, ODD_OUTPUT_ENDLESS) || fault_is(c, ODD_ERRORS_ENDLESS) || fault_is(c, ODD_REQUESTS_ENDLESS) || fault_is(c, ODD_WINDOW_OVERRUN)) return;
	if (fault_is(c, ODD_EOF_FIRST)) say_end(c, ch);
	if (!fault_is(c, ODD_NO_STATUS)) say_status(c, ch);
	if (fault_is(c, ODD_STATUS_TWICE)) {
		ch->status = 7 << 8;
		say_status(c, ch);
	}
	if (fault_is(c, ODD_OUTPUT_LATE)) channel_data(c, ch, false, "late\n", 5);
	say_end(c, ch);
	if (!fault_at(c, STAGE_EOF) || fault_is(c, ODD_NO_CLOSE)) return;
	say_about(c, MSG_CHANNEL_CLOSE, ch);
	ch->sent_close = true;
	fault_at(c, STAGE_CLOSED);
}

/* Output that is nobody's: as much as is taken, for as long as it is. */
static void pour(struct conn *c, struct channel *ch)
{
	static const char lines[] = "all work and no play makes a long line of the same words again and again and again and again!\n";
	static char block[DATA_BYTES_MAX];
	for (size_t i = 0; i < sizeof block; i++) block[i] = lines[i % (sizeof lines - 1)];
	while (ch->window && c->out.len < OUT_BYTES_ENOUGH && (fault_is(c, ODD_OUTPUT_ENDLESS) || fault_is(c, ODD_ERRORS_ENDLESS))) {
		size_t n = ch->window < ch->packet ? ch->window : ch->packet;
		channel_data(c, ch, fault_is(c, ODD_ERRORS_ENDLESS), block, n);
	}
	for (; fault_is(c, ODD_WINDOW_OVERRUN) && ch->overrun < OVERRUN_BYTES; ch->overrun += sizeof block) channel_data(c, ch, false, block, sizeof block);
}

static bool say_endless(struct conn *c)
{
	if (fault_is(c, ODD_AUTH_BANNERS_ENDLESS)) {
		say_banner(c);
	} else if (fault_is(c, ODD_IGNORE_ENDLESS)) {
		put_text(packet_begin(c, MSG_IGNORE), "nothing");
		packet_end(c);
	} else if (fault_is(c, ODD_REQUESTS_ENDLESS) && c->phase == PHASE_OPEN) {
		struct buf *b = packet_begin(c, MSG_GLOBAL_REQUEST);
		put_text(b, "keepalive@openssh.com");
		buf_char(b, 1);
		packet_end(c);
	} else {
		return false;
	}
	return true;
}

/* What goes on for as long as the other side reads: asked again whenever there is room. */
void session_more(struct conn *c)
{
	if (c->is_hung || c->phase < PHASE_AUTH) return;
	while (c->out.len < OUT_BYTES_ENOUGH && say_endless(c)) continue;
	for (unsigned i = 0; i < CHANNELS_MAX; i++) {
		if (!c->channels[i] || !c->channels[i]->is_asked) continue;
		pour(c, c->channels[i]);
		command_resume(c, i);
	}
}

static bool run(struct conn *c, unsigned id, struct reader text)
{
	struct channel *ch = c->channels[id];
	if (text.left > COMMAND_BYTES_MAX) return false;
	if (!fault_at(c, STAGE_EXEC)) return true;
	if (fault_is(c, ODD_EXEC_REFUSED)) {
		say_about(c, MSG_CHANNEL_FAILURE, ch);
		return true;
	}
	say_about(c, MSG_CHANNEL_SUCCESS, ch);
	ch->is_asked = true;
	if (!fault_at(c, STAGE_RUNNING)) return true;
	char *command = strndup((const char *)text.at, text.left);
	if (!command) stop("no memory");
	const char *answer = instant_answer(command, &ch->status);
	if (answer && *answer) channel_data(c, ch, false, answer, strlen(answer));
	bool is_good = answer || command_start(c, id, command);
	free(command);
	if (answer && (!*answer || fault_at(c, STAGE_OUTPUT))) channel_over(c, id);
	pour(c, ch);
	return is_good;
}

static bool take_request(struct conn *c, struct reader r)
{
	unsigned id;
	struct channel *ch = channel_of(c, &r, &id);
	struct reader type = read_string(&r);
	bool wants_reply = read_bool(&r);
	if (r.is_bad || !ch) return false;
	if (reads_as(type, "exec") && !ch->is_asked) {
		struct reader command = read_string(&r);
		return !r.is_bad && run(c, id, command);
	}
	if (wants_reply) say_about(c, MSG_CHANNEL_FAILURE, ch);
	return true;
}

static bool take_data(struct conn *c, struct reader r)
{
	unsigned id;
	struct channel *ch = channel_of(c, &r, &id);
	struct reader data = read_string(&r);
	if (r.is_bad || !ch) return false;
	if (ch->in >= 0) buf_add(&ch->input, data.at, data.left);
	ch->taken += (uint32_t)data.left;
	command_input(c, id);
	/* More only when what came is on its way to the command. */
	if (ch->taken > WINDOW_BYTES / 2 && ch->input.len < WINDOW_BYTES / 2) {
		struct buf *b = packet_begin(c, MSG_CHANNEL_WINDOW);
		put_u32(b, ch->theirs);
		put_u32(b, ch->taken);
		packet_end(c);
		ch->taken = 0;
	}
	return true;
}

static bool take_about(struct conn *c, uint8_t type, struct reader r)
{
	unsigned id;
	struct channel *ch = channel_of(c, &r, &id);
	if (!ch) return false;
	if (type == MSG_CHANNEL_WINDOW) {
		ch->window += read_u32(&r);
	} else if (type == MSG_CHANNEL_EOF) {
		ch->has_input_end = true;
		command_input(c, id);
	} else if (type == MSG_CHANNEL_CLOSE) {
		if (!ch->sent_close) say_about(c, MSG_CHANNEL_CLOSE, ch);
		channel_free(c, id);
	}
	return !r.is_bad;
}

static bool take_open_phase(struct conn *c, uint8_t type, struct reader r)
{
	switch (type) {
	case MSG_GLOBAL_REQUEST:
		read_string(&r);
		if (read_bool(&r)) say(c, MSG_REQUEST_FAILURE);
		return !r.is_bad;
	case MSG_REQUEST_SUCCESS:
	case MSG_REQUEST_FAILURE:
	case MSG_CHANNEL_SUCCESS:
	case MSG_CHANNEL_FAILURE:
	case MSG_CHANNEL_CONFIRM:
	case MSG_CHANNEL_REFUSED:
		return true;
	case MSG_CHANNEL_OPEN:
		return take_open(c, r);
	case MSG_CHANNEL_REQUEST:
		return take_request(c, r);
	case MSG_CHANNEL_DATA:
		return take_data(c, r);
	case MSG_CHANNEL_WINDOW:
	case MSG_CHANNEL_EOF:
	case MSG_CHANNEL_CLOSE:
		return take_about(c, type, r);
	default:
		return false;
	}
}

/* Once, as soon as somebody is let in. */
static void greet(struct conn *c)
{
	if (fault_is(c, ODD_TYPE_UNKNOWN)) say(c, 199);
	if (fault_is(c, ODD_PACKET_EMPTY)) packet_raw(c, "", 0);
	if (fault_is(c, ODD_PACKET_HUGE) || fault_is(c, ODD_TAG_WRONG)) say(c, MSG_DEBUG);
	if (!fault_is(c, ODD_CHANNEL_UNASKED)) return;
	struct buf *b = packet_begin(c, MSG_CHANNEL_OPEN);
	put_text(b, "auth-agent@openssh.com");
	put_u32(b, 0), put_u32(b, WINDOW_BYTES), put_u32(b, DATA_BYTES_MAX);
	packet_end(c);
}

bool session_packet(struct conn *c, const uint8_t *payload, size_t n)
{
	struct reader r = {payload + 1, n - 1, false};
	if (*payload == MSG_DISCONNECT) return false;
	if (*payload == MSG_IGNORE || *payload == MSG_UNIMPLEMENTED || *payload == MSG_DEBUG) return true;
	if (c->phase < PHASE_SERVICE) return kex_packet(c, payload, n);
	bool was_open = c->phase == PHASE_OPEN, is_good = false;
	if (c->phase == PHASE_SERVICE)
		is_good = *payload == MSG_SERVICE_REQUEST && take_service(c, r);
	else if (c->phase == PHASE_AUTH)
		is_good = *payload == MSG_USERAUTH_REQUEST && take_auth(c, r);
	else
		is_good = take_open_phase(c, *payload, r);
	if (!was_open && c->phase == PHASE_OPEN) greet(c);
	if (is_good) session_more(c);
	return is_good;
}
