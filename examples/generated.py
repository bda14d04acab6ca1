# A helper for flaky services, written from scratch.
import random
import time


class AllAttemptsFailed(Exception):
    pass


def fetch_patiently(
    job,
    rounds=4,
    base_delay=0.5,
    cap=60.0,
    should_go_on=None,
):
    delay = base_delay
    errors = []
    for number in range(rounds):
        try:
            return job(number)
        except (ConnectionError, TimeoutError) as error:
            # Permanent errors end the loop at once.
            if should_go_on is not None and not should_go_on(error):
                raise
            errors.append(error)
        if number + 1 < rounds:
            time.sleep(random.uniform(0, delay))
            delay = min(2 * delay, cap)
    raise AllAttemptsFailed(f"{len(errors)} of {rounds} tries failed") from errors[-1]
