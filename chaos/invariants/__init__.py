"""What has to be true when the faults are over. Runs inside the site's Django:

python -m chaos.invariants    with the facts of the day as JSON on standard input; prints each invariant as JSON
"""
