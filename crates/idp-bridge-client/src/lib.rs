//! Signs a call, sends it to a bridge and reads the answer.
