# rung: see `make help`.
B        ?= build
ifeq ($(origin CC),default)
CC       := gcc
endif
PREFIX   ?= /usr/local
DESTDIR  ?=
SEEDS    ?= 20
FIRST    ?= 1
VERSION  := 0.1.0

LAYERS   := base book policy flow journal store sandbox alert escalate report service http cli
PKGS     := md4c yaml-0.1 jansson libpcre2-8 libuv sqlite3 libcrypto zlib libssh
PKGS_BOX := lua5.4 jansson libpcre2-8 yaml-0.1 libseccomp

# SAN=1 builds with AddressSanitizer and UBSan into $(B)/san: what the tests use by default, with the places of
# base/failpoint.h in it.
ifeq ($(SAN),1)
O        := $(B)/san
OPT      := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CPPFLAGS += -DRUNG_FAILPOINTS
else
O        := $(B)
OPT      := -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LDOPT    := -pie -Wl,-z,relro,-z,now
endif
# COVER=1 counts lines, FUZZ=1 builds the fuzz targets.
ifeq ($(COVER),1)
O        := $(B)/cover
OPT      := -O0 --coverage -fprofile-update=atomic
LDOPT    := --coverage
endif
ifeq ($(FUZZ),1)
CC       := clang
O        := $(B)/fuzz
OPT      := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDOPT    :=
endif

# V=1 shows the commands.
Q        := $(if $(V),,@)
WARN     := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wno-format-nonliteral -Werror
CPPFLAGS += -D_GNU_SOURCE -DRUNG_VERSION='"$(VERSION)"' -Iengine -I. -I$(O)/gen
CFLAGS   += -std=c11 -g $(OPT) $(WARN)
LDFLAGS  += $(OPT) $(LDOPT) -pthread
LIBS      = $(shell pkg-config --libs $(PKGS)) -lm
LIBS_BOX  = $(shell pkg-config --libs $(PKGS_BOX)) -lm

# One archive a layer, so that a test links its layer and those below it, and nothing else. What modules declare and do belongs to sandbox/'s.
src_of    = $(wildcard engine/$(1)/*.c)
obj_of    = $(patsubst %.c,$(O)/obj/%.o,$(call src_of,$(1)))
ARCHIVES := $(foreach l,$(LAYERS),$(O)/lib/$(l).a)
MODULE_OBJ := $(patsubst %.c,$(O)/obj/%.o,$(wildcard modules/*/*.c))
# The fork server shares what the engine side does with rights and with what was left behind.
BOX_OBJ  := $(patsubst %.c,$(O)/obj/%.o,$(wildcard engine/sandbox/worker/*.c) $(addprefix engine/sandbox/,privilege.c holders.c group_fork.c))

.DEFAULT_GOAL := all
.PHONY: all
all: $(O)/rung $(O)/rung-forkd ## build the program and its fork server into build/

# What engine/http/watch.c puts before the libraries' own.
WATCHED  := -Wl,--export-dynamic-symbol=recv -Wl,--export-dynamic-symbol=gnutls_record_recv

# Archives refer upward nowhere; --start-group only spares listing them from top to bottom.
$(O)/rung: $(O)/obj/engine/main.o $(ARCHIVES)
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) $(WATCHED) -o $@ $(O)/obj/engine/main.o -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

$(O)/rung-forkd: $(BOX_OBJ) $(O)/obj/gen/modules.o $(O)/lib/base.a
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $(BOX_OBJ) $(O)/obj/gen/modules.o $(O)/lib/base.a $(LIBS_BOX)

# Variants of the fork server for the tests: its own objects, those that VARIANT_NAME names replaced by tests/sandbox/forkd_NAME.c,
# with what VARIANT_MORE_NAME names beside them.
VARIANT_open       := environment
VARIANT_unconfined := environment confine limit attempt
VARIANT_walk       := environment
VARIANT_hostile    := environment confine
VARIANT_MORE_hostile := $(foreach l,sandbox policy book,$(O)/lib/$(l).a)
VARIANT_LIBS_hostile  = $(LIBS)
VARIANT_starved    := worker
VARIANT_MORE_starved := $(O)/obj/tests/unit/sandbox/starve.o
VARIANTS           := $(patsubst tests/sandbox/forkd_%.c,%,$(wildcard tests/sandbox/forkd_*.c))
variant_of          = $(O)/obj/tests/sandbox/forkd_$(1).o $(filter-out $(VARIANT_$(1):%=$(O)/obj/engine/sandbox/worker/%.o),$(BOX_OBJ))
define variant_rule
$(O)/rung-forkd-$(1): $(call variant_of,$(1)) $(O)/obj/gen/modules.o $(VARIANT_MORE_$(1)) $(O)/lib/base.a
	@echo '  link  $$@'
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $(call variant_of,$(1)) $(O)/obj/gen/modules.o $(VARIANT_MORE_$(1)) $(O)/lib/base.a $$(LIBS_BOX) $$(VARIANT_LIBS_$(1))
endef
$(foreach v,$(VARIANTS),$(eval $(call variant_rule,$(v))))

.PHONY: variants
variants: $(VARIANTS:%=$(O)/rung-forkd-%) ## build the variants of the fork server that the tests of the sandbox compare with it

# The Lua of the modules is linked into the fork server: a worker opens no file.
$(O)/gen/modules.c: $(wildcard modules/*/*.lua) tests/tools/embed.sh
	@mkdir -p $(@D)
	@echo '  embed $@'
	$(Q)sh tests/tools/embed.sh modules/*/*.lua > $@.new && mv $@.new $@

# What the comments of the modules say of each call is linked into the program, which prints the reference from it.
$(O)/gen/module_docs.c: $(wildcard modules/*/*.lua) tests/tools/embed_docs.sh
	@mkdir -p $(@D)
	@echo '  embed $@'
	$(Q)sh tests/tools/embed_docs.sh modules/*/*.lua > $@.new && mv $@.new $@

# The shell's half of a receipt is linked into the actor, which hands it to sh -c.
$(O)/gen/receipt.c: engine/sandbox/receipt.sh tests/tools/embed_text.sh
	@mkdir -p $(@D)
	@echo '  embed $@'
	$(Q)sh tests/tools/embed_text.sh sandbox/receipt.h receipt_text $< > $@.new && mv $@.new $@

$(O)/gen/ssh_files.c: modules/ssh/files.sh tests/tools/embed_text.sh
	@mkdir -p $(@D)
	@echo '  embed $@'
	$(Q)sh tests/tools/embed_text.sh modules/ssh/files.h ssh_files_text $< > $@.new && mv $@.new $@

$(O)/obj/gen/%.o: $(O)/gen/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

LAYER_MORE_sandbox := $(O)/obj/gen/receipt.o $(O)/obj/gen/module_docs.o $(O)/obj/gen/ssh_files.o $(MODULE_OBJ)
define layer_rule
$(O)/lib/$(1).a: $(call obj_of,$(1)) $(LAYER_MORE_$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

$(O)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo '  cc    $<'
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(O) -name '*.d' 2>/dev/null)

# Unit tests: tests/unit/<layer>/test_*.c, each a cmocka program that links its layer and all below.
UNIT     := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(O)/test/%,$(UNIT))
define unit_rule
$(O)/test/$(1)/%: tests/unit/$(1)/%.c $(foreach l,$(2),$(O)/lib/$(l).a)
	@mkdir -p $$(@D)
	@echo '  test  $$@'
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $$@.d -MT $$@ -o $$@ $$< $$(MORE_OBJ) -Wl,--start-group $(foreach l,$(2),$(O)/lib/$(l).a) -Wl,--end-group $(LDFLAGS) -lcmocka $$(LIBS)
endef
upto = $(if $(filter $(1),$(firstword $(2))),$(3) $(1),$(call upto,$(1),$(wordlist 2,99,$(2)),$(3) $(firstword $(2))))
$(foreach l,$(LAYERS),$(eval $(call unit_rule,$(l),$(call upto,$(l),$(LAYERS),))))

.PHONY: units
units: $(UNIT_BIN) ## build the unit tests (SAN=1 with sanitizers)

# These stand on a file system of their own, which takes the place of the C library's calls.
LYING_BIN := $(addprefix $(O)/test/store/,test_power test_io_faults)
LYING_OBJ := $(patsubst %.c,$(O)/obj/%.o,$(wildcard tests/unit/store/lying_*.c))
$(LYING_BIN): $(LYING_OBJ)
$(LYING_BIN): MORE_OBJ = $(LYING_OBJ)

# The sandbox's tests start the fork server of their own build.
$(filter $(O)/test/sandbox/%,$(UNIT_BIN)): | $(O)/rung-forkd

# These have memory that runs out: an allocator in the place of the C library's.
$(O)/test/sandbox/test_starved_parsers: $(O)/obj/tests/unit/sandbox/starve.o
$(O)/test/sandbox/test_starved_parsers: MORE_OBJ = $(O)/obj/tests/unit/sandbox/starve.o
$(O)/test/sandbox/test_starved_worker: | $(O)/rung-forkd-starved

# What test_reference.py compares with its own evaluator.
$(O)/policy-decide: tests/policy/decide.c $(O)/lib/policy.a $(O)/lib/base.a
	@echo '  test  $@'
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -MF $@.d -MT $@ -o $@ $< $(O)/lib/policy.a $(O)/lib/base.a $(LDFLAGS) $(LIBS)

# The program with a wall clock that a test sets: the linker puts tests/hostile/clock_offset.c before clock_gettime, the program's objects are the same.
$(O)/rung-clock: $(O)/obj/engine/main.o $(O)/obj/tests/hostile/clock_offset.o $(ARCHIVES)
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) $(WATCHED) -Wl,--wrap=clock_gettime -o $@ $(filter %.o,$^) -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

# The simulation drives the very objects of flow/ that the program links.
SIMULATE := $(wildcard tests/simulate/*.c)
$(O)/simulate: $(SIMULATE:%.c=$(O)/obj/%.o) $(O)/lib/flow.a $(O)/lib/policy.a $(O)/lib/book.a $(O)/lib/base.a
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $(SIMULATE:%.c=$(O)/obj/%.o) -Wl,--start-group $(O)/lib/flow.a $(O)/lib/policy.a $(O)/lib/book.a $(O)/lib/base.a -Wl,--end-group $(LIBS)

.PHONY: simulate
simulate: $(O)/simulate ## drive decisions, recovery, escalations and alerts through random worlds (SEEDS=n from FIRST=n)
	$(O)/simulate $(FIRST) $(SEEDS)
	$(O)/simulate escalation $(FIRST) $(SEEDS)
	$(O)/simulate incident $(FIRST) $(SEEDS)

# The SSH server that misbehaves as it is told.
SSH_PEER := $(wildcard tests/ssh/peer*.c)
$(O)/ssh-peer: $(SSH_PEER:%.c=$(O)/obj/%.o) $(O)/lib/base.a
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

.PHONY: probes
probes: $(O)/policy-decide $(O)/simulate $(O)/rung-clock $(O)/ssh-peer ## build the small programs that tests talk to: what the engine decides, a server that misbehaves

# Fuzz targets: tests/fuzz/fuzz_<subject>.c. FUZZ=1 fuzzers links them with libFuzzer, replays with a main that runs them over their seeds.
FUZZ_SUBJECTS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_LAYERS   := $(foreach l,base book policy flow journal store sandbox alert escalate report service http,$(O)/lib/$(l).a)
FUZZ_LINK      = -Wl,--start-group $(FUZZ_LAYERS) -Wl,--end-group $(LDFLAGS) $(LIBS)

$(O)/target/%: tests/fuzz/fuzz_%.c $(FUZZ_LAYERS)
	@mkdir -p $(@D)
	@echo '  fuzz  $@'
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-missing-prototypes -fsanitize=fuzzer -MMD -MP -MF $@.d -MT $@ -o $@ $< $(FUZZ_LINK)

$(O)/replay/%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $(FUZZ_LAYERS)
	@mkdir -p $(@D)
	@echo '  test  $@'
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-missing-prototypes -o $@ $< tests/fuzz/replay.c $(FUZZ_LINK)

.PHONY: fuzzers replays
fuzzers: $(FUZZ_SUBJECTS:%=$(O)/target/%)
replays: $(FUZZ_SUBJECTS:%=$(O)/replay/%)

.PHONY: packages packages-test packages-bench
packages: ## install the Debian packages that building and running need
	sh tests/tools/packages.sh build
packages-test: ## install the Debian packages that the tests need as well
	sh tests/tools/packages.sh test
packages-bench: ## install the Debian packages that measurements compare with, too
	sh tests/tools/packages.sh bench

.PHONY: try
try: packages ## on a fresh Debian 12: install what is needed, build, run a shipped runbook by itself
	$(MAKE) $(if $(findstring j,$(MAKEFLAGS)),,-j$(shell nproc)) all
	$(O)/rung run runbooks/host-health.md --auto --allow declared

.PHONY: demo
demo: ## an alert from the full disk that raises it to the incident that closes, live, with Debian's Prometheus and Alertmanager
	@sh tests/tools/packages.sh demo
	@$(MAKE) --no-print-directory all
	@RUNG=$(O)/rung python3 tests/e2e/demo.py

.PHONY: check
check: packages-test ## install what the tests need, build, run all tests
	@B=$(B) sh tests/run.sh

.PHONY: torture
torture: ## the long loops: kills, failpoints, power cuts, I/O faults, seeds; resumable, totals at the end (ROUNDS=n ONLY="kills cuts")
	@B=$(B) sh tests/torture/run.sh $(or $(ROUNDS),0) $(ONLY)

.PHONY: bench
bench: all $(O)/ssh-peer ## measure: books, decisions and steps a second, memory, fleets beside ansible and others; ratios in one run
	-@sh tests/tools/packages.sh bench
	@B=$(B) sh tests/bench/run.sh

.PHONY: mutants
mutants: all ## one-line faults, one at a time in a copy: each must turn a suite red
	@B=$(B) python3 tests/mutants/mutants.py

.PHONY: fuzz
fuzz: packages-test ## build the fuzz targets with clang and run each for a minute (SECONDS_EACH=n)
	@B=$(B) sh tests/fuzz/run.sh

SOURCES  = $(shell git ls-files '*.c' '*.h')
.PHONY: docs
docs: all ## write the documentation that is made from the code: modules/README.md
	cat modules/introduction.md > modules/README.md
	$(O)/rung help modules --markdown >> modules/README.md

.PHONY: lint format cover
lint: packages-test ## layers, names, formatting, compiler warnings of clang, clang-tidy
	@B=$(B) sh tests/lint.sh
format: ## format the C sources
	clang-format -i $(SOURCES)
cover: packages-test ## line coverage of all tests, as text
	@B=$(B) sh tests/cover.sh

.PHONY: install
install: all ## install the program, its fork server, the books and a unit for systemd (DESTDIR= PREFIX=/usr/local)
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(DESTDIR)$(PREFIX)/libexec' '$(DESTDIR)$(PREFIX)/share/rung/runbooks' '$(DESTDIR)$(PREFIX)/share/rung/playbooks'
	install -m 0755 $(O)/rung '$(DESTDIR)$(PREFIX)/bin/rung'
	install -m 0755 $(O)/rung-forkd '$(DESTDIR)$(PREFIX)/libexec/rung-forkd'
	install -m 0644 runbooks/*.md '$(DESTDIR)$(PREFIX)/share/rung/runbooks/'
	install -m 0644 playbooks/*.md '$(DESTDIR)$(PREFIX)/share/rung/playbooks/'
	install -d '$(DESTDIR)$(PREFIX)/lib/systemd/system'
	sed 's|@PREFIX@|$(PREFIX)|' engine/http/rung.service > '$(DESTDIR)$(PREFIX)/lib/systemd/system/rung.service'
	chmod 0644 '$(DESTDIR)$(PREFIX)/lib/systemd/system/rung.service'

.PHONY: clean help
clean: ## remove build/
	rm -rf '$(B)'
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16
