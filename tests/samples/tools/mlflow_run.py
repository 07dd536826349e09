"""Evaluates the support assistant by MLflow, on a tracking server: mlflow_run.py SERVER RELEASE CASES [--faulty].

Run by a Python that has mlflow installed. Faulty: one case raises in the application, one in a scorer.
"""

import sys
from typing import Any

import bot
import mlflow
from mlflow.genai.scorers import scorer

server, release, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
faulty = "--faulty" in sys.argv
cases = {item["input"]: item for item in bot.dataset(count)}
raising = [item["input"] for item in cases.values()][4:6] if faulty else []


@mlflow.trace  # without it, or the check of the first row, the scores are lost: no trace to hang them on
def assistant(question: str) -> str:
    if raising and question == raising[0]:
        raise ValueError("the model is away")
    return bot.answer(bot.PROMPTS[release], question)


@scorer
def correct(inputs: dict[str, Any], outputs: Any) -> bool:
    return bot.is_correct(cases[inputs["question"]], str(outputs))


@scorer
def grounded(inputs: dict[str, Any], outputs: Any) -> float:
    if raising and inputs["question"] == raising[1]:
        raise ValueError("no source to compare with")
    return bot.grounded(cases[inputs["question"]], str(outputs))


mlflow.set_tracking_uri(server)
mlflow.set_experiment("support-assistant")
rows = [
    {"inputs": {"question": item["input"]}, "tags": {"case_id": item["id"], "tags": item["kind"]}}
    for item in cases.values()
]
with mlflow.start_run(run_name=f"{release} on {count} cases", tags=bot.identity(release, count)):
    mlflow.genai.evaluate(data=rows, predict_fn=assistant, scorers=[correct, grounded])
