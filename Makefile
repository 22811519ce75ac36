# Each target is one line; the work is in setup.sh and in pyproject.toml's tools.
UV = .setup/bin/uv run --frozen --no-sync
.PHONY: setup demo test check bench chaos clean

setup: ; @./.ci/setup
demo: setup ; @$(UV) prism run catalogs/samples/demo.csv
test: setup check ; @./.ci/docker; $(UV) python -m tests.opa && $(UV) pytest -n 3 --dist loadgroup --no-loadscope-reorder --reruns 1
check: setup ; @./.ci/check
chaos: setup ; @PRISM_CHAOS_ROWS=1000 $(UV) pytest tests/chaos
bench: setup ; @$(UV) python -m tests.bench
