#ifndef RUNG_SSH_FILES_H
#define RUNG_SSH_FILES_H

/* files.sh, without its comments. */
extern const char ssh_files_text[];

#endif
