"""A Python function that answers."""

from __future__ import annotations

from natscli.learn.step import Attempt, Step

CALC = '''\
def mean(request):
    """The mean of the numbers in a request, a JSON array."""
    numbers = request.json()
    return {"mean": sum(numbers) / len(numbers)}
'''


def check(attempt: Attempt) -> str:
    """The function has to have answered."""
    if attempt.other.status == 3:
        return "the request goes to mean: that is the subject to listen on"
    return (
        ""
        if attempt.other.json() == {"mean": 3.0}
        else "--handler calc.py:mean names the file and the function"
    )


STEP = Step(
    title="Answer with Python",
    text="""\
The file calc.py is in this folder. Its function mean(request) gives the mean of the numbers in a request.
Answer requests on the subject mean with it, with --handler FILE:FUNCTION.
With --reload as well, an edit of the file would apply at once.""",
    command="pynats reply mean --handler calc.py:mean",
    check=check,
    shows="What the function returned went out as JSON. An exception in it would be an error 500 of the service.",
    you="responder (you)",
    other="requester",
    then="pynats request mean '[1, 2, 6]'",
    files={"calc.py": CALC},
)
