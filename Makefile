# The commands of this project; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Most tests wait for processes that start, stop or are killed: more workers than cores.
TEST_WORKERS ?= 4
# Each has a server and a browser.
WEB_WORKERS ?= 2
TEST_MODELS := multilingual-e5-small qwen2.5-coder-0.5b-instruct

# Side by side as $(1) says; what failed that way, where servers are killed on cores that many share, once more by itself.
define pytest
$(BIN)/pytest $(1) $(2) || { test $$? = 1 && echo "--- Once more, by itself: what failed above. ---" \
	&& $(BIN)/pytest $(2) --exitfirst -rA --show-capture=no --last-failed --last-failed-no-failures=none; }
endef

.PHONY: help serve test test-web test-vllm test-milvus test-processes test-faults test-overload fuzz fuzz-api check format bench bench-retrieval bench-answers bench-ingest bench-load bench-pages bench-quality bench-adapter bench-scale bench-vectors bench-traffic bench-company bench-poison bench-start browser postgres screenshots audit sbom examples clean

help: ## List these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "manualqa needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	@echo "Installing the environment into $(VENV) (about 2.3 GB, once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -c constraints.txt -e '.[local,ocr,finetune,scale,mcp,otel,dev]' 2>&1 \
		| grep --line-buffered -E '^(Collecting|Installing|Successfully|ERROR)|error:' | cut -c1-120 ; exit $${PIPESTATUS[0]}
	@touch $(STAMP)

serve: $(STAMP) ## Start the server with the sample manuals (first time: environment and weights too)
	@$(BIN)/manualqa models pull
	@exec $(BIN)/manualqa serve --sample examples

browser: ## Install Chromium, which the tests of the web pages need (as root, on Debian and its kin)
	@if command -v chromium chromium-browser google-chrome > /dev/null; then :; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then \
		echo "There is no Chromium and it cannot be installed here: the tests of the web pages are left out."; \
	else \
		echo "Installing Chromium ..."; \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk; } > /dev/null 2>&1 \
			|| echo "Chromium could not be installed: the tests of the web pages are left out."; \
	fi

postgres: ## Install Postgres, which the tests of the catalogue need (as root, on Debian and its kin)
	@if command -v initdb > /dev/null || ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1; then :; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then \
		echo "There is no Postgres and it cannot be installed here: its tests are left out."; \
	else \
		echo "Installing Postgres ..."; \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql; } > /dev/null 2>&1 \
			|| echo "Postgres could not be installed: its tests are left out."; \
	fi

screenshots: $(STAMP) browser ## Take the pictures of the pages in docs/images again
	@$(BIN)/manualqa models pull multilingual-e5-small
	@$(BIN)/python -m tests.web.screenshots

test: $(STAMP) browser postgres ## Run all tests but those of vLLM and Milvus, in a real browser too (first time: environment, weights, Chromium)
	@$(BIN)/manualqa models pull $(TEST_MODELS)
	@$(BIN)/python -m tests.deploy.environment > /dev/null
	@$(call pytest,-n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder,--durations=10 --ignore=tests/web --ignore=tests/system --ignore=tests/vllm --ignore=tests/milvus)
	@$(call pytest,,--durations=5 tests/system)
	@$(call pytest,-n $(WEB_WORKERS) --dist loadfile,--durations=5 tests/web)

test-web: $(STAMP) browser ## Run only the tests of the web pages in a real browser (first time: Chromium too)
	@$(BIN)/manualqa models pull multilingual-e5-small
	@$(call pytest,-n $(WEB_WORKERS) --dist loadfile,--durations=10 tests/web)

test-vllm: $(STAMP) ## Run the tests of a real vLLM on the CPU (first time: its environment of 2.5 GB, about 5 minutes)
	@$(BIN)/manualqa models pull qwen2.5-coder-0.5b-instruct
	@$(BIN)/python -m tests.vllm.environment > /dev/null
	@$(call pytest,,--timeout=900 -rP --durations=10 tests/vllm)

test-milvus: $(STAMP) ## Run the tests of a real Milvus server, killed meanwhile (first time: fetches it, 58 MB; about 8 minutes)
	@$(BIN)/python -m tests.milvus.environment > /dev/null
	@$(BIN)/pytest --timeout=900 -rP --durations=10 tests/milvus

test-processes: $(STAMP) postgres ## Kill workers beside servers on Postgres, and Postgres itself (up to a quarter of an hour)
	@$(BIN)/pytest --campaign -s tests/faults/test_company.py tests/faults/test_database_restart.py tests/faults/test_takeovers.py

test-faults: $(STAMP) ## Kill the server twenty times at every point and fail every write (about an hour on two cores)
	@$(BIN)/pytest --campaign --timeout=3600 -s tests/faults/test_kills.py tests/faults/test_training_kills.py tests/faults/test_uploads.py tests/faults/test_writes.py

test-overload: $(STAMP) ## Measure 200 questions at once and 100 readers that leave; take the model, Milvus and the database away (some minutes)
	@$(BIN)/pytest --campaign --timeout=900 -s tests/faults/test_overload.py tests/faults/test_parts_away.py

fuzz: $(STAMP) ## Read a thousand damaged PDFs and every hostile one (about ten minutes on two cores)
	@$(BIN)/pytest --campaign tests/faults/test_mutated_pdfs.py tests/contract/test_hostile_pdfs.py

fuzz-api: $(STAMP) ## Send 10,000 made-up requests with a key and 2,000 without to the whole API (about half an hour)
	@$(BIN)/pytest --campaign --timeout=7200 -s tests/fuzz

check: $(STAMP) ## Check format, lint, types and import arrows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: $(STAMP) ## Format the code and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: bench-ingest bench-load bench-pages bench-retrieval bench-answers bench-start ## Measure everything on the real manuals (about an hour on two cores)

bench-ingest: $(STAMP) ## Measure parsing and whole ingest, pages per second and peak memory
	@$(BIN)/manualqa models pull multilingual-e5-small
	@$(BIN)/python -m eval bench ingest

bench-load: $(STAMP) ## Measure steps against stock LangChain, a 1,600-page manual, search while loading, OCR
	@$(BIN)/manualqa models pull multilingual-e5-small all-minilm-l6-v2
	@$(BIN)/python -m eval bench steps
	@$(BIN)/python -m eval bench large
	@$(BIN)/python -m eval bench busy
	@$(BIN)/python -m eval bench scanned

bench-pages: $(STAMP) ## Measure page images and boxes, and the quotes found on their pages
	@$(BIN)/python -m eval bench pages

bench-retrieval: $(STAMP) ## Measure hit@1, hit@5 and MRR@10 on the labelled questions
	@$(BIN)/manualqa models pull multilingual-e5-small
	@$(BIN)/python -m eval bench retrieval

bench-answers: $(STAMP) ## Measure answers and refusals of the default model on a seeded sample
	@$(BIN)/manualqa models pull
	@$(BIN)/python -m eval bench answers

bench-quality: $(STAMP) ## Measure every labelled set beside a stock LangChain pipeline (hours on two cores; call it again to go on)
	@$(BIN)/manualqa models pull
	@$(BIN)/manualqa models pull all-minilm-l6-v2
	@$(BIN)/python -m eval.baselines.environment > /dev/null || true
	@$(BIN)/python -m eval bench quality

bench-adapter: $(STAMP) ## Train an adapter on labelled questions and compare it with its base on held-out manuals
	@$(BIN)/manualqa models pull multilingual-e5-small qwen2.5-coder-0.5b-instruct
	@$(BIN)/python -m eval bench adapter

bench-scale: $(STAMP) ## Measure search and filling at 1,000 to 100,000 made-up chunks (--most 1000000: an hour) beside stock LangChain
	@$(BIN)/python -m eval.baselines.environment > /dev/null || true
	@$(BIN)/python -m eval bench scale

bench-vectors: $(STAMP) ## Measure the vector stores alone, embedded and a real Milvus server (first time: fetches it, 58 MB; about a quarter of an hour)
	@$(BIN)/python -m tests.milvus.environment > /dev/null
	@$(BIN)/python -m eval bench vectors

bench-traffic: $(STAMP) ## Ten minutes of 20 questions, 5 searches and 2 uploads a second, and the overhead over the model server
	@$(BIN)/manualqa models pull multilingual-e5-small
	@$(BIN)/python -m eval.traffic.environment > /dev/null
	@$(BIN)/python -m eval bench traffic

bench-company: $(STAMP) postgres ## Measure two servers and two workers, one killed, beside one process, and moving there and back (half an hour)
	@$(BIN)/manualqa models pull multilingual-e5-small
	@$(BIN)/python -m eval bench company

bench-start: $(STAMP) ## Measure cold start and idle memory
	@$(BIN)/manualqa models pull
	@$(BIN)/python -m eval bench start

audit: $(STAMP) ## Ask the registry's advisories about every pinned library (needs a registry that has them)
	@$(BIN)/python -m tests.deploy.audit

sbom: $(STAMP) ## Write the bill of materials of the environment, sbom.json in CycloneDX's form
	@"$$($(BIN)/python -m tests.deploy.environment | head -1)/cyclonedx-py" environment $(BIN)/python --pyproject pyproject.toml --output-reproducible -o sbom.json
	@echo "sbom.json"
bench-poison: $(STAMP) ## Ask about 216 poisoned manuals, on the default model and on one that obeys them (about an hour)
	@$(BIN)/manualqa models pull
	@$(BIN)/pytest --campaign tests/unit/poison
	@$(BIN)/python -m eval bench poison

examples: $(STAMP) ## Typeset the sample manuals again
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[examples]'
	@$(BIN)/python examples/build.py

clean: ## Remove the environment and caches; data and weights stay
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
