#ifndef RUNG_SERVICE_PROTOCOL_H
#define RUNG_SERVICE_PROTOCOL_H

/* clang-format off */
/* What a client says to the engine over engine.sock, and what comes back. Frames (base/frame.h) both ways.
 *
 * REQUEST  {"id":N,"op":"run","args":{...}}                 payload only where an operation says so
 * ANSWER   {"re":N,"ok":true,"value":{...}}                 or {"re":N,"ok":false,"error":{"kind":"denied","text":"..."}}   (kinds: base/error.h)
 * EVENT    {"ev":"...","execution":"01J...",...}            for executions this connection is attached to
 *
 * The principal is who the socket's peer credentials say, or the service that the policy says that account is. What each operation takes is the table in
 * operations.c: the driver's own, a reader's (rule: read), a canceller's; resume by another takes the execution over. Requests of one connection are answered
 * in order, except that those that wait for the journal are answered when they are durable.
 *
 * operation      args -> value
 *
 * hello          {} -> {"version","pid","user","host","principal","state_dir","config":what config.yaml said}
 * run            {"book":"/abs/path.md#anchor","params":{name:text},"mode":"guided"|"auto","allow":["sh df *",...],"declared":bool,"elevate":NAME,"reason"}
 *                -> {"execution"}
 *                declared: everything the book declares is allowed too (the terminal's "all", `--allow declared`). The execution is durable when this
 *                answers. A parameter of type secret is kept in the engine's memory only; params of a VIEW have {"secret":"param:NAME"}. Mode auto with a
 *                declared capability that is not allowed: error denied, before anything runs.
 * attach         {"execution":ID or prefix} -> VIEW, then events. Also for an execution that has ended, or that an engine's end left open
 *                ("interrupted": true in the view; nothing moves until resume, which needs the values of "secrets_missing" again)
 * detach         {"execution"}
 * go             {"execution","step"}      guided: run this automatic step now
 * settle         {"execution","step","outcome":"succeeded"|"failed"|"skipped","note":text}      a person's word on a manual step, or on one that failed,
 *                diverged, was denied or timed out; "skipped" also for a step that has not started
 * again          {"execution","step"}      a further attempt of a step that is over (its dependents become pending too); key b (back) too
 * answer         {"execution","step","call":N,"value":any}      to a question
 * resolve        {"execution","step","call":N or null for all,"host":NAME or null,"answer":"again"|"failed"|"done","reason":text,"result":any (with done),
 *                "shown":digest} -> {"resolved":N}      shown: of what resolve.show gave. Something else stands by then, somebody has answered: conflict
 * resolve.show   {"execution","step","call","host"} -> UNKNOWN      what is known, and what each answer would bring for those calls; changes nothing
 * resolve.verify {"execution","step"} -> {"started_us"}      the step's verify is run now; how it ends is in the step's "proof"
 * pause          {"execution"}
 * resume         {"execution","go_on":bool,"secrets":{name:text}}      also takes up what an engine's end left open; a pause from before ends unless go_on
 *                is false
 * cancel         {"execution","reason"}
 * stop           {"execution","note"}      ends it as it stands: failed where a step failed or is open, else succeeded
 * note           {"execution","step":id or null,"text"}
 * allow          {"execution","patterns":[...]}      the driver allows more, for this execution
 * rights         as run -> {"policy":bool,"missing":[{"what":"book"|"step"|"call","step","pattern","outcome":"deny"|"wait","why"}...]}      what a start
 *                would lack, all of it; runs nothing
 * handover       {"execution","to":"user:NAME","reason"}
 * elevate        {"execution","elevation":NAME,"reason"} -> {"until_us"}
 * review         {"execution","reason"}      of an execution in which somebody took an elevation
 * approval.show  {"execution","step"} -> APPROVAL and "execution","book","book_title","digest","plan","drivers","params","permissions","allowed","view"
 *                (the step)
 * approve        {"execution","step","binding","reason","targets":N} -> {"step","missing":N}      binding: of what was shown; targets: of a destructive step
 * refuse         {"execution","step","reason"}
 * book.approve   {"books":[paths],"reason"} -> {"digests":[...]}
 * shell.start    {"execution","step","fence":i,"command":text,"cwd":text,"terminal":bool} -> {"call":N,"attempt","lock":path}      the intent of one command
 *                of a shell fence, which the client runs on the person's terminal once this has answered; hold the lock file's descriptor open (inherited)
 *                while it runs
 * shell.output   {"execution","step","call","stream":"stdout"|"stderr"|"terminal"}      payload: bytes (at most 64 KiB)
 * shell.finish   {"execution","step","call","code":N or "signal":N}
 * output         {"execution","step","attempt","call","stream","from":offset} -> {"bytes","total"}      payload: at most 1 MiB
 * log            {"limit","before":id,"open":bool} -> {"executions":[{"execution","book","title","state","driver","started_us","finished_us","open",
 *                "interrupted","steps_done","steps"}...],"next":id}      next: where there are more, "before" of the next page; what may not be read is left out
 * records        {"execution","from":seq,"limit"} -> {"lines":[text...],"next":seq or null}
 * report         {"execution","format":"markdown"|"json"} -> {"text"} or {"report":{...}}
 * hosts          {"workspace":"/abs","from":i,"of":N} -> {"hosts":[...],"groups":[...],"next":i or null,"total":N,"of":N}      the inventory
 *                (policy/inventory.h), a page at a time; of: what the first page said. hosts, run and rights may wait for the inventory's command: EVENT
 *                "waits" comes first
 * oncall.test    {"workspace":"/abs","person":NAME} -> {"channels":[{"channel":"mail"|"webhook"|"command","address","result":"delivered"|"failed"|"unknown",
 *                "why"}...]}      a test message on each of a person's channels; answered when all of them are over
 * escalate       {"id":incident or execution, or the beginning of it,"to":POLICY,"reason"} -> {"incident","escalation":{"state","policy","level","round",...}}
 *                another person, now: the next level, or all of it anew; who may see the incident, or read the execution. An execution without an incident
 *                gets one; to: that policy from here on
 * token.create   {"name","for":principal,"expires":duration} -> {"token","name","for","expires_us"}      the engine's own user only, on its socket only
 * token.list     {} -> {"tokens":[{"name","for","by","created_us","expires_us","state":"live"|"expired"|"revoked"}...]}
 * token.revoke   {"name"}
 * alerts.receive {"source":NAME,"headers":{name:value}}      payload: the body, as the source sends it
 *                -> {"decisions":[{"name","fingerprint","state","outcome","rail","incident","execution","reason"}...],"truncated":N}      durable when this
 *                answers. The source's own proof is needed in the headers, but of the engine's own user, who could read it anyway
 * alerts.list    {} -> {"alerts":[{"incident","priority",...as in alert_list...}...],"more":bool}      of the incidents that are open
 * incidents      {"all":bool,"limit":N,"before":id} -> {"incidents":[INCIDENT...],"next":id}      those that are open, the most urgent first; all: newest
 *                first. Those that who asks may not see are left out: the right respond of the playbook, or being on the incident's ladder
 * incident.show  {"incident":ID or prefix} -> INCIDENT with "alert_list", "executions", "notes"
 * incident.open  {"title","priority":1..5,"owner","escalation"} -> {"incident"}
 * incident.ack   {"incident","how":"cli"|"api","note"}      stops the escalation, too; over HTTP it is "api"
 * incident.put_off    {"incident","for":duration of 1s to 7d,"reason"}      nobody is told until then, or the end of maintenance; from there the climb
 *                begins anew -> {"incident","until_us"}
 * incident.note       {"incident","text"}
 * incident.assign     {"incident","to":"user:NAME","reason"}
 * incident.prioritise {"incident","priority","reason"}
 * incident.resolve    {"incident","reason"}
 * incident.report     {"incident","format"} -> as report, of an incident (report/incident.h), on one timeline with its executions; of those that may not be
 *                     read only how they ended
 *
 * Over HTTP (http/README.md) an operation's args are the body of POST /v1/OPERATION and its value is the answer; there "book" may be a path beneath the
 * workspace that the engine serves. An answer that is over PROTOCOL_HEAD_BYTES_MAX is the error too_big.
 *
 * INCIDENT: {"incident","title","state","priority","origin","opened_us","changed_us","acknowledged_us","acknowledged_by","mitigated_us","resolved_us",
 *   "resolved_by","assigned_to","owner","escalation","source","book","alerts":N,"firing":N,"running":N}     what is not there yet is left out
 *
 * VIEW: {"execution","state","mode","driver","interrupted":bool,"paused":bool,"started_us","finished_us","plan":digest,
 *   "book":{"path","anchor","kind","id","title","description","meta":{...},"digest"}, "params":{...}, "allowed":[patterns],
 *   "steps":[{"id","title","markdown","line","phase","section","manual","risk","effect","needs":[ids],"expect","owner","if",
 *             "fences":[{"role","language","source","line","run","commands":[...],"expected"}],"permissions":[...],
 *             "state","attempt","waiting":WHY or null,"why":text,"to":id,"started_us","finished_us","due_us","result":any,"note":text,
 *             "diverged":{"call","recorded":QUESTION,"asked":QUESTION or null} or null, QUESTION: {"module","function","arguments","options","words"},
 *             "calls":[{"call","of":"action"|"condition"|"terminal"|"proof","nth","attempt","words":"systemctl restart nginx","module","function","effect",
 *                       "state":"running"|"ok"|"failed"|"denied"|"unknown","code","started_us","finished_us","stdout_bytes","stderr_bytes"}...]}...],
 *   "questions":[{"step","attempt","call","prompt","type":"string"|"int"|"number"|"bool"|"enum"|"duration","choices":[...],"default":any}],
 *   "trigger":WORD,"parent":{"execution","step","attempt","call"} or null: whose call runs it,
 *   "children":[{"step","attempt","call","execution","runbook":words,"state" or null: it has not begun}...],
 *   "findings":[{"kind":"evidence","step","attempt","call","t_us","name","data"} or
 * {"kind":"cause",...,"cause":id,"text","evidence","parameters","certainty":0..100}...],
 *   "conclusion":{"outcome":"mended"|"proposed"|"failed"|"no_cause","cause","runbook","execution","count","within_us"} or null,
 *   "denied":[{"step","by":"policy"|"book"|"person","words","pattern","allowable":bool}],"approvals":[APPROVAL...]}
 * APPROVAL: {"step","title","risk","needed":N,"given":[{"by","until_us"}...],"from":text,"rules":[ids],"targets":[...] or null,"binding":digest}, and "prompt"
 * where the step's code asked A call's number is unique in its attempt; "of" and "nth" are for people (call.h: four ranges). Calls of the current attempt only,
 * the last 200. WHY is "approval" (others must agree), "person" (manual: do it and say), "go" (guided: press a key to run it), "answer" (a question is open),
 * "child" (a runbook that it started waits for a person), "resolve" (a call's outcome is unknown), "decision" (it failed, diverged, was denied or timed out
 * while a person is at the run), "retry" (until due_us).
 *
 * UNKNOWN: {"step","title","attempt","unknown":N,"selected":N,"can_verify":bool,"proof":PROOF or null,"readers":[ids of steps to come that read its result],
 *   "calls":[{"call","selected":bool,"words","module","function","effect","host","cwd","env":[names],"stdin_bytes","body_bytes","stdin_secret","started_us","unknown_us",
 *             "why":text,"output_bytes","output":{"stdout":{"kept_bytes","last":text},"stderr"},
 *             "facts":[{"from":word,"says":text,"settles":"not_made"|"begun"|"ended"|null}...]}...],
 *   "answers":{"again":[sentences],"failed":[...],"done":[...]},"summary":text,"digest"}      at most 50 calls; recorded with the answer
 * PROOF, also a step's "proof" in the view: {"state":"running"|"succeeded"|"failed"|"ended","by":who asked or null,"started_us","finished_us","why":text,
 *   "calls":[{"call","words","outcome","code"}...]}
 *
 * EVENTS
 * {"ev":"view","execution", then any of the VIEW's members that changed; "steps" holds whole step objects, only those that changed, static members left out;
 *   a step's calls are all of them in "calls", or in "changed_calls" those that are new or changed, by their number}
 * {"ev":"output","execution","step","attempt","call","stream","host"}  payload: bytes as they come; host: of a call on another one
 * {"ev":"logged","execution","step","level","text"}
 * {"ev":"note","execution","step","by","text"}
 * {"ev":"ended","execution","state"}                        the last one
 * {"ev":"waits","request":N,"for":text,"us":N}              of no execution: request N is answered when that is done, which takes so long at most
 * {"ev":"detached","execution","text"}                      the last one for a client that may not read it any more */
/* clang-format on */

enum { PROTOCOL_HEAD_BYTES_MAX = 16 << 20, PROTOCOL_PAYLOAD_BYTES_MAX = 2 << 20, PROTOCOL_CLIENTS_MAX = 256 };

#endif
