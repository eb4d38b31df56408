"""`hfrisk VERB`: the commands, each a thin call of the function with the same name.

Heavy modules are imported inside the verbs, so that `hfrisk --help` answers at once and a missing optional package only stops the verb
that needs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hfrisk.convert import convert_command
from hfrisk.errors import exit_on_error

if TYPE_CHECKING:
    from hfrisk.config import StudyConfig

app = typer.Typer(
    name="hfrisk",
    help="From hospital ECG XML to a heart-failure risk model with honest numbers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("convert")(convert_command)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The study file.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override one setting: section.key=value.")]
RunArgument = Annotated[Path, typer.Argument(help="Folder of a training run.")]
STUDY_FILE = Path("study.toml")


@app.command()
def labels(config: ConfigOption = STUDY_FILE, overrides: SetOption = None) -> None:
    """Read heart-failure diagnoses from the OMOP database."""
    with exit_on_error():
        from hfrisk import labels as module  # noqa: PLC0415

        module.run(_load(config, overrides))


@app.command()
def cohort(config: ConfigOption = STUDY_FILE, overrides: SetOption = None) -> None:
    """Join recordings, registry and diagnoses to one row an ECG, with label and split."""
    with exit_on_error():
        from hfrisk import cohort as module  # noqa: PLC0415

        module.run(_load(config, overrides))


@app.command()
def covariates(config: ConfigOption = STUDY_FILE, overrides: SetOption = None) -> None:
    """Build features of every ECG from what the OMOP database knew before it."""
    with exit_on_error():
        from hfrisk import covariates as module  # noqa: PLC0415

        module.run(_load(config, overrides))


@app.command()
def lint(config: ConfigOption = STUDY_FILE, overrides: SetOption = None) -> None:
    """Look for leaks: what makes a result look better than it is. Exits with 1 when a check fails."""
    with exit_on_error():
        from hfrisk import lint as module  # noqa: PLC0415

        if not module.run(_load(config, overrides)):
            raise SystemExit(1)


@app.command()
def train(
    config: ConfigOption = STUDY_FILE,
    overrides: SetOption = None,
    *,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped.")] = False,
) -> None:
    """Train the model; the same as `python -m hfrisk.train`."""
    with exit_on_error():
        from hfrisk import train as module  # noqa: PLC0415

        module.run(_load(config, overrides), resume=resume)


@app.command()
def evaluate(
    run: RunArgument,
    *,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="First train the ECG alone and the tabular features alone, for comparison.")
    ] = False,
) -> None:
    """Measure a trained model on the test split, beside simpler ones."""
    with exit_on_error():
        from hfrisk import evaluate as module  # noqa: PLC0415

        if ablations:
            module.train_ablations(run)
        module.run(run)


@app.command()
def report(
    run: RunArgument,
    *,
    with_cases: Annotated[bool, typer.Option("--with-cases", help="Draw example ECGs, which are patient data.")] = False,
) -> None:
    """Write RUN/report.html."""
    with exit_on_error():
        from hfrisk import report as module  # noqa: PLC0415

        typer.echo(module.run(run, with_cases=with_cases))


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="hf_risk_model.pth of a run.")],
    sources: Annotated[list[Path], typer.Argument(help="What `hfrisk convert` takes, or a store.", metavar="SOURCE")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Table to write: .csv or .parquet.")],
    tabular: Annotated[Path | None, typer.Option(help="CSV of features by person_id or ecg_file.")] = None,
    registry: Annotated[Path | None, typer.Option(help="Folder of metadata files *.csv.csv, which say whose an ECG is.")] = None,
    device: Annotated[str, typer.Option(help="`auto` takes CUDA when there is one.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Threads that convert and decode; 0 takes one a core.")] = 0,
) -> None:
    """Give the risk of every recording, straight from XML, zip archives or a store."""
    with exit_on_error():
        from hfrisk import predict as module  # noqa: PLC0415

        table = module.run(model, sources, out, tabular=tabular, registry=registry, device=device, num_threads=threads)
        num_rejected = table["rejection"].count()
        typer.echo(f"{table.height - num_rejected:,} recordings predicted, {num_rejected:,} files rejected: {out}", err=True)


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="hf_risk_model.pth of a run.")],
    *,
    onnx: Annotated[Path | None, typer.Option(help="Write ONNX to this file.")] = None,
    torch_program: Annotated[Path | None, typer.Option("--torch", help="Write a torch.export program to this file (.pt2).")] = None,
) -> None:
    """Write a model for other runtimes; it takes microvolts and raw features and gives the risk."""
    with exit_on_error():
        from hfrisk import export as module  # noqa: PLC0415

        module.run(model, onnx=onnx, torch_program=torch_program)
        typer.echo(f"exported: {', '.join(str(path) for path in (onnx, torch_program) if path is not None)}", err=True)


@app.command()
def explain(
    run: RunArgument,
    *,
    with_cases: Annotated[bool, typer.Option("--with-cases", help="Draw single ECGs, which are patient data, into RUN/cases.")] = False,
    cases: Annotated[int, typer.Option(min=1, help="How many with the highest, lowest and most uncertain risk.")] = 1,
) -> None:
    """Tell what moved the model's risks on the test split."""
    with exit_on_error():
        from hfrisk import explain as module  # noqa: PLC0415

        module.show(module.run(run, with_cases=with_cases, num_cases=cases))


@app.command()
def plot(
    source: Annotated[Path, typer.Argument(help="An ECG XML file, or a store.")],
    row: Annotated[int | None, typer.Argument(help="Row of the store.")] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write: .svg, .png or .pdf.")] = Path("ecg.svg"),
    title: Annotated[str | None, typer.Option(help="Text above the paper; by default nothing says whose the ECG is.")] = None,
) -> None:
    """Draw twelve leads on ECG paper, 25 mm/s and 10 mm/mV."""
    with exit_on_error():
        from hfrisk import plot as module  # noqa: PLC0415

        module.run(source, row, output, title=title)


@app.command()
def drift(
    reference: Annotated[Path, typer.Argument(help="Folder of an evaluated run, or predictions of `hfrisk predict`.")],
    new: Annotated[Path, typer.Argument(help="The same of later ECGs; a column `y` holds outcomes known by now.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write every number to this JSON file.")] = None,
    period: Annotated[Literal["month", "quarter", "year"], typer.Option(help="What the new ECGs are cut into.")] = "quarter",
    fail: Annotated[bool, typer.Option("--fail", help="Exit with 4 when the verdict is drift, for a scheduled job.")] = False,
) -> None:
    """Compare new predictions with those that the model was measured on."""
    with exit_on_error():
        from hfrisk import drift as module  # noqa: PLC0415

        found = module.run(reference, new, out=out, period=period)
        module.show(found)
        if fail and found["verdict"] == "drift":
            raise SystemExit(4)


@app.command()
def reproduce(
    run: RunArgument,
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the repetition; RUN-reproduced by default.")] = None,
) -> None:
    """Train and measure a run once more, and compare inputs, weights and figures; exits with 4 when they differ."""
    with exit_on_error():
        from hfrisk import reproduce as module  # noqa: PLC0415

        found = module.run(run, out=out)
        module.show(found)
        if found.verdict == "different":
            raise SystemExit(4)


@app.command()
def doctor(study: Annotated[Path | None, typer.Argument(help="A study file; without one only the machine is looked at.")] = None) -> None:
    """Look for what will not work, and say what to do about it."""
    with exit_on_error():
        from hfrisk import doctor as module  # noqa: PLC0415

        if not module.show(module.examine(study)):
            raise SystemExit(1)


@app.command()
def demo(
    out: Annotated[Path, typer.Argument(help="Folder to make; it must not exist or be empty.")],
    *,
    patients: Annotated[int, typer.Option(min=20, help="How many patients the hospital has.")] = 700,
    seed: Annotated[int, typer.Option(help="Another seed is another hospital.")] = 1,
    run: Annotated[bool, typer.Option("--run", help="Then run every command on it, from conversion to report.")] = False,
) -> None:
    """Make a synthetic hospital: ECG XML, metadata, OMOP tables and a study file."""
    with exit_on_error():
        from hfrisk import synthetic  # noqa: PLC0415

        if run:
            from hfrisk.synthetic import demo as module  # noqa: PLC0415

            module.run(out, num_patients=patients, seed=seed)
        else:
            synthetic.make_hospital(out, num_patients=patients, seed=seed)


def _load(path: Path, overrides: list[str] | None) -> StudyConfig:
    from hfrisk.config import load_config  # noqa: PLC0415

    return load_config(path, overrides or ())


def main() -> None:
    """Run the `hfrisk` command."""
    app()


if __name__ == "__main__":
    main()
