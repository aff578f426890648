//! The cases, one file for each part of the contract.

mod capabilities;
mod controls;
mod delete;
mod diagnose;
mod faults;
mod get;
mod hostile;
mod mail;
mod mark;
mod recorder;
mod writes;

use idp_bridge_core::CallKind;

use crate::case::Case;

const READS: [CallKind; 3] = [CallKind::GetById, CallKind::GetByEmail, CallKind::GetByCustomer];

const WRITES: [CallKind; 4] =
    [CallKind::Delete, CallKind::MarkEmailVerified, CallKind::SendVerificationEmail, CallKind::SendPasswordResetEmail];

/// All of them, in the order of the contract.
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
        faults::cases(),
        writes::cases(),
    ];
    parts.into_iter().flatten().collect()
}
