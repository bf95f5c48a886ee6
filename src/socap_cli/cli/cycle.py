"""socap run: one cycle of all stages."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from socap_cli.cli import alerts, jobs, report, work
from socap_cli.cli.options import DryRun, one_of
from socap_cli.cli.run import BUG, PARTLY_DONE, Run, bootstrap
from socap_cli.errors import SocapError

STAGES = {"enqueue": "enqueue", "work": "work", "alerts": "alerts send", "render": "report render"}
"""By the word of --skip, in their order, the command that each stage runs."""


def complete_stage(incomplete: str) -> list[str]:
    return [stage for stage in STAGES if stage.startswith(incomplete)]


def run_cycle(
    ctx: typer.Context,
    skip: Annotated[
        list[str],
        typer.Option(
            metavar="|".join(STAGES),
            autocompletion=complete_stage,
            help="Leave a stage out; may be repeated.",
        ),
    ] = [],  # noqa: B006
    dry_run: DryRun = False,
) -> None:
    """Run one cycle: enqueue, work, alerts send, report render.

    A stage that fails does not stop the next one. The exit code is that of the worst stage.

    Example: socap run --skip render
    """
    run: Run = ctx.obj
    skipped = {one_of(stage, STAGES, "stage") for stage in skip} | ({"work"} if dry_run else set())
    with bootstrap(run).database():
        pass  # a wrong configuration or a database that is down is one error, not four
    outcomes: list[tuple[Run, SocapError | None]] = []
    for stage in STAGES:
        if stage not in skipped:
            outcomes.append(_run_stage(ctx, run, stage, dry_run=dry_run))
            if outcomes[-1][0].is_stopping:
                break
    results: dict[str, Any] = {}
    for stage_run, error in outcomes:
        code = stage_run.code(error)
        results[stage_run.command] = {
            "exit_code": code, "run_id": stage_run.run_id, "result": stage_run.result,
            "error": error.message if error else None,
        }  # fmt: skip
        run.warnings.extend(f"{stage_run.command}: {warning}" for warning in stage_run.warnings)
    worst_run, worst_error = max(
        outcomes, key=lambda one: work.SEVERITY.index(one[0].code(one[1])), default=(run, None)
    )
    others = [error for _, error in outcomes if error and error is not worst_error]
    run.warnings.extend(f"{error.message}{f' – {error.hint}' if error.hint else ''}" for error in others)
    states = [f"{command} {_state(results.get(command))}" for command in STAGES.values()]
    run.done(
        {"stages": results, "dry_run": dry_run}, text=", ".join(states), exit_code=worst_run.code(worst_error)
    )
    if worst_error:
        raise worst_error


def _run_stage(ctx: typer.Context, run: Run, stage: str, *, dry_run: bool) -> tuple[Run, SocapError | None]:
    """Run a stage as its command would run by itself, with its log, record and ping."""
    command = STAGES[stage]
    stage_run = Run(
        json=run.json,
        quiet=run.quiet,
        verbose=run.verbose,
        log_format=run.log_format,
        config=run.config,
        data_dir=run.data_dir,
        command=command,
    )
    stage_run.log()
    ctx.obj = stage_run
    failure: SocapError | None = None
    try:
        if stage == "enqueue":
            jobs.enqueue(ctx, dry_run=dry_run)
        elif stage == "work":
            work.work(ctx)
        elif stage == "alerts":
            alerts.send(ctx, dry_run=dry_run)
        else:
            report.render(ctx, dry_run=dry_run)
    except SocapError as error:
        failure = error
        failure.message = f"{command}: {error.message}"
    except Exception as error:  # a bug in one stage must not stop the alerts
        from socap_cli.cli.app import write_bug_report

        text = f"{command}: a bug in socap: {type(error).__name__}"
        failure = SocapError(text, hint=write_bug_report(stage_run, error))
        failure.exit_code = BUG
    finally:
        ctx.obj = run
    stage_run.end(failure)
    return stage_run, failure


def _state(result: dict[str, Any] | None) -> str:
    if result is None:
        return "skipped"
    code = result["exit_code"]
    return {0: "done", PARTLY_DONE: "partly done"}.get(code, f"failed (exit code {code})")
