# Everything that a person or CI does with this repository. `make help` lists it; longer shell lives in .ci/.

# A Go older than the one in go.mod fetches the right one by itself, distributions that switch this off included.
export GOTOOLCHAIN ?= auto

# That Go's folder stands first in PATH: Go 1.24, Debian 13's own, crashes on the way to a newer one when GOEXPERIMENT
# names what only the newer one knows (golang/go issue 74111). Last comes the Chromium that Ubuntu gets from npm.
export PATH := $(patsubst %,%/bin:,$(shell env -u GOEXPERIMENT go env GOROOT 2>/dev/null))$(PATH):$(CURDIR)/.build/chromium

# The fast CPU kernels are written with simd/archsimd, which exists on amd64 only; elsewhere plain Go is built.
ifneq ($(filter x86_64 amd64,$(shell uname -m)),)
export GOEXPERIMENT ?= simd
endif

DEVICE ?= cpu

.DEFAULT_GOAL := help
.PHONY: help deps build run site check test golden wgsl soak bench bench-cpu bench-web base-model clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

deps: ## install what is missing: compiler, Vulkan on the CPU, Chromium, npm, Go modules, the page's packages
	@.ci/deps.sh

build: deps ## make bin/hone, which carries the page
	@.ci/page.sh $(PACK)
	go build -o bin/hone ./server

run: build ## serve the page to this machine, and open it where there is a desktop
	@bin/hone serve --open

# What travels further than this machine is compressed as far as it goes, which takes minutes.
site bench-web: PACK = --quality 11

site: build ## write the page as files for any web host to site/
	@bin/hone site site

check: ## gofmt, vet, staticcheck, floors
	@.ci/check.sh

test: deps ## every suite with its time
	@go run .ci/suites.go

golden: ## compare with the PyTorch reference runs, on DEVICE=cpu
	@HONE_DEVICE=$(DEVICE) go run .ci/suites.go golden

wgsl: ## write out every variant of every kernel to .build/wgsl, compile them natively, show them to tint and naga
	HONE_REQUIRE_WEBGPU=1 HONE_WGSL=$(CURDIR)/.build/wgsl go test -count=1 -run '^(TestPermutations|TestValidators)$$' -v ./core/device/webgpu

soak: build ## the long property and chaos runs, of which `make test` runs a fixed part
	HONE_REQUIRE_WEBGPU=1 go test -tags soak -count=1 -timeout 3h ./...

bench: build ## operators and steps of a 25M Llama beside what the device does at most, on DEVICE=cpu or webgpu
	bin/hone bench --device $(DEVICE) --method lora --batch 2 --layers 4 --steps 3 --operators 1
	bin/hone bench --device $(DEVICE) --method qlora --batch 2 --layers 4 --steps 3 --operators 1
	@[ $(DEVICE) != webgpu ] || HONE_BENCH=1 HONE_REQUIRE_WEBGPU=1 go test -count=1 -run '^Test(BestShape|LoRABranch)$$' -v ./core/device/webgpu

bench-cpu: build ## CPU kernels, and the step of a 25M Llama beside PyTorch's
	@.ci/bench-cpu.sh

bench-web: build ## what the page costs in a browser: bytes, time to the first loss, long tasks
	HONE_BENCH=1 HONE_REQUIRE_WEBGPU=1 go test -count=1 -timeout 30m -run '^TestBench' -v ./server/e2e ./web/worker

# The bundled default, made again from nothing: a generated world, then a Llama pre-trained on its stories.
WORLD := core/bundle/.work
base-model: build ## make the bundled default again (half an hour)
	rm -rf $(WORLD)
	go run ./core/bundle/worldgen --out $(WORLD)
	bin/hone pretrain --dataset $(WORLD)/corpus.jsonl --config $(WORLD)/config.json --tokenizer $(WORLD)/tokenizer --output_dir $(WORLD)/run \
		--device cpu --packing true --max_length 256 --max_steps 2500 --learning_rate 4e-3 --lr_scheduler_type cosine --warmup_steps 100 \
		--weight_decay 0.05 --per_device_train_batch_size 8 --gradient_accumulation_steps 1 --gradient_checkpointing false \
		--logging_steps 500 --save_steps 1000 --seed 1 --dtype bfloat16
	mkdir -p core/bundle/default/model
	cp $(WORLD)/run/final/* core/bundle/default/model/
	cp $(WORLD)/world.json $(WORLD)/sentiment.json $(WORLD)/doctor.json $(WORLD)/heldout.json core/bundle/default/

clean: ## remove what was built
	rm -rf bin .build site
	find web/dist/site -mindepth 1 ! -name .gitignore -delete
