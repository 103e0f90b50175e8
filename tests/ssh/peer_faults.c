/* What a port may do wrong: an action at a stage, or one of the oddities. */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *what;
} stages[STAGES] = {
    [STAGE_CONNECT] = {"connect", "the connection is there, nothing is said"},
    [STAGE_BANNER] = {"banner", "the server's banner is said"},
    [STAGE_KEXINIT] = {"kexinit", "its KEXINIT is said"},
    [STAGE_KEX] = {"kex", "the client's half of the key exchange has come"},
    [STAGE_NEWKEYS] = {"newkeys", "the keys are exchanged, and the client asks for the service"},
    [STAGE_AUTH] = {"auth", "the client has signed"},
    [STAGE_CHANNEL] = {"channel", "the client asks for a session"},
    [STAGE_EXEC] = {"exec", "the client asks for a command"},
    [STAGE_RUNNING] = {"running", "the command is accepted, and not begun"},
    [STAGE_OUTPUT] = {"output", "a part of the output is sent"},
    [STAGE_STATUS] = {"status", "all of the output is sent"},
    [STAGE_EOF] = {"eof", "exit status and end of output are sent"},
    [STAGE_CLOSED] = {"closed", "the channel is closed"},
};

static const struct {
	const char *name, *what;
} actions[ACTIONS] = {
    [ACTION_NONE] = {"none", "serves"},
    [ACTION_HANG] = {"hang", "says nothing more, and closes nothing"},
    [ACTION_DROP] = {"drop", "closes the connection"},
    [ACTION_RESET] = {"reset", "resets the connection"},
    [ACTION_GARBAGE] = {"garbage", "sends bytes that mean nothing, then nothing more"},
    [ACTION_SLOW] = {"slow", "goes on at one byte a second"},
    [ACTION_DISCONNECT] = {"disconnect", "sends SSH_MSG_DISCONNECT with a text that colours terminals"},
};

static const struct {
	const char *name, *what;
} oddities[ODDITIES] = {
    [ODD_WRONG_KEY] = {"wrong-key", "has another host key than the one that was printed"},
    [ODD_BAD_SIGNATURE] = {"bad-signature", "does not hold the host key that it shows"},
    [ODD_BAD_SHARE] = {"bad-share", "sends a half of the key exchange that is a byte short"},
    [ODD_ZERO_SHARE] = {"zero-share", "sends a half of the key exchange that makes the secret zero"},
    [ODD_NO_COMMON] = {"no-common", "knows no key exchange that anybody has"},
    [ODD_LINES_BEFORE] = {"lines-before", "says a few lines before its banner, as a server may"},
    [ODD_LINES_ENDLESS] = {"lines-endless", "says lines and never a banner"},
    [ODD_BANNER_ENDLESS] = {"banner-endless", "says a banner without an end"},
    [ODD_BANNER_OLD] = {"banner-old", "speaks version 1.5"},
    [ODD_BANNER_ESCAPES] = {"banner-escapes", "has terminal escapes in its banner"},
    [ODD_PACKET_HUGE] = {"packet-huge", "says that a packet has 2 GiB"},
    [ODD_PACKET_EMPTY] = {"packet-empty", "sends a packet with no payload"},
    [ODD_PADDING_WRONG] = {"padding-wrong", "says more padding than the packet has"},
    [ODD_TAG_WRONG] = {"tag-wrong", "sends a packet that is not authentic"},
    [ODD_TYPE_UNKNOWN] = {"type-unknown", "sends a message of no known type, as a server may"},
    [ODD_IGNORE_ENDLESS] = {"ignore-endless", "sends SSH_MSG_IGNORE without an end"},
    [ODD_AUTH_REFUSED] = {"auth-refused", "takes no key"},
    [ODD_AUTH_PARTIAL] = {"auth-partial", "takes the key, and wants a password as well"},
    [ODD_AUTH_BANNER] = {"auth-banner", "has a banner with terminal escapes for who logs in"},
    [ODD_AUTH_BANNERS_ENDLESS] = {"auth-banners-endless", "has such banners without an end"},
    [ODD_CHANNEL_REFUSED] = {"channel-refused", "opens no session"},
    [ODD_CHANNEL_UNASKED] = {"channel-unasked", "asks for an agent channel that nobody offered"},
    [ODD_NO_WINDOW] = {"no-window", "takes no input, ever"},
    [ODD_SMALL_PACKETS] = {"small-packets", "takes input a byte a packet"},
    [ODD_EXEC_REFUSED] = {"exec-refused", "runs nothing"},
    [ODD_EXIT_SIGNAL] = {"exit-signal", "says a signal in place of a status"},
    [ODD_NO_EOF] = {"no-eof", "sends status and close, no end of output"},
    [ODD_NO_STATUS] = {"no-status", "sends end of output and close, no status"},
    [ODD_NO_CLOSE] = {"no-close", "sends status and end of output, and does not close"},
    [ODD_EOF_FIRST] = {"eof-first", "sends the end of output before the status, as a server may"},
    [ODD_STATUS_TWICE] = {"status-twice", "sends a second, other status"},
    [ODD_OUTPUT_LATE] = {"output-late", "sends output after the status, as a server may"},
    [ODD_OUTPUT_ENDLESS] = {"output-endless", "prints without an end"},
    [ODD_ERRORS_ENDLESS] = {"errors-endless", "prints to the standard error without an end"},
    [ODD_WINDOW_OVERRUN] = {"window-overrun", "sends more than it may"},
    [ODD_CHANNEL_WRONG] = {"channel-wrong", "sends output on a channel that is not there"},
    [ODD_REQUESTS_ENDLESS] = {"requests-endless", "asks whether the client is alive, without an end"},
};

void fault_list(void)
{
	for (int i = 1; i < ACTIONS; i++) printf("%s:STAGE\t%s\n", actions[i].name, actions[i].what);
	for (int i = 0; i < STAGES; i++) printf("  :%s\t%s\n", stages[i].name, stages[i].what);
	for (int i = 1; i < ODDITIES; i++) printf("%s\t%s\n", oddities[i].name, oddities[i].what);
}

static bool is_named(const char *text, size_t n, const char *name)
{
	return strlen(name) == n && strncmp(text, name, n) == 0;
}

bool fault_read(const char *text, struct fault *out)
{
	*out = (struct fault){.nth = 1};
	size_t whole = strcspn(text, "@"), n = strcspn(text, ":@");
	if (text[whole]) out->nth = (unsigned)strtoul(text + whole + 1, NULL, 10);
	if (is_named(text, whole, "none")) return true;
	for (int i = 1; i < ODDITIES; i++)
		if (is_named(text, whole, oddities[i].name)) return out->oddity = (enum oddity)i, true;
	for (int i = 1; i < ACTIONS && text[n] == ':'; i++) {
		if (!is_named(text, n, actions[i].name)) continue;
		for (int j = 0; j < STAGES; j++)
			if (is_named(text + n + 1, whole - n - 1, stages[j].name)) return out->action = (enum action)i, out->stage = (enum stage)j, true;
	}
	return false;
}

/* What happens before a session is there does not count sessions. */
static bool is_time(const struct conn *c)
{
	return c->sessions >= c->fault->nth || c->fault->nth <= 1;
}

bool fault_is(const struct conn *c, enum oddity oddity)
{
	return c->fault->oddity == oddity && is_time(c);
}

static void disconnect(struct conn *c)
{
	struct buf *b = packet_begin(c, 1);
	put_u32(b, 11);
	put_text(b, "\x1b[31mgo \xff away\x07");
	put_text(b, "");
	packet_end(c);
}

static void garbage(struct conn *c)
{
	uint32_t n = 12345;
	for (int i = 0; i < 4096; i++) {
		n = n * 1664525 + 1013904223;
		buf_char(&c->out, (char)(n >> 24));
	}
}

bool fault_at(struct conn *c, enum stage stage)
{
	if (c->fault->action == ACTION_NONE || c->fault->stage != stage || !is_time(c)) return true;
	if (c->fault->action == ACTION_SLOW) {
		c->is_slow = true;
		return true;
	}
	if (c->fault->action == ACTION_DISCONNECT) disconnect(c);
	if (c->fault->action == ACTION_GARBAGE) garbage(c);
	c->is_hung = true;
	c->ends = c->fault->action == ACTION_DROP || c->fault->action == ACTION_RESET || c->fault->action == ACTION_DISCONNECT;
	c->is_reset = c->fault->action == ACTION_RESET;
	return false;
}
