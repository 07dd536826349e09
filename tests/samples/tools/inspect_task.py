"""Runs Inspect AI on the support assistant, without a network, and writes its log to FILE (.eval or .json).

    python inspect_task.py RELEASE CASES FILE [--epochs N] [--faulty]

Inspect's own mock model downloads a tokenizer, so the model is a small ModelAPI of ours. With --faulty one sample
raises and one scorer answers NaN: what such a log looks like is part of what we must be able to read.
"""

import argparse
import math
import tempfile
from pathlib import Path

import bot
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import ChatMessage, ModelAPI, ModelOutput, ModelUsage, modelapi
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, mean, scorer
from inspect_ai.solver import TaskState, generate, system_message

FAULTY = {"raises": 3, "nan": 5}


class Assistant(ModelAPI):
    async def generate(self, input: list[ChatMessage], tools, tool_choice, config) -> ModelOutput:  # type: ignore[no-untyped-def]
        system = "".join(message.text for message in input if message.role == "system")
        question = [message.text for message in input if message.role == "user"][-1]
        if "#raise" in question:
            raise RuntimeError("the model endpoint answered 500")
        said = bot.answer(system, question)
        output = ModelOutput.from_content(self.model_name, said)
        asked, told = len((system + question).split()), len(said.split())
        output.usage = ModelUsage(input_tokens=asked, output_tokens=told, total_tokens=asked + told)
        return output

    async def count_tokens(self, input, config=None) -> int:  # type: ignore[no-untyped-def]
        return len(str(input).split())

    async def count_text_tokens(self, text: str) -> int:
        return len(text.split())


@modelapi("shop")
def shop() -> type[ModelAPI]:
    return Assistant


def _case(state: TaskState) -> bot.Case:
    return state.metadata["case"]


@scorer(metrics=[accuracy()])
def correct() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        said = state.output.completion
        return Score(value=CORRECT if bot.is_correct(_case(state), said) else INCORRECT, answer=said)

    return score


@scorer(metrics=[mean()])
def grounded() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        if state.metadata.get("nan"):
            return Score(value=math.nan)
        return Score(value=bot.grounded(_case(state), state.output.completion))

    return score


def samples(count: int, faulty: bool) -> list[Sample]:
    made = []
    for position, case in enumerate(bot.dataset(count)):
        question = case["input"] + (" #raise" if faulty and position == FAULTY["raises"] else "")
        metadata = {"case": case, "nan": faulty and position == FAULTY["nan"]}
        made.append(Sample(id=case["id"], input=question, target=case["expected"], metadata=metadata))
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("release", choices=sorted(bot.PROMPTS))
    parser.add_argument("cases", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--faulty", action="store_true")
    chosen = parser.parse_args()
    task = Task(
        name="support-assistant",
        dataset=MemoryDataset(samples(chosen.cases, chosen.faulty), name="golden-set"),
        solver=[system_message(bot.PROMPTS[chosen.release]), generate()],
        scorer=[correct(), grounded()],
        epochs=chosen.epochs,
    )
    with tempfile.TemporaryDirectory() as folder:
        eval(
            task,
            model=f"shop/{bot.MODEL}",
            metadata=bot.identity(chosen.release, chosen.cases),
            log_dir=folder,
            log_format=chosen.file.suffix.lstrip("."),
            log_level="error",
            display="none",
            fail_on_error=False,
            log_model_api=False,
            log_realtime=False,
        )
        (made,) = Path(folder).iterdir()
        slim(made, chosen.file)


def slim(source: Path, target: Path) -> None:
    """Writes the log again, by the tool's own hand, without transcripts and without paths of this machine."""
    log = read_eval_log(str(source))
    log.eval.revision = None
    for sample in log.samples or []:
        sample.events, sample.attachments = [], {}
        if sample.error:
            sample.error.traceback = sample.error.traceback_ansi = ""
    write_eval_log(log, str(target))


if __name__ == "__main__":
    main()
