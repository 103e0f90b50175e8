#ifndef RUNG_BASE_FAILPOINT_H
#define RUNG_BASE_FAILPOINT_H

#include <stdbool.h>
#include <stddef.h>

/* Named places at which a test build (RUNG_FAILPOINTS; `make SAN=1`) can be made to fail, stop or die. In a release build there is nothing of it.
 *
 * RUNG_FAIL="store.commit.before=die:3,guard.write=fail" names what happens at the n-th passing (1) of a place: `die` (SIGKILL), `stop` (SIGSTOP) or `fail`.
 * RUNG_FAIL_TABLE names a file (zeros at first) that all processes share: it counts what they pass, and whoever writes into it steers those that run already.
 *
 * X(constant, name, may it fail there, what stands there) */
#define FAILPOINTS(X)                                                                                                                                          \
	/* files */                                                                                                                                            \
	X(FILE_WRITE, "file.write", true, "before a file's new bytes are written")                                                                             \
	X(FILE_SYNC, "file.sync", true, "before the fsync of a new file")                                                                                      \
	X(FILE_RENAME, "file.rename", true, "before a new file takes its name")                                                                                \
	X(FILE_RENAMED, "file.renamed", true, "after a rename, before the fsync of the folder")                                                                \
	/* the store: loop thread */                                                                                                                           \
	X(STORE_SUBMIT, "store.submit", false, "before a batch is queued")                                                                                     \
	X(STORE_SUBMITTED, "store.submitted", false, "a batch is queued")                                                                                      \
	X(STORE_DELIVER, "store.deliver", false, "before the answers of the writer are delivered")                                                             \
	X(STORE_DELIVERED, "store.delivered", false, "after they were delivered")                                                                              \
	/* the store: writer thread */                                                                                                                         \
	X(STORE_TAKEN, "store.taken", false, "the writer has taken a group of batches")                                                                        \
	X(STORE_FULL, "store.full", true, "before a group is written, which a full disk refuses")                                                              \
	X(STORE_EPOCH, "store.epoch", false, "before the leases of a batch are looked at")                                                                     \
	X(STORE_APPLY, "store.apply", true, "before a batch's changes are made in the transaction")                                                            \
	X(STORE_RECORD, "store.record", true, "a record is in the transaction")                                                                                \
	X(STORE_LEASE, "store.lease", true, "before an execution's row, with its epoch, is written")                                                           \
	X(STORE_INCIDENT, "store.incident", true, "before an incident's row is written")                                                                       \
	X(STORE_PLAN, "store.plan", true, "before a plan is written")                                                                                          \
	X(STORE_BLOB, "store.blob", true, "before a blob is written")                                                                                          \
	X(STORE_SIGN, "store.sign", true, "before the checkpoint is signed")                                                                                   \
	X(STORE_SIGNED, "store.signed", true, "the checkpoint is signed, not written")                                                                         \
	X(STORE_HEAD, "store.head", true, "the checkpoint is written, the head of the tree is not")                                                            \
	X(STORE_COMMIT, "store.commit", true, "before the commit")                                                                                             \
	X(STORE_COMMITTED, "store.committed", false, "after the commit, before the guard")                                                                     \
	X(GUARD_WRITE, "guard.write", true, "before the guard is written")                                                                                     \
	X(GUARD_WRITTEN, "guard.written", false, "after the guard was written")                                                                                \
	X(STORE_ANSWER, "store.answer", false, "before the writer hands its answers back")                                                                     \
	X(STORE_WAL, "store.wal", false, "before the write-ahead log is copied into the database")                                                             \
	X(STORE_WAL_COPIED, "store.wal.copied", false, "after it was copied")                                                                                  \
	/* the store: opening, closing, setting aside */                                                                                                       \
	X(STORE_LOCK, "store.lock", false, "before the lock of the state directory is taken")                                                                  \
	X(STORE_LOCKED, "store.locked", false, "after it was taken")                                                                                           \
	X(RESERVE_MAKE, "reserve.make", true, "before the reserve is allocated")                                                                               \
	X(STORE_TABLES, "store.tables", false, "the database is open, a new one's log is not")                                                                 \
	X(STORE_RECOVER, "store.recover", false, "before the head of an existing log is read")                                                                 \
	X(KEYS_MADE, "keys.made", false, "a new log has its keys, and no record")                                                                              \
	X(GUARD_OPEN, "guard.open", true, "before the guard is opened")                                                                                        \
	X(STORE_CLOSE, "store.close", false, "before the store is closed")                                                                                     \
	X(STORE_CLOSED, "store.closed", false, "the database is closed, the lock is held")                                                                     \
	X(ASIDE_BEGIN, "aside.begin", false, "before a log is set aside")                                                                                      \
	X(ASIDE_HALF, "aside.half", false, "between the files of a log that is set aside")                                                                     \
	X(ASIDE_GUARD, "aside.guard", false, "its files are set aside, its guard is not")                                                                      \
	/* the engine's start and stop */                                                                                                                      \
	X(ENGINE_CONFIGURED, "engine.configured", false, "the configuration is read")                                                                          \
	X(ENGINE_FOLDERS, "engine.folders", false, "the folders of the state directory are there")                                                             \
	X(ENGINE_SANDBOX, "engine.sandbox", false, "the fork server runs")                                                                                     \
	X(ENGINE_STORE, "engine.store", false, "the store is open")                                                                                            \
	X(ENGINE_LISTENS, "engine.listens", false, "clients can connect")                                                                                      \
	X(ENGINE_READY, "engine.ready", false, "before the engine says that it is ready")                                                                      \
	X(ENGINE_STOP, "engine.stop", false, "it has been asked to end")                                                                                       \
	X(ENGINE_DEAF, "engine.deaf", false, "it listens no more, executions are as they were")                                                                \
	X(ENGINE_DROPPED, "engine.dropped", false, "the processes of its executions were let go")                                                              \
	X(ENGINE_DRAINED, "engine.drained", false, "the store has nothing left to write")                                                                      \
	X(ENGINE_SANDBOX_ENDED, "engine.sandbox.ended", false, "the fork server has ended")                                                                    \
	/* an execution */                                                                                                                                     \
	X(EXECUTION_STARTED, "execution.started", false, "its first records are durable")                                                                      \
	X(EXECUTION_EMIT, "execution.emit", false, "a record is folded, and in no batch")                                                                      \
	X(EXECUTION_COMMIT, "execution.commit", false, "before its batch is submitted")                                                                        \
	X(EXECUTION_DURABLE, "execution.durable", false, "a batch is durable, what waits for that has not run")                                                \
	X(EXECUTION_TOLD, "execution.told", false, "what waited has run")                                                                                      \
	X(EXECUTION_TIMER, "execution.timer", false, "its timer has come")                                                                                     \
	X(EXECUTION_FINISH, "execution.finish", false, "before its end is recorded")                                                                           \
	X(EXECUTION_FINISHED, "execution.finished", false, "its end is durable")                                                                               \
	X(EXECUTION_EPOCH, "execution.epoch", false, "it is taken up: the epoch is raised, and not recorded")                                                  \
	X(EXECUTION_TAKE_UP, "execution.take_up", false, "nothing of it runs any more: before its open calls are settled")                                     \
	X(EXECUTION_TAKEN_UP, "execution.taken_up", false, "they are settled, and nothing of that is stored")                                                  \
	X(STEP_RESET, "step.reset", false, "before a goto's reset is recorded")                                                                                \
	X(STEP_SKIP, "step.skip", false, "before a step that a goto passes over is skipped")                                                                   \
	/* incidents and what alerts start */                                                                                                                  \
	X(INCIDENT_EMIT, "incident.emit", false, "a record of an incident is folded, and in no batch")                                                         \
	X(INCIDENT_COMMIT, "incident.commit", false, "before a batch of incidents is submitted")                                                               \
	X(INCIDENT_DURABLE, "incident.durable", false, "a batch of incidents is durable, what waits for that has not run")                                     \
	X(INCIDENT_TOLD, "incident.told", false, "what waited for it has run")                                                                                 \
	X(INCIDENT_EXECUTION_ENDED, "incident.execution.ended", false, "an incident's execution has ended, and the incident does not know")                    \
	X(INTAKE_RECEIVED, "intake.received", false, "a delivery is its source's and read, nothing of it is decided")                                          \
	X(INTAKE_DECIDED, "intake.decided", false, "what becomes of a delivery is decided, and nothing of it submitted")                                       \
	X(INTAKE_ANSWER, "intake.answer", false, "a delivery is durable, its sender has no answer")                                                            \
	X(INTAKE_REFUSED, "intake.refused", false, "what an alert was to start cannot begin, and the incident does not say so yet")                            \
	X(INTAKE_START, "intake.start", false, "the decision is durable, the execution has not begun")                                                         \
	X(INTAKE_STARTED, "intake.started", false, "the execution has begun, and nothing of it is stored")                                                     \
	X(INTAKE_START_AGAIN, "intake.start.again", false, "before an execution begins that an earlier engine had decided on")                                 \
	/* attempts */                                                                                                                                         \
	X(ATTEMPT_BEGIN, "attempt.begin", false, "before attempt.started")                                                                                     \
	X(ATTEMPT_REVIVE, "attempt.revive", false, "before an attempt is run again over its record")                                                           \
	X(ATTEMPT_CONDITION, "attempt.condition", false, "before a condition is evaluated")                                                                    \
	X(ATTEMPT_CONDITION_END, "attempt.condition.end", false, "it is evaluated, and not recorded")                                                          \
	X(ATTEMPT_TARGETS, "attempt.targets", false, "before targets are evaluated")                                                                           \
	X(ATTEMPT_TARGETS_END, "attempt.targets.end", false, "they are evaluated, and not recorded")                                                           \
	X(ATTEMPT_PROOF, "attempt.proof", false, "before verification.started")                                                                                \
	X(ATTEMPT_PROOF_END, "attempt.proof.end", false, "a proof is over, and not recorded")                                                                  \
	X(ATTEMPT_FINISH, "attempt.finish", false, "before attempt.finished")                                                                                  \
	/* calls */                                                                                                                                            \
	X(CALL_ASKED, "call.asked", false, "a worker has asked a call")                                                                                        \
	X(CALL_INTENDED, "call.intended", false, "call.started is in no store yet")                                                                            \
	X(CALL_DISPATCH, "call.dispatch", false, "the intent is durable, nothing has left")                                                                    \
	X(CALL_DISPATCHED, "call.dispatched", false, "the call has been sent to the actor")                                                                    \
	X(CALL_HEARD, "call.heard", false, "its outcome has come, and is not recorded")                                                                        \
	X(CALL_FINISHED, "call.finished", false, "its outcome is recorded, and not durable")                                                                   \
	X(CALL_OUTCOME_DURABLE, "call.outcome.durable", false, "its outcome is durable, the worker has no answer")                                             \
	X(CALL_ANSWER, "call.answer", false, "before an answer is sent to the worker")                                                                         \
	X(CALL_ANSWERED, "call.answered", false, "after it was sent")                                                                                          \
	X(CALL_AGAIN, "call.again", false, "before a call is made again by its class")                                                                         \
	X(CALL_UNKNOWN, "call.unknown", false, "before call.unknown")                                                                                          \
	X(CALL_CANCEL, "call.cancel", false, "before the actor is asked to end a call")                                                                        \
	X(CALL_RESOLVED, "call.resolved", false, "before a person's answer about an unknown call is recorded")                                                 \
	/* messages to people */                                                                                                                               \
	X(ESCALATION_RAISE, "escalation.raise", false, "an execution must tell somebody, and nothing is recorded of that")                                     \
	X(ESCALATION_EMIT, "escalation.emit", false, "before a record of an escalation is made")                                                               \
	X(ESCALATION_SEND, "escalation.send", false, "the intent of a notification is durable, nothing has left")                                              \
	X(ESCALATION_TOLD, "escalation.told", false, "before what became of a notification is recorded")                                                       \
	X(ESCALATION_TIMER, "escalation.timer", false, "a wait of an escalation is over")                                                                      \
	X(ESCALATION_TAKE_UP, "escalation.take_up", false, "before an escalation goes on under another engine")                                                \
	X(ACK_POSTED, "ack.posted", false, "a link was used, before that is recorded")                                                                         \
	X(ACK_STORED, "ack.stored", false, "that is durable, nobody was told")                                                                                 \
	X(CHANNEL_SEND, "channel.send", false, "before a message is sent to the process that sends it")                                                        \
	X(CHANNEL_SENT, "channel.sent", false, "after it was sent there")                                                                                      \
	X(CHANNEL_TOLD, "channel.told", false, "what became of a message has come, and is not recorded")                                                       \
	X(CHILD_START, "child.start", false, "a call's intent is durable, the execution that does it is not there")                                            \
	X(CHILD_STARTED, "child.started", false, "its first records are submitted, and not durable")                                                           \
	X(CHILD_ADOPT, "child.adopt", false, "its parent was taken up: before it is, too")                                                                     \
	X(CHILD_CHANGED, "child.changed", false, "before the parent records that it waits, or goes on")                                                        \
	X(CHILD_OUTCOME, "child.outcome", false, "its end is durable, the call's outcome is not recorded")                                                     \
	X(CHILD_CANCEL, "child.cancel", false, "before it is cancelled with its parent")                                                                       \
	X(MITIGATION_LATE, "mitigation.late", false, "an alert still fires: before somebody is told")                                                          \
	X(PLAYBOOK_CONCLUDE, "playbook.conclude", false, "before playbook.concluded")                                                                          \
	X(QUESTION_ASKED, "question.asked", false, "before a question to a person is recorded")                                                                \
	X(QUESTION_ANSWERED, "question.answered", false, "before its answer is recorded")                                                                      \
	/* output */                                                                                                                                           \
	X(SPOOL_WRITE, "spool.write", true, "before output is written to the spool")                                                                           \
	X(SPOOL_READ, "spool.read", false, "before a spool that an engine left is read")                                                                       \
	X(SPOOL_FORGET, "spool.forget", false, "before a spool is removed")                                                                                    \
	X(OUTPUT_BLOBS, "output.blobs", false, "before output becomes blobs")                                                                                  \
	/* locks and control groups */                                                                                                                         \
	X(LOCK_TAKE, "lock.take", true, "before an execution's lock is taken")                                                                                 \
	X(LOCK_TAKEN, "lock.taken", false, "after it was taken")                                                                                               \
	X(LOCK_NOTE, "lock.note", false, "before the actor is noted in the lock")                                                                              \
	X(LOCK_FREE, "lock.free", false, "the lock that was waited for is free")                                                                               \
	X(GROUP_MAKE, "group.make", true, "before a control group is made")                                                                                    \
	X(GROUP_MADE, "group.made", false, "after it was made")                                                                                                \
	X(GROUP_KILL, "group.kill", false, "before a control group is killed")                                                                                 \
	X(GROUP_REMOVE, "group.remove", false, "before it is removed")                                                                                         \
	/* clients */                                                                                                                                          \
	X(CLIENT_REQUEST, "client.request", false, "a client's request has come")                                                                              \
	X(CLIENT_ANSWER, "client.answer", false, "before an answer that waits for nothing is sent")                                                            \
	X(CLIENT_ANSWER_DURABLE, "client.answer.durable", false, "what a client asked for is durable, it has not been told")                                   \
	X(CLIENT_EVENT, "client.event", false, "before an event is sent to clients")                                                                           \
	X(CLIENT_CLOSED, "client.closed", false, "a client has gone")                                                                                          \
	X(RUN_PLANNED, "run.planned", false, "a run is planned, and nothing of it recorded")                                                                   \
	X(APPROVAL_ASK, "approval.ask", false, "before approval.asked")                                                                                        \
	X(APPROVAL_GIVE, "approval.give", false, "before approval.given")                                                                                      \
	X(APPROVAL_WITHDRAW, "approval.withdraw", false, "before approval.withdrawn")                                                                          \
	/* the engine's side of its processes */                                                                                                               \
	X(WORKER_SPAWN, "worker.spawn", true, "before a worker is asked for")                                                                                  \
	X(WORKER_ATTEMPT, "worker.attempt", false, "before an attempt is sent to a worker")                                                                    \
	X(WORKER_IDLE, "worker.idle", false, "a worker says that it waits")                                                                                    \
	X(WORKER_LOG, "worker.log", false, "a worker logs")                                                                                                    \
	X(WORKER_END, "worker.end", false, "a worker says how its attempt ended")                                                                              \
	X(WORKER_LOST, "worker.lost", false, "a worker in an attempt has ended")                                                                               \
	X(ACTOR_SPAWN, "actor.spawn", true, "before an actor is asked for")                                                                                    \
	X(ACTOR_SETUP, "actor.setup", false, "before its rules are sent to an actor")                                                                          \
	X(ACTOR_READY, "actor.ready", false, "an actor says that it is ready")                                                                                 \
	X(ACTOR_STARTED, "actor.started", false, "an actor says that a command runs")                                                                          \
	X(ACTOR_OUTPUT, "actor.output", false, "an actor sends output")                                                                                        \
	X(ACTOR_FINISHED, "actor.finished", false, "an actor says how a command ended")                                                                        \
	X(ACTOR_FAILED, "actor.failed", false, "an actor says that a command did not start")                                                                   \
	X(ACTOR_LOST, "actor.lost", false, "an actor has ended")                                                                                               \
	/* in the fork server */                                                                                                                               \
	X(FORKD_FORK, "forkd.fork", true, "the fork server, before it forks")                                                                                  \
	X(FORKD_CHILD, "forkd.child", false, "its child, before anything")                                                                                     \
	X(FORKD_EXEC, "forkd.exec", false, "its child, before it becomes the actor")                                                                           \
	X(FORKD_REPLY, "forkd.reply", false, "the fork server, before its reply")                                                                              \
	/* in the worker */                                                                                                                                    \
	X(BOX_ATTEMPT, "box.attempt", false, "the worker has an attempt")                                                                                      \
	X(BOX_FLUSH, "box.flush", false, "the worker, before it sends what it said")                                                                           \
	X(BOX_ANSWER, "box.answer", false, "the worker has an answer")                                                                                         \
	X(BOX_END, "box.end", false, "the worker's attempt is over")                                                                                           \
	/* in the actor */                                                                                                                                     \
	X(HAND_READY, "hand.ready", false, "the actor, before it says that it is ready")                                                                       \
	X(HAND_SETUP, "hand.setup", false, "the actor has its rules")                                                                                          \
	X(HAND_CALL, "hand.call", false, "the actor has a call")                                                                                               \
	X(HAND_CANCEL, "hand.cancel", false, "the actor is asked to end a call")                                                                               \
	X(HAND_SECRET, "hand.secret", true, "the actor, before a secret's file is read")                                                                       \
	X(HAND_CLONE, "hand.clone", true, "the actor, before it starts a command")                                                                             \
	X(HAND_EXEC, "hand.exec", true, "its child, before exec")                                                                                              \
	X(HAND_STARTED, "hand.started", false, "the actor, before it says that a command runs")                                                                \
	X(HAND_OUTPUT, "hand.output", false, "the actor has read output")                                                                                      \
	X(HAND_REDACT, "hand.redact", false, "the actor, before the last held back output is let go")                                                          \
	X(HAND_EXITED, "hand.exited", false, "the actor has seen that a command ended")                                                                        \
	X(HAND_FINISHED, "hand.finished", false, "the actor, before it says how a command ended")                                                              \
	X(HAND_FAILED, "hand.failed", false, "the actor, before it says that a command did not start")                                                         \
	X(HAND_END, "hand.end", false, "the actor, before it ends what it started")

enum failpoint {
#define FAILPOINT_CONSTANT(constant, name, may_fail, place) FAILPOINT_##constant,
	FAILPOINTS(FAILPOINT_CONSTANT)
#undef FAILPOINT_CONSTANT
	    FAILPOINT_N
};

#ifdef RUNG_FAILPOINTS

/* What the environment's variables that steer it begin with. */
#define FAILPOINT_VARIABLES "RUNG_FAIL"

/* Counts the passing of a place, and stops or kills this process where that was asked for. True where the place shall fail. Any thread; between clone and exec
 * too. */
bool failpoint_pass(enum failpoint at);

/* Reads the environment; before other threads. What a process passes before, or with no such call, is counted all the same. */
void failpoint_prepare(void);

struct failpoint_info {
	const char *name, *place;
	bool may_fail;
};

/* The i-th place, in the order of the table that processes share; false behind the last. */
bool failpoint_info(size_t i, struct failpoint_info *out);

#else

static inline bool failpoint_pass(enum failpoint at)
{
	(void)at;
	return false;
}

#endif

#define failpoint(constant) failpoint_pass(FAILPOINT_##constant)

#endif
