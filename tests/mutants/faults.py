"""The list of one-line faults that mutants.py makes: those that break what an execution promises (DESIGN section 5), promise by promise, then others in flow/, in the
store, in the sandbox and in what takes an execution up after a crash.

A fault is (name, file below engine/, text of a line, unique in its file, what stands there instead, the suites of `make check` that should catch it, tried in turn)."""
CALLS_TABLE = "tests/unit/flow/test_calls.c"
FLOW, STORE, GUARD, VERIFY = "tests/unit/flow/test_flow.c", "tests/unit/store/test_store.c", "tests/unit/store/test_guard.c", "tests/unit/store/test_verify.c"
STARVED = "tests/unit/sandbox/test_starved_worker.c"
OUTCOME, REACH, CAPABILITY = "tests/http/test_outcome.py", "tests/http/test_reach.py", "tests/unit/policy/test_capability.c"
CRASH, POWER, IO, REDACT = ("tests/unit/store/test_crash.c", "tests/unit/store/test_power.c", "tests/unit/store/test_io_faults.c", "tests/unit/sandbox/test_redact.c")
ACTOR, LUA, CONFINE, WORKER = ("tests/unit/sandbox/test_%s.c" % w for w in ("actor", "lua", "confine", "worker"))
ENGINE, ATTACK, ATTACK2, RIGHTS, RIGHTS_ATTACK = ("tests/engine/test_%s.py" % w for w in ("engine", "attack", "attack2", "rights", "rights_attack"))
RECEIPT, RESOLVE, DIVERGED = ("tests/engine/test_%s.py" % w for w in ("receipt", "resolve", "diverged"))
KILL, RECEIPT_KILL, ORDER = "tests/kill/test_kill.py", "tests/kill/test_receipt_kill.py", "tests/kill/test_order.py"
CHILDREN, PLAYBOOK, MENDED, CHILDREN_KILL = "tests/engine/test_children.py", "tests/engine/test_playbook.py", "tests/engine/test_mended.py", "tests/kill/test_children_kill.py"
FAIL, SIMULATE = "tests/fail/test_failpoints.py", "tests/simulate/test_simulate.py"
CLOCK, HOST, FRAMES = "tests/hostile/test_clock.py", "tests/hostile/test_host.py", "tests/sandbox/test_hostile_frames.py"
ESCAPE, CALLS = "tests/sandbox/test_escape.py", "tests/sandbox/test_hostile_calls.py"
BINDING, NORMALISERS, AUTHENTICATE, ALERTS_FILE = ("tests/unit/alert/test_%s.c" % w for w in ("binding", "normalisers", "authenticate", "alerts_file"))
CLIMB, LADDER = "tests/simulate/test_escalation.py", "tests/unit/flow/test_escalation.c"
ONCALL, ACK_LINK = "tests/unit/escalate/test_oncall.c", "tests/unit/escalate/test_ack_link.c"

INTAKE, INCIDENTS = "tests/engine/test_intake.py", "tests/engine/test_incidents.py"
ALARM, INCIDENT, INCIDENT_ROWS = "tests/simulate/test_incident.py", "tests/unit/flow/test_incident.c", "tests/unit/store/test_incidents.c"
SERVE, HOSTILE_HTTP = "tests/serve/test_serve.py", "tests/serve/test_hostile_http.py"

MUTANTS = [
    # promise 1: intent before effect
    ("dispatch before commit", "service/dispatch.c",
     'execution_later(x, dispatch, json_pack("{s:I,s:I,s:I}", "step", (json_int_t)c->step, "attempt", (json_int_t)c->attempt, "call", (json_int_t)c->number));',
     'json_t *now = json_pack("{s:I,s:I,s:I}", "step", (json_int_t)c->step, "attempt", (json_int_t)c->attempt, "call", (json_int_t)c->number); dispatch(x, now); json_decref(now);',
     (FAIL, KILL)),
    # promise 2: outcome before successor
    # (An answer that is sent before its outcome is durable cannot be told from outside: what follows it stands behind the outcome in the writer's queue.)
    ("answers in asking order instead of the recorded one", "flow/replay.c", "c->order == r->delivered + 1 && c->order <= r->recorded;", "c->order >= r->delivered + 1 && c->order <= r->recorded;", (SIMULATE, ORDER, KILL)),
    ("the order of delivery is that of asking", "flow/calls.c", "c->order = most + 1;", "c->order = c->number - call_range_base(call_range_of(c->number)) + 0 * most;", (ORDER, KILL)),
    ("a batch that was not committed is acknowledged", "store/writer.c", "if (err) answer_all(group, err, &e);", "if (err && err != ERR_IO) answer_all(group, err, &e);", (STORE, IO, FAIL)),
    # promise 3: a finished call is never made again
    ("recovery skips the recorded answers", "service/call.c", "enum err err = c ? call_of_record(&q, c, e) : new_call(&q, e);", "enum err err = c && c->state != CALL_FINISHED ? call_of_record(&q, c, e) : new_call(&q, e);", (FAIL, KILL)),
    ("a finished call is made again by its class", "flow/calls.c", "if (c->state == CALL_FINISHED || c->is_question || c->is_dispatched || c->is_intended) return MEETS_ANSWER;", "if (c->is_question || c->is_dispatched || c->is_intended) return MEETS_ANSWER;", (SIMULATE, ENGINE)),
    ("a call that differs is taken for the recorded one", "service/call.c", "memcmp(was.data, is.data, is.len) == 0;", "memcmp(was.data, is.data, is.len) == 0; same = same || q->number > 0;", (DIVERGED, ENGINE)),
    ("two questions are shown where they are the same", "service/diverged.c", "if (n <= 2 * SHOWN_BEFORE) return 0;", "if (n > 0) return 0;", (DIVERGED,)),
    ("what a diverged step asked is not kept", "service/attempt.c", "if (outcome == STEP_DIVERGED && a->diverged_asked)", "if (outcome == STEP_DIVERGED && !a->diverged_asked)", (DIVERGED,)),
    # promise 4: in flight is unknown
    ("retry of once", "flow/calls.c", "return effect == EFFECT_READ || effect == EFFECT_IDEMPOTENT;", "return effect != EFFECT_UNSET;", (SIMULATE, FAIL, KILL)),
    ("what was in flight has failed", "flow/calls.c", "if (!c->is_question && !repeats) return FATE_UNKNOWN;", "if (!c->is_question && !repeats) return FATE_FAILED;", (SIMULATE, FAIL, ENGINE)),
    ("an unknown call is made again when its step is", "flow/calls.c", "return c->state == CALL_AGAIN || call_effect_repeats(c->effect) ? MEETS_AGAIN : MEETS_UNKNOWN;", "return MEETS_AGAIN;", (CALLS_TABLE,)),
    ("idempotent waits for a person", "flow/calls.c", "return effect == EFFECT_READ || effect == EFFECT_IDEMPOTENT;", "return effect == EFFECT_READ;", (ENGINE, KILL)),
    # (That the shell is told of a first time changes nothing where the engine keeps the receipts: their folder is there.)
    ("a receipt is not asked what became of a call", "service/receipt.c", "char *name = key_of(x, c->step, c->attempt, c->number, c->again);", "char *name = key_of(x, c->step, c->attempt, c->number, c->intents - 1);", (RECEIPT, RECEIPT_KILL)),
    ("a keyed call gets a key of its own each time", "service/receipt.c", "c && effect == EFFECT_RECEIPT ? c->again : 0)", "c ? c->again : 0)", (RESOLVE,)),
    ("recovery does not wait for what still runs", "service/begin.c", "lock_wait(x, true, taken_up);", "taken_up(x);", (KILL, HOST, ENGINE)),
    ("a lock that is held counts as free", "service/lock.c", "else if (failpoint(LOCK_TAKE) || flock(fd, LOCK_EX | LOCK_NB) != 0) {", "else if (failpoint(LOCK_TAKE)) {", (KILL, HOST, ENGINE)),
    ("a retry starts while a call is unknown", "flow/flow.c", "s->state = s->unknown_calls ? STEP_UNKNOWN", "s->state = s->unknown_calls > 1 ? STEP_UNKNOWN", (FLOW, ENGINE)),
    # promise 6: alerts
    ("an execution begins before its decision is durable", "service/intake_decide.c", "incident_later(f->inc, start_later,", "start_later(f->inc,", (INTAKE,)),
    ("a delivery is answered before it is durable", "service/intake.c", "incidents_when_durable(en, answer, w);", "answer(w, NULL);", (INCIDENTS,)),
    ("an episode starts again what it has started", "service/intake_decide.c", "return f->decision.outcome == BINDING_STARTS && r && f->alert->starts_us", "return f->decision.outcome == BINDING_STARTS && !r && f->alert->starts_us", (INTAKE,)),
    ("what is over starts again when it comes late", "service/intake_decide.c", "return f->alert->starts_us <= r->over_starts_us;", "return f->alert->starts_us < r->over_starts_us;", (INTAKE,)),
    ("what was decided when an engine ended is not started", "service/incident_execution.c", "if (run->alert != SIZE_MAX) intake_start_again(inc, run->id);", "if (run->alert == SIZE_MAX) intake_start_again(inc, run->id);", (FAIL,)),
    ("a cooldown ends with its incident", "service/intake_decide.c", "s.ended_us = remembered_end_us(f->before, f->rule);", "s.ended_us = 0;", (INTAKE,)),
    ("whoever reaches the socket sends alerts without proof", "service/operate_intake.c", ".is_trusted = count == 0 && q->client->link && strcmp(q->client->account, q->engine->principal) == 0};", ".is_trusted = count == 0 && q->client->link};", (INCIDENTS,)),
    ("the machine forgets what an episode has started", "flow/incident.c", "if (ev->starts_us > al->executed_starts_us) al->executed_starts_us = ev->starts_us;", "if (ev->starts_us > al->executed_starts_us) al->executed_starts_us = 0;", (INCIDENT, ALARM)),
    ("an earlier episode's end ends a later one", "flow/incident.c", "if (!ev->is_firing && (!ev->starts_us || ev->starts_us >= al->starts_us)) {", "if (!ev->is_firing) {", (INCIDENT, ALARM)),
    ("an alert that fires anew leaves its incident mitigated", "flow/incident.c", "if (x->state == INCIDENT_MITIGATED) x->state = x->acknowledged_by", "if (x->state == INCIDENT_RESOLVED) x->state = x->acknowledged_by", (INCIDENT, ALARM)),
    ("an incident is resolved by its alerts while one fires", "flow/incident.c", "return ev->by_alert && !incident_is_over(x) ? conflict(", "return ev->by_alert && x->alert_count == 0 ? conflict(", (INCIDENT,)),
    ("an incident's row may say that it is over", "store/verify_rows.c", "bool is_fine = is_known && i->is_open != is_resolved && (state == INCIDENT_RESOLVED) == is_resolved", "bool is_fine = is_known && i->is_open != is_resolved", (INCIDENT_ROWS,)),
    # executions that others run
    ("a child is started again where it is there", "service/child.c", "enum err err = execution_load(x->engine, x->engine->reader, c->child, &child, &e);", "enum err err = ERR_NOT_FOUND;", (CHILDREN, CHILDREN_KILL)),
    ("a parent that is cancelled leaves its child", "service/child.c", "if (child->flow->is_cancelling || child->flow->is_finished) return;", "if (child->flow->is_cancelling || c->is_cancelled) return;", (CHILDREN,)),
    ("the plan leaves out the runbooks", "service/begin.c", '"children", x->children, "ancestors"', '"children", NULL, "ancestors"', (CHILDREN,)),
    ("a book may be its own ancestor", "service/child.c", "is_again = is_again || strcmp(json_string_value(v), path) == 0;", "is_again = is_again && strcmp(json_string_value(v), path) == 0;", (CHILDREN,)),
    ("a parent's time goes on while its child runs", "flow/flow.c", "bool is_on_time = s->state == STEP_RUNNING && !s->open_children;", "bool is_on_time = s->state == STEP_RUNNING;", (FLOW,)),
    ("a child that waits leaves its parent running", "flow/flow.c", "s->open_questions || s->waiting_children ? STEP_WAITING", "s->open_questions ? STEP_WAITING", (FLOW, CHILDREN)),
    ("the least certain cause counts", "service/finding.c", 'json_int(f, "certainty", 0) > json_int(best, "certainty", 0)', 'json_int(f, "certainty", 0) < json_int(best, "certainty", 0)', (PLAYBOOK,)),
    ("findings of an earlier attempt count", "service/finding.c", "c->attempt == s->attempt && is_begun;", "is_begun;", (PLAYBOOK,)),
    ("that no cause was found is told to nobody", "service/escalation_watch.c", 'is_lost = strcmp(outcome, "no_cause") == 0;', 'is_lost = strcmp(outcome, "no_causes") == 0;', (MENDED,)),
    ("what resolves late counts as mitigated", "service/mitigation.c", "if (!m->is_awaited || clock_has_passed(&m->until)) return;", "if (!m->execution) return;", (MENDED,)),
    ("that an alert fires on is told to nobody", "service/mitigation.c", "if (inc->mitigation.is_awaited && clock_has_passed(&inc->mitigation.until)) late = inc;", "if (inc->mitigation.is_awaited && !inc->flow) late = inc;", (MENDED,)),
    # promise 5: fenced
    ("a lease is not checked", "flow/lease.c", "return mine >= held->epoch;", "return mine > 0 || mine >= held->epoch;", (STORE, SIMULATE)),
    ("a lease is taken behind a record that was not read", "flow/lease.c", " && claim->last == held->last;", ";", (SIMULATE, STORE)),
    ("more is submitted while a lease is asked for", "flow/lease.c", "return !is_claiming || under_way == 0;", "return !is_claiming || under_way < 100;", (SIMULATE,)),
    ("taking over does not raise the epoch", "service/begin.c", "x->epoch = lease_next(x->epoch);", "", (KILL, ENGINE)),
    ("a lease is taken though it was taken meanwhile", "flow/lease.c", "return claim->epoch == lease_next(held->epoch) && claim->last == held->last;", "return claim->epoch >= lease_next(held->epoch) || claim->last == held->last;", (STORE, SIMULATE)),
    ("the epoch of the record is forgotten", "service/fold.c", "if (f->r->kind == RECORD_EXECUTION_RESUMED) x->epoch = lease_read(x->epoch, f->r->epoch);", "", (KILL, FAIL)),
    # promise 7: timers
    ("no deadline", "flow/flow.c", "s->due_us = timeout ? deadline_clock(ev) + timeout : 0;", "s->due_us = timeout < 0 ? deadline_clock(ev) + timeout : 0;", (FLOW, CLOCK)),
    ("deadlines on the wall clock", "service/execution.c", "flow_decide(x->flow, clock_steady_us(), x->commands", "flow_decide(x->flow, clock_now_us(), x->commands", (CLOCK,)),
    ("a deadline goes on while no engine is there", "flow/flow.c", "if (s->state == STEP_RUNNING) s->due_us += now_us - f->last_us;", "", (FLOW, CLOCK)),
    ("an approval lasts longer when the clock is set back", "base/clock.c", "|| (u->steady_us && now.steady_us >= u->steady_us)", "", (CLOCK,)),
    ("clock.stepped is left out", "store/apply.c", "if (p->tree.size > 0 && t_us < p->last_t_us - CLOCK_STEP_US) err = put_clock_stepped(s, p, t_us, e);", "(void)put_clock_stepped;", (STORE, VERIFY, CLOCK)),
    # promise 8: the disk
    ("commits are not synced", "store/schema.c", "PRAGMA synchronous = FULL;", "PRAGMA synchronous = NORMAL;", (POWER,)),
    ("a store that failed goes on", "store/writer.c", "enum err err = s->is_broken ? ERR_IO : check_place(s, &e);", "enum err err = check_place(s, &e);", (STORE, CRASH, IO, HOST)),
    ("a WAL that could not be copied is passed over", "store/writer.c", "else if ((rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_LOCKED && (rc & 0xff) != SQLITE_FULL) {", "else if ((rc & 0xff) == SQLITE_MISUSE) {", (CRASH,)),
    ("a database that was deleted goes on", "store/writer.c", "writer_remember_place(struct store *s)\n{\n\tstruct stat st;\n\tif (", "writer_remember_place(struct store *s)\n{\n\tstruct stat st;\n\tif (s->is_stopping && ", (STORE, HOST)),
    ("a full disk does not release the reserve", "store/writer.c", "bool is_released = reserve_release(s->dir);", "bool is_released = s->is_stopping && reserve_release(s->dir);", (STORE, IO, HOST)),
    # flow
    ("one retry too many", "flow/flow.c", "s->retries_used < book_step(f, i)->retry;", "s->retries_used <= book_step(f, i)->retry;", (FLOW, ENGINE)),
    ("a retry does not wait for its delay", "flow/decide.c", "	if (s->due_us > now_us)", "	if (s->due_us > now_us && now_us < 0)", (SIMULATE, FLOW)),
    ("a failed step lets the next one start", "flow/flow.c", "if (s->state == STEP_SUCCEEDED || s->state == STEP_SKIPPED) return true;", "if (s->state == STEP_SUCCEEDED || s->state == STEP_SKIPPED || s->state == STEP_FAILED) return true;", (FLOW, ENGINE)),
    ("goto without end", "flow/flow.c", "f->steps[ev->by].goto_used++;", "", (FLOW, ENGINE)),
    ("paused goes on", "flow/decide.c", "if (stopping || f->is_paused) return d.count;", "if (stopping) return d.count;", (FLOW, ENGINE)),
    ("the end does not wait for what is under way", "flow/decide.c", "if (stopping && !is_busy(f)) {", "if (stopping && (!is_busy(f) || f->mode == FLOW_AUTO)) {", (FLOW, SIMULATE, ENGINE)),
    ("a call leaves after its step was stopped", "flow/calls.c", "return is_attempt_over || f->is_cancelling || flow_is_over(f->steps[step].state) ? DEPARTS_NEVER : DEPARTS;", "return is_attempt_over && f->is_cancelling && flow_is_over(f->steps[step].state) ? DEPARTS_NEVER : DEPARTS;", (SIMULATE, ATTACK, ATTACK2, FAIL)),
    ("a proof is tried without end", "flow/replay.c", "bool may_prove = around.has_proof && !around.is_proof_tried && !s->open_calls;", "bool may_prove = around.has_proof && !s->open_calls;", (SIMULATE, ENGINE)),
    # store
    ("a record is not in the tree", "store/apply.c", "if (!err) tree_append(&p->tree, &leaf);", "if (!err && p->tree.size % 7 != 6) tree_append(&p->tree, &leaf);", (STORE, VERIFY)),
    ("a failed transaction counts", "store/writer.c", "\tif (!err)\n\t\ts->now = *next;", "\ts->now = *next;\n\tif (!err)\n\t\tfailpoint(STORE_COMMITTED);", (STORE, IO, CRASH)),
    ("an older copy of the store is taken", "store/recover.c", "if (c.size > size)", "if (c.size > size + 1000000)", (GUARD, STORE)),
    ("another history of the same length is taken", "store/recover.c", "if (!err && memcmp(&root, &c.root, sizeof root) != 0)", "if (!err && size == 0 && memcmp(&root, &c.root, sizeof root) != 0)", (GUARD, STORE)),
    ("the guard is not written", "store/writer.c", "if (note->len) guard_write(s->guard, note->data, note->len, &ignored);", "if (!note->len) guard_write(s->guard, note->data, note->len, &ignored);", (GUARD, STORE)),
    ("a torn slot of the guard counts", "store/guard.c", "return memcmp(slot + n + 1, digest, DIGEST_BYTES) == 0;", "return bytes > 0 || memcmp(slot + n + 1, digest, DIGEST_BYTES) == 0;", (GUARD, POWER)),
    ("a log is set aside with its WAL first", "store/store.c", '{"store.db", "store.db-wal", "keys"}', '{"store.db-wal", "store.db", "keys"}', (POWER,)),
    # sandbox and what is left behind
    ("a number that was given to another process is killed", "sandbox/holders.c", "bool ended = holders_start_of(pid) == start && syscall(", "bool ended = holders_start_of(pid) != 0 && syscall(", (HOST,)),
    ("a command's deadline is not kept", "sandbox/actor_command.c", "if (timeout > 0) c->deadline_us = c->started_us + timeout;", "if (timeout < 0) c->deadline_us = c->started_us + timeout;", (ACTOR, CLOCK)),
    ("children outlive the actor", "sandbox/actor.c", "\t\tkill_children();", "\t\t(void)kill_children;", (ACTOR, KILL, ATTACK)),
    ("a worker's calls come in any order", "service/call.c", 'if (json_int(m->head, "c", 0) != (json_int_t)a->replay.asked + 1)', 'if (json_int(m->head, "c", 0) <= 0)', (FRAMES,)),
    ("an actor ends calls that are not open", "service/dispatch.c", "return c ? hear_of_call(x, c, &m, e) : error_set(e, ERR_PROTOCOL, \"a call that is not open\");", "return c ? hear_of_call(x, c, &m, e) : ERR_OK;", (FRAMES,)),
    ("the worker may open files", "sandbox/worker/confine.c", "if (!CONFINE_SANITIZED) out->seccomp = confine_system_calls();", "out->seccomp = filter_length > 0 || confine_system_calls();", (ESCAPE, CALLS)),
    ("Lua's memory is not counted", "sandbox/worker/limit.c", "w->memory_used += new_bytes - old;", "", (LUA, WORKER)),
    ("trees of JSON are not counted", "sandbox/worker/limit.c", "other_used += malloc_usable_size(p);\n\treturn p;", "return p;", (LUA, WORKER, CONFINE)),
    ("a step catches that there is no memory", "sandbox/worker/limit.c", "if (!p) limit_out_of_memory();", "if (!p) return NULL;", (STARVED,)),
    ("a secret in hex is shown", "sandbox/redact_forms.c", "if (lower || upper) add(w, 1, lower && upper,", "if (may_break && (lower || upper)) add(w, 1, lower && upper,", (REDACT,)),
    # requests
    ("a request is sent again on another connection", "../modules/http/http_hand.c", "if (r->is_sent && !r->repeats) {", "if (r->is_sent && !r->repeats && r->port == 0) {", (OUTCOME,)),
    ("an answer whose head breaks off is whole", "../modules/http/http_hand.c", "if (!kind && !r->answer.is_whole)", "if (!kind && !r->answer.is_whole && r->port == 0)", (OUTCOME,)),
    ("a name may lead to metadata", "../modules/http/http_request.c", "(r->is_named && (r->is_address || is_of_names))", "r->is_named", (REACH,)),
    ("what a star stands for may be on the inside", "policy/capability_host.c", "if (g->pieces[i].kind != PIECE_TEXT && g->pieces[i].kind != PIECE_CHOICE) return false;", "if (g->pieces[i].kind == PIECE_PARAM) return false;", (CAPABILITY, REACH)),
    ("credentials go along to another origin", "../modules/http/http.lua", "if origin(to) ~= origin(result.url) then", "if false then", (REACH,)),
    # rights of what runs
    ("an approval for other targets counts", "flow/approval.c", 'if (strcmp(binding, p->binding) != 0) return "changed";', 'if (strcmp(binding, p->binding) != 0 && !all) return "changed";', (SIMULATE, RIGHTS)),
    ("one person counts twice", "flow/approval.c", "if (has_given(p, who, now)) return APPROVAL_IS_SECOND;", "if (has_given(p, who, now) && !all) return APPROVAL_IS_SECOND;", (SIMULATE, RIGHTS)),
    ("an approval that has passed counts", "flow/approval.c", 'if (clock_has_passed_at(&p->given[i].until, now)) return "expired";', 'if (clock_has_passed_at(&p->given[i].until, now) && !all) return "expired";', (SIMULATE, CLOCK)),
    ("who drove since has approved", "flow/approval.c", 'if (approval_has_driven(in, p->given[i].by)) return "has_driven";', 'if (approval_has_driven(in, p->given[i].by) && !all) return "has_driven";', (SIMULATE, RIGHTS)),
    ("nobody wakes up when an approval passes", "flow/approval.c", "if (at_us > now.steady_us && at_us < first_us) first_us = at_us;", "if (at_us > now.steady_us && at_us < 0) first_us = at_us;", (SIMULATE,)),
    # alerts
    ("a firing alert counts as over", "alert/binding.c", "return q->alert->state == ALERT_RESOLVED && hold(", "return q->alert->state != ALERT_RESOLVED && hold(", (BINDING,)),
    ("an alert starts beside the execution that runs for it", "alert/binding.c", "if (!q->state->running) return false;", "if (!q->state->running || q->state->now_us) return false;", (BINDING,)),
    ("the cooldown ends a moment late", "alert/binding.c", "if (!q->state->ended_us || q->state->now_us >= until_us) return false;", "if (!q->state->ended_us || q->state->now_us > until_us) return false;", (BINDING,)),
    ("one failure more before the breaker opens", "alert/binding.c", "if (!most || count < (size_t)most) return 0;", "if (!most || count <= (size_t)most) return 0;", (BINDING,)),
    ("the oldest start decides how long", "alert/binding.c", "times_us[count - (size_t)most] + span_us;", "times_us[0] + span_us;", (BINDING,)),
    ("one execution more than max_running", "alert/binding.c", "if (!most || q->state->running_count < most) return false;", "if (!most || q->state->running_count <= most) return false;", (BINDING,)),
    ("a maintenance window holds at its end", "alert/binding.c", "|| q->state->now_us >= w->to_us) continue;", "|| q->state->now_us > w->to_us) continue;", (BINDING,)),
    ("a cut alert starts", "alert/binding.c", "if (!out->doubt && al->is_cut)", "if (!out->doubt && !al)", (BINDING,)),
    ("a book found by name starts without an account", "alert/binding.c", "return !q->choice->rule->as && hold(", "return !q->choice && hold(", (BINDING,)),
    ("a pattern matches a part of a value", "alert/pattern.c", "PCRE2_ANCHORED | PCRE2_ENDANCHORED |", "PCRE2_ANCHORED |", (BINDING,)),
    ("a matcher that cannot be judged holds for nobody", "alert/matcher.c", "if (one == PATTERN_OVER_LIMIT) all = one;", "if (one == PATTERN_OVER_LIMIT) return PATTERN_NO;", (BINDING,)),
    ("an address leads to the shortest path", "alert/book_index.c", "if (page_find(ix, p, \"\")) return found_at(ix, p, anchor, out);", "if (page_find(ix, p, \"\") && !strchr(p, '/')) return found_at(ix, p, anchor, out);", (BINDING,)),
    ("an anchor that is not there is left out", "alert/book_index.c", "if (!page || (*anchor && !heading)) return false;", "if (!page) return false;", (BINDING,)),
    ("of two books as near the first is taken", "alert/binding.c", "if (found->other_path) out->doubt", "if (!found->path) out->doubt", (BINDING,)),
    ("the hash of a token counts as the token", "alert/authenticate.c", "digest_sha256(given, token, strlen(token));", "if (strlen(token) != 64 || !decode_hex(given, token, DIGEST_BYTES)) digest_sha256(given, token, strlen(token));", (AUTHENTICATE,)),
    ("an empty token counts", "alert/authenticate.c", "return matches && *token", "return matches && token", (AUTHENTICATE,)),
    ("a signed time may be any", "alert/authenticate.c", "if (away_us > auth->within_us || away_us < -auth->within_us)", "if (away_us > auth->within_us)", (AUTHENTICATE,)),
    ("the prefix of a signature is not asked for", "alert/authenticate.c", "len = is_prefixed ? decode(auth, value + prefix, n - prefix, given) : 0;", "len = is_prefixed ? decode(auth, value + prefix, n - prefix, given) : decode(auth, value, n, given);", (AUTHENTICATE,)),
    ("a time after the year 9999", "alert/body.c", "return us > 0 && us <= TIME_US_MAX ? us : 0;", "return us > 0 ? us : 0;", (NORMALISERS,)),
    ("the order of labels makes the fingerprint", "alert/body.c", "if (l->count) qsort(sorted, l->count, sizeof *sorted, by_name);", "if (l->count > 9) qsort(sorted, l->count, sizeof *sorted, by_name);", (NORMALISERS,)),
    ("an integer beyond 64 bits is refused", "alert/body.c", "*is_long = is_integer && digits > DIGITS_MAX", "*is_long = is_integer && digits > 10 * DIGITS_MAX", (NORMALISERS,)),
    ("what is over the number of alerts is not counted", "alert/normaliser.c", "d->truncated += (int64_t)(count - d->count);", "", (NORMALISERS,)),
    ("the number of values is not bounded", "alert/body.c", "if (values > ALERT_VALUES_MAX)", "if (values > 100 * ALERT_VALUES_MAX)", (NORMALISERS,)),
    ("a binding that is never reached is read", "alert/alerts_file.c", "if (is_above(other, b))", "if (is_above(other, b) && !b)", (ALERTS_FILE,)),
    # escalations
    ("a level is passed over", "flow/escalation.c", "if (at.level < p->count) return true;", "if (at.level + 1 < p->count) return true;", (CLIMB, LADDER)),
    ("an acknowledgement does not stop the climb", "flow/escalation.c", "stop(x, ESCALATION_ACKNOWLEDGED);", "if (x->state != ESCALATION_CLIMBING) stop(x, ESCALATION_ACKNOWLEDGED);", (CLIMB, LADDER)),
    ("nobody wakes up for a level", "flow/escalation.c", "wake(&d, &x->timer);", "if (x->state == ESCALATION_HELD) wake(&d, &x->timer);", (CLIMB, LADDER)),
    ("a level that nobody heard of is over after a restart", "flow/escalation.c", "if (x->state == ESCALATION_CLIMBING && x->at.level > 0 && is_somebody_untold(x))", "if (x->state == ESCALATION_HELD && is_somebody_untold(x))", (CLIMB, LADDER)),
    ("all rounds are used up at once", "flow/escalation.c", "return is_nobody_reachable(x) && !is_new_round;", "return is_nobody_reachable(x) && (!is_new_round || true);", (CLIMB, LADDER)),
    ("a wait begins anew at each restart", "flow/escalation.c", "int64_t rest = t->due_us - stood_still_us;", "int64_t rest = t->whole_us + 0 * stood_still_us;", (LADDER,)),
    ("a channel's time goes on in another engine", "flow/escalation.c", "if (r->reach == REACH_UNDER_WAY) follow(&x->ladder->retry, r, NOTIFICATION_UNKNOWN, now_us);", "", (CLIMB, LADDER)),
    ("a late word moves the next message", "flow/escalation.c", "bool is_awaited = r->number == ev->number && r->reach == REACH_UNDER_WAY;", "bool is_awaited = r->reach == REACH_UNDER_WAY;", (CLIMB, LADDER)),
    ("a link acknowledges twice", "flow/escalation.c", "x->links_used[x->link_count++] = ev->link;", "x->links_used[x->link_count] = ev->link;", (LADDER, CLIMB)),
    ("a link never expires", "escalate/ack_link.c", "return now_us >= l.expires_s * 1000000 ? ACK_LINK_EXPIRED : ACK_LINK_GOOD;", "return now_us < 0 ? ACK_LINK_EXPIRED : ACK_LINK_GOOD;", (ACK_LINK,)),
    ("a link is for everybody", "escalate/ack_link.c", "(long long)l->expires_s, l->person);", '(long long)l->expires_s, "");', (ACK_LINK,)),
    ("a policy leads back to itself", "escalate/oncall_read.c", "if (q == p)", "if (q == p && steps > 1000)", (ONCALL,)),
    # HTTP: what is refused, who is let in, what a stream promises, how a service ends
    ("a line feed alone ends the first line", "http/head.c", "	at += strlen(h->version);", "	at += strlen(h->version); if (at[0] == 0 && at[1] != 0) return at + 1;", (HOSTILE_HTTP,)),
    ("two Hosts pass", "http/head.c", 'static const char *const once[] = {"host", ', "static const char *const once[] = {", (HOSTILE_HTTP,)),
    ("a body with two lengths is told to say one", "http/head.c", "if (!err && length && coding)", "if (!err && length && coding && !length)", (HOSTILE_HTTP,)),
    ("a path goes up", "http/target.c", 'if (n == 0 || strcmp(part, ".") == 0 || strcmp(part, "..") == 0)', "if (n == 0)", (HOSTILE_HTTP,)),
    ("slow clients are not cut", "http/server.c", "(phase_us[c->phase] && now_us - c->since_us > phase_us[c->phase])", "(phase_us[c->phase] < 0 && now_us)", (HOSTILE_HTTP,)),
    ("those that say nothing make no room", "http/server.c", "	make_room(h);", "	if (!c) make_room(h);", (HOSTILE_HTTP,)),
    ("wrong tokens are not counted", "http/authorize.c", "		w->count++;", "		w->count += 0;", (HOSTILE_HTTP,)),
    ("a revoked token counts", "service/token.c", "return !t->is_revoked && !(t->has_end && clock_has_passed(&t->until));", "return !(t->has_end && clock_has_passed(&t->until));", (SERVE,)),
    ("a token never expires", "service/token.c", "	t->has_end = expires_us != 0;", "	t->has_end = expires_us < 0;", (SERVE,)),
    ("a service that no policy names is let in", "http/authorize.c", "if (!err && (!p || !policy_service_find(p, x->principal + 8)))", "if (!err && !p)", (SERVE,)),
    ("a reader that comes back gets its last record again", "http/stream.c", "s->next_seq = has_last ? last + 1 : journal_size(h);", "s->next_seq = has_last ? last : journal_size(h);", (SERVE,)),
    ("a reader that comes back misses a record", "http/stream.c", "s->next_seq = has_last ? last + 1 : journal_size(h);", "s->next_seq = has_last ? last + 2 : journal_size(h);", (SERVE,)),
    ("who has a revoked token hears on", "http/stream.c", "if (!is_same || !s->client) return false;", "if ((now && !is_same) || !s->client) return false;", (SERVE,)),
    ("plain HTTP leaves this host", "http/listen.c", "if (!err && !h->is_tls && !listen_is_loopback(&a))", "if (!err && !h->is_tls && !listen_is_loopback(&a) && !*text)", (SERVE,)),
    ("an engine that ends is ready", "http/health.c", "if (en->drain.is_begun)", "if (!en)", (SERVE,)),
    ("an engine that ends begins something", "service/operations.c", "q->engine->drain.is_begun && is_start(o)", "q->engine->drain.is_begun && !is_start(o) && !o", (SERVE,)),
    ("what runs gets no time to finish", "service/serve.c", "bool runs = is_running(en) && since_us < en->config->drain_us;", "bool runs = is_running(en) && since_us < 0;", (SERVE,)),
]
