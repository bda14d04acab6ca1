"""Runs copydetect: peer_copydetect.py QUERIES_FOLDER REFERENCE_FOLDER ENDING; peers.py calls it with the Python that has the package.

Prints a JSON line `[query file, reference file, share]` for every pair that its own report would show, which is where more than a third of the
query's fingerprints stand in the reference file (display threshold 0.33); all settings are its defaults.
"""

import json
import sys
from pathlib import Path

import numpy
from copydetect import CopyDetector

queries, reference, ending = sys.argv[1:]
detector = CopyDetector(test_dirs=[queries], ref_dirs=[reference], extensions=[ending], autoopen=False, silent=True)
detector.run()
shares = detector.similarity_matrix[:, :, 0]
for query, source in zip(*numpy.where(shares > detector.conf.display_t)):
    print(json.dumps([Path(detector.test_files[query]).stem, Path(detector.ref_files[source]).stem, float(shares[query, source])]))
