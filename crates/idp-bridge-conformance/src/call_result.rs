//! The result of a call, and checks of it.

use idp_bridge_core::{CallKind, Deleted, Error, ErrorKind, Outcome, Recorder, UserRecord};

use crate::TestResult;
use crate::context::ensure;

/// The success of any call.
#[derive(Debug)]
pub(crate) enum CallSuccess {
    User(UserRecord),
    Deleted(Deleted),
    Done,
}

/// A finished call.
#[derive(Debug)]
pub(crate) struct CallResult {
    pub(crate) kind: CallKind,
    pub(crate) result: Result<CallSuccess, Error>,
    pub(crate) recorder: Recorder,
}

impl CallResult {
    /// Returns the user, if the call returned one.
    pub(crate) fn user(self) -> TestResult<UserRecord> {
        match self.result {
            Ok(CallSuccess::User(user)) => Ok(user),
            other => Err(format!("`{}` should have returned a user: {other:?}", self.kind).into()),
        }
    }

    /// Returns the outcome of a delete.
    pub(crate) fn deleted(self) -> TestResult<Deleted> {
        match self.result {
            Ok(CallSuccess::Deleted(deleted)) => Ok(deleted),
            other => Err(format!("`{}` should have returned the outcome of a delete: {other:?}", self.kind).into()),
        }
    }

    /// Checks that the call succeeded.
    pub(crate) fn succeeds(self) -> TestResult<()> {
        self.result.map(|_| ()).map_err(|error| format!("`{}` should have succeeded: {error:?}", self.kind).into())
    }

    /// Checks that the call failed with this kind, and returns the error.
    pub(crate) fn fails(self, kind: ErrorKind) -> TestResult<Error> {
        self.fails_with_one_of(&[kind])
    }

    /// Checks that the call failed with one of these kinds, and returns the error.
    pub(crate) fn fails_with_one_of(self, kinds: &[ErrorKind]) -> TestResult<Error> {
        match self.result {
            Err(error) if kinds.contains(&error.kind()) => Ok(error),
            other => Err(format!("`{}` should have failed with {kinds:?}: {other:?}", self.kind).into()),
        }
    }

    /// Checks that the call found no user.
    pub(crate) fn finds_no_user(self) -> TestResult<()> {
        match self.result {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => Ok(()),
            Ok(CallSuccess::Deleted(Deleted::Absent | Deleted::Unknown)) => Ok(()),
            other => Err(format!("`{}` should have found no user: {other:?}", self.kind).into()),
        }
    }

    /// Checks the outcome in the recorder.
    pub(crate) fn has_outcome(&self, outcome: Outcome) -> TestResult<()> {
        let recorded = self.recorder.outcome();
        ensure!(recorded == outcome, "`{}` should have left the outcome {outcome:?}, not {recorded:?}", self.kind);
        Ok(())
    }

    /// Checks that the proxy counted a request.
    pub(crate) fn check_arrived(&self, requests: usize) -> TestResult<()> {
        let Self { kind, result, .. } = self;
        ensure!(
            requests > 0,
            "no request of `{kind}` arrived at the base URL that it was given; the result was {result:?}"
        );
        Ok(())
    }

    /// Checks that the proxy counted a write after the recorder announced one.
    pub(crate) fn check_written(&self, writes: usize) -> TestResult<()> {
        let Self { kind, result, .. } = self;
        ensure!(
            writes > 0,
            "`{kind}` wrote nothing, or did not announce the write to the recorder before it was sent; the result was {result:?}"
        );
        Ok(())
    }

    /// Checks that no request was recorded.
    pub(crate) fn makes_no_request(&self) -> TestResult<()> {
        let (requests, attempts) = (self.recorder.requests(), self.recorder.attempts());
        ensure!(requests == 0 && attempts == 0, "`{}` should have made no request, not {requests}", self.kind);
        Ok(())
    }
}
