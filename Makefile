# make demo   train a small binary network, compile it, prove the Verilog bit-exact (about three minutes)
# make test   the default test suite
# Both build .venv first. Needs Python >= 3.11, a C++ compiler, make and perl; everything else comes from PyPI.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   := rtl_out/demo

.PHONY: demo test test-slow lint format bench bench-conv bench-hw bench-cost calibrate venv clean
.DEFAULT_GOAL := demo

venv: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: venv
	@mkdir -p $(DEMO)
	$(BIN)/hwq train digits-mlp -o $(DEMO)/model.pt
	$(BIN)/hwq compile $(DEMO)/model.pt --target vu9p -o $(DEMO)/digits-mlp
	$(BIN)/hwq verify $(DEMO)/digits-mlp --engine cocotb --inputs $(DEMO)/model.test.npz --labels $(DEMO)/model.test.npz --reference $(DEMO)/model.test.npz

test: venv
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-slow: venv
	$(BIN)/python -m pytest -m slow

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy

format: venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: venv
	$(BIN)/python -m hwq.report.bench_main
	$(BIN)/python -m hwq.report.bench_conv

# PART=cycles, cnv, resnet18 or resnet50 measures that alone
bench-conv: venv
	$(BIN)/python -m hwq.report.bench_conv $(PART)

# circuits beside plain Verilog and alkaid, and a product's cost by quantizer: forty minutes of processor time, most of it Yosys on the
# others; WORK=popcount measures the works whose names begin so; alkaid and matplotlib are optional, Ctrl-C shows what there is
bench-hw: venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[bench]" || echo "alkaid or matplotlib could not be installed (above): their rows or the plot are left out" >&2
	$(BIN)/python -m hwq.report.bench_hw $(WORK)

# DESIGNS="tfc cnv" measures those alone
bench-cost: venv
	$(BIN)/python -m hwq.report.bench_cost $(DESIGNS)

# synthesises the samples of the cost model again and fits it: a quarter of an hour
calibrate: venv
	$(BIN)/python -m hwq.report.calibrate

clean:
	rm -rf $(VENV) rtl_out/* build .pytest_cache .mypy_cache .ruff_cache .hypothesis
