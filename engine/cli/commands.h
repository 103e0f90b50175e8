#ifndef RUNG_CLI_COMMANDS_H
#define RUNG_CLI_COMMANDS_H

#include "cli/command.h"

/* One entry a command, beside the function that runs it: cmd_<name>.c. */
extern const struct command command_run, command_check, command_show, command_graph, command_list, command_log, command_report, command_attach, command_resume,
    command_resolve, command_cancel, command_note, command_alerts, command_incidents, command_ack, command_verify, command_init, command_doctor, command_help,
    command_version, command_engine, command_approve, command_approve_book, command_handover, command_elevate, command_review, command_policy, command_hosts,
    command_oncall, command_escalate, command_serve, command_token;

#endif
