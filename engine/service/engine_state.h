#ifndef RUNG_SERVICE_ENGINE_STATE_H
#define RUNG_SERVICE_ENGINE_STATE_H

#include "service/execution.h"
#include "service/policy_file.h"
#include "service/serve.h"

#include <limits.h>

/* The engine: one loop, the store, the fork server, the executions that it drives, the clients that are connected. */
struct alerts_at;
struct client;
struct config;
struct incidents;
struct intake;
struct notifier;
struct oncall_at;
struct engine_part;

enum { ENGINE_LISTENERS = 2 };

/* A socket that clients come to. */
struct listener {
	struct engine *engine;
	uv_poll_t poll;
	int fd;
	char *path; /* NULL: not open */
};

struct engine {
	uv_loop_t loop;
	uv_async_t wake;
	uv_timer_t timer; /* about once a second: is it idle, does everything keep its limits */
	uv_timer_t watchdog;
	uv_signal_t signals[3];
	uv_prepare_t rounds;
	uv_check_t sweeper;
	uint64_t round; /* of the loop: how many there were */
	struct listener listeners[ENGINE_LISTENERS];
	char *terminal_locks; /* folder that the shared socket's group may write; NULL: there is none */
	const char *state_dir, *user, *host;
	const char *principal;                   /* of who started it */
	const char *root;                        /* the workspace that it serves, or NULL */
	struct policy_at *policies;              /* of the workspaces that were asked for */
	struct inventory_at *inventories;        /* likewise */
	struct oncall_at *oncalls;               /* likewise */
	struct notifier *notifier;               /* the process that sends messages; NULL: there is none now */
	json_t *revisions, *starts;              /* approved digests of books; times of services' starts */
	char program[PATH_MAX], forkd[PATH_MAX]; /* what the fork server starts, and itself */
	struct store *store;
	int64_t alive_us;             /* until when the last engine of this log is known to have lived; 0: what it left is taken up */
	unsigned char ack_secret[32]; /* signs links that acknowledge */
	struct store_reader *reader;
	struct sandbox *sandbox;
	struct config *config; /* with the user's name in config_arena; what was read anew since is in reread_arena */
	struct arena *config_arena, *reread_arena;
	const char *config_path;                /* where it is, or would be; "": nowhere */
	const struct sandbox_user *commands_as; /* NULL: the engine's own user */
	const char *groups_base;                /* below it each execution's commands have a control group; NULL: this host or user has none */
	char **old_groups;                      /* killed, and to be removed once they are empty */
	size_t old_group_count;
	struct execution *executions, *gone;
	struct incidents *incidents;
	struct alerts_at *alerts; /* NULL: nobody has asked */
	struct intake *intake;    /* likewise */
	struct client *clients, *gone_clients;
	uint64_t next_client;
	const struct engine_part *part; /* of `rung serve`; NULL: the engine of commands that started it */
	void *part_data;
	struct serve_options serve;
	struct drain drain;
	struct tokens *tokens;
	size_t queries; /* on threads of the pool */
	int64_t idle_us, idle_since_us, reserve_sought_us;
	bool is_ending;
	int exit_status;
};

struct client {
	struct client *next;
	struct engine *engine;
	struct link *link; /* NULL: it came another way, and sink takes what is said to it */
	const struct client_sink *sink;
	void *sink_owner;
	uint64_t id;
	const char *principal;
	char *account; /* "user:NAME" of the process at the other end, which a policy may know as a service; or whom a token stands for */
	char principal_text[512];
	char **attached; /* ids of executions */
	size_t attached_count;
};

/* The policy of a workspace's folder. */
struct policy_file *engine_policy(struct engine *en, const char *root);

struct client *engine_client(struct engine *en, uint64_t id); /* NULL: gone */
struct execution *engine_find(struct engine *en, const char *id);

/* The execution with that id or unique prefix: live, or NULL with e filled and, where the store has it, its whole id in id_out. */
struct execution *engine_lookup(struct engine *en, const char *prefix, char id_out[27], struct error *e);

/* Takes an execution into the engine's care, or drops one that is over. */
void engine_add(struct engine *en, struct execution *x);
void engine_remove(struct engine *en, struct execution *x);

bool client_is_attached(const struct client *c, const char *execution);
void client_attach(struct client *c, const char *execution);
void client_detach(struct client *c, const char *execution);

/* A frame from a client: looks the operation up and runs it. */
bool operations_frame(struct client *c, const struct frame *f);

/* The same for a client without frames: args (an object, borrowed) of the operation with that name; what it answers goes to the client's sink, now or later. */
void operations_ask(struct client *c, json_int_t id, const char *name, const json_t *args);

/* Is there such an operation, and may a client that comes over HTTP ask for it? */
enum operation_offer { OPERATION_NONE, OPERATION_ON_SOCKET, OPERATION_EVERYWHERE };
enum operation_offer operation_offered(const char *name);

/* The table, for those that ask what there is: [{"name","about","for"}]. New reference. */
json_t *operations_json(void);

/* Sends an event to every client attached to x. head is taken. */
void engine_broadcast(struct engine *en, const struct execution *x, json_t *head, const void *payload, size_t n);

/* A child from the fork server; starts another fork server where this one has ended. Errors as sandbox_spawn. */
enum err engine_spawn(struct engine *en, enum sandbox_kind kind, const struct sandbox_gifts *gifts, struct sandbox_child *out, struct error *e);

/* Stops the engine: for a store that is broken, and for signals. */
void engine_end(struct engine *en, int exit_status);

#endif
