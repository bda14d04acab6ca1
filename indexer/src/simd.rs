//! Vector kernels with run-time dispatch, each beside its scalar twin.
