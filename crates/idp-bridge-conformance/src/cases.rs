//! The cases, one module for each part of the contract.

mod capabilities;
mod controls;
mod delete;
mod diagnose;
mod faults;
mod federation;
mod get;
mod hostile;
mod mail;
mod mark;
mod origins;
mod recorder;
mod writes;

use idp_bridge_core::CallKind;

use crate::case::Case;

const READS: [CallKind; 3] = [CallKind::GetById, CallKind::GetByEmail, CallKind::GetByCustomer];

const WRITES: [CallKind; 4] =
    [CallKind::Delete, CallKind::MarkEmailVerified, CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail];

/// Returns all cases, in the order of the contract.
pub(crate) fn all() -> Vec<Case> {
    let parts = [
        capabilities::cases(),
        get::cases(),
        delete::cases(),
        mark::cases(),
        mail::cases(),
        diagnose::cases(),
        hostile::cases(),
        controls::cases(),
        recorder::cases(),
        origins::cases(),
        faults::cases(),
        writes::cases(),
        federation::cases(),
    ];
    parts.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::bullet;

    #[test]
    fn every_promise_has_a_case() {
        let proved: BTreeSet<_> = all().iter().flat_map(|case| case.proves().to_vec()).collect();
        for bullet in bullet::ALL {
            assert!(proved.contains(bullet), "no case proves this: {bullet}");
        }
        assert_eq!(proved.len(), bullet::ALL.len());
    }

    #[test]
    fn every_case_has_a_promise_and_unique_name() {
        let cases = all();
        let names: BTreeSet<_> = cases.iter().map(Case::name).collect();
        assert_eq!(names.len(), cases.len());
        assert!(cases.iter().all(|case| !case.proves().is_empty()));
    }
}
