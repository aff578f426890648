//! The suite that every idp-bridge connector passes, in tree or out of tree.
