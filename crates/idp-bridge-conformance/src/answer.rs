//! What a call answered, with the questions that the cases have about it.

use idp_bridge_core::{CallKind, Deleted, Error, ErrorKind, Outcome, Recorder, UserRecord};

use crate::Staged;
use crate::scene::ensure;

/// A good answer of any call.
#[derive(Debug)]
pub(crate) enum Answer {
    User(UserRecord),
    Deleted(Deleted),
    Done,
}

/// A call that ended.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) kind: CallKind,
    pub(crate) result: Result<Answer, Error>,
    pub(crate) recorder: Recorder,
}

impl Asked {
    /// The user that it answered.
    pub(crate) fn user(self) -> Staged<UserRecord> {
        match self.result {
            Ok(Answer::User(user)) => Ok(user),
            other => Err(format!("`{}` should have answered a user: {other:?}", self.kind).into()),
        }
    }

    /// How the delete ended.
    pub(crate) fn deleted(self) -> Staged<Deleted> {
        match self.result {
            Ok(Answer::Deleted(deleted)) => Ok(deleted),
            other => Err(format!("`{}` should have answered how it ended: {other:?}", self.kind).into()),
        }
    }

    /// That it went well, whatever it answered.
    pub(crate) fn well(self) -> Staged<()> {
        self.result.map(|_| ()).map_err(|error| format!("`{}` should have succeeded: {error:?}", self.kind).into())
    }

    /// That it failed with this kind.
    pub(crate) fn fails(self, kind: ErrorKind) -> Staged<Error> {
        self.fails_with_one_of(&[kind])
    }

    /// That it failed with one of these kinds.
    pub(crate) fn fails_with_one_of(self, kinds: &[ErrorKind]) -> Staged<Error> {
        match self.result {
            Err(error) if kinds.contains(&error.kind()) => Ok(error),
            other => Err(format!("`{}` should have failed with {kinds:?}: {other:?}", self.kind).into()),
        }
    }

    /// That it found nobody: what every call answers for a user that is not there.
    pub(crate) fn found_nobody(self) -> Staged<()> {
        match self.result {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => Ok(()),
            Ok(Answer::Deleted(Deleted::Absent | Deleted::Unknown)) => Ok(()),
            other => Err(format!("`{}` should have found nobody: {other:?}", self.kind).into()),
        }
    }

    /// That its outcome is this.
    pub(crate) fn has_outcome(&self, outcome: Outcome) -> Staged<()> {
        let told = self.recorder.outcome();
        ensure!(told == outcome, "`{}` should have left the outcome {outcome:?}, not {told:?}", self.kind);
        Ok(())
    }

    /// That this many requests, as the proxy counted them, are not none.
    pub(crate) fn arrived(&self, requests: usize) -> Staged<()> {
        let Self { kind, result, .. } = self;
        ensure!(
            requests > 0,
            "no request of `{kind}` arrived at the base URL that it was given; it answered {result:?}"
        );
        Ok(())
    }

    /// That this many writes, as the proxy counted them after the recorder was told, are not none.
    pub(crate) fn wrote(&self, writes: usize) -> Staged<()> {
        let Self { kind, result, .. } = self;
        ensure!(writes > 0, "`{kind}` wrote nothing, or told the recorder too late or never; it answered {result:?}");
        Ok(())
    }

    /// That it asked the identity provider nothing.
    pub(crate) fn asked_nothing(&self) -> Staged<()> {
        let (requests, attempts) = (self.recorder.requests(), self.recorder.attempts());
        ensure!(requests == 0 && attempts == 0, "`{}` should have made no request, not {requests}", self.kind);
        Ok(())
    }
}
