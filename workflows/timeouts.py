"""Timeouts and retry policies, named by intent. Each number says why."""

from datetime import timedelta
from typing import Any, Final

from temporalio.common import RetryPolicy

from temporal.names import TaskQueue

# In-process and idempotent: a slow answer means a stuck disk or database, so try again soon, and for ever:
# giving up would lose a row over an outage that ends. Faults that stay raise non-retryable errors.
_PATIENT: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=100),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=30),
)

QUICK_CHECK: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(seconds=20),
    "retry_policy": _PATIENT,
}

# Gitleaks starts a process; on a loaded machine that has taken seconds. A scanner that stays broken must
# become visible as a failed row: 8 attempts span about a minute.
SCAN: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(seconds=60),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=500),
        maximum_interval=timedelta(seconds=20),
        maximum_attempts=8,
    ),
}

# Inserts every row of a plan: 200,000 rows take about a minute. It heartbeats per page.
OPEN_RUN: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(minutes=15),
    "heartbeat_timeout": timedelta(seconds=30),
    "retry_policy": _PATIENT,
}

# Reads every page of a plan, and writes some: 200,000 rows take about ten seconds. It heartbeats per page and per row
# that a policy decides on, so that a killed worker is noticed soon: a person has just approved, and looks.
PLANNING: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(minutes=15),
    "heartbeat_timeout": timedelta(seconds=10),
    "retry_policy": _PATIENT,
}

# Reads and hashes every row: 200,000 rows take about ten seconds. It heartbeats per thousand.
SEAL_RUN: Final[dict[str, Any]] = {
    "start_to_close_timeout": timedelta(minutes=15),
    "heartbeat_timeout": timedelta(seconds=30),
    "retry_policy": _PATIENT,
}

# The gateway keeps a call for its whole timeout and answers late; the margin covers its queue and start-up
# (litellm takes ten seconds to import on an idle machine).
PAID_CALL_MARGIN: Final = timedelta(seconds=60)


def paid_call(timeout: int, retries: int) -> dict[str, Any]:
    """Return options of a model call.

    Args:
        timeout: Longest the provider may take, in seconds.
        retries: Further attempts after the first failed one.
    """
    return {
        "task_queue": TaskQueue.MODEL,
        "start_to_close_timeout": timedelta(seconds=timeout) + PAID_CALL_MARGIN,
        # The activity heartbeats every three seconds; a killed worker is noticed by this, not by the timeout.
        "heartbeat_timeout": timedelta(seconds=15),
        "retry_policy": RetryPolicy(
            initial_interval=timedelta(seconds=1),
            backoff_coefficient=2.0,
            maximum_interval=timedelta(minutes=1),
            maximum_attempts=retries + 1,
        ),
    }


# The sandbox ends a program by its own limits; the margin covers start and report. A program's own failure
# is a result, so what is retried here is only a sandbox that could not start.
SANDBOXED: Final[dict[str, Any]] = {
    "task_queue": TaskQueue.SANDBOX,
    "start_to_close_timeout": timedelta(seconds=120),
    "heartbeat_timeout": timedelta(seconds=20),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=1), maximum_attempts=4),
}

# Scanners start interpreters of their own and load their rules: half a minute on two loaded cores, and each has a
# limit of five minutes itself. A scanner that is missing stays missing: three attempts, then the row fails.
SCAN_CODE: Final[dict[str, Any]] = {
    "task_queue": TaskQueue.SCANS,
    "start_to_close_timeout": timedelta(minutes=6),
    "heartbeat_timeout": timedelta(seconds=30),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=2), maximum_attempts=3),
}

# A large repository takes minutes per scanner, each of which has a limit of five itself; they run side by side.
SCAN_FOLDER: Final[dict[str, Any]] = {
    "task_queue": TaskQueue.SCANS,
    "start_to_close_timeout": timedelta(minutes=15),
    "heartbeat_timeout": timedelta(seconds=30),
    "retry_policy": RetryPolicy(initial_interval=timedelta(seconds=10), maximum_attempts=3),
}
