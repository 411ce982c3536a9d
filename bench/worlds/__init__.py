"""A marketplace made up from a seed, with innocent people who look alike and rings that were planted.

Nothing here knows how the detectors work: it imports none of their code, and writes a file that anybody's detectors could read.
"""
