# The project's commands. `make help` lists them.

.DEFAULT_GOAL := help
SWIFT ?= swift
# An import that Package.swift does not declare is an error: the arrows between the rooms hold.
FLAGS := --explicit-target-dependency-import-check error
BUILT := .build/debug
# So many tests at once.
FEW := SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$$((4 * $$(nproc)))
# A crashing test must not wait for a debugger, but say where it was. Servers and daemons of the stories are left alone.
export SWIFT_BACKTRACE ?= enable=no
TELLING := SWIFT_BACKTRACE=enable=yes,interactive=no,color=no,threads=crashed,images=none

.PHONY: help run test build lint format bench corpora fuzz kill docs clean

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ONCE ?=
run: .ci/packages  ## a private mail site and one mail's way through it; ONCE=1 ends after the story
	@.ci/install build run
	@echo "Building (the first time takes some minutes) ..."
	@$(SWIFT) build $(FLAGS) --product postrider
	@$(SWIFT) build $(FLAGS) --product story
	@exec $(BUILT)/story $(BUILT)/postrider .run .build/run.lock conf/examples/inbound-auto-reply.yaml $(if $(ONCE),once)

test: .ci/packages  ## everything: formatting, unit tests, stories with real servers
	@.ci/install build run test
	@$(MAKE) --no-print-directory lint
	$(SWIFT) build $(FLAGS) --build-tests
	@# The fuzz targets feed what the tests test: they must not fall behind it.
	Fuzz/run --smoke
	@# What waits for servers apart, and what talks over sockets: beside a thousand other tests they would wait for each other on
	@# a small machine.
	$(TELLING) $(SWIFT) test $(FLAGS) --skip-build --parallel --skip '^(IntegrationTests|ServerTestKitTests|[A-Za-z]+AdapterTests)\.'
	@# Four a core are faster than all at once (39 s in place of 69 over sockets, with two cores), and none of them waits past its
	@# limit for a processor.
	$(TELLING) $(FEW) $(SWIFT) test $(FLAGS) --skip-build --parallel --filter '^[A-Za-z]+AdapterTests\.'
	@# A story is several servers.
	$(FEW) \
		$(SWIFT) test $(FLAGS) --skip-build --parallel --filter '^(IntegrationTests|ServerTestKitTests)\.'

build: .ci/packages  ## the daemon, optimised, in .build/release
	@.ci/install build
	$(SWIFT) build $(FLAGS) -c release --product postrider

lint:  ## formatting, and the pages that are generated
	$(SWIFT) format lint --strict --parallel --recursive Package.swift Sources Tests Benchmarks Fuzz

format:  ## put the sources in form
	$(SWIFT) format --in-place --parallel --recursive Package.swift Sources Tests Benchmarks Fuzz

bench: NAME ?=
bench: .ci/packages  ## the benchmarks, or the one named by NAME=
	@.ci/install build run bench
	@Benchmarks/run $(NAME)

corpora: NAME ?=
corpora: .ci/packages  ## how far reading agrees with the corpora, or with the one named by NAME=; POSTRIDER_CORPORA says where
	@.ci/install build
	@$(SWIFT) build $(FLAGS) --product corpora >&2
	@$(BUILT)/corpora $(NAME)

fuzz: NAME ?=
fuzz: SECONDS ?= 20
fuzz:  ## the fuzz targets, or the one named by NAME=, for SECONDS= each
	@Fuzz/run "$(NAME)" "$(SECONDS)"

kill: COUNT ?= 2000
kill: .ci/packages  ## kill the daemon COUNT= times while it hands mail to a real Postfix
	@.ci/install build run test
	$(SWIFT) build $(FLAGS) --build-tests
	POSTRIDER_KILLS=$(COUNT) $(SWIFT) test $(FLAGS) --skip-build --filter killedAtRandomMoments

docs:  ## write the sample configuration, its reference page and the API's description anew
	$(SWIFT) build $(FLAGS) --product postrider
	$(BUILT)/postrider configuration > conf/postrider.yaml
	$(BUILT)/postrider configuration --reference > Documentation/configuration.md
	$(BUILT)/postrider describe Documentation/openapi.yaml > .build/description.swift
	@cmp -s .build/description.swift Sources/HTTPAdapter/DescriptionText.swift || \
		cp .build/description.swift Sources/HTTPAdapter/DescriptionText.swift

clean:  ## remove what was built
	rm -rf .build .build-* .run
