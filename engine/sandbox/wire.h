#ifndef RUNG_SANDBOX_WIRE_H
#define RUNG_SANDBOX_WIRE_H

#include "base/frame.h"

/* What the engine says to a worker and to an actor, and they to it. Every message is a frame (base/frame.h) whose header has "t", its type. Each side
 * treats anything that is not in this list, out of order or over a limit as the end of the peer: a member that is not known, missing, of another type or out
 * of its bounds, a payload where none belongs. The engine's side of that is a table (wire.c), the same bounds in the same order as here.
 *
 * ENGINE -> WORKER
 *
 * {"t":"attempt","parts":[{"role":"action"|"verify"|"if"|"expression","chunk":"runbooks/x.md","line":12,"bytes":N}...],
 *  "params":{},"steps":{"look":{...}},"item":any,"run":{"id","driver","trigger","attempt","key","step"},"alert":{},"incident":{},
 *  "modules":[{"name","bytes":N}...],"now_us":N,"seed":[a,b],"cpu_ms":10000,"memory_bytes":67108864}
 *     payload: the sources of the parts, then of the workspace's modules, one after another. Parts run in order in one fresh Lua state, each a
 *     function of its own; line is that of the source's first line, so that errors name the book's file and line. "if" and "expression" are one
 *     Lua expression each, may make no call, and their value is the result. A "verify" part that returns false or raises ends the attempt as failed;
 *     what else it returns is not kept, the action's result is; where there is no action part, verify's own value is the result.
 *     In a verify part `result` is what the action returned. It comes with
 *     the first message or after an "end" was sent; a fresh Lua state each time, nothing left over.
 * {"t":"answer","c":3,"now_us":N,"ok":true,"value":any,"stdout":n1,"stderr":n2}
 * {"t":"answer","c":3,"now_us":N,"ok":false,"kind":"failed"|"denied"|"timeout"|...,"why":"sentence"}
 *     answers call c; payload: stdout then stderr, put into value (an object such as {"code":0}, or "signal":9 in place of code; "timed_out", "truncated",
 *     "redacted" are handed on) where "stdout" is there; ask, hosts: value is the answer. {"b64"} in value becomes bytes. One answer is read only when no
 * branch can go on without one; now_us becomes time.now().
 *
 * WORKER -> ENGINE
 *
 * After "idle" and after "end" a worker is silent until it was sent an answer, or the next attempt.
 *
 * {"t":"ready","confined":{"seccomp":bool,"landlock":version,"rlimits":bool,"address_space":bool}}    first, once; what is really on
 * {"t":"call","c":1,"part":"action"|"verify","module":"sh","function":"run","arguments":{...},"options":{"effect":"read","timeout_us":N}}
 *     c counts from 1 in asking order. sh: arguments {"argv":[..],"stdin":string|{"b64"},"env":{},"cwd":".."}; ask (module "ask", function "ask"):
 *     {"prompt","type","choices","default"}; hosts (module "hosts", function "query"): {"query","empty"}. Absent members are absent; strings that are not UTF-8
 * are {"b64"}. arguments are at most 768 KiB, those of all calls of an attempt 64 MiB; which members a function has is a table (sandbox/callable.c). What a
 * call raises on (an exit status, say) is decided in the worker from the answer, so neither check nor ok is here.
 * {"t":"log","level":"debug"|"info"|"warn"|"error","text":"..."}    text: 64 KiB of a step, at most 256 KiB once control characters are made visible
 * {"t":"idle","open":2}      every branch waits for an answer, to one of so many calls; said once before each time the worker goes to read an answer,
 *     which is sent behind it and not before
 * {"t":"end","outcome":"succeeded"|"failed"|"skipped"|"go","value":any,"to":"id","why":"sentence","at":{"chunk","line"},"trace":"...","part":"action"}
 *     the attempt is over; the worker waits for the next one. value is there for succeeded (plain data, at most 256 KiB, depth 16; floats with
 *     17 digits; {"b64"} for bytes that are not UTF-8; null where the part returned nothing). why, kind and what follows them stand with the others only;
 *     why, trace and to are texts as in "log". why has no "chunk:line:" before it: that is at, a line of the attempt's book, which is
 *     absent where no line of the book is to blame. to is there for go. kind: "lua" an uncaught Lua error or a part that does not compile, "call" an
 *     uncaught error of a call (its number in "call", the answer's kind in "reason"), "fail", "expect", "verify" (a verification that returned false),
 *     "result" (a value that cannot be one), "skip", "go", "limit" (memory or time is used up: the process ends after this, since a limit must not be caught).
 *     A worker also ends after the "end" when all its attempts together took 5 min of CPU: the engine takes another one.
 * {"t":"broken","why":"..."} the engine said what the worker does not expect; the process ends
 *
 * ENGINE -> ACTOR
 *
 * {"t":"setup","limits":{"open_files":N,...},"no_new_privileges":bool,"trusted_uid":N}    at most once, before any other; what bounds its commands
 *     (sandbox/command_rules.h); without it there are no limits, and program files may be root's and the actor's own user's
 * {"t":"call","id":N,"module":"sh","function":"run","timeout_us":N,...}
 *     id is the engine's, unique for this actor; timeout_us 0 or absent: none. The rest is the module's (its `frame`); of sh.run:
 * "argv":[..],"env":{..},"cwd":"..". env is the whole environment; argv and env may have {"b64"}; without cwd the engine's; payload is the standard input.
 *     Values of env may be {"secret":name}; "stdin_secret":name in place of a payload. "secrets":{name:source,...} says where each comes from:
 *     {"file":"/path"}, {"argv":[..],"env":{},"cwd":"..","timeout_us":N} for a command that prints it, {"value":string|{"b64"}} from the engine's environment,
 * a parameter, or a file that the engine has read, for an actor of another user. With "is_optional":true it is one of an earlier call of the execution: nothing
 * fails where it cannot be read, but it is taken out of the output.
 * {"t":"cancel","id":N}      SIGTERM to the process group, SIGKILL 2 s later; the connection of another call is closed; its outcome still follows
 *
 * ACTOR -> ENGINE
 *
 * {"t":"ready","pid":N,"uid":N}      first, once; its own
 * {"t":"started","id":N}     its effect may happen from now on; once, before anything else of the call but "failed". Of a command "pid":P and
 *     "path":"/usr/bin/systemctl"; of what another host does "peer":"address:port", and "host_key":"SHA256:..." where it proved one
 * {"t":"output","id":N,"stream":"stdout"|"stderr"}      payload: bytes as they come, 1 to 65536 of them; "redacted":true where a secret was taken out
 * {"t":"finished","id":N,"code":0,"us":N}               or "signal":9 in place of code; code is 0..255; or neither, and "data":{...}, which the module's Lua
 * gets; data may stand beside a code; "timed_out":true where the deadline ended it, "cancelled":true where it was asked to end, and only there; everything of
 * its output has been sent; what is left of its process group has been killed
 * {"t":"lost","id":N,"how":"connection"|"timed_out"|"cancelled","why":"..."}    it started, and nobody will know what became of it
 * {"t":"failed","id":N,"kind":"not_found","why":"..."}   it definitely did not happen; kind: a name of base/error.h
 *
 * Flow control is the socket's: a peer that does not read stops the writer. The actor goes on reading while its output is blocked. */

enum {
	WIRE_HEAD_BYTES_MAX = 1 << 20,     /* arguments, results (256 KiB of JSON, escaped), params */
	WIRE_PAYLOAD_BYTES_MAX = 12 << 20, /* an answer's stdout and stderr: 10 MiB kept of a call, and sources */
	WIRE_OUTPUT_BYTES_MAX = 65536,
	WIRE_DATA_BYTES_MAX = 262144, /* what a host's answer says of itself */
	WIRE_DATA_DEPTH_MAX = 6,
	WIRE_SOURCE_BYTES_MAX = 65536, /* one fence */
	WIRE_RESULT_BYTES_MAX = 262144,
	WIRE_RESULT_DEPTH_MAX = 16,
	WIRE_TEXT_BYTES_MAX = 4 * 65536 + 8, /* what a step said, once it is made visible */
	WIRE_ARGUMENTS_BYTES_MAX = 64 << 20, /* of all calls of an attempt: they are kept until they are durable, and in the store */
	WIRE_CALLS_MAX = 100000              /* of one attempt */
};

enum wire_peer { WIRE_WORKER, WIRE_ACTOR };

/* What a worker or an actor said. */
enum wire_said { WIRE_READY, WIRE_CALL, WIRE_LOG, WIRE_IDLE, WIRE_END, WIRE_BROKEN, WIRE_STARTED, WIRE_OUTPUT, WIRE_FINISHED, WIRE_LOST, WIRE_FAILED };

struct wire_message {
	enum wire_said said;
	json_t *head; /* its members, without "t"; all as they must be */
	const char *payload;
	size_t payload_len, head_len;
	const struct callable *callable; /* of a WIRE_CALL, and its module */
	const struct module *module;
};

/* A frame from a worker or an actor, held for hostile: what it says, whatever the order. ERR_PROTOCOL, e filled, where it is anything that is not in the list
 * above. Takes "t" out of the frame's header; what m points to lives as long as the frame. source: DESIGN.md 2 (processes) */
enum err wire_decode(enum wire_peer from, const struct frame *f, struct wire_message *m, struct error *e);

#endif
