#include "cli/commands.h"

#include <stddef.h>

const struct command *const commands[] = {
    &command_run,          &command_check,     &command_show,
    &command_graph,        &command_list,      &command_hosts,
    &command_log,          &command_report,    &command_attach,
    &command_resume,       &command_resolve,   &command_approve,
    &command_handover,     &command_elevate,   &command_review,
    &command_approve_book, &command_cancel,    &command_note,
    &command_alerts,       &command_incidents, &command_ack,
    &command_verify,       &command_policy,    &command_oncall,
    &command_escalate,     &command_init,      &command_doctor,
    &command_help,         &command_version,   &command_serve,
    &command_token,        &command_engine,    NULL,
};
