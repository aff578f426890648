//! From Cognito's refusals to the kinds of error: by their codes, since nearly every one of them is a 400.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_cognitoidentityprovider::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use idp_bridge_core::Error;
use idp_bridge_core::ErrorKind::*;
use idp_bridge_http::{Effect, Response, StatusCode, refused};
use serde::Deserialize;

use crate::transport::Wait;

/// What was asked of Cognito: one of its operations. The same code means different things to different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    AdminGetUser,
    ListUsers,
    ListUsersInGroup,
    AdminUpdateUserAttributes,
    AdminDeleteUser,
    /// Resends the invitation of a user who has never signed in; it makes none.
    AdminCreateUser,
    ResendConfirmationCode,
    ForgotPassword,
    RevokeToken,
    AdminUserGlobalSignOut,
    DescribeUserPool,
    ListUserPoolClients,
    DescribeUserPoolClient,
}

impl Step {
    /// The operation's name, which is that of the IAM action as well.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AdminGetUser => "AdminGetUser",
            Self::ListUsers => "ListUsers",
            Self::ListUsersInGroup => "ListUsersInGroup",
            Self::AdminUpdateUserAttributes => "AdminUpdateUserAttributes",
            Self::AdminDeleteUser => "AdminDeleteUser",
            Self::AdminCreateUser => "AdminCreateUser",
            Self::ResendConfirmationCode => "ResendConfirmationCode",
            Self::ForgotPassword => "ForgotPassword",
            Self::RevokeToken => "RevokeToken",
            Self::AdminUserGlobalSignOut => "AdminUserGlobalSignOut",
            Self::DescribeUserPool => "DescribeUserPool",
            Self::ListUserPoolClients => "ListUserPoolClients",
            Self::DescribeUserPoolClient => "DescribeUserPoolClient",
        }
    }

    /// Whether it changes something or sends a mail.
    pub(crate) fn effect(self) -> Effect {
        match self {
            Self::AdminUpdateUserAttributes
            | Self::AdminDeleteUser
            | Self::AdminCreateUser
            | Self::ResendConfirmationCode
            | Self::ForgotPassword
            | Self::RevokeToken
            | Self::AdminUserGlobalSignOut => Effect::Write,
            _ => Effect::Read,
        }
    }

    /// Whether an app client asks for it, which needs no IAM action.
    fn is_of_app_client(self) -> bool {
        matches!(self, Self::ResendConfirmationCode | Self::ForgotPassword | Self::RevokeToken)
    }
}

/// The error of an operation that failed.
pub(crate) fn failure<E>(step: Step, error: SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    let wait = error.raw_response().and_then(|answer| answer.extension::<Wait>()).and_then(|wait| wait.0);
    let error = match &error {
        SdkError::ServiceError(refused) => {
            refusal(step, refused.err().code().unwrap_or_default(), refused.err().message().unwrap_or_default())
        }
        SdkError::ResponseError(strange) => foreign(strange.raw().status().as_u16()),
        SdkError::TimeoutError(_) => late(),
        _ => unsent(error),
    };
    error.with("step", step.name()).with_retry_after(wait)
}

/// The error that a code of Cognito's means. The message is read for a few known words where a code has several meanings.
fn refusal(step: Step, code: &str, message: &str) -> Error {
    let error = match code {
        "UserNotFoundException" => Error::upstream(NotFound, "no such user"),
        "ResourceNotFoundException" if step.is_of_app_client() => {
            Error::upstream(Misconfigured, "the pool has no such app client").with_hint("check `client_id`")
        }
        // Or no such pool: whoever asked finds out.
        "ResourceNotFoundException" if step == Step::ListUsersInGroup => Error::upstream(NotFound, "no such group"),
        "ResourceNotFoundException" => {
            Error::upstream(Misconfigured, "cognito has no such pool").with_hint("check `user_pool_id` and `region`")
        }
        // Also of a token that another client got: whoever asked finds out.
        "UnauthorizedException" | "NotAuthorizedException" if step == Step::RevokeToken => {
            Error::upstream(Unauthenticated, "cognito refused the app client")
                .with_hint("check the client's secret in the settings of federation")
        }
        "UnsupportedTokenTypeException" => Error::upstream(InvalidInput, "the token is no refresh token"),
        "UnsupportedOperationException" if step == Step::RevokeToken => {
            Error::upstream(Unsupported, "the app client's tokens cannot be revoked")
                .with_hint("User pools → the pool → App clients → the client → Edit: enable token revocation")
        }
        "NotAuthorizedException" => not_authorized(step, message),
        "InvalidParameterException" => invalid_parameter(step, message),
        "AliasExistsException" => Error::upstream(
            Conflict,
            "another user has this address verified already, and the pool signs users in by it",
        ),
        "CodeDeliveryFailureException" => {
            Error::upstream(Unavailable, "cognito could not hand the mail to its mail system")
        }
        "UserLambdaValidationException" => {
            Error::upstream(State, "a Lambda trigger of the pool refused it for this user")
        }
        _ => kind_of(code),
    };
    if error.kind() == PermissionDenied { error.with("action", step.name()) } else { error }
}

/// The codes that mean the same to every operation, those of AWS's common errors among them.
fn kind_of(code: &str) -> Error {
    match code {
        "TooManyRequestsException" | "LimitExceededException" | "TooManyFailedAttemptsException" => {
            Error::upstream(RateLimited, "cognito asks to slow down")
        }
        code if is_throttling(code) => Error::upstream(RateLimited, "cognito asks to slow down"),
        "UserNotConfirmedException" | "PasswordResetRequiredException" | "UnsupportedUserStateException" => {
            Error::upstream(State, "cognito cannot do it for a user in this state")
        }
        "AccessDeniedException" | "AccessDenied" | "OptInRequired" | "SubscriptionRequiredException" => {
            Error::upstream(PermissionDenied, "the credentials lack a right")
                .with_hint(
                    "IAM → the bridge's user or role → Permissions: allow the action on the pool's ARN; and check `user_pool_id`, \
                     since AWS says the same of a pool that is not there",
                )
        }
        "ForbiddenException" => Error::upstream(PermissionDenied, "the pool's web ACL blocks the bridge")
            .with_hint("User pools → the pool → AWS WAF: allow the bridge's address"),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken" => Error::upstream(Unauthenticated, "AWS does not know the access key")
            .with_hint("check `access_key_id` and `session_token`"),
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" | "RequestExpired" => {
            Error::upstream(Unauthenticated, "AWS refused the signature")
                .with_hint("check `secret_access_key`, and that this host's clock is right")
        }
        "ExpiredTokenException" | "ExpiredToken" => Error::upstream(Unauthenticated, "the credentials have expired")
            .with_hint("set keys that last, or `role_arn`"),
        "InvalidUserPoolConfigurationException"
        | "InvalidEmailRoleAccessPolicyException"
        | "InvalidSmsRoleAccessPolicyException"
        | "InvalidSmsRoleTrustRelationshipException" => {
            Error::upstream(Misconfigured, "the pool cannot send messages as it is set up")
                .with_hint("User pools → the pool → Authentication methods: check Email and SMS")
        }
        "UnexpectedLambdaException" | "InvalidLambdaResponseException" => {
            Error::upstream(Misconfigured, "a Lambda trigger of the pool failed")
                .with_hint("User pools → the pool → Extensions: look into the trigger's log")
        }
        "InternalErrorException"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => Error::upstream(Unavailable, "cognito failed"),
        _ => Error::upstream(InvalidResponse, "cognito did not understand the request"),
    }
}

/// To an app client it is a wrong secret, and a user who may not (seen on ministack 1.5.33, November 2026: `Unable to verify secret
/// hash`; of the real one people report `User password cannot be reset in the current state` and `User is disabled`).
fn not_authorized(step: Step, message: &str) -> Error {
    if !step.is_of_app_client() {
        return Error::upstream(PermissionDenied, "cognito refused the credentials for this operation");
    }
    if message.contains("state") || message.contains("disabled") {
        return Error::upstream(State, "cognito cannot do it for a user in this state");
    }
    Error::upstream(Unauthenticated, "cognito refused the app client").with_hint("check `client_secret`")
}

/// Only where the user alone can be what is wrong with the parameters is it the user's state.
fn invalid_parameter(step: Step, message: &str) -> Error {
    match step {
        // As people report it of the real one.
        Step::ResendConfirmationCode if message.contains("Auto verification not turned on") => {
            Error::upstream(Misconfigured, "the pool verifies no addresses")
                .with_hint("User pools → the pool → Sign-up: let Cognito verify the email")
        }
        Step::ResendConfirmationCode => Error::upstream(State, "the user has confirmed the sign-up already"),
        Step::ForgotPassword => Error::upstream(State, "the user has no verified address to reset the password by"),
        Step::AdminUpdateUserAttributes => Error::upstream(State, "cognito refuses this change of this user"),
        Step::RevokeToken => Error::upstream(InvalidInput, "the token is no refresh token"),
        _ => Error::upstream(InvalidResponse, "cognito did not understand the request"),
    }
}

/// The error that an answer means which has no code, so that something before Cognito must have given it.
pub(crate) fn foreign(status: u16) -> Error {
    refused(status).with_hint("check `endpoint`")
}

/// No answer before the deadline.
pub(crate) fn late() -> Error {
    Error::upstream(Timeout, "cognito did not answer before the deadline")
}

/// The error of an operation that got no answer: our own client's, or that there were no credentials to sign with.
fn unsent<E>(error: SdkError<E>) -> Error
where
    E: StdError + Send + Sync + 'static,
{
    let source = match error.into_source().map(|source| source.downcast::<ConnectorError>()) {
        Ok(Ok(connector)) => connector.into_source(),
        Ok(Err(other)) => other,
        Err(_) => return Error::ours(Unexpected, "the AWS SDK failed without a reason"),
    };
    match source.downcast::<Error>() {
        Ok(own) => *own,
        // The SDK's own words may quote what the token service said.
        Err(other) => without_credentials(&*other),
    }
}

fn without_credentials(error: &(dyn StdError + 'static)) -> Error {
    let causes = || causes(error);
    if let Some(own) = causes().find_map(|cause| cause.downcast_ref::<Error>()) {
        return own.retold("no AWS credentials were given").with("cause", own.message().to_owned());
    }
    match causes().find_map(|cause| cause.downcast_ref::<CredentialsError>()) {
        Some(CredentialsError::ProviderTimedOut(_)) => late(),
        Some(CredentialsError::CredentialsNotLoaded(_)) => {
            Error::ours(Unauthenticated, "the host has no AWS credentials")
                .with_hint("give the instance, task or pod a role, or set `access_key_id`")
        }
        Some(_) => Error::upstream(Unauthenticated, "AWS gives no credentials").with_hint(
            "check `role_arn` and `external_id` against the role's trust policy, and the keys that take it on",
        ),
        None => Error::ours(Unexpected, "the AWS SDK could not send a request"),
    }
}

fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// The status that an answer of Cognito amounts to, where its code says more than its own: what our client retries by.
pub(crate) fn amounts_to(answer: &Response) -> StatusCode {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(rename = "__type")]
        code: String,
    }
    if answer.status != StatusCode::BAD_REQUEST {
        return answer.status;
    }
    let Ok(Refusal { code }) = answer.json() else { return answer.status };
    // Some services put a namespace before it.
    match code.rsplit('#').next().unwrap_or_default() {
        "CodeDeliveryFailureException" => StatusCode::BAD_GATEWAY,
        // The limit of one user is not over by the time of another attempt: `LimitExceededException` is final.
        code if is_throttling(code) || code == "TooManyRequestsException" => StatusCode::TOO_MANY_REQUESTS,
        _ => answer.status,
    }
}

/// The same for the token service, whose errors are XML.
pub(crate) fn tokens_amount_to(answer: &Response) -> StatusCode {
    let throttled = answer.text().is_some_and(|text| text.contains("<Code>Throttling"));
    if throttled { StatusCode::TOO_MANY_REQUESTS } else { answer.status }
}

fn is_throttling(code: &str) -> bool {
    matches!(code, "ThrottlingException" | "Throttling" | "ThrottledException" | "RequestLimitExceeded")
}

#[cfg(test)]
mod tests {
    use Step::*;
    use idp_bridge_core::ErrorKind;

    use super::*;

    /// Codes and messages as AWS documents them or as people report them (November 2026).
    const TABLE: &[(Step, &str, &str, ErrorKind)] = &[
        (AdminGetUser, "UserNotFoundException", "User does not exist.", NotFound),
        (AdminGetUser, "ResourceNotFoundException", "User pool eu-west-1_x does not exist.", Misconfigured),
        (ListUsersInGroup, "ResourceNotFoundException", "Group not found.", NotFound),
        (ForgotPassword, "ResourceNotFoundException", "User pool client x does not exist.", Misconfigured),
        (AdminGetUser, "AccessDeniedException", "User: x is not authorized to perform: y", PermissionDenied),
        (AdminDeleteUser, "NotAuthorizedException", "", PermissionDenied),
        (AdminGetUser, "UnrecognizedClientException", "The security token is invalid.", Unauthenticated),
        (AdminGetUser, "InvalidSignatureException", "The request signature does not match", Unauthenticated),
        (AdminGetUser, "ExpiredTokenException", "The security token is expired", Unauthenticated),
        (ForgotPassword, "NotAuthorizedException", "Unable to verify secret hash for client x", Unauthenticated),
        (ForgotPassword, "NotAuthorizedException", "User password cannot be reset in the current state.", State),
        (ForgotPassword, "NotAuthorizedException", "User is disabled.", State),
        (ForgotPassword, "InvalidParameterException", "Cannot reset password for the user as there is no ...", State),
        (ResendConfirmationCode, "InvalidParameterException", "User is already confirmed.", State),
        (ResendConfirmationCode, "InvalidParameterException", "Auto verification not turned on.", Misconfigured),
        (AdminUpdateUserAttributes, "InvalidParameterException", "Cannot verify email without an email", State),
        (AdminUpdateUserAttributes, "AliasExistsException", "", Conflict),
        (ListUsers, "InvalidParameterException", "Error while parsing filter.", InvalidResponse),
        (RevokeToken, "UnauthorizedException", "", Unauthenticated),
        (RevokeToken, "NotAuthorizedException", "", Unauthenticated),
        (RevokeToken, "UnsupportedTokenTypeException", "", InvalidInput),
        (RevokeToken, "InvalidParameterException", "Value at 'token' failed to satisfy constraint", InvalidInput),
        (RevokeToken, "UnsupportedOperationException", "", Unsupported),
        (RevokeToken, "ResourceNotFoundException", "User pool client x does not exist.", Misconfigured),
        (AdminUserGlobalSignOut, "UserNotFoundException", "User does not exist.", NotFound),
        (AdminUserGlobalSignOut, "AccessDeniedException", "User: x is not authorized to perform: y", PermissionDenied),
        (ForgotPassword, "CodeDeliveryFailureException", "", Unavailable),
        (ForgotPassword, "LimitExceededException", "Attempt limit exceeded, please try after some time.", RateLimited),
        (ListUsers, "TooManyRequestsException", "Too many requests", RateLimited),
        (ListUsers, "ThrottlingException", "Rate exceeded", RateLimited),
        (ListUsers, "InternalErrorException", "", Unavailable),
        (ListUsers, "SomethingNewException", "", InvalidResponse),
        (ListUsers, "", "", InvalidResponse),
    ];

    #[test]
    fn every_known_code_has_its_kind() {
        for (step, code, message, kind) in TABLE {
            assert_eq!(refusal(*step, code, message).kind(), *kind, "{step:?} {code} {message}");
        }
    }

    #[test]
    fn a_missing_action_is_named() {
        let error = refusal(AdminDeleteUser, "AccessDeniedException", "");
        assert_eq!(error.context("action"), Some("AdminDeleteUser"));
    }

    #[test]
    fn the_message_is_never_shown() {
        for (step, code, message, _) in TABLE {
            let shown = format!("{:?}", refusal(*step, code, &format!("{message} s3cr3t")));
            assert!(!shown.contains("s3cr3t"), "{shown}");
        }
    }
}
